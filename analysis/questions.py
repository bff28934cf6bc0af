"""Questions: what a claim asks of the rows, under one condition and at any confidence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.estimates import Interval, clustered_median, clustered_rate, equivalent, p_improvement
from analysis.load import Run, matching
from analysis.measures import RATES, best_value, columns_of, measured
from analysis.theory import Law
from bench.spec import Claim, Comparison

SEEDS = ["data_seed", "init_seed"]
Decision = Callable[[Interval], bool | None]
SHARE = "share, interval of Clopper and Pearson at the effective sample size of the clusters (Korn and Graubard)"
MEDIAN = "median of the clusters' medians, interval of order statistics over clusters"


@dataclass
class Question:
    """A claim under one condition, ready to be asked at any confidence level."""

    claim: Claim
    condition: dict[str, Any]
    rows: pd.DataFrame
    interval: Callable[[float], Interval]
    decide: Decision
    measure: str
    estimator: str
    """What the number is, and its interval."""
    columns: tuple[str, ...]
    """Of the rows, that it is computed from."""
    against: tuple[str, ...] = ()
    """Cells that the claim's own rows are held against."""
    level: float = 0.0
    answer: bool | None = None


@dataclass(frozen=True)
class _Side:
    """The rows on one side of a claim, the values of its measure there, and what they are independent by."""

    rows: pd.DataFrame
    measure: str
    values: np.ndarray
    clusters: np.ndarray
    note: str
    """Which value of the claim's `best` axis they have."""


def questions_of(run: Run, claim: Claim, checked: dict[str, Law]) -> list[Question]:
    """A claim under each of its conditions."""
    mask = matching(run.lanes, run.experiment, claim.where)
    if not claim.by:
        return [_question(run, claim, {}, mask, checked)]
    found = []
    groups = run.lanes[mask].groupby(list(claim.by), observed=True, sort=True)
    for values, _ in groups:
        condition = dict(zip(claim.by, values, strict=True))
        inside = mask.copy()
        for axis, value in condition.items():
            inside &= (run.lanes[axis] == value).to_numpy()
        found.append(_question(run, claim, condition, inside, checked))
    return found


def _question(run: Run, claim: Claim, condition: dict[str, Any], mask: np.ndarray, checked: dict[str, Law]) -> Question:
    if claim.law is not None:
        law = checked[claim.law]
        known = Interval(float(law.holds), float(law.holds), float(law.holds), law.n)
        rows = run.lanes[mask]
        return Question(claim, condition, rows, lambda level: known, lambda interval: law.holds, claim.law, "law: 1 if it holds", ())
    assert claim.measure is not None
    mine = _side(run, claim, mask, claim.measure)
    if claim.greater_than is not None:
        theirs = _other_side(run, claim, claim.greater_than, condition)
        return _paired_order(claim, condition, mine, theirs) if claim.paired else _order(claim, condition, mine, theirs)
    if isinstance(claim.equal_to, Comparison):
        return _paired_equality(claim, condition, mine, _other_side(run, claim, claim.equal_to, condition))
    known_values = ~np.isnan(mine.values)
    values, clusters = mine.values[known_values], mine.clusters[known_values]
    is_rate = claim.measure in RATES
    estimate, estimator = (clustered_rate, SHARE) if is_rate else (clustered_median, MEDIAN)
    name = f"share {claim.measure}" if is_rate else f"median {claim.measure}"
    return Question(
        claim,
        condition,
        mine.rows[known_values],
        lambda level: estimate(values, clusters, level),
        _criterion(claim),
        name + mine.note,
        estimator,
        _columns(claim, mine),
    )


def _side(run: Run, claim: Claim, mask: np.ndarray, measure: str) -> _Side:
    rows, clusters = run.lanes[mask], run.clusters[mask].to_numpy()
    values = measured(rows, measure)
    if claim.best is None:
        return _Side(rows, measure, values, clusters, "")
    best = best_value(rows, claim.best, measure)
    kept = ((rows["init_seed"] % 2 == 1) & (rows[claim.best] == best)).to_numpy()
    return _Side(rows[kept], measure, values[kept], clusters[kept], f" at best {claim.best.rpartition('.')[2].replace('_', ' ')} {best}")


def _other_side(run: Run, claim: Claim, other: Comparison, condition: dict[str, Any]) -> _Side:
    """The rows that a claim is held against under a condition: where it says nothing else, the claim's own."""
    assert claim.measure is not None
    mask = matching(run.lanes, run.experiment, {**claim.where, **condition, **other.where})
    return _side(run, claim, mask, other.measure or claim.measure)


def _order(claim: Claim, condition: dict[str, Any], mine: _Side, theirs: _Side) -> Question:
    """Whether this side's values tend to be larger."""
    a, b = _per_cluster(mine), _per_cluster(theirs)
    name = f"P({claim.measure} larger){_notes(mine, theirs)}"
    return Question(
        claim,
        condition,
        mine.rows,
        lambda level: p_improvement(a, b, level),
        _above_half,
        name,
        "P(a > b) + P(a = b) / 2 over clusters, interval of Brunner and Munzel",
        _columns(claim, mine, theirs),
        _cells(theirs),
    )


def _paired_order(claim: Claim, condition: dict[str, Any], mine: _Side, theirs: _Side) -> Question:
    """Of the pairs of lanes with the same seeds that differ, the share in which this side's value is larger (McNemar's test)."""
    partner = _partners(mine, theirs)
    differ = ~np.isnan(partner) & ~np.isnan(mine.values) & (mine.values != partner)
    larger, clusters = (mine.values > partner)[differ], mine.clusters[differ]

    def interval(level: float) -> Interval:
        return clustered_rate(larger, clusters, level) if differ.any() else Interval(np.nan, 0.0, 1.0, 0)

    name = f"share {claim.measure} larger of {differ.sum():,} pairs that differ{_notes(mine, theirs)}"
    columns = _columns(claim, mine, theirs)
    return Question(
        claim, condition, mine.rows, interval, _above_half, name, f"of pairs with the same seeds: {SHARE}", columns, _cells(theirs)
    )


def _paired_equality(claim: Claim, condition: dict[str, Any], mine: _Side, theirs: _Side) -> Question:
    """Ratio of each row to the row with the same seeds (1 where both are equal, infinities too); rows without a partner drop out."""
    partner = _partners(mine, theirs)
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.abs(np.where(mine.values == partner, 1.0, mine.values / partner) - 1)
    known = ~np.isnan(difference)
    return Question(
        claim,
        condition,
        mine.rows[known],
        lambda level: clustered_median(difference[known], mine.clusters[known], level),
        _criterion(claim),
        f"median size of the relative difference of {claim.measure}{_notes(mine, theirs)}",
        f"of pairs with the same seeds: {MEDIAN}",
        _columns(claim, mine, theirs),
        _cells(theirs),
    )


def _cells(side: _Side) -> tuple[str, ...]:
    return tuple(side.rows["cell"].unique())


def _columns(claim: Claim, *sides: _Side) -> tuple[str, ...]:
    best = () if claim.best is None else (claim.best,)
    return tuple(dict.fromkeys([*(column for side in sides for column in columns_of(side.measure)), *best, *SEEDS]))


def _above_half(interval: Interval) -> bool | None:
    return True if interval.low > 0.5 else False if interval.high <= 0.5 else None


def _notes(mine: _Side, theirs: _Side) -> str:
    return mine.note if mine.note == theirs.note else f"{mine.note} v {theirs.note.rpartition(' ')[2]}"


def _partners(mine: _Side, theirs: _Side) -> np.ndarray:
    """For each row the other side's value with the same seeds; NaN where there is none."""
    partner = pd.Series(theirs.values, pd.MultiIndex.from_frame(theirs.rows[SEEDS]))
    if partner.index.has_duplicates:
        raise ValueError("claim: several rows have the same seeds; 'where' and 'by' must leave one cell on either side")
    return partner.reindex(pd.MultiIndex.from_frame(mine.rows[SEEDS])).to_numpy(float)


def _per_cluster(side: _Side) -> np.ndarray:
    return pd.Series(side.values).groupby(side.clusters).mean().to_numpy()


def _criterion(claim: Claim) -> Decision:
    if claim.at_least is not None:
        bound = claim.at_least
        return lambda interval: True if interval.low >= bound else False if interval.high < bound else None
    if claim.at_most is not None:
        bound = claim.at_most
        return lambda interval: True if interval.high <= bound else False if interval.low > bound else None
    target = 0.0 if isinstance(claim.equal_to, Comparison) else claim.equal_to
    margin = claim.margin
    assert target is not None and margin is not None
    return lambda interval: equivalent(interval, target, margin)
