"""Laws hold on real runs, and fail when the rows are wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.claims import judge
from analysis.load import Run, load
from analysis.theory import check_law, laws
from bench import Experiment, run
from tests.conftest import experiment

SETTINGS: dict[str, dict[str, Any]] = {
    "ols_steps": {
        "task": {"name": "regression", "excess": True},
        "model": "linear",
        "grid": {"initializer": ["zeros", "normal"]},
        "optimizer": {"name": "sgd", "learning_rate": "1/curvature"},
        "training": {"steps": 20_000, "solved_below": 1e-8, "dtype": "float64"},
        "seeds": {"init": 40, "data": "paired"},
        "track": [],
    },
    "logistic_optimum": {
        "model": "linear",
        "task": {"name": "classification", "n": 32, "flip": 0.1},
        "initializer": "normal",
        "optimizer": {"name": "sgd", "learning_rate": 1.0},
        "training": {"steps": 4000, "dtype": "float64", "l2": 0.01},
        "seeds": {"init": 20, "data": "paired"},
        "track": [],
    },
    "stuck_set": {
        "task": "blobs",
        "model": {"name": "mlp", "widths": [5]},
        "grid": {"model.activation": ["tanh", "relu", "gelu"]},
        "initializer": "zeros",
        "training": {"steps": 50},
        "seeds": {"init": 10, "data": "paired"},
    },
    "tied_units": {
        "task": {"name": "blobs", "n": 40},
        "model": {"name": "mlp", "widths": [5]},
        "grid": {
            "model.activation": ["sigmoid", "softplus", "tanh"],
            "initializer": ["zeros", {"name": "constant", "value": 0.3}],
        },
        "training": {"steps": 60, "dtype": "float64"},
        "seeds": {"init": 5, "data": "paired"},
    },
    "restarts": {"model": {"name": "mlp", "widths": [2]}, "seeds": {"init": 400}, "track": []},
}
SETTINGS["least_squares_floor"] = SETTINGS["ols_steps"]
SETTINGS["separability"] = SETTINGS["logistic_optimum"]


def trained(name: str, folder: Path) -> Run:
    return load(run(experiment(**{"laws": [name], **SETTINGS[name]}), folder))


@pytest.mark.parametrize("name", laws())
def test_a_law_holds(name: str, tmp_path: Path) -> None:
    law = check_law(name, trained(name, tmp_path))
    assert law.holds, law.number
    assert law.n > 0


WRONG: dict[str, Any] = {
    "ols_steps": lambda rows: rows.assign(steps_to_solve=rows["steps_to_solve"] + (np.arange(len(rows)) == 7)),
    "logistic_optimum": lambda rows: rows.assign(loss_final=rows["loss_final"] + 1e-5),
    "stuck_set": lambda rows: rows.assign(weight_norm_final=rows["weight_norm_final"] + (np.arange(len(rows)) == 3)),
    "tied_units": lambda rows: rows.assign(loss_final=rows["loss_final"] * (1 + 1e-7)),
    "restarts": lambda rows: rows.assign(outcome=["solved", "unsolved"] * (len(rows) // 2)),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_negative_control_a_law_fails_on_wrong_rows_and_withholds_the_verdicts(name: str, tmp_path: Path) -> None:
    good = trained(name, tmp_path)
    bad = replace(good, lanes=WRONG[name](good.lanes))
    assert not check_law(name, bad).holds
    claimed = Experiment.parse(good.experiment.text + '\n[[claim]]\nid = "c"\nsays = "?"\nmeasure = "solved"\nat_least = 0\n')
    _, verdicts = judge(replace(bad, experiment=claimed))
    assert [verdict.verdict for verdict in verdicts] == ["withheld"]
    _, verdicts = judge(replace(good, experiment=claimed))
    assert [verdict.verdict for verdict in verdicts] == ["supported"]


def test_a_law_that_nothing_was_held_against_has_not_held(tmp_path: Path) -> None:
    assert not check_law("ols_steps", trained("restarts", tmp_path)).holds


def test_gradient_descent_is_that_of_a_plain_loop(tmp_path: Path) -> None:
    """An independent oracle: the XOR network with 2-3-1 tanh units, trained by hand-written backpropagation in float64."""
    wanted = experiment(training={"steps": 200, "dtype": "float64"}, seeds={"init": 3}, track=[])
    found = load(run(wanted, tmp_path))
    from analysis.theory import starts

    fixed, state = starts(found, wanted.cells[0], found.lanes)
    for lane in range(3):
        x, y = fixed.data.x[lane], fixed.data.y[lane]
        (a, b), (c, d) = ((state.params["layers"][layer]["kernel"][lane], state.params["layers"][layer]["bias"][lane]) for layer in (0, 1))
        for _ in range(200):
            hidden = np.tanh(x @ a + b)
            error = (1 / (1 + np.exp(-(hidden @ c + d))) - y) / 4
            back = error @ c.T * (1 - hidden**2)
            a, b, c, d = a - 0.5 * x.T @ back, b - 0.5 * back.sum(0), c - 0.5 * hidden.T @ error, d - 0.5 * error.sum(0)
        z = np.tanh(x @ a + b) @ c + d
        loss = np.mean(np.logaddexp(0, z) - y * z)
        assert found.lanes["loss_final"].iloc[lane] == pytest.approx(loss, abs=1e-12)
