"""Verdicts follow from intervals, and a family's error rate is kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.judging.claims import check_claims, judge
from analysis.judging.families import Family, corrected, counts, overall, typical
from analysis.judging.verdict import Verdict
from analysis.report.format import marked, outcome, place, runs
from analysis.rows.load import Run, typed
from bench.runs.manifest import Manifest
from bench.spec import Experiment
from tests.conftest import experiment

NO_MANIFEST = Manifest.model_construct()
"""Verdicts are about rows alone."""


def run_with(wanted: Experiment, frames: list[pd.DataFrame]) -> Run:
    """A run of these rows, each of which ended somewhere else."""
    rows = pd.concat(frames, ignore_index=True)
    rows["params_digest"] = rows.index.map("{:016x}".format)
    return Run(Path(), wanted, NO_MANIFEST, typed(rows, wanted), pd.DataFrame())


def run_of(solved: dict[str, float], n: int, claims: list[dict[str, Any]], data_seeds: int = 1, task: str = "blobs", **columns: Any) -> Run:
    """Rows with a given share solved per initializer, as if they had been trained."""
    seeds = {"init": n // data_seeds, "data": data_seeds}
    wanted = experiment(task=task, grid={"initializer": list(solved)}, seeds=seeds, claim=claims, track=[])
    frames = []
    for cell in wanted.cells:
        name = cell.axes["initializer"]
        data, init = wanted.seeds.pairs()
        hits = np.arange(n) < round(solved[name] * n)
        frames.append(
            pd.DataFrame(
                {"cell": cell.id, "initializer": name, "data_seed": data, "init_seed": init,
                 "outcome": np.where(hits, "solved", "unsolved"), **{key: value(n) for key, value in columns.items()}}
            )
        )  # fmt: skip
    return run_with(wanted, frames)


def claim(**criterion: Any) -> dict[str, Any]:
    return {"id": "c", "says": "?", "measure": "solved", "by": ["initializer"], **criterion}


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


def test_a_claim_that_holds_here_and_fails_there_is_conditional() -> None:
    _, found = judge(run_of({"he_normal": 1.0, "lecun_normal": 0.1}, 1000, [claim(at_least=0.99)]))
    assert [verdict.condition["initializer"] for verdict in found if verdict.verdict == "supported"] == ["he_normal"]
    assert overall(found) == "conditional"


def test_a_thousand_seeds_of_a_deterministic_start_decide_nothing() -> None:
    _, [found] = judge(run_of({"zeros": 0.0}, 1000, [claim(at_most=0.01)]))
    assert found.verdict == "undecided"


def test_one_start_on_many_data_sets_decides() -> None:
    _, [found] = judge(run_of({"zeros": 0.0}, 1000, [claim(at_most=0.01)], data_seeds=1000))
    assert found.verdict == "supported"
    assert found.n_data_seeds == 1000


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


@pytest.mark.parametrize(
    ("criterion", "verdict"),
    [
        ({"equal_to": {"where": {"initializer": "zeros"}}, "margin": 0.1}, "undecided"),
        ({"measure": "loss_final", "equal_to": {"where": {"initializer": "zeros"}}, "margin": 0.1, "each": True}, "undecided"),
        ({"greater_than": {"where": {"initializer": "zeros"}}}, "undecided"),
        ({"measure": "loss_final", "greater_than": {"where": {"initializer": "zeros"}}}, "undecided"),
        ({"measure": "loss_final", "greater_than": {"where": {"initializer": "zeros"}}, "paired": True}, "undecided"),
        ({"at_least": 0.9, "needs": {"where": {"initializer": "zeros"}, "measure": "solved", "at_least": 0.9}}, "withheld"),
        ({"at_least": 0.9, "by": [], "where": {"initializer": "zeros"}}, "undecided"),
    ],
)
def test_what_has_not_ended_yet_decides_nothing(criterion: dict[str, Any], verdict: str) -> None:
    losses: Any = {"loss_final": lambda n: np.linspace(0.1, 1.0, n)}
    run = run_of({"he_normal": 1.0, "zeros": 0.0}, 400, [claim(**{"where": {"initializer": "he_normal"}, **criterion})], **losses)
    _, [found] = judge(replace(run, lanes=run.lanes[run.lanes["initializer"] == "he_normal"].reset_index(drop=True)))
    assert found.verdict == verdict
    assert found.reason.endswith("no training runs to judge by")


def test_one_seed_cannot_choose_the_best_rate_and_judge_it() -> None:
    _, found = judge(rates_run(RATES, 1, [claim(at_least=0.85, best="optimizer.learning_rate")]))
    assert {(verdict.verdict, verdict.reason) for verdict in found} == {("undecided", "no training runs to judge by")}


def test_a_family_of_true_nulls_is_rarely_decided() -> None:
    """Holm over twenty conditions at their very threshold: a decision in at most about alpha of the families."""
    rng = np.random.default_rng(5)
    names = [f"he_normal(gain={gain})" for gain in range(1, 21)]
    decided = 0
    for _ in range(40):
        wanted = experiment(
            grid={"initializer": [{"name": "he_normal", "gain": float(gain)} for gain in range(1, 21)]},
            seeds={"init": 200}, claim=[claim(at_least=0.5)], track=[],
        )  # fmt: skip
        frames = [
            pd.DataFrame(
                {"cell": cell.id, "initializer": cell.axes["initializer"], "data_seed": 0, "init_seed": np.arange(200),
                 "outcome": np.where(rng.random(200) < 0.5, "solved", "unsolved")}
            )
            for cell in wanted.cells
        ]  # fmt: skip
        _, found = judge(run_with(wanted, frames))
        assert len(found) == len(names)
        decided += any(verdict.verdict != "undecided" for verdict in found)
    assert decided <= 7


def test_an_unknown_measure_is_named() -> None:
    with pytest.raises(ValueError, match="unknown measure 'solvd'"):
        judge(run_of({"he_normal": 1.0}, 10, [claim(measure="solvd", at_least=0.5)]))


def verdicts(*outcomes: str) -> list[Verdict]:
    blank = {"id": "", "family": "", "says": "", "condition": {}, "measure": "", "criterion": "", "estimate": 0.0, "low": 0.0,
             "high": 0.0, "level": 0.95, "n_lanes": 1, "n_data_seeds": 1, "n_init_seeds": 1, "estimator": "", "columns": (), "cells": (),
             "against": (), "p_value": 1.0, "n_draws": 1, "n_distinct": 1, "data": "1 data set"}  # fmt: skip
    return [Verdict(verdict=outcome, alone=outcome, **blank) for outcome in outcomes]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "whole"),
    [
        (("supported", "supported"), "supported"),
        (("supported", "refuted"), "conditional"),
        (("supported", "refuted", "undecided"), "conditional"),
        (("supported", "undecided"), "undecided"),
        (("refuted", "undecided"), "undecided"),
        (("refuted", "refuted"), "refuted"),
        (("supported", "withheld"), "undecided"),
        (("withheld", "withheld"), "withheld"),
    ],
)
def test_the_verdict_on_a_family(found: tuple[str, ...], whole: str) -> None:
    assert overall(verdicts(*found)) == whole


@pytest.mark.parametrize(
    ("found", "whole"),
    [(("supported", "refuted"), "supported"), (("refuted", "undecided"), "undecided"), (("refuted", "refuted"), "refuted")],
)
def test_a_family_that_needs_one_condition_is_supported_by_one(found: tuple[str, ...], whole: str) -> None:
    assert overall(verdicts(*found), Family("?", "any")) == whole


def test_a_family_s_primary_claim_stands_for_it() -> None:
    first, second = verdicts("supported", "refuted")
    assert overall([replace(first, id="a"), second], Family("?", primary="a")) == "supported"
    assert [one.id for one in typical([replace(first, id="a"), second], Family("?", primary="a"))] == ["a"]
    # Its experiment may not be there.
    assert overall([second], Family("?", primary="a")) == "undecided" and typical([second], Family("?", primary="a")) == [second]


def test_all_counts_are_told() -> None:
    assert counts(verdicts("supported", "refuted", "undecided", "undecided")) == "1 hold, 1 fail, 2 undecided"
    assert counts(verdicts("withheld")) == "0 hold, 0 fail, 0 undecided, 1 withheld"


def test_the_numbers_shown_are_those_of_the_middle_conditions() -> None:
    held = [replace(verdicts("supported")[0], estimate=number) for number in (0.5, 0.9, 0.1)]
    failed = [replace(verdicts("refuted")[0], estimate=number) for number in (9.0, np.nan, 7.0)]
    assert [one.estimate for one in typical([*held, *failed])] == [0.5, 7.0]
    assert [one.verdict for one in typical(verdicts("undecided"))] == ["undecided"]


def test_holm_counts_the_comparisons_of_all_experiments_together() -> None:
    [one] = verdicts("supported")
    weak = replace(one, family="C8", p_value=0.02)
    assert corrected([weak])[0].verdict == "supported"
    together = corrected([weak, replace(weak, p_value=0.04, alone="refuted")])
    assert [verdict.verdict for verdict in together] == ["supported", "refuted"]
    more = corrected([weak, *[replace(weak, p_value=0.03)] * 2, *[replace(weak, p_value=0.001)]])
    assert [verdict.verdict for verdict in more] == ["undecided"] * 3 + ["supported"]
    assert "number of comparisons" in more[0].reason
    # What was withheld was not compared; other families do not count.
    others = [replace(weak, alone="withheld", verdict="withheld"), replace(weak, family="C9")]
    assert [verdict.verdict for verdict in corrected([weak, *others])] == ["supported", "withheld", "supported"]
    assert corrected(more) == more


def rates_run(solved: dict[float, tuple[float, float]], n: int, claims: list[dict[str, Any]]) -> Run:
    """Two initializers at several learning rates; `solved` gives their shares at each rate."""
    wanted = experiment(
        grid={"initializer": ["he_normal", "lecun_normal"], "optimizer.learning_rate": list(solved)},
        seeds={"init": n}, claim=claims, track=[],
    )  # fmt: skip
    frames = []
    for cell in wanted.cells:
        share = solved[cell.axes["optimizer.learning_rate"]][cell.axes["initializer"] == "lecun_normal"]
        # Every tenth seed alike, so that even and odd ones have the same share.
        hits = (np.arange(n) // 2) % 10 < round(10 * share)
        frames.append(
            pd.DataFrame(
                {"cell": cell.id, **cell.axes, "data_seed": 0, "init_seed": np.arange(n),
                 "outcome": np.where(hits, "solved", "unsolved")}
            )
        )  # fmt: skip
    return run_with(wanted, frames)


RATES = {0.01: (0.0, 0.0), 0.1: (0.2, 0.9), 1.0: (1.0, 0.4), 10.0: (0.0, 0.0)}


def test_the_best_learning_rate_is_chosen_on_one_half_of_the_seeds_and_judged_on_the_other() -> None:
    best = claim(at_least=0.85, best="optimizer.learning_rate")
    _, found = judge(rates_run(RATES, 2000, [best]))
    assert [verdict.estimate for verdict in found] == [1.0, 0.9]
    assert [verdict.n_lanes for verdict in found] == [1000, 1000]
    assert [verdict.measure for verdict in found] == ["share solved at best learning rate 1.0", "share solved at best learning rate 0.1"]
    # Pure chance is not flattered: ten equal rates, and the chosen one's estimate is unbiased.
    rng = np.random.default_rng(0)
    equal = rates_run({float(rate): (0.5, 0.5) for rate in range(1, 11)}, 400, [claim(at_least=0.5, best="optimizer.learning_rate")])
    estimates = []
    for _ in range(100):
        equal.lanes["outcome"] = np.where(rng.random(len(equal.lanes)) < 0.5, "solved", "unsolved")
        estimates += [verdict.estimate for verdict in judge(equal)[1]]
    assert np.mean(estimates) == pytest.approx(0.5, abs=4 * 0.035 / np.sqrt(200))


def test_the_best_loss_is_the_lowest() -> None:
    run = rates_run(RATES, 100, [claim(measure="loss_final", at_most=1.0, best="optimizer.learning_rate")])
    run.lanes["loss_final"] = run.lanes["optimizer.learning_rate"].astype(float) * 3
    assert [verdict.estimate for verdict in judge(run)[1]] == [pytest.approx(0.03)] * 2


def test_each_side_of_a_comparison_has_its_own_best_rate_and_pairs_share_their_seeds() -> None:
    paired = claim(
        by=[], where={"initializer": "he_normal"}, best="optimizer.learning_rate", paired=True,
        greater_than={"where": {"initializer": "lecun_normal"}},
    )  # fmt: skip
    _, [found] = judge(rates_run(RATES, 2000, [paired]))
    assert found.verdict == "supported"
    # 1.0 against 0.9: a tenth of the pairs differ, all in the same direction.
    assert found.measure == "difference of share solved (1 - 0.9) at best learning rate 1.0 v 0.1"
    assert found.estimate == pytest.approx(0.1)
    _, [fixed] = judge(
        rates_run(RATES, 2000, [{**paired, "best": None, "where": {"initializer": "he_normal", "optimizer.learning_rate": 0.1}}])
    )
    assert fixed.verdict == "refuted"
    assert fixed.estimate == pytest.approx(0.2 - 0.9)


def test_pairs_that_never_differ_decide_nothing() -> None:
    same = claim(
        by=["optimizer.learning_rate"], where={"initializer": "he_normal"}, paired=True,
        greater_than={"where": {"initializer": "lecun_normal"}},
    )  # fmt: skip
    _, found = judge(rates_run({0.1: (1.0, 1.0)}, 200, [same]))
    assert [(verdict.verdict, verdict.low, verdict.high) for verdict in found] == [("undecided", -1, 1)]
    assert found[0].reason == "the two sides never differ"


def test_a_condition_names_its_numbers_but_not_its_labels() -> None:
    assert place("case", "010") == "010"
    assert place("initializer.gain", "16.0") == "gain 16"
    assert place("model.widths", "[8, 8, 8, 8]") == "hidden units 8 x 4 layers"
    assert place("initializer", "zeros") == "zero"


# What is said of each run ---------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("criterion", [{"at_least": 0.9}, {"at_most": 0.05}, {"greater_than": {"where": {"initializer": "zeros"}}}])
def test_a_pool_of_cells_that_do_not_share_their_draws_decides_nothing(criterion: dict[str, Any]) -> None:
    """On one data set a start at zero is one draw, whatever the number of its rows, and draws would count random starts for more."""
    wanted = claim(by=[], pool=["initializer"], **criterion)
    [found] = judge(run_of({"he_normal": 1.0, "zeros": 0.0}, 200, [wanted], task="xor"))[1]
    assert (found.verdict, found.reason) == ("undecided", "pooled cells do not share their draws")
    [found] = judge(run_of({"he_normal": 1.0, "lecun_normal": 0.0}, 200, [claim(by=[], pool=["initializer"], at_least=0.9)], task="xor"))[1]
    assert (found.verdict, found.estimate) == ("refuted", 0.5)


def test_a_control_of_cells_that_do_not_share_their_draws_is_not_met() -> None:
    control = {"where": {"initializer": ["he_normal", "zeros"]}, "measure": "solved", "at_least": 0.9}
    wanted = claim(by=[], where={"initializer": "he_normal"}, at_least=0.9, needs=control)
    [found] = judge(run_of({"he_normal": 1.0, "zeros": 0.0}, 200, [wanted], task="xor"))[1]
    assert (found.verdict, found.reason) == ("withheld", "control: pooled cells do not share their draws")


def test_sides_without_any_value_are_not_compared() -> None:
    nothing: Any = {"loss_final": lambda n: np.full(n, np.nan)}
    other = {"where": {"initializer": "zeros"}}
    for criterion in ({"equal_to": other, "margin": 0.1}, {"equal_to": other, "margin": 0.1, "each": True}, {"greater_than": other}):
        wanted = claim(by=[], where={"initializer": "he_normal"}, measure="loss_final", **criterion)
        run = run_of({"he_normal": 1.0, "zeros": 0.0}, 400, [wanted], **nothing)
        [found] = judge(replace(run, lanes=run.lanes.assign(outcome="diverged")))[1]
        assert (found.verdict, found.reason) == ("undecided", "no run of a side has a value")


def test_a_condition_without_runs_is_counted_as_undecided() -> None:
    run = run_of({"he_normal": 1.0, "zeros": 1.0}, 1000, [claim(at_least=0.9)])
    found = judge(replace(run, lanes=run.lanes[run.lanes["initializer"] == "he_normal"].reset_index(drop=True)))[1]
    assert [(one.condition["initializer"], one.verdict) for one in found] == [("he_normal", "supported"), ("zeros", "undecided")]
    assert overall(found) != "supported"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"at_least": 1.5}, "at_least = 1.5: 'solved' is a share"),
        ({"equal_to": -1, "margin": 0.1}, "equal_to = -1: 'solved' is a share"),
        ({"at_least": 0.5, "needs": {"where": {}, "measure": "solved", "at_least": 5}}, "needs: at_least = 5: 'solved' is a share"),
        ({"greater_than": {"where": {"initializer": "zeros"}}, "margin": 3}, "margin = 3: a difference of two shares"),
        ({"measure": "loss_final", "greater_than": {"where": {"initializer": "zeros"}}, "margin": 0.5}, "margin = 0.5: a difference of P"),
        ({"at_least": 1}, "at_least = 1: no number of runs shows"),
        ({"at_most": 0}, "at_most = 0: no number of runs shows"),
        ({"greater_than": {"where": {}}}, "greater_than: names the claim's own runs"),
        ({"measure": "loss_final", "each": True, "equal_to": {"where": {}}, "margin": 1}, "equal_to: names the claim's own runs"),
        ({"at_least": 0.5, "best": "initializer"}, "best: 'initializer' also stands in by"),
        ({"says": "median", "measure": "tie_spread_final", "at_least": 0.5, "by": [], "best": "initializer"}, "best: nobody has said"),
        (
            {
                "measure": "loss_final",
                "by": [],
                "best": "initializer",
                "greater_than": {"where": {"initializer": "zeros"}, "measure": "tie_spread_final"},
            },
            "best: nobody has said whether a small or a large 'tie_spread_final'",
        ),
    ],
)
def test_a_criterion_that_no_rows_could_meet_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        check_claims(experiment(grid={"initializer": ["he_normal", "zeros"]}, claim=[claim(**changes)]))
    assert said in str(caught.value)


def test_a_criterion_that_was_changed_without_a_word_is_exploratory_as_well() -> None:
    before = run_of({"he_normal": 1.0}, 1000, [claim(at_least=0.99)])
    kept = replace(before, manifest=NO_MANIFEST.model_copy(update={"criteria": before.experiment.criteria}))
    for changes, edited in (({}, ""), ({"says": "!"}, ""), ({"at_least": 0.2}, "changed"), ({"id": "d"}, "added")):
        after = run_of({"he_normal": 1.0}, 1000, [claim(**{"at_least": 0.99, **changes})]).experiment
        [found] = judge(replace(kept, experiment=after))[1]
        assert found.edited == (f"{edited} after training runs existed" if edited else "")


@pytest.mark.parametrize(
    "criterion", [{"at_least": 0.9}, {"at_least": 0.9, "each": True}, {"at_most": 0.9}, {"at_least": 0.9, "best": "initializer", "by": []}]
)
def test_a_column_without_any_value_decides_nothing(criterion: dict[str, Any]) -> None:
    values: Any = {"metric_final": lambda n: np.full(n, np.nan)}
    [found] = judge(run_of({"he_normal": 1.0}, 1000, [claim(measure="metric_final", **criterion)], **values))[1]
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


# What cannot be judged as it is worded --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measure": "loss_final", "at_most": 1.0}, "judges the median of 'loss_final', of which `says` does not speak"),
        ({"measure": "loss_final", "equal_to": {"where": {"initializer": "zeros"}}, "margin": 0.1}, "judges the median"),
        ({"at_least": 0.5, "each": True}, "each: 'solved' is true or false of a run"),
        ({"at_least": 0.5, "needs": {"measure": "solved", "at_least": 0.5, "share": 0.9}}, "needs: share stands with a number"),
        ({"at_least": 0.5, "by": []}, "where: pools 2 values of 'initializer'"),
        ({"at_least": 0.5, "needs": {"measure": "solved", "at_least": 0.5}, "by": []}, "pools 2 values of 'initializer'"),
        (
            {"greater_than": {"where": {"initializer": "zeros"}}, "by": [], "pool": ["initializer"]},
            "pools 3 values of 'optimizer.learning_",
        ),
    ],
)
def test_a_claim_that_would_be_judged_on_something_else_is_refused_before_training(changes: dict[str, Any], message: str) -> None:
    grid: dict[str, Any] = {"initializer": ["he_normal", "zeros"]}
    if "learning_" in message:
        grid["optimizer.learning_rate"] = [0.1, 0.2, 0.3]
    with pytest.raises(ValueError, match=message):
        check_claims(experiment(grid=grid, claim=[claim(**changes)]))


@pytest.mark.parametrize(
    "changes",
    [
        {"says": "The median loss is at most 1.", "measure": "loss_final", "at_most": 1.0},
        {"measure": "loss_final", "at_most": 1.0, "each": True},
        {"measure": "loss_final", "greater_than": {"where": {"initializer": "zeros"}}},
        {"at_least": 0.5, "by": [], "pool": ["initializer"]},
        {"at_least": 0.5, "by": [], "where": {"initializer": ["he_normal", "zeros"]}},
        {"at_least": 0.5, "by": [], "best": "initializer"},
    ],
)
def test_a_claim_that_says_what_it_is_judged_on_is_accepted(changes: dict[str, Any]) -> None:
    check_claims(experiment(grid={"initializer": ["he_normal", "zeros"]}, claim=[claim(**changes)]))


# Controls, margins, edges ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("control", "verdict"), [(1.0, "supported"), (0.85, "withheld"), (0.0, "withheld")])
def test_a_verdict_is_withheld_where_its_positive_control_fails(control: float, verdict: str) -> None:
    needs = {"where": {"initializer": "he_normal"}, "measure": "solved", "at_least": 0.9}
    fails = claim(by=[], where={"initializer": "zeros"}, at_most=0.01, needs=needs)
    [found] = judge(run_of({"he_normal": control, "zeros": 0.0}, 1000, [fails], data_seeds=1000))[1]
    assert found.verdict == verdict
    assert found.reason.startswith("control not met: share solved at least 0.9, found") == (verdict == "withheld")


def test_a_control_on_a_number_is_met_by_each_run() -> None:
    needs = {"where": {"initializer": "he_normal"}, "measure": "loss_final", "at_most": 1.0}
    fails = claim(by=[], where={"initializer": "zeros"}, at_most=0.01, needs=needs)
    for share, verdict in ((1.0, "supported"), (0.6, "withheld")):
        losses: Any = {"loss_final": lambda n, share=share: np.where(np.arange(n) < share * n, 0.5, np.nan)}
        [found] = judge(run_of({"he_normal": 1.0, "zeros": 0.0}, 1000, [fails], data_seeds=1000, **losses))[1]
        assert found.verdict == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.5, "supported"), (0.6, "withheld"), (None, "withheld")])
def test_a_control_names_its_own_share(share: float | None, verdict: str) -> None:
    needs = {"where": {"initializer": "he_normal"}, "measure": "loss_final", "at_most": 1.0, "share": share}
    where = {"initializer": "zeros"}
    fails = claim(by=[], where=where, measure="loss_final", at_least=0.4, each=True, share=0.5, needs=needs)
    losses: Any = {"loss_final": lambda n: np.where(np.arange(n) < 0.55 * n, 0.5, 2.0)}
    [found] = judge(run_of({"he_normal": 1.0, "zeros": 0.0}, 1000, [fails], data_seeds=1000, **losses))[1]
    assert found.verdict == verdict


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


def test_one_draw_decides_nothing() -> None:
    more = claim(by=[], where={"initializer": "constant"}, measure="loss_final", greater_than={"where": {"initializer": "zeros"}})
    losses: Any = {"loss_final": lambda n: np.arange(n) + 0.0}
    [found] = judge(run_of({"constant": 1.0, "zeros": 1.0}, 500, [more], **losses))[1]
    assert (found.verdict, found.n_draws) == ("undecided", 1)


def test_the_points_of_a_map_are_one_draw() -> None:
    axes = {"x": {"path": "initializer.gain", "from": 1, "to": 4}, "y": {"path": "training.l2", "from": 0, "to": 1}}
    wanted = experiment(seeds={"init": 256, "map": axes}, claim=[claim(by=[], measure="diverged", at_least=0.5)], track=[])
    places = {axis: values for axis, values in wanted.seeds.map.places(np.arange(256)).items()} if wanted.seeds.map else {}
    rows = pd.DataFrame({"cell": wanted.cells[0].id, "data_seed": 0, "init_seed": np.arange(256), "outcome": "diverged", **places})
    [found] = judge(run_with(wanted, [rows]))[1]
    assert (found.verdict, found.n_draws, found.n_distinct, found.reason) == ("undecided", 1, 256, "one draw alone")


SWEEP = {0.1: 0.2, 1.0: 0.5, 10.0: 0.9}


@pytest.mark.parametrize(
    ("criterion", "shares", "verdict"),
    [
        ({"at_most": 0.95}, SWEEP, "undecided"),
        ({"at_most": 0.5}, SWEEP, "refuted"),
        ({"at_least": 0.5}, SWEEP, "supported"),
        ({"at_least": 0.99}, SWEEP, "undecided"),
        ({"at_most": 0.95}, {**SWEEP, 100.0: 0.1}, "supported"),
        ({"at_least": 0.99}, {**SWEEP, 100.0: 0.1}, "refuted"),
        # All alike: the best one is not at the edge.
        ({"at_most": 0.01}, {0.1: 0.0, 1.0: 0.0, 10.0: 0.0}, "supported"),
    ],
)
def test_a_best_rate_at_the_edge_decides_only_what_a_better_one_could_not_change(
    criterion: dict[str, Any], shares: dict[float, float], verdict: str
) -> None:
    best = claim(by=[], where={"initializer": "he_normal"}, best="optimizer.learning_rate", **criterion)
    [found] = judge(rates_run({rate: (share, share) for rate, share in shares.items()}, 2000, [best]))[1]
    assert found.verdict == verdict
    assert found.reason == ("edge of the sweep" if verdict == "undecided" else "")


def test_an_edge_on_the_other_side_counts_as_well() -> None:
    more = claim(
        by=[], where={"initializer": "he_normal"}, best="optimizer.learning_rate", greater_than={"where": {"initializer": "lecun_normal"}}
    )
    rising = {0.1: (0.1, 0.2), 1.0: (0.9, 0.4), 10.0: (0.1, 0.5)}
    assert [(one.verdict, one.reason) for one in judge(rates_run(rising, 2000, [more]))[1]] == [("undecided", "edge of the sweep")]
    turned = {rate: (other, share) for rate, (share, other) in rising.items()}
    assert [one.verdict for one in judge(rates_run(turned, 2000, [more]))[1]] == ["undecided"]
    equal = {rate: (share, share) for rate, share in ((0.1, 0.1), (1.0, 0.9), (10.0, 0.2))}
    assert [one.reason for one in judge(rates_run(equal, 2000, [more]))[1]] == ["the two sides never differ"]


def test_the_halves_that_choose_and_judge_have_no_data_set_in_common() -> None:
    wanted = experiment(task="blobs", seeds={"init": 10, "data": 6})
    data, init = wanted.seeds.pairs()
    rows = pd.DataFrame({"cell": wanted.cells[0].id, "data_seed": data, "init_seed": init, "outcome": "solved"})
    run = run_with(wanted, [rows])
    assert set(run.lanes.loc[run.judges, "data_seed"]) == {1, 3, 5}
    assert set(run.lanes.loc[~run.judges, "data_seed"]) == {0, 2, 4}


# What a verdict says of itself ----------------------------------------------------------------------------------------------------


def test_equal_runs_are_counted_once() -> None:
    run = run_of({"zeros": 0.0}, 1000, [claim(at_most=0.01)], task="xor")
    run.lanes["params_digest"] = "0" * 16
    [found] = judge(run)[1]
    assert (found.n_lanes, found.n_distinct, found.n_draws) == (1000, 1, 1)
    assert runs(found) == "1,000 training runs (1 distinct), 1 data set"


@pytest.mark.parametrize(
    ("task", "words"), [("wine", "1,000 resamples of one data set"), ("blobs", "1,000 data sets"), ("xor", "1 data set")]
)
def test_resamples_are_no_data_sets(task: str, words: str) -> None:
    [found] = judge(run_of({"he_normal": 1.0}, 1000, [claim(at_least=0.9)], data_seeds=1000, task=task))[1]
    assert found.data == words
    # One start on XOR, which ignores its seed, is one run a thousand times.
    assert (found.verdict, found.n_draws) == (("undecided", 1) if task == "xor" else ("supported", 1000))


def test_a_criterion_that_was_changed_makes_its_verdict_exploratory() -> None:
    edited = claim(at_least=0.99, edited="2026-11-25: a first report asked for less")
    [found] = judge(run_of({"he_normal": 1.0}, 1000, [edited]))[1]
    assert outcome(found) == "supported, exploratory"
    table = pd.DataFrame({"verdict": [outcome(found), "undecided: edge of the sweep"]})
    assert marked(table)["verdict"].tolist() == ["✓ supported, exploratory", "? undecided: edge of the sweep"]


def test_a_record_gives_the_verdict_back() -> None:
    [found] = judge(run_of({"he_normal": 1.0}, 100, [claim(at_least=0.9, edited="why")]))[1]
    assert Verdict.of(found.record()) == found
