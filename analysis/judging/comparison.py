"""Claims that hold one side against another: whether one is larger, or both are equal."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from analysis.judging.bound import MEDIAN, SHARE, each_decision
from analysis.judging.criterion import decision_of, margin_of, more_than
from analysis.judging.side import Side, paired
from analysis.laws import Decision
from analysis.rows.measures import RATES, lower_is_better
from analysis.stats.intervals import Interval, clustered_median, clustered_rate, either_way, paired_difference, unpaired_difference
from analysis.stats.order import p_improvement, paired_improvement
from bench.spec import Claim

TIED = "the two sides never differ"
NOT_ONE_TO_ONE = "the sides do not share their seeds one to one; 'where' and 'by' must leave one cell"


@dataclass(frozen=True)
class _Contrast:
    """The values of two sides, pair by pair where the sides share their seeds."""

    a: np.ndarray
    b: np.ndarray
    clusters_a: np.ndarray
    clusters_b: np.ndarray
    rows: pd.DataFrame
    is_paired: bool

    @cached_property
    def tied(self) -> bool:
        """Whether both sides have values and these never differ."""
        if not (len(self.a) and len(self.b)):
            return False
        return bool((self.a == self.b).all()) if self.is_paired else len(np.unique(np.concatenate([self.a, self.b]))) < 2

    def difference(self, level: float) -> Interval:
        """The difference of two shares, from -1 to 1."""
        if self.tied:
            return Interval(0.0, -1.0, 1.0, len(np.unique(self.clusters_a)))
        if self.is_paired:
            return paired_difference(self.a, self.b, self.clusters_a, level)
        return unpaired_difference(clustered_rate(self.a, self.clusters_a, level), clustered_rate(self.b, self.clusters_b, level))

    def improvement(self, level: float) -> Interval:
        """P(a > b) + P(a = b) / 2, whatever the values are that are not known (NaN)."""
        if self.tied:
            return Interval(0.5, 0.0, 1.0, len(np.unique(self.clusters_a)))

        def estimate(unknown: float) -> Interval:
            ours, others = np.where(np.isnan(self.a), unknown, self.a), np.where(np.isnan(self.b), -unknown, self.b)
            if self.is_paired:
                return paired_improvement(ours, others, self.clusters_a, level)
            return p_improvement(ours, others, self.clusters_a, self.clusters_b, level)

        return either_way(estimate)


def order_decision(claim: Claim, condition: dict[str, Any], mine: Side, theirs: Side) -> tuple[Decision, str]:
    """Whether this side's share is greater by a margin, or its values tend to be larger; and why no interval can decide that, if so.

    Pairs are compared where the sides share their seeds. ValueError if the claim demands pairs and they do not share them one to one.
    """
    sides = _contrast(claim, mine, theirs)
    if mine.measure in RATES:
        middle, interval = 0.0, sides.difference
        measure = f"difference of share {mine.measure} ({_typical(np.mean, sides.a)} - {_typical(np.mean, sides.b)})"
        pairs = f"difference of shares over pairs with the same seeds: {SHARE}"
        estimator = pairs if sides.is_paired else "difference of shares, Newcombe's interval"
    else:
        middle, interval = 0.5, sides.improvement
        measure = f"P({mine.measure} larger) (medians {_typical(np.median, sides.a)} and {_typical(np.median, sides.b)})"
        over = "over all pairs, interval of Clopper and Pearson for independent ones"
        estimator = f"P(a > b) + P(a = b) / 2 {f'over pairs with the same seeds: {SHARE}' if sides.is_paired else over}"
    decide = more_than(middle + margin_of(claim))
    decision = Decision(condition, sides.rows, f"{measure}{_notes(mine, theirs)}", estimator, interval, decide)
    return decision, TIED if sides.tied else ""


def _contrast(claim: Claim, mine: Side, theirs: Side) -> _Contrast:
    """Pairs where the sides share their seeds one to one and have some in common, or else all values of both sides."""
    pairs = paired(mine, theirs)
    if pairs is None and claim.paired:
        raise ValueError(f"claim '{claim.id}': paired: {NOT_ONE_TO_ONE}")
    if pairs is None or not (len(pairs.a) or claim.paired):
        return _Contrast(mine.values, theirs.values, mine.clusters, theirs.clusters, mine.rows, False)
    return _Contrast(pairs.a, pairs.b, pairs.clusters, pairs.clusters, pairs.rows, True)


def equality_decision(claim: Claim, condition: dict[str, Any], mine: Side, theirs: Side) -> Decision:
    """Whether two sides are equal over pairs with the same seeds: shares by their difference, values by |a / b - 1| (0 if a = b).

    A training run without a value of its own, such as one that diverged, is infinitely far from every other, also from one without a
    value. ValueError if the sides do not share their seeds one to one.
    """
    pairs = paired(mine, theirs)
    if pairs is None:
        raise ValueError(f"claim '{claim.id}': equal_to: {NOT_ONE_TO_ONE}")
    notes = _notes(mine, theirs)
    if mine.measure in RATES:
        return Decision(
            condition,
            pairs.rows,
            f"difference of share {mine.measure}{notes}",
            f"difference of shares over pairs with the same seeds: {SHARE}",
            lambda level: paired_difference(pairs.a, pairs.b, pairs.clusters, level),
            decision_of(claim, is_rate=True),
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.abs(np.where(pairs.a == pairs.b, 1.0, pairs.a / pairs.b) - 1)
    difference = np.where(pairs.valued, difference, np.inf)
    measure = f"relative difference of {mine.measure}"
    if claim.each:
        assert claim.margin is not None
        share, of_pairs = f"share with {measure} at most {claim.margin:g}{notes}", f"of pairs with the same seeds: {SHARE}"
        return each_decision(claim, condition, pairs.rows, difference <= claim.margin, pairs.clusters, share, of_pairs)
    return Decision(
        condition,
        pairs.rows,
        f"median {measure}{notes}",
        f"of pairs with the same seeds: {MEDIAN}",
        lambda level: clustered_median(difference, pairs.clusters, level),
        decision_of(claim, is_rate=False),
    )


def advantage_decision(claim: Claim, condition: dict[str, Any], mine: Side, theirs: Side) -> Decision:
    """By how much this side is better over pairs with the same seeds: a difference of shares, or the median difference of values.

    A training run without a value, such as one that diverged, has the worst one; two such runs are equal. ValueError if the sides do not
    share their seeds one to one.
    """
    pairs = paired(mine, theirs)
    if pairs is None:
        raise ValueError(f"claim '{claim.id}': {next(iter(claim.compared))}: {NOT_ONE_TO_ONE}")
    worse, better = (pairs.a, pairs.b) if lower_is_better(mine.measure) else (pairs.b, pairs.a)
    is_rate = mine.measure in RATES
    with np.errstate(invalid="ignore"):
        advantage = np.where(worse == better, 0.0, better - worse)
    over = f"over pairs with the same seeds: {SHARE if is_rate else MEDIAN}"
    number = f"advantage in {mine.measure} ({_typical(np.mean if is_rate else np.median, mine.values)} v "
    number += f"{_typical(np.mean if is_rate else np.median, theirs.values)}){_notes(mine, theirs)}"

    def interval(level: float) -> Interval:
        if is_rate:
            return paired_difference(better, worse, pairs.clusters, level)
        return clustered_median(advantage, pairs.clusters, level)

    return Decision(
        condition,
        pairs.rows,
        number if is_rate else f"median {number}",
        f"difference of shares {over}" if is_rate else f"of differences {over}",
        interval,
        decision_of(claim, is_rate),
    )


def _typical(of: Callable[[np.ndarray], Any], values: np.ndarray) -> str:
    """The mean or median of values in words."""
    if not len(values):
        return "none"
    return "unknown" if np.isnan(values).any() else f"{of(values):.4g}"


def _notes(mine: Side, theirs: Side) -> str:
    """The best values of both sides in words."""
    return mine.note if mine.note == theirs.note else f"{mine.note} v {theirs.note.rpartition(' ')[2]}"
