"""Verdicts on shares, medians and every training run, held against a bound."""

from typing import Any

import numpy as np
import pytest

from analysis.judging.judge import judge
from tests.judging.rows import claim, run_of


@pytest.mark.parametrize(
    ("share", "n", "criterion", "verdict"),
    [
        (1.0, 1000, {"at_least": 0.99}, "supported"),
        (0.5, 1000, {"at_least": 0.99}, "refuted"),
        (1.0, 100, {"at_least": 0.99}, "undecided"),
        (0.0, 1000, {"at_most": 0.01}, "supported"),
        (0.2, 1000, {"at_most": 0.01}, "refuted"),
        (0.5, 4000, {"equal_to": 0.5, "margin": 0.05}, "supported"),
        (0.5, 100, {"equal_to": 0.5, "margin": 0.05}, "undecided"),
        (0.9, 1000, {"equal_to": 0.5, "margin": 0.05}, "refuted"),
    ],
)
def test_a_verdict_needs_the_whole_interval(share: float, n: int, criterion: dict[str, Any], verdict: str) -> None:
    _, [found] = judge(run_of({"he_normal": share}, n, [claim(**criterion)]))
    assert found.verdict == verdict
    assert found.n_lanes == n


@pytest.mark.parametrize("how", [{"each": True}, {"says": "median"}])
@pytest.mark.parametrize(
    ("criterion", "value", "verdict"),
    [
        ({"at_least": 0.9}, 0.9, "supported"),
        ({"at_least": 0.9}, 0.9 - 1e-6, "refuted"),
        ({"at_most": 0.1}, 0.1, "supported"),
        ({"at_most": 0.1}, 0.1 + 1e-7, "refuted"),
        ({"at_most": 0}, 1e-40, "refuted"),
        ({"equal_to": 0.5, "margin": 0.1}, 0.6, "supported"),
        ({"equal_to": 0.5, "margin": 0.1}, 0.4, "supported"),
    ],
)
def test_a_value_in_float32_meets_the_bound_that_it_is(how: dict[str, Any], criterion: dict[str, Any], value: float, verdict: str) -> None:
    """0.9 in float32 is less than 0.9."""
    values: Any = {"metric_final": lambda n: np.full(n, np.float32(value))}
    [found] = judge(run_of({"he_normal": 1.0}, 400, [claim(measure="metric_final", **criterion, **how)], **values))[1]
    assert found.verdict == verdict


def test_missing_losses_count_as_worst() -> None:
    losses: Any = {"loss_final": lambda n: np.where(np.arange(n) < 0.4 * n, 0.1, np.nan)}
    _, [found] = judge(run_of({"he_normal": 1.0}, 1000, [claim(measure="loss_final", at_most=1.0)], **losses))
    assert found.verdict == "refuted"
    assert found.estimate == np.inf


def accuracies(n: int) -> np.ndarray:
    """Two thirds of the runs classify all four points of XOR, one third three of them, as networks of ReLU do."""
    return np.where(np.arange(n) % 3 == 0, 0.75, 1.0)


def test_a_claim_on_every_run_is_not_judged_by_its_median() -> None:
    metric: Any = {"metric_final": accuracies}
    run = run_of({"he_normal": 1.0}, 2000, [claim(measure="metric_final", at_least=0.9, each=True)], **metric)
    [found] = judge(run)[1]
    assert (found.verdict, found.estimate) == ("refuted", pytest.approx(2 / 3, abs=0.001))
    assert found.measure == "share with metric_final at least 0.9"
    [typical_run] = judge(run_of({"he_normal": 1.0}, 2000, [claim(measure="metric_final", at_least=0.9)], **metric))[1]
    assert typical_run.verdict == "supported" and typical_run.measure == "median metric_final"


@pytest.mark.parametrize(
    ("criterion", "verdict"),
    [
        ({"at_most": 1.0}, "refuted"),
        ({"at_most": 1.0, "share": 0.9}, "supported"),
        ({"at_least": 0.5}, "refuted"),
        ({"equal_to": 0.25, "margin": 0.5}, "refuted"),
    ],
)
def test_a_run_that_diverged_meets_no_bound_that_its_worst_value_does_not(criterion: dict[str, Any], verdict: str) -> None:
    losses: Any = {"loss_final": lambda n: np.where(np.arange(n) < 0.05 * n, np.nan, 0.25)}
    [found] = judge(run_of({"he_normal": 1.0}, 2000, [claim(measure="loss_final", each=True, **criterion)], **losses))[1]
    assert found.verdict == verdict
    # Infinite loss is at least anything.
    assert found.estimate == pytest.approx(0.05 if "at_least" in criterion else 0.95)


@pytest.mark.parametrize(("measure", "worst"), [("metric_final", -np.inf), ("modes_covered_final", 0.0), ("distinct_units_final", 0.0)])
def test_missing_values_do_not_drop_out(measure: str, worst: float) -> None:
    values: Any = {measure: lambda n: np.where(np.arange(n) < 0.6 * n, np.nan, 1.0)}
    [found] = judge(run_of({"he_normal": 1.0}, 1000, [claim(measure=measure, at_least=0.9)], **values))[1]
    assert (found.verdict, found.estimate) == ("refuted", worst)


def test_a_missing_value_of_a_measure_without_a_worst_one_meets_no_bound() -> None:
    values: Any = {"tie_spread_final": lambda n: np.where(np.arange(n) < 0.6 * n, np.nan, 0.0)}
    [found] = judge(run_of({"he_normal": 1.0}, 1000, [claim(measure="tie_spread_final", at_most=0, each=True)], **values))[1]
    assert (found.verdict, found.estimate) == ("refuted", 0.4)


@pytest.mark.parametrize(
    ("missing", "criterion", "verdict"),
    [
        # Few unknown values do not move a median, and many may move it anywhere.
        (0.1, {"at_most": 0}, "supported"),
        (0.1, {"at_least": 0.5}, "refuted"),
        (0.6, {"at_most": 0}, "undecided"),
        (0.6, {"at_least": 0}, "undecided"),
        (0.1, {"by": [], "where": {"initializer": "he_normal"}, "greater_than": {"where": {"initializer": "zeros"}}}, "supported"),
        (0.6, {"by": [], "where": {"initializer": "he_normal"}, "greater_than": {"where": {"initializer": "zeros"}}}, "undecided"),
    ],
)
def test_a_missing_value_without_a_worst_one_may_be_any(missing: float, criterion: dict[str, Any], verdict: str) -> None:
    frames = iter([np.zeros(1000), np.full(1000, -1.0)])
    values: Any = {"tie_spread_final": lambda n: np.where(np.arange(n) < missing * n, np.nan, next(frames))}
    found = judge(run_of({"he_normal": 1.0, "zeros": 0.0}, 1000, [claim(measure="tie_spread_final", **criterion)], **values))[1][0]
    assert found.verdict == verdict


@pytest.mark.parametrize(("n", "reason"), [(2, "too few independent training runs for an interval"), (40, "")])
def test_a_median_of_two_runs_says_why_it_is_undecided(n: int, reason: str) -> None:
    values: Any = {"loss_final": lambda n: np.linspace(0.1, 0.3, n)}
    [found] = judge(run_of({"he_normal": 1.0}, n, [claim(says="median", measure="loss_final", at_most=0.2)], **values))[1]
    assert (found.verdict, found.reason) == ("undecided", reason)
