"""What makes a law hold, and what a claim that rests on it is decided by."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.laws import Evidence
from analysis.laws.architectures import linear_baseline
from analysis.laws.chance import restarts
from analysis.rows.load import Run
from tests.conftest import experiment
from tests.judging.rows import NO_MANIFEST


def evidence(n: int, share: float = 1.0, census: bool = False, **columns: object) -> Evidence:
    """Of a run of one cell with so many training runs, without any comparison yet."""
    wanted = experiment(task="blobs", seeds={"init": n})
    rows = {"cell": wanted.cells[0].id, "data_seed": 0, "init_seed": np.arange(n), "outcome": "solved", "loss_final": 0.0, **columns}
    lanes = pd.DataFrame(rows).assign(params_digest=np.arange(n))
    return Evidence("law", "?", Run(Path("run"), wanted, NO_MANIFEST, lanes, pd.DataFrame()), share, census)


def decided(found: Evidence, level: float = 0.95) -> bool | None:
    [decision] = found.decisions
    return decision.decide(decision.interval(level))


@pytest.mark.parametrize(
    ("share", "successes", "n", "level", "answer"),
    [
        (0.99, 194, 195, 0.95, None),
        (0.99, 195, 195, 0.95, None),
        (0.99, 1000, 1000, 0.95, True),
        (0.99, 400, 400, 0.95, True),
        (0.99, 400, 400, 0.999, None),
        (0.99, 950, 1000, 0.95, False),
        (0.99, 0, 2387, 0.95, False),
        # One counterexample is enough against a law of every training run, but no number of agreements shows it of every one.
        (1.0, 1000, 1000, 0.95, True),
        (1.0, 100, 100, 0.95, None),
        (1.0, 999, 1000, 0.95, False),
    ],
)
def test_a_claim_is_decided_by_the_interval_of_the_share_that_agrees(
    share: float, successes: int, n: int, level: float, answer: bool | None
) -> None:
    found = evidence(n, share)
    found.lanes(found.run.lanes).facts(np.arange(n) < successes)
    assert found.holds == (successes >= share * n)
    assert decided(found, level) is answer


def test_lanes_of_one_data_set_are_one_observation() -> None:
    found = evidence(1000, data_seed=np.arange(1000) % 20)
    found.lanes(found.run.lanes).facts(np.ones(1000))
    assert found.holds
    assert decided(found) is None
    assert found.decisions[0].interval(0.95).n == 20


def test_nothing_is_inferred_from_a_census() -> None:
    for agrees in (True, False):
        found = evidence(3, census=True)
        found.lanes(found.run.lanes).facts([True, True, agrees])
        assert decided(found) is agrees
        interval = found.decisions[0].interval(0.95)
        assert interval.low == interval.high == interval.estimate


@pytest.mark.parametrize(("errors", "holds"), [([0.0, 1.0], True), ([0.0, 1.5], False), ([np.nan, 0.0], False), ([0.0, np.nan], False)])
def test_an_error_that_is_too_large_or_no_number_fails(errors: list[float], holds: bool) -> None:
    each, statistic = evidence(2), evidence(2)
    each.lanes(each.run.lanes).within("difference", errors, 1.0)
    statistic.lanes(statistic.run.lanes).statistic("difference", errors, 1.0)
    assert each.holds is statistic.holds is holds
    assert ("largest difference at most 1;" in each.number) is holds


@pytest.mark.parametrize(
    ("p_values", "holds"), [([0.5, 0.006], True), ([0.5, 0.004], False), ([0.5, np.nan], False), ([np.nan, 0.5], False), ([], False)]
)
def test_p_values_hold_jointly_and_one_that_is_no_number_fails(p_values: list[float], holds: bool) -> None:
    found = evidence(2)
    found.lanes(found.run.lanes).tests(p_values)
    assert found.holds is holds
    assert decided(found) is None, "a test that does not reject supports nothing"


def test_too_few_training_runs_fail_a_law_and_decide_nothing() -> None:
    for left, holds in ((50, True), (49, False)):
        found = evidence(1000)
        few = found.lanes(found.run.lanes).where(np.arange(1000) < left, 0.5, 100)
        assert len(few) == left
        few.facts(np.ones(left))
        assert found.holds is holds
        assert ("agreement: 49 training runs tested where 50 are needed" in found.number) is not holds
    found = evidence(1000)
    few = found.lanes(found.run.lanes).where(np.arange(1000) < 998, 0.999)
    few.facts(np.ones(998))
    assert not found.holds
    assert decided(found) is None


def test_a_null_fails_a_law_but_for_training_runs_that_diverged_and_steps_that_never_came() -> None:
    outcomes = np.array(["solved", "diverged", "solved"])
    for place, excused in ((0, False), (1, True)):
        found = evidence(3, outcome=outcomes, loss_final=np.where(np.arange(3) == place, np.nan, 0.0))
        lanes = found.lanes(found.run.lanes)
        np.testing.assert_array_equal(np.isnan(lanes["loss_final"]), np.arange(3) == place)
        lanes.facts(np.ones(3))
        assert found.holds is excused
        assert ("no value of loss_final in 1 training runs" in found.number) is not excused
    found = evidence(3, steps_to_solve=pd.array([1, None, 3], "Int64"))
    lanes = found.lanes(found.run.lanes)
    assert list(lanes["steps_to_solve"]) == [1.0, np.inf, 3.0]
    lanes.facts(np.ones(3))
    assert found.holds
    assert list(found.columns) == ["steps_to_solve"]


def test_samples_of_several_cells_are_of_different_seeds() -> None:
    found = evidence(10)
    seeds = [set(found.lanes(found.run.lanes).sample(4).rows["init_seed"]) for _ in range(3)]
    assert seeds == [{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 0, 1}]
    assert len(found.lanes(found.run.lanes).sample(20)) == 10


def outcomes_in_order(n: int, share: float, of_pairs: bool) -> np.ndarray:
    """Independent outcomes, or pairs of equal ones."""
    draws = np.random.default_rng(0).random(n // 2 if of_pairs else n) < share
    return np.where(np.repeat(draws, 2) if of_pairs else draws, "solved", "unsolved")


@pytest.mark.parametrize(
    ("n", "share", "of_pairs", "answer"),
    [(6000, 0.3, False, True), (90, 0.3, False, None), (6000, 0.3, True, False), (6000, 1.0, False, None), (6000, 0.0, False, None)],
)
def test_restarts_are_draws_if_the_best_of_some_succeeds_as_often_as_predicted(
    n: int, share: float, of_pairs: bool, answer: bool | None
) -> None:
    found = evidence(n, outcome=outcomes_in_order(n, share, of_pairs))
    restarts(found.run, found)
    assert decided(found) is answer
    assert found.holds is (not of_pairs and 0 < share < 1)


@pytest.mark.parametrize(
    ("ahead", "behind", "holds", "answer"),
    [(100, 0, True, True), (0, 0, True, True), (50, 45, True, None), (45, 55, False, None), (10, 90, False, False)],
)
def test_the_linear_baseline_is_compared_data_set_by_data_set(
    ahead: int, behind: int, holds: bool, answer: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = np.random.default_rng(0).integers(400, 450, 100) / 450
    better = np.where(np.arange(100) < ahead, 1, np.where(np.arange(100) < ahead + behind, -1, 0))
    wanted = experiment(task="digits", model={"name": "mlp", "widths": [3]}, seeds={"init": 100, "data": "paired"}, track=[])
    rows = {
        "cell": wanted.cells[0].id,
        "data_seed": np.arange(100),
        "init_seed": np.arange(100),
        "outcome": "unsolved",
        "test_metric_final": (theirs + better / 450).astype(np.float32),
    }
    found = Evidence("law", "?", Run(Path("run"), wanted, NO_MANIFEST, pd.DataFrame(rows), pd.DataFrame()))
    monkeypatch.setattr("analysis.laws.architectures._baseline_accuracies", lambda run, cell, rows: theirs)
    linear_baseline(found.run, found)
    assert found.holds is holds
    assert decided(found) is answer
