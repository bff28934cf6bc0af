"""Laws hold on real runs, and fail when the rows are wrong."""

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from analysis.judging.judge import judge
from analysis.laws import Evidence, check_law, evidence_of, laws
from analysis.laws.evidence import JOINT_LEVEL, TESTS, TEXTS
from analysis.laws.law import SAMPLE, starts
from analysis.rows.load import Run, load
from bench import Experiment, run
from bench.lane.grouping import programs
from bench.lane.state import Inputs
from bench.runs.parquet import STEPS_OR_NULL
from bench.runs.starts import Start
from tests.conftest import experiment
from tests.laws import SETTINGS, WRONG
from tests.laws.wrong import Misled, Wrong


def trained(name: str, folder: Path) -> Run:
    return load(run(experiment(**{"laws": [name], **SETTINGS[name]}), folder))


def with_rows(good: Run, lanes: pd.DataFrame) -> Run:
    """The same run with other rows; what was compiled for it is kept."""
    changed = replace(good, lanes=lanes)
    vars(changed)["starts"] = good.starts
    return changed


CLAIM = '\n[[claim]]\nid = "c"\nsays = "?"\nmeasure = "solved"\nat_least = 0\n'
READ_NO_ROW = {"dropout_is_zeroing", "least_squares_floor", "logistic_floor", "separability"}
"""Laws about what training starts from: rows cannot spoil them."""


def test_each_law_has_ways_to_spoil_it() -> None:
    assert set(SETTINGS) == set(WRONG) == set(laws())
    assert all(WRONG.values())


@pytest.mark.parametrize("name", laws())
def test_a_law_holds_and_fails_by_one_spoiled_training_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = trained(name, tmp_path)
    found = evidence_of(name, good)
    assert found.holds, found.number
    assert found.tested > 0
    check_the_columns(name, good, found)
    spoiled = set()
    for way in WRONG[name]:
        bad = misled(name, good, way, monkeypatch) if isinstance(way, Misled) else evidence_of(name, spoil(name, good, found, way))
        assert not bad.holds, (way, bad.number)
        assert bad.complete, (way, bad.number)
        assert fails(bad, way.what), (way, bad.number)
        spoiled.add(way.what)
    assert spoiled == set(found.comparisons), "each comparison of the law has to be spoiled"
    check_nulls(name, good, found)
    check_missing(name, good, found)


def spoil(name: str, good: Run, found: Evidence, way: Wrong) -> Run:
    """Rows with one training run (or the statistic of all) at 1.5 times what is allowed; at half of it the law has to hold."""
    tested = good.lanes.index.isin(found.right.index) & np.asarray(way.among(good.lanes), bool)
    [place] = np.flatnonzero(tested)[[min(3, int(tested.sum()) - 1)]]

    def at(size: float) -> Run:
        return with_rows(good, way.spoil(good.lanes, place, size))

    if way.kind == "exact":
        return at(1.5)
    if way.kind == "tolerance":
        half = evidence_of(name, at(0.5))
        assert half.holds, (way, half.number)
        return at(1.5)
    return at(statistic_at(lambda size: strain(evidence_of(name, at(size)), way.what)))


def statistic_at(strain_of: Callable[[float], float]) -> float:
    """The size of the change at which a statistic is at 1.5 times what is allowed, or a bit more where it moves in jumps."""
    low, high = 0.0, 1e-3
    while strain_of(high) < 1.5:
        low, high = high, 4 * high
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if strain_of(middle) >= 1.5 else (middle, high)
    assert strain_of(low) < 1.5 <= strain_of(high) < 15
    return high


def strain(found: Evidence, what: str) -> float:
    """How far a statistic is from the law, in units of what is allowed."""
    if what == TESTS:
        return JOINT_LEVEL / found.least_p_value
    return max(one.worst / one.allowed for one in found.comparisons[what])


def fails(found: Evidence, what: str) -> bool:
    return not found.passes_tests if what == TESTS else not all(one.right.all() for one in found.comparisons[what])


def misled(name: str, good: Run, way: Misled, monkeypatch: pytest.MonkeyPatch) -> Evidence:
    """What a law finds if a function of its module gives something else."""
    check: Any = sys.modules["analysis.laws.law"].__dict__["_LAWS"][name].check
    module = sys.modules[check.__module__]
    original = getattr(module, way.function)

    @functools.wraps(original)
    def spoiled(*args: Any, **options: Any) -> Any:
        return way.spoil(original(*args, **options))

    with monkeypatch.context() as patch:
        patch.setattr(module, way.function, spoiled)
        return evidence_of(name, good)


def check_the_columns(name: str, good: Run, found: Evidence) -> None:
    """A law reads no column behind the back of its evidence, so that a null in any column that it reads is noticed."""
    assert bool(found.columns) == (name not in READ_NO_ROW)
    identity = ["cell", "data_seed", "init_seed", "outcome", *good.experiment.axes]
    only = with_rows(good, good.lanes[list(dict.fromkeys([*identity, *found.columns]))])
    assert evidence_of(name, only).number == found.number


def check_nulls(name: str, good: Run, found: Evidence) -> None:
    """One null fails a law, in each column that it reads."""
    tried = 0
    for column in found.columns:
        present = good.lanes.index.isin(found.right.index) & good.lanes[column].notna().to_numpy()
        if column in STEPS_OR_NULL:
            present &= (good.lanes[column] + 40 < good.lanes["steps_run"].max()).to_numpy(bool, na_value=False)
        if not present.any():
            continue
        lanes = good.lanes.copy()
        lanes[column] = lanes[column].astype(object) if column in TEXTS else lanes[column].astype(float)
        lanes.iloc[np.flatnonzero(present)[-1], lanes.columns.get_loc(column)] = None if column in TEXTS else np.nan
        bad = evidence_of(name, with_rows(good, lanes))
        assert not bad.holds, (column, bad.number)
        tried += 1
    assert tried > 0 or name in READ_NO_ROW


def check_missing(name: str, good: Run, found: Evidence) -> None:
    """A law fails if one row is missing, and if all training runs diverged and left nothing."""
    if len(good.experiment.cells) > 1:  # with one cell it is the reader's to count
        bad = evidence_of(name, with_rows(good, good.lanes.drop(index=found.right.index[0])))
        assert not bad.holds, bad.number
        assert "1 rows are missing" in bad.number
    if name in READ_NO_ROW:
        return
    if name == "undefined_products":  # whose training runs have to diverge
        lanes = good.lanes.assign(outcome="unsolved")
    else:
        lanes = good.lanes.assign(outcome="diverged", **{column: np.nan for column in found.columns if column != "outcome"})
    bad = evidence_of(name, with_rows(good, lanes))
    assert not bad.holds, bad.number


def test_a_law_that_fails_withholds_the_verdicts(tmp_path: Path) -> None:
    good = trained("zero_tensor", tmp_path)
    good = replace(good, experiment=Experiment.parse(good.experiment.text + CLAIM))
    for lanes, verdict in ((good.lanes, "supported"), (good.lanes.assign(grad_share_0_initial=1e-9), "withheld")):
        [law], [found] = judge(replace(good, lanes=lanes))
        assert law.holds == (verdict == "supported")
        assert found.verdict == verdict


def test_a_law_that_nothing_was_held_against_has_not_held(tmp_path: Path) -> None:
    assert not check_law("ols_steps", trained("restarts", tmp_path)).holds


@pytest.mark.parametrize("n", [0, 1, SAMPLE, SAMPLE + 3])
def test_what_lanes_start_from_does_not_depend_on_how_many_are_asked_for(n: int, tmp_path: Path) -> None:
    wanted = experiment(task="blobs", training={"steps": 1}, seeds={"init": 2, "data": "paired"}, track=[])
    found = load(run(wanted, tmp_path))
    seeds = 7 + np.arange(n)
    start = starts(found, wanted.cells[0], pd.DataFrame({"data_seed": seeds, "init_seed": seeds}))
    assert len(start.data.x) == len(start.params["layers"][0]["kernel"]) == n
    [program] = programs(wanted.cells, (), ())
    for lane in {0, n - 1} if n else set():
        [inputs] = [Inputs(*row) for row in zip(*program.inputs_of(wanted.cells[0], seeds[[lane]], seeds[[lane]]), strict=True)]
        fixed, state = program.start(program.variants[0], inputs)
        alone = Start(fixed.data, state.params, fixed.inputs.learning_rate)
        for one, many in zip(jax.tree.leaves(alone), jax.tree.leaves(start), strict=True):
            np.testing.assert_allclose(many[lane], one, rtol=1e-6, atol=1e-6)


def test_gradient_descent_is_that_of_a_plain_loop(tmp_path: Path) -> None:
    """An independent oracle: the XOR network with 2-3-1 tanh units, trained by hand-written backpropagation in float64."""
    wanted = experiment(training={"steps": 200, "dtype": "float64"}, seeds={"init": 3}, track=[])
    found = load(run(wanted, tmp_path))
    start = starts(found, wanted.cells[0], found.lanes)
    for lane in range(3):
        x, y = start.data.x[lane], start.data.y[lane]
        (a, b), (c, d) = ((start.params["layers"][layer]["kernel"][lane], start.params["layers"][layer]["bias"][lane]) for layer in (0, 1))
        for _ in range(200):
            hidden = np.tanh(x @ a + b)
            error = (1 / (1 + np.exp(-(hidden @ c + d))) - y) / 4
            back = error @ c.T * (1 - hidden**2)
            a, b, c, d = a - 0.5 * x.T @ back, b - 0.5 * back.sum(0), c - 0.5 * hidden.T @ error, d - 0.5 * error.sum(0)
        z = np.tanh(x @ a + b) @ c + d
        loss = np.mean(np.logaddexp(0, z) - y * z)
        assert found.lanes["loss_final"].iloc[lane] == pytest.approx(loss, abs=1e-12)
