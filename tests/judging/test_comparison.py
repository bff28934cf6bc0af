"""Verdicts on two sides that are held against each other."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.judging.judge import judge
from tests.judging.rows import claim, rates_run, run_of


def test_comparisons_are_probabilities_of_improvement() -> None:
    rows = run_of(
        {"he_normal": 1.0, "zeros": 0.0},
        500,
        [claim(by=[], where={"initializer": "he_normal"}, greater_than={"where": {"initializer": "zeros"}})],
        data_seeds=500,
    )  # fmt: skip
    _, [found] = judge(rows)
    assert found.verdict == "supported"
    assert found.estimate == 1
    assert found.measure == "difference of share solved (1 - 0)"


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "supported"), (1.005, "supported"), (1.05, "refuted")])
def test_equality_with_other_rows_is_judged_lane_by_lane(factor: float, verdict: str) -> None:
    """Losses of widely different lanes, paired by their seeds: only the relative difference within a pair counts."""
    factors = iter([factor, 1.0])
    losses: Any = {"loss_final": lambda n: next(factors) * np.logspace(-3, 3, n)}
    same = claim(by=[], where={"initializer": "he_normal"}, measure="loss_final", equal_to={"where": {"initializer": "zeros"}}, margin=0.01)
    _, [found] = judge(run_of({"he_normal": 1.0, "zeros": 1.0}, 500, [same], data_seeds=500, **losses))
    assert found.verdict == verdict
    assert found.estimate == pytest.approx(factor - 1)


@pytest.mark.parametrize(
    ("measure", "values", "verdict"),
    [
        ("test_metric_final", 0.89, "supported"),
        ("test_metric_final", 0.99, "supported"),
        ("test_metric_final", 0.87, "refuted"),
        ("test_metric_final", np.nan, "refuted"),
        ("loss_final", 0.91, "supported"),
        ("loss_final", 0.93, "refuted"),
    ],
)
@pytest.mark.parametrize("criterion", ["no_worse_than", "worse_than"])
def test_no_worse_is_a_median_difference_in_the_direction_of_the_measure(measure: str, values: float, verdict: str, criterion: str) -> None:
    opposite = {"supported": "refuted", "refuted": "supported"}
    frames = iter([np.where(np.arange(500) < 400, values, 0.9), np.full(500, 0.9)])
    columns: Any = {measure: lambda n: next(frames)}
    near = claim(
        by=[], where={"initializer": "zeros"}, measure=measure, margin=0.02, **{criterion: {"where": {"initializer": "he_normal"}}}
    )
    [found] = judge(run_of({"zeros": 1.0, "he_normal": 1.0}, 500, [near], data_seeds=500, **columns))[1]
    assert found.verdict == (verdict if criterion == "no_worse_than" else opposite[verdict])
    assert (
        found.estimate == -np.inf
        if np.isnan(values)
        else found.estimate == pytest.approx((values - 0.9) * (-1 if measure == "loss_final" else 1))
    )


@pytest.mark.parametrize(("solved", "verdict"), [(0.9, "supported"), (0.5, "refuted")])
def test_no_worse_of_shares_is_their_difference(solved: float, verdict: str) -> None:
    near = claim(by=[], where={"initializer": "zeros"}, no_worse_than={"where": {"initializer": "he_normal"}}, margin=0.1)
    [found] = judge(run_of({"zeros": solved, "he_normal": 0.9}, 1000, [near], data_seeds=1000))[1]
    assert (found.verdict, found.estimate) == (verdict, pytest.approx(solved - 0.9))


def test_a_diverged_lane_does_not_equal_one_that_converged() -> None:
    frames = iter([np.where(np.arange(500) < 300, np.nan, 1.0), np.ones(500)])
    losses: Any = {"loss_final": lambda n: next(frames)}
    same = claim(by=[], where={"initializer": "he_normal"}, measure="loss_final", equal_to={"where": {"initializer": "zeros"}}, margin=0.01)
    _, [found] = judge(run_of({"he_normal": 1.0, "zeros": 1.0}, 500, [same], data_seeds=500, **losses))
    assert found.verdict == "refuted"


@pytest.mark.parametrize(("mine", "other"), [(1.0, np.nan), (np.nan, 1.0), (np.nan, np.nan), (1.0, 0.0)])
def test_a_number_none_and_zero_are_as_far_apart_as_can_be(mine: float, other: float) -> None:
    frames = iter([np.where(np.arange(500) < 499, value, 1.0) for value in (mine, other)])
    losses: Any = {"loss_final": lambda n: next(frames)}
    same = claim(by=[], where={"initializer": "he_normal"}, measure="loss_final", equal_to={"where": {"initializer": "zeros"}}, margin=2.0)
    _, [found] = judge(run_of({"he_normal": 1.0, "zeros": 1.0}, 500, [same], data_seeds=500, **losses))
    assert (found.verdict, found.estimate) == ("refuted", np.inf)


def test_two_runs_without_a_value_are_not_equal_though_the_worst_value_is_finite() -> None:
    ranks: Any = {"effective_rank_final": lambda n: np.where(np.arange(n) < 0.5 * n, np.nan, 2.0)}
    other = {"where": {"initializer": "zeros"}}
    same = claim(
        by=[], where={"initializer": "he_normal"}, measure="effective_rank_final", equal_to=other, margin=0.01, each=True, share=0.9
    )
    _, [found] = judge(run_of({"he_normal": 1.0, "zeros": 1.0}, 500, [same], data_seeds=500, **ranks))
    assert (found.verdict, found.estimate) == ("refuted", 0.5)


def test_pairs_that_never_differ_decide_nothing() -> None:
    same = claim(
        by=["optimizer.learning_rate"], where={"initializer": "he_normal"}, paired=True,
        greater_than={"where": {"initializer": "lecun_normal"}},
    )  # fmt: skip
    _, found = judge(rates_run({0.1: (1.0, 1.0)}, 200, [same]))
    assert [(verdict.verdict, verdict.low, verdict.high) for verdict in found] == [("undecided", -1, 1)]
    assert found[0].reason == "the two sides never differ"


def test_sides_without_any_value_are_not_compared() -> None:
    nothing: Any = {"loss_final": lambda n: np.full(n, np.nan)}
    other = {"where": {"initializer": "zeros"}}
    for criterion in ({"equal_to": other, "margin": 0.1}, {"equal_to": other, "margin": 0.1, "each": True}, {"greater_than": other}):
        wanted = claim(by=[], where={"initializer": "he_normal"}, measure="loss_final", **criterion)
        run = run_of({"he_normal": 1.0, "zeros": 0.0}, 400, [wanted], **nothing)
        [found] = judge(replace(run, lanes=run.lanes.assign(outcome="diverged")))[1]
        assert (found.verdict, found.reason) == ("undecided", "no run of a side has a value")


@pytest.mark.parametrize(("unequal", "verdict"), [(0.0, "supported"), (0.3, "refuted")])
def test_each_pair_has_to_be_equal(unequal: float, verdict: str) -> None:
    frames = iter([np.where(np.arange(1000) < unequal * 1000, 1.5, 1.0), np.ones(1000)])
    losses: Any = {"loss_final": lambda n: next(frames)}
    same = claim(
        by=[],
        where={"initializer": "he_normal"},
        measure="loss_final",
        each=True,
        equal_to={"where": {"initializer": "zeros"}},
        margin=0.01,
    )
    [found] = judge(run_of({"he_normal": 1.0, "zeros": 1.0}, 1000, [same], data_seeds=1000, **losses))[1]
    assert (found.verdict, found.estimate) == (verdict, 1 - unequal)


@pytest.mark.parametrize(("mine", "theirs", "verdict"), [(0.6, 0.5, "supported"), (0.512, 0.5, "undecided"), (0.501, 0.5, "refuted")])
def test_a_share_is_greater_by_more_than_its_margin(mine: float, theirs: float, verdict: str) -> None:
    more = claim(by=[], where={"initializer": "he_normal"}, greater_than={"where": {"initializer": "glorot_normal"}})
    run = run_of({"he_normal": mine, "glorot_normal": theirs}, 1000, [more])
    [found] = judge(run)[1]
    assert (found.verdict, found.estimate) == (verdict, pytest.approx(mine - theirs))
    assert found.criterion == "more than 0.02 against initializer = glorot_normal"
    [without] = judge(run_of({"he_normal": mine, "glorot_normal": theirs}, 1000, [{**more, "margin": 0.0}]))[1]
    assert without.verdict == ("undecided" if mine == 0.501 else "supported")


def test_values_are_paired_by_their_seeds() -> None:
    """Each loss is a little larger than its partner, among losses that differ by orders of magnitude: only pairs show it."""
    factors = iter([1.01, 1.0])
    losses: Any = {"loss_final": lambda n: next(factors) * np.logspace(-3, 3, n)}
    more = claim(by=[], where={"initializer": "he_normal"}, measure="loss_final", greater_than={"where": {"initializer": "zeros"}})
    [found] = judge(run_of({"he_normal": 1.0, "zeros": 1.0}, 500, [more], data_seeds=500, **losses))[1]
    assert (found.verdict, found.estimate) == ("supported", 1)
    factors = iter([1.01, 1.0])
    [pooled] = judge(run_of({"he_normal": 1.0, "zeros": 1.0}, 500, [{**more, "where": {}, "pool": ["initializer"]}], 500, **losses))[1]
    assert "over all pairs" in pooled.estimator and pooled.verdict != "supported"
