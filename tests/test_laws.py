"""Laws hold on real runs, and fail when the rows are wrong."""

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

from analysis.claims import judge
from analysis.load import Run, load
from analysis.theory import check_law, laws
from analysis.theory.law import SAMPLE, starts
from bench import Experiment, run
from bench.engine.program import Inputs
from tests.conftest import experiment
from tests.laws import SETTINGS, WRONG


def trained(name: str, folder: Path) -> Run:
    return load(run(experiment(**{"laws": [name], **SETTINGS[name]}), folder))


CLAIM = '\n[[claim]]\nid = "c"\nsays = "?"\nmeasure = "solved"\nat_least = 0\n'
READ_NO_ROW = {"dropout_is_zeroing", "least_squares_floor", "same_order", "separability"}
"""Laws about what lanes start from and where it leads: rows cannot spoil them."""


@pytest.mark.parametrize("name", laws())
def test_a_law_holds_and_on_wrong_rows_it_fails_and_withholds_the_verdicts(name: str, tmp_path: Path) -> None:
    good = trained(name, tmp_path)
    good = replace(good, experiment=Experiment.parse(good.experiment.text + CLAIM))
    [law], [verdict] = judge(good)
    assert law.holds, law.number
    assert law.n > 0
    assert verdict.verdict == "supported"
    if name not in READ_NO_ROW:
        [law], [verdict] = judge(replace(good, lanes=WRONG[name](good.lanes)))
        assert not law.holds, law.number
        assert verdict.verdict == "withheld"


def test_a_law_that_nothing_was_held_against_has_not_held(tmp_path: Path) -> None:
    assert not check_law("ols_steps", trained("restarts", tmp_path)).holds


@pytest.mark.parametrize("n", [0, 1, SAMPLE, SAMPLE + 3])
def test_what_lanes_start_from_does_not_depend_on_how_many_are_asked_for(n: int, tmp_path: Path) -> None:
    wanted = experiment(task="blobs", training={"steps": 1}, seeds={"init": 2, "data": "paired"}, track=[])
    found = load(run(wanted, tmp_path))
    seeds = 7 + np.arange(n)
    fixed, state = starts(found, wanted.cells[0], pd.DataFrame({"data_seed": seeds, "init_seed": seeds}))
    assert len(fixed.data.x) == len(state.params["layers"][0]["kernel"]) == n
    [program] = found.programs
    for lane in {0, n - 1} if n else set():
        [inputs] = [Inputs(*row) for row in zip(*program.inputs_of(wanted.cells[0], seeds[[lane]], seeds[[lane]]), strict=True)]
        alone = program.start(program.variants[0], inputs)
        for one, many in zip(jax.tree.leaves(alone), jax.tree.leaves((fixed, state)), strict=True):
            np.testing.assert_allclose(many[lane], one, rtol=1e-6, atol=1e-6)


def test_gradient_descent_is_that_of_a_plain_loop(tmp_path: Path) -> None:
    """An independent oracle: the XOR network with 2-3-1 tanh units, trained by hand-written backpropagation in float64."""
    wanted = experiment(training={"steps": 200, "dtype": "float64"}, seeds={"init": 3}, track=[])
    found = load(run(wanted, tmp_path))
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
