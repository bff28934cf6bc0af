"""Experiment files: what they mean, and one clear line for each way to get them wrong."""

import tomllib
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from analysis.load import matching
from bench import Experiment, catalog
from bench.spec import Map
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
    ],
)
def test_a_wrong_file_gives_one_line(right: str, wrong: str, place: str, hint: str) -> None:
    assert right in TEXT
    with pytest.raises(ValueError, match=".") as caught:
        Experiment.parse(TEXT.replace(right, wrong, 1), "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: ")
    assert "\n" not in message
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
    from analysis.claims import check_claims
    from analysis.figures import figure_kind

    found = catalog.read(name)
    assert found.name == name
    check_claims(found)
    assert all(figure.kind in set(figure_kind) for figure in found.figure)
    assert found.seeds.init >= 1000


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
        ({"seeds": {"map": MAP, "data": "paired"}}, "all points have the same data"),
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
    statements = tomllib.loads((files("analysis") / "thread.toml").read_text())
    assert families - {None} == set(statements) == {f"C{number}" for number in range(1, 24)}
