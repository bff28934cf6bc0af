"""Experiment files: what they mean, and one clear line for each way to get them wrong."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.rows.load import matching
from bench import Experiment
from bench.hardware import lane_mesh
from bench.lane.program import programs
from bench.messages import nearest, one_line
from bench.optimizers import optimizers
from bench.runs.plan import check_memory
from bench.spec import SECTIONS, Map, catalog
from bench.spec import experiment as spec
from tests.conftest import XOR, Rows, experiment

TEXT = """
name = "xor-width"
question = "Does width rescue a network that has to find XOR?"
[task]
name = "xor"
[model]
name = "mlp"
widths = [4]
activation = "tanh"
[initializer]
name = "glorot_normal"
gain = 1.0
bias = "zeros"
zero_layers = []
zero_fraction = 0.0
[optimizer]
name = "sgd"
learning_rate = 0.5
[training]
steps = 5000
batch_size = 0
solved_below = 0.05
stop = "solved"
dtype = "float32"
[seeds]
init = 1000
data = 1
[grid]
"model.widths" = [[2], [3], [4], [8]]
"initializer" = [{ name = "zeros" }, { name = "glorot_normal" }]
[[claim]]
id = "xor-width-8"
says = "Eight hidden units suffice."
where = { "model.widths" = [8], "initializer" = "glorot_normal" }
measure = "solved"
at_least = 0.99
alpha = 0.05
"""


def test_the_example_means_what_it_says() -> None:
    found = Experiment.parse(TEXT)
    assert found.text == TEXT
    assert found.axes == {"model.widths": ["[2]", "[3]", "[4]", "[8]"], "initializer": ["zeros", "glorot_normal"]}
    assert len(found.cells) == 8
    assert found.lanes == 8000


@pytest.mark.parametrize(
    ("right", "wrong", "place", "hint"),
    [
        ("steps = 5000", "stepz = 5000", "training: unknown key 'stepz'", "did you mean 'steps'"),
        ("steps = 5000", "steps = -3", "training: steps = -3", "greater than 0"),
        ("steps = 5000", 'steps = "many"', "training: steps = 'many'", "valid integer"),
        ("steps = 5000", "steps = true", "training: steps = True", "valid integer"),
        ('name = "xor"\n', 'name = "xorr"\n', "task: unknown task 'xorr'", "did you mean 'xor'"),
        ('"tanh"', '"tahn"', "activation = 'tahn'", "'tanh'"),
        ("activation =", "activatoin =", "model: unknown key 'activatoin'", "did you mean 'activation'"),
        ("widths = [4]", "widths = [-4]", "widths[0] = -4", "greater than 0"),
        ("gain = 1.0", "gane = 1.0", "initializer: unknown key 'gane'", "did you mean 'gain'"),
        ("gain = 1.0", "gain = -1.0", "gain = -1.0", "greater than or equal to 0"),
        ("zero_fraction = 0.0", "zero_fraction = 2.0", "zero_fraction = 2.0", "less than or equal to 1"),
        ('{ name = "zeros" }', '{ name = "zeross" }', "unknown initializer 'zeross'", "did you mean 'zeros'"),
        ('name = "sgd"', 'name = "sdg"', "unknown optimizer 'sdg'", "did you mean 'sgd'"),
        ("learning_rate = 0.5", "learning_rate = -0.5", "learning_rate = -0.5", ">= 0"),
        ("learning_rate = 0.5", 'learning_rate = "fast"', "learning_rate = 'fast'", "1/curvature"),
        ("learning_rate = 0.5", "learning_rate = 0.5\nmomentun = 0.9", "unknown option 'momentun'", "did you mean 'momentum'"),
        ("init = 1000", "init = 0", "seeds.init = 0", "greater than 0"),
        ("data = 1\n", 'data = "x"\n', "seeds.data = 'x'", "'paired'"),
        ('"model.widths" = [8]', '"model.widths" = [9]', "model.widths = 9", "'[8]'"),
        ('"model.widths" = [8]', '"model.width" = [8]', "'model.width' is no axis", "did you mean 'model.widths'"),
        ('"model.widths" = [[2]', '"models.widths" = [[2]', "'models.widths' is no setting", "model"),
        ("at_least", "at_leest", "unknown key 'claim[0].at_leest'", "did you mean 'at_least'"),
        ("at_least = 0.99", "at_least = 0.99\nat_most = 1.0", "has 2 criteria", "exactly one"),
        ('name = "xor-width"', 'nam = "xor-width"', "name", "required"),
        ('name = "xor-width"', 'name = "../up"', "name = '../up'", "pattern"),
        ("[grid]", "[grid", "not TOML", ""),
        ("learning_rate = 0.5", "learning_rate = nan", "optimizer.learning_rate = nan", "not a number"),
        ("learning_rate = 0.5", "learning_rate = inf", "learning_rate = inf", "finite"),
        ("learning_rate = 0.5", "learning_rate = 0.5\nmomentum = inf", "momentum = inf", "finite"),
        ("learning_rate = 0.5", "learning_rate = 1e-60", "optimizer.learning_rate = 1e-60", "float32"),
        ("gain = 1.0", "gain = inf", "gain = inf", "finite"),
        ("solved_below = 0.05", "solved_below = 1e300", "training.solved_below = 1e+300", "float32"),
        ('bias = "zeros"', "bias = nan", "initializer.bias = nan", "not a number"),
        ('bias = "zeros"', "bias = inf", "bias", "finite"),
        ("solved_below = 0.05", "solved_below = nan", "training.solved_below = nan", "not a number"),
        ("solved_below = 0.05", "label_noise = inf", "label_noise = inf", "finite"),
        ("at_least = 0.99", "at_least = nan", "claim.0.at_least = nan", "not a number"),
        ("at_least = 0.99", "at_least = inf", "claim[0].at_least = inf", "finite"),
        ("alpha = 0.05", "alpha = 1.5", "alpha = 1.5", "less than 1"),
        ("steps = 5000", "steps = 2147483648", "steps = 2147483648", "less than or equal to 2000000000"),
        ("steps = 5000", "steps = 2026-01-01", "training.steps = 2026-01-01", "date"),
        ("steps = 5000", f"steps = {10**30}", "training.steps", "64 bits"),
        ("steps = 5000", f"steps = {'9' * 5000}", "not TOML", "digits"),
        ("init = 1000", "init = 4294967297", "seeds.init = 4294967297", "4294967296"),
        ("init = 1000\ndata = 1\n", "init = 4294967296\ndata = 4294967296\n", "seeds: ", "17,592,186,044,416"),
        ("[[2], [3], [4], [8]]", "{ from = 1, to = 2, count = 10000000 }", "count = 10000000", "10000"),
        ("[[2], [3], [4], [8]]", "{ from = 1, to = 1, count = 3 }", "from and to are both 1", ""),
        ("[[2], [3], [4], [8]]", "{ from = 1e-300, to = 1e300, count = 3, log = true }", "too far apart", ""),
        ("[[2], [3], [4], [8]]", "[2026-01-01]", "grid.model.widths.0 = 2026-01-01", "date"),
        ("[[2], [3], [4], [8]]", "[]", "grid.model.widths", "at least 1"),
        ('"model.widths" = [[2]', '"model.widths.x" = [[2]', "'model.widths.x': 'widths' is not a table", ""),
        ('"model.widths" = [[2]', '"model." = [[2]', "'model.' is no setting", ""),
        ('id = "xor-width-8"', 'id = "../up"', "claim[0].id = '../up'", "pattern"),
        ('id = "xor-width-8"', 'id = "xor-width-8"\nfamily = "<b>"', "claim[0].family = '<b>'", "pattern"),
        ('id = "xor-width-8"', 'id = "xor-width-8"\nby = ["initializer", "initializer"]', "by: 'initializer' stands there twice", ""),
        ('id = "xor-width-8"', 'id = "xor-width-8"\npool = ["optimizer"]', "pool: 'optimizer' is no axis", "initializer"),
        ('"model.widths" = [8]', '"model.widths" = []', "model.widths = []", "at least one"),
        (
            'measure = "solved"',
            'measure = "solved"\nneeds = { where = { task = "xor" }, measure = "solved", at_least = 0.5 }',
            "needs.where: 'task' is no axis",
            "initializer",
        ),
        ('name = "xor-width"', 'name = "xor-width"\nprobes = ["tie_spread", "tie_spread"]', "probes: 'tie_spread' stands there twice", ""),
        ('name = "xor-width"', 'name = "xor-width"\nlaws = ["a", "a"]', "laws: 'a' stands there twice", ""),
        ('name = "xor-width"', 'name = "xor-width"\ntrack = ["tie_spred"]', "unknown probe 'tie_spred'", "did you mean 'tie_spread'"),
        ('name = "xor-width"', 'name = "xor-width"\nunreported = ["*"]', "would leave out 'experiment'", ""),
        ('name = "xor-width"', 'name = "xor-width"\nunreported = ["loss_*"]', "would leave out 'loss_final'", ""),
    ],
)
def test_a_wrong_file_gives_one_line(right: str, wrong: str, place: str, hint: str) -> None:
    assert right in TEXT
    with pytest.raises(ValueError, match=".") as caught:
        Experiment.parse(TEXT.replace(right, wrong, 1), "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: ")
    assert "\n" not in message and len(message) <= 1000
    assert place in message
    assert hint.lower() in message.lower()


def test_a_cell_keeps_its_id_whatever_stands_beside_it() -> None:
    alone = experiment(model={"name": "mlp", "widths": [8]}).cells[0]
    among = experiment(grid={"model.widths": [[2], [8]]}).cells[1]
    assert alone.id == among.id


def test_spelled_out_defaults_change_nothing() -> None:
    assert experiment(task={"name": "xor", "loss": "cross_entropy"}).training_hash == experiment().training_hash


def test_the_hash_covers_claims_and_cells_but_not_the_number_of_seeds() -> None:
    assert Experiment.parse(TEXT).training_hash == Experiment.parse(TEXT, overrides={"seeds.init": 7}).training_hash
    mended = Experiment.parse(TEXT.replace("0.99", "0.98"))
    assert Experiment.parse(TEXT).training_hash == mended.training_hash
    assert Experiment.parse(TEXT).judging_hash != mended.judging_hash
    assert Experiment.parse(TEXT).training_hash != Experiment.parse(TEXT.replace("5000", "4999")).training_hash


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("training.steps", 7, lambda e: e.cells[0].settings.training.steps),
        ("optimizer.momentum", 0.9, lambda e: e.cells[0].settings.optimizer.options["momentum"]),
        ("seeds.init", 3, lambda e: e.seeds.init),
    ],
)
def test_set_replaces_a_value(path: str, value: Any, found: Any) -> None:
    assert found(Experiment.parse(TEXT, overrides={path: value})) == value


def test_set_on_an_axis_narrows_it_and_drops_what_was_asked_about_the_rest() -> None:
    kept = Experiment.parse(TEXT, overrides={"model.widths": [8]})
    assert kept.axes["model.widths"] == ["[8]"]
    assert len(kept.claim) == 1
    assert Experiment.parse(TEXT, overrides={"model.widths": [2]}).claim == ()


def test_cases_multiply_with_the_grid() -> None:
    found = experiment(case=[{"label": "a"}, {"label": "b", "optimizer.learning_rate": 0.1}], grid={"model.widths": [[2], [3]]})
    assert [(cell.axes["case"], cell.axes["model.widths"]) for cell in found.cells] == [
        ("a", "[2]"), ("a", "[3]"), ("b", "[2]"), ("b", "[3]")
    ]  # fmt: skip


def test_two_equal_cells_are_an_error() -> None:
    with pytest.raises(ValueError, match="same settings"):
        experiment(grid={"initializer": ["zeros", "zeros"]}).cells  # noqa: B018


@pytest.mark.parametrize("name", catalog.names())
def test_every_packaged_experiment_is_valid_and_named_like_its_file(name: str) -> None:
    from analysis.figures import figure_kind
    from analysis.judging.claims import check_claims

    found = catalog.read(name)
    assert found.name == name
    check_claims(found)
    assert all(figure.kind in set(figure_kind) for figure in found.figure)
    # Of a map with several draws, those are what there have to be many of.
    assert max(found.seeds.init, found.seeds.data if isinstance(found.seeds.data, int) else 0) >= 1000


def test_a_range_stands_for_its_values() -> None:
    wanted = experiment(grid={"optimizer.learning_rate": {"from": 0.01, "to": 1, "count": 5, "log": True}})
    assert wanted.axes["optimizer.learning_rate"] == [0.01, 0.0316228, 0.1, 0.316228, 1.0]
    assert Experiment.parse(wanted.text).training_hash == wanted.training_hash
    with pytest.raises(ValueError, match="log needs positive numbers"):
        experiment(grid={"optimizer.learning_rate": {"from": 0, "to": 1, "count": 5, "log": True}})


MAP = {"x": {"path": "initializer.gain", "from": 0, "to": 4}, "y": {"path": "optimizer.learning_rate", "from": 1, "to": 16, "log": True}}


def test_a_map_refines_itself() -> None:
    places = Map.model_validate(MAP).places(np.arange(4**3))
    points = list(zip(*places.values(), strict=True))
    for k in (1, 2, 3):
        coarse = set(points[: 4**k])
        assert coarse == {(4 * i / 2**k, 16 ** (j / 2**k)) for i in range(2**k) for j in range(2**k)}


def test_the_lanes_of_a_map_differ_in_their_place_alone(rows: Rows) -> None:
    found = rows(experiment(seeds={"init": 16, "map": MAP}, initializer={"name": "he_normal"}, training={"steps": 3}))
    assert len(found) == 16
    places = Map.model_validate(MAP).places(found["init_seed"].to_numpy())
    for path, values in places.items():
        np.testing.assert_array_equal(found[path], values)
    np.testing.assert_allclose(found["learning_rate"], places["optimizer.learning_rate"], rtol=1e-6)
    assert found.groupby("initializer.gain")["loss_initial"].nunique().eq(1).all()
    assert found["loss_initial"].nunique() == 4
    coarse = rows(experiment(seeds={"init": 4, "map": MAP}, initializer={"name": "he_normal"}, training={"steps": 3}), "coarse")
    assert coarse["params_digest"].tolist() == found["params_digest"].tolist()[:4]
    half = np.sort(found.loc[found["initializer.gain"] <= 1, "init_seed"])
    wanted = experiment(seeds={"init": 16, "map": MAP})
    np.testing.assert_array_equal(half, found["init_seed"][matching(found, wanted, {"initializer.gain": {"at_most": 1}})])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": {"map": MAP, "data": "paired"}}, "each draw of data has all points"),
        ({"seeds": {"map": {**MAP, "y": MAP["x"]}}}, "x and y are the same setting"),
        ({"seeds": {"map": MAP}, "grid": {"initializer.gain": [1.0, 2.0]}}, "an axis of the grid as well"),
        ({"seeds": {"map": {**MAP, "x": {**MAP["x"], "path": "training.steps"}}}}, "path"),
        ({"initializer": {"name": "he_normal", "scheme": "lsvu"}}, "unknown scheme 'lsvu'; did you mean 'lsuv'"),
        ({"training": {"dropconnect": 1.0}}, "dropconnect"),
        ({"claim": [{"id": "a", "says": "?", "measure": "solved", "at_least": 0.5, "best": "optimizer"}]}, "best: 'optimizer' is no axis"),
    ],
)
def test_new_keys_are_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        experiment(**changes)


def test_options_at_their_defaults_do_not_change_a_cell_s_identity() -> None:
    spelled_out = experiment(model={"name": "mlp", "widths": [3], "dropout": 0.0}, training={**XOR["training"], "l2": 0.0})
    assert experiment().cells[0].id == spelled_out.cells[0].id


def test_every_claim_of_the_thread_has_an_experiment() -> None:
    families = {claim.family for name in catalog.names() for claim in catalog.read(name).claim}
    statements = tomllib.loads((files("analysis.judging") / "thread.toml").read_text())
    assert families - {None} == set(statements) == {f"C{number}" for number in range(1, 24)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": 5}, "task: needs a name"),
        ({"model": 5}, "model: needs a name"),
        ({"model": ["mlp"]}, "model: needs a name"),
        ({"optimizer": 5}, "optimizer: needs a name"),
        ({"training": 5}, "training: 5: a table of keys and values"),
        ({"task": ".x:y"}, "task '.x:y' cannot be imported"),
        ({"task": None}, "task: missing"),
        ({"initializer": {"name": "normal", "stddev": float("inf")}}, "stddev = inf"),
        ({"case": [{"label": "a"}, {"label": "a", "training.steps": 3}]}, "grid: case: two values have the same label, 'a'"),
        ({"case": [{"label": "a\nb"}]}, "case: each one needs a label"),
        ({"grid": {"training.steps": [1, 1.0]}}, "steps = 1.0"),
        ({"figure": [{"name": name, "kind": "rate", "caption": ""} for name in "aa"]}, "figure: name: 'a' stands there twice"),
        ({"figure": [{"name": "../a", "kind": "rate", "caption": ""}]}, "pattern"),
        ({"track": ["my_module:loss"]}, "cannot be imported"),
        ({"grid": {"training.l2": list(range(200)), "initializer.gain": list(range(200))}}, "40,000 cells; at most 20,000"),
    ],
)  # fmt: skip
def test_wrong_types_and_doubles_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        experiment(**changes)
    assert message in str(caught.value)


def test_numbers_that_float64_holds_are_allowed_there() -> None:
    for steps in (1e-60, 1e60):
        assert experiment(optimizer={"learning_rate": steps}, training={"dtype": "float64"}).cells
    # Infinity where it is meant: in the examples of products with infinity.
    assert any("inf" in repr(cell.settings) for cell in catalog.read("c17-worked-examples").cells)


ORDER = """
from bench import Experiment
text = 'name = "a"\\ntask = "xor"\\nmodel = "mlp"\\n[[case]]\\nlabel = "b"\\n' + {!r}
print(Experiment.parse(text).cells[0].settings.initializer.model_dump_json())
"""


def test_a_case_is_applied_in_the_order_written() -> None:
    last_gain = '"initializer" = "he_normal"\n"initializer.gain" = 2.0\n"initializer.bias" = 0.5\n'
    last_whole = '"initializer.gain" = 2.0\n"initializer" = "he_normal"\n"initializer.bias" = 0.5\n'
    for lines, gain in ((last_gain, 2.0), (last_whole, 1.0)):
        # Two orders of a set of these three keys.
        for seed in ("0", "5"):
            environment = {**os.environ, "PYTHONHASHSEED": seed}
            done = subprocess.run([sys.executable, "-c", ORDER.format(lines)], env=environment, capture_output=True, text=True, check=True)
            assert (json.loads(done.stdout)["gain"], json.loads(done.stdout)["bias"]) == (gain, 0.5)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"grid": {"initializer.gain": [3.0], "initializer": ["he_normal"]}}, "grid: 'initializer' would take back 'initializer.gain'"),
        (
            {"case": [{"label": "a", "initializer.gain": 2.0}], "grid": {"initializer.gain": [3.0]}},
            "grid: 'initializer.gain' would take back 'initializer.gain'",
        ),
        (
            {"case": [{"label": "a", "model": {"name": "mlp", "widths": [2]}}], "grid": {"model.widths": [[4]]}},
            "grid: 'model.widths' would take back 'model.widths'",
        ),
        ({"case": [{"label": "a", "model.widths": [2]}], "grid": {"model": ["mlp"]}}, "grid: 'model' would take back 'model.widths'"),
    ],
)
def test_an_axis_that_would_take_back_what_is_set_before_it_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        experiment(**changes)
    experiment(grid={"initializer": ["he_normal"], "initializer.gain": [3.0]})
    experiment(case=[{"label": "a", "model": "mlp"}], grid={"model.widths": [[2]]})


@pytest.mark.parametrize("name", catalog.names())
def test_cells_keep_the_ids_that_stored_rows_have(name: str) -> None:
    manifest = json.loads((Path(__file__).parents[1] / "reports" / name / "run.json").read_text(encoding="utf-8"))
    assert {cell["id"] for cell in manifest["cells"]} == {cell.id for cell in catalog.read(name).cells}


def test_a_section_is_validated_once_for_all_cells_that_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    validated = spec._validated

    def counted(section: str, raw: Any) -> Any:
        seen.append(section)
        return validated(section, raw)

    monkeypatch.setattr(spec, "_validated", counted)
    wanted = experiment(grid={"optimizer.learning_rate": {"from": 0.1, "to": 1, "count": 100}, "initializer.gain": [0.5, 1.0, 2.0]})
    assert len(wanted.cells) == 300
    # Once as each stands in the file, and once for each value.
    assert {section: seen.count(section) - 1 for section in SECTIONS} == {
        "task": 1, "model": 1, "initializer": 3, "optimizer": 100, "training": 1
    }  # fmt: skip


def test_the_ends_of_a_map_are_held_to_what_the_setting_allows() -> None:
    for path, start, said in (
        ("training.l2", -1.0, "seeds.map: training: l2 = -1.0"),
        ("initializer.gain", -1.0, "seeds.map: initializer: gain = -1.0"),
        ("optimizer.learning_rate", -1.0, "seeds.map: optimizer: learning_rate = -1.0"),
        ("initializer.first_layer_offset", 1e300, "seeds.map: initializer.first_layer_offset = 1e+300"),
        ("initializer.gain", 4.0, "from and to are both 4"),
    ):
        axis = {"path": path, "from": start, "to": 4.0}
        other = MAP["y"] if path != MAP["y"]["path"] else MAP["x"]
        with pytest.raises(ValueError, match=".") as caught:
            experiment(seeds={"init": 16, "map": {"x": axis, "y": other}})
        assert said in str(caught.value)
    offsets = {"x": {"path": "initializer.first_layer_offset", "from": 0, "to": 1}, "y": MAP["y"]}
    wanted = experiment(model={"name": "transformer"}, task="first_symbol", seeds={"init": 4, "map": offsets}, track=[])
    with pytest.raises(ValueError, match="first_layer_offset: 'transformer' has no one first layer"):
        programs(wanted.cells, (), ())


def test_a_file_is_read_as_utf_8_whatever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("Does width", "Hilft Größe").encode())
    assert catalog.read(str(path)).question.startswith("Hilft Größe")
    path.write_bytes(TEXT.replace("Does width", "Größe").encode("latin-1"))
    os.mkfifo(tmp_path / "pipe.toml")
    for name, said in ((path, "not UTF-8"), (tmp_path, "not a file"), (tmp_path / "pipe.toml", "not a file"), ("x" * 5000, "x")):
        with pytest.raises(ValueError, match=said) as caught:
            catalog.read(str(name))
        assert "\n" not in str(caught.value) and len(str(caught.value)) <= 1000


def test_what_cannot_fit_is_refused_before_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.runs.plan.host_bytes", lambda: 8 * 2**30)
    wide = experiment(model={"name": "mlp", "widths": [20000, 20000]}, track=[])
    with pytest.raises(ValueError, match=r"'mlp' of 400,\d+,001 parameters: .* need 2\d\.\d GiB, this machine has 8.0 GiB"):
        check_memory(programs(wide.cells, (), ()), 1, lane_mesh())
    small = programs(experiment().cells, (), ())
    with pytest.raises(ValueError, match="the rows of 2,000,000,000 training runs need at least 74.5 GiB, this machine has 8.0 GiB"):
        check_memory(small, 2_000_000_000, lane_mesh())
    with pytest.raises(ValueError, match="the rows of 400,000,000 training runs"):
        check_memory(small * 2, 200_000_000, lane_mesh())
    check_memory(small, 1_000_000, lane_mesh())


def test_a_message_stays_one_short_line() -> None:
    assert one_line("a\n b\t\x1b[31m") == "a b \\x1b[31m"
    assert len(one_line("\u202e" * 5000)) == 1000 and one_line("x" * 5000).startswith("xxx")
    assert len(nearest("x" * 10_000, [f"name_{i}" for i in range(5000)])) < 500
    assert "did you mean 'adam'" in nearest("adm", optimizers()) and "more" in nearest("adm", optimizers())
