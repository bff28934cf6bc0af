"""Verdicts follow from intervals, and a family's error rate is kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.claims import Verdict, judge, overall
from analysis.load import Run, typed
from analysis.words import place
from tests.conftest import experiment

NO_MANIFEST: Any = None
"""Verdicts are about rows alone."""


def run_of(solved: dict[str, float], n: int, claims: list[dict[str, Any]], data_seeds: int = 1, **columns: Any) -> Run:
    """Rows with a given share solved per initializer, as if they had been trained."""
    wanted = experiment(grid={"initializer": list(solved)}, seeds={"init": n // data_seeds, "data": data_seeds}, claim=claims, track=[])
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
    return Run(Path(), wanted, NO_MANIFEST, typed(pd.concat(frames, ignore_index=True), wanted), pd.DataFrame())


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


def test_a_family_of_true_nulls_is_rarely_decided() -> None:
    """Holm over twenty conditions at their very threshold: a decision in at most about alpha of the families."""
    rng = np.random.default_rng(5)
    names = [f"he_normal(gain={gain})" for gain in range(1, 21)]
    decided = 0
    for _ in range(60):
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
        run = Run(Path(), wanted, NO_MANIFEST, typed(pd.concat(frames, ignore_index=True), wanted), pd.DataFrame())
        _, found = judge(run)
        assert len(found) == len(names)
        decided += any(verdict.verdict != "undecided" for verdict in found)
    assert decided <= 9


def test_an_unknown_measure_is_named() -> None:
    with pytest.raises(ValueError, match="unknown measure 'solvd'"):
        judge(run_of({"he_normal": 1.0}, 10, [claim(measure="solvd", at_least=0.5)]))


def verdicts(*outcomes: str) -> list[Verdict]:
    blank = {"id": "", "family": "", "says": "", "condition": {}, "measure": "", "criterion": "", "estimate": 0.0, "low": 0.0,
             "high": 0.0, "level": 0.95, "n_lanes": 1, "n_data_seeds": 1, "n_init_seeds": 1, "estimator": "", "columns": (), "cells": (),
             "against": ()}  # fmt: skip
    return [Verdict(verdict=outcome, **blank) for outcome in outcomes]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "whole"),
    [
        (("supported", "supported"), "supported"),
        (("supported", "refuted"), "conditional"),
        (("supported", "refuted", "undecided"), "conditional"),
        (("supported", "undecided"), "undecided"),
        (("refuted", "undecided"), "refuted"),
        (("supported", "withheld"), "withheld"),
    ],
)
def test_the_verdict_on_a_family(found: tuple[str, ...], whole: str) -> None:
    assert overall(verdicts(*found)) == whole


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
    return Run(Path(), wanted, NO_MANIFEST, typed(pd.concat(frames, ignore_index=True), wanted), pd.DataFrame())


RATES = {0.1: (0.2, 0.9), 1.0: (1.0, 0.4)}


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
    assert [verdict.estimate for verdict in judge(run)[1]] == [pytest.approx(0.3)] * 2


def test_each_side_of_a_comparison_has_its_own_best_rate_and_pairs_share_their_seeds() -> None:
    paired = claim(
        by=[], where={"initializer": "he_normal"}, best="optimizer.learning_rate", paired=True,
        greater_than={"where": {"initializer": "lecun_normal"}},
    )  # fmt: skip
    _, [found] = judge(rates_run(RATES, 2000, [paired]))
    assert found.verdict == "supported"
    # 1.0 against 0.9: a tenth of the pairs differ, all in the same direction.
    assert "100 pairs that differ at best learning rate 1.0 v 0.1" in found.measure
    assert found.estimate == 1
    _, [fixed] = judge(
        rates_run(RATES, 2000, [{**paired, "best": None, "where": {"initializer": "he_normal", "optimizer.learning_rate": 0.1}}])
    )
    assert fixed.verdict == "refuted"
    assert fixed.low == 0


def test_pairs_that_never_differ_decide_nothing() -> None:
    same = claim(
        by=["optimizer.learning_rate"], where={"initializer": "he_normal"}, paired=True,
        greater_than={"where": {"initializer": "lecun_normal"}},
    )  # fmt: skip
    _, found = judge(rates_run({0.1: (1.0, 1.0)}, 200, [same]))
    assert [(verdict.verdict, verdict.low, verdict.high) for verdict in found] == [("undecided", 0, 1)]


def test_a_condition_names_its_numbers_but_not_its_labels() -> None:
    assert place("case", "010") == "010"
    assert place("initializer.gain", "16.0") == "gain 16"
    assert place("model.widths", "[8, 8, 8, 8]") == "hidden units 8 x 4 layers"
    assert place("initializer", "zeros") == "zero"
