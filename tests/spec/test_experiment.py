"""Experiment files: one clear line for each way to get them wrong, and what their hashes cover."""

from typing import Any

import pytest

from bench import Experiment
from tests.conftest import experiment
from tests.spec.example import TEXT
from tests.spec.test_seeds import MAP


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
        ({"figure": [{"name": "a", "kind": "rate", "caption": "", "shows": ["b"]}]}, "figure 'a': shows: 'b' is no claim or law"),
        ({"track": ["my_module:loss"]}, "cannot be imported"),
        ({"grid": {"training.l2": list(range(200)), "initializer.gain": list(range(200))}}, "40,000 cells; at most 20,000"),
    ],
)  # fmt: skip
def test_wrong_types_and_doubles_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        experiment(**changes)
    assert message in str(caught.value)


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


def test_spelled_out_defaults_change_nothing() -> None:
    assert experiment(task={"name": "xor", "loss": "cross_entropy"}).training_hash == experiment().training_hash


def test_the_hash_covers_claims_and_cells_but_not_the_number_of_seeds() -> None:
    assert Experiment.parse(TEXT).training_hash == Experiment.parse(TEXT, overrides={"seeds.init": 7}).training_hash
    mended = Experiment.parse(TEXT.replace("0.99", "0.98"))
    assert Experiment.parse(TEXT).training_hash == mended.training_hash
    assert Experiment.parse(TEXT).judging_hash != mended.judging_hash
    assert Experiment.parse(TEXT).training_hash != Experiment.parse(TEXT.replace("5000", "4999")).training_hash
