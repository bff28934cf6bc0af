"""Questions: what a claim asks of the rows, under one condition and at any confidence."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.laws import Decision as LawDecision
from analysis.laws import Evidence
from analysis.rows.load import Run, drawn_pairs, matching
from analysis.rows.measures import NEVER, RATES, asked_cells, at_edge, best_value, columns_of, lacks_values, lower_is_better, measured
from analysis.stats.estimates import (
    Interval,
    clustered_median,
    clustered_rate,
    either_way,
    equivalent,
    p_improvement,
    paired_difference,
    paired_improvement,
    unpaired_difference,
)
from bench.spec import Claim, Comparison

SEEDS = ["data_seed", "init_seed"]
SHARE_OF_RUNS = 0.99
"""Share of the runs that must meet a bound which is said of each, unless the claim names one."""
RATE_MARGIN, ORDER_MARGIN = 0.02, 0.05
"""By how much a share must be greater than another, and P(larger) than 1/2, unless the claim names a margin."""
ROUNDING = 2.0**-23
"""Relative rounding of float32, in which most values are computed and all are kept: a value that is its bound but for this meets it."""
Decision = Callable[[Interval], bool | None]
SHARE = "share, interval of Clopper and Pearson, or of Gaffke over the clusters' shares"
MEDIAN = "median of the clusters' medians, interval of order statistics over clusters"
EDGE = "edge of the sweep"
NONE = "no training runs to judge by"
SILENT = "no run of a side has a value"
UNEVEN = "pooled cells do not share their draws"


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
    edges: tuple[int, ...] = ()
    """Of sides whose best value is at the edge of its sweep: in which direction a better one would move the number, 1 up or -1 down."""
    undecided: str = ""
    """Why no interval can decide it."""
    withheld: str = ""
    """Why it is not asked: what its positive control came to."""

    def ask(self, level: float) -> tuple[Interval, bool | None, str]:
        """The interval at a level, what it decides, and why not if the reason is another than its width."""
        found = self.interval(level)
        if self.undecided:
            return found, None, self.undecided
        answer = self.decide(found)
        if answer is None and found.n < 2:
            return found, None, "one draw alone" if found.n else NONE
        if answer is not None and any(self._may_turn(answer, edge) for edge in self.edges):
            return found, None, EDGE
        return found, answer, ""

    def _may_turn(self, answer: bool, edge: int) -> bool:
        """Whether a better value beyond the edge, which moves the number in that direction, could change the answer."""
        if self.claim.equal_to is not None:
            return True
        upwards = answer is (self.claim.at_most is None)
        return (edge > 0) is not upwards


@dataclass(frozen=True)
class _Side:
    """The rows on one side of a claim, the values of its measure there, and what they are independent by."""

    rows: pd.DataFrame
    measure: str
    values: np.ndarray
    clusters: np.ndarray
    note: str = ""
    """Which value of the claim's `best` axis they have."""
    edge: bool = False
    """Whether that is the first or the last of its sweep."""

    @property
    def better(self) -> int:
        """Where a better value would move this side: 1 up, -1 down."""
        return -1 if lower_is_better(self.measure) else 1

    @property
    def valued(self) -> np.ndarray:
        """Which runs have a value of their own, for which no worst one stands in."""
        return self.rows[columns_of(self.measure)[0]].notna().to_numpy()

    @property
    def silent(self) -> bool:
        """Whether it has runs, of which none has a value of its own: all diverged, for example."""
        never_null = self.measure in (*RATES, *NEVER)
        return not never_null and len(self.rows) > 0 and not self.valued.any()

    @property
    def unknown(self) -> bool:
        """Whether none of its runs has a value, nor a worst one that would stand for it."""
        return self.silent and bool(np.isnan(self.values).all())

    @property
    def uneven(self) -> bool:
        """Whether its rows are of several cells that do not stand alike in each draw, so that draws would count some cells for more."""
        if self.rows["cell"].nunique() < 2:
            return False
        rows_of_draw = pd.crosstab(self.clusters, self.rows["cell"].to_numpy())
        return bool((rows_of_draw != rows_of_draw.iloc[0]).to_numpy().any())


class _Pairs(NamedTuple):
    """Values of two sides at the same seeds, the draws that they belong to, and this side's rows."""

    a: np.ndarray
    b: np.ndarray
    clusters: np.ndarray
    rows: pd.DataFrame
    valued: np.ndarray
    """Which pairs have values of their own on both sides."""


def questions_of(run: Run, claim: Claim, checked: Mapping[str, Evidence]) -> list[Question]:
    """A claim under each of its conditions; one that rests on a law, under those of the law."""
    if claim.law is not None:
        evidence = checked[claim.law]
        return [_law_question(claim, decision, (*evidence.columns, *SEEDS)) for decision in evidence.decisions]
    return [_question(run, claim, condition, mask) for condition, mask in _conditions(run, claim)]


def _conditions(run: Run, claim: Claim) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    mask = matching(run.lanes, run.experiment, claim.where)
    if not claim.by:
        yield {}, mask
        return
    # Of the cells and not of the rows: a condition of which no training run has ended yet is not settled.
    values = {axis: list(dict.fromkeys(run.experiment.axes[axis])) for axis in claim.by}
    wanted = {tuple(values[axis].index(cell.axes[axis]) for axis in claim.by) for cell in asked_cells(run.experiment, claim.where)}
    for places in sorted(wanted):
        condition = {axis: values[axis][place] for axis, place in zip(claim.by, places, strict=True)}
        inside = mask.copy()
        for axis, value in condition.items():
            inside &= (run.lanes[axis] == value).to_numpy()
        yield condition, inside


def _question(run: Run, claim: Claim, condition: dict[str, Any], mask: np.ndarray) -> Question:
    assert claim.measure is not None
    mine = _side(run, claim, mask, claim.measure)
    sides: tuple[_Side, ...] = (mine,)
    if claim.greater_than is not None:
        sides = mine, _other_side(run, claim, claim.greater_than, condition)
        question = _order(claim, condition, mine, sides[1])
    elif isinstance(claim.equal_to, Comparison):
        sides = mine, _other_side(run, claim, claim.equal_to, condition)
        question = _equality(claim, condition, mine, sides[1])
    else:
        question = _bound(claim, condition, mine)
    if any(side.uneven for side in sides):
        question.undecided = UNEVEN
    elif any(side.unknown for side in sides) or (len(sides) > 1 and all(side.silent for side in sides)):
        question.undecided = SILENT
    question.withheld = _failed_control(run, claim, condition)
    return question


def _law_question(claim: Claim, found: LawDecision, columns: tuple[str, ...]) -> Question:
    return Question(claim, found.condition, found.rows, found.interval, found.decide, found.measure, found.estimator, columns)


def _side(run: Run, claim: Claim, mask: np.ndarray, measure: str) -> _Side:
    rows, clusters = run.lanes[mask], run.clusters[mask].to_numpy()
    lacking = measure in rows and lacks_values(rows, measure)
    values = np.full(len(rows), np.nan) if lacking else measured(rows, measure)
    if claim.best is None or lacking:
        return _Side(rows, measure, values, clusters)
    judges = run.judges[mask].to_numpy()
    if judges.all() or not judges.any() or lacks_values(rows[~judges], measure):
        # One half chooses the best value, and the other one judges it.
        return _Side(rows[:0], measure, values[:0], clusters[:0])
    best = best_value(rows[~judges], claim.best, measure)
    kept = judges & (rows[claim.best] == best).to_numpy()
    note = f" at best {claim.best.rpartition('.')[2].replace('_', ' ')} {best}"
    return _Side(rows[kept], measure, values[kept], clusters[kept], note, at_edge(rows, claim.best, best))


def _other_side(run: Run, claim: Claim, other: Comparison, condition: dict[str, Any]) -> _Side:
    """The rows that a claim is held against under a condition: where it says nothing else, the claim's own."""
    assert claim.measure is not None
    mask = matching(run.lanes, run.experiment, {**claim.where, **condition, **other.where})
    return _side(run, claim, mask, other.measure or claim.measure)


def _failed_control(run: Run, claim: Claim, condition: dict[str, Any]) -> str:
    """What the claim's positive control came to under a condition, if it was not shown to hold; else nothing."""
    needs = claim.needs
    if needs is None:
        return ""
    side = _side(run, claim, matching(run.lanes, run.experiment, {**claim.where, **condition, **needs.where}), needs.measure)
    if side.uneven:
        return f"control: {UNEVEN}"
    is_least = needs.at_least is not None
    bound, word = (needs.at_least, "at least") if is_least else (needs.at_most, "at most")
    assert bound is not None
    if needs.measure in RATES:
        found = clustered_rate(side.values, side.clusters, 1 - claim.alpha)
        held = found.low >= bound if is_least else found.high <= bound
        wanted = f"share {needs.measure} {word} {bound:g}"
    else:
        share = SHARE_OF_RUNS if needs.share is None else needs.share
        met = side.values >= _floor(bound) if is_least else side.values <= _ceiling(bound)
        found = clustered_rate(met, side.clusters, 1 - claim.alpha)
        held = found.low >= share
        wanted = f"share {share:g} with {needs.measure} {word} {bound:g}"
    if not found.n:
        return f"control: {NONE}"
    return "" if held else f"control not met: {wanted}, found {found.estimate:.4g} [{found.low:.4g}, {found.high:.4g}]"


def _bound(claim: Claim, condition: dict[str, Any], mine: _Side) -> Question:
    """A share, the share of runs that meet a bound, or a median."""
    edges = (mine.better,) if mine.edge else ()
    columns = _columns(claim, mine)
    if claim.each:
        met = _meets(claim, mine.values)
        name = f"share with {mine.measure} {_bound_text(claim)}{mine.note}"
        return _each(claim, condition, mine.rows, met, mine.clusters, name, SHARE, columns, (), edges)
    is_rate = mine.measure in RATES
    estimate, estimator = (clustered_rate, SHARE) if is_rate else (clustered_median, MEDIAN)
    name = f"{'share' if is_rate else 'median'} {mine.measure}{mine.note}"
    return Question(
        claim,
        condition,
        mine.rows,
        lambda level: estimate(mine.values, mine.clusters, level),
        _criterion(claim),
        name,
        estimator,
        columns,
        (),
        edges,
    )


def _each(
    claim: Claim,
    condition: dict[str, Any],
    rows: pd.DataFrame,
    met: np.ndarray,
    clusters: np.ndarray,
    name: str,
    estimator: str,
    columns: tuple[str, ...],
    against: tuple[str, ...],
    edges: tuple[int, ...],
) -> Question:
    """Whether enough runs meet what is said of each."""
    share = SHARE_OF_RUNS if claim.share is None else claim.share
    decide: Decision = lambda found: True if found.low >= share else False if found.high < share else None  # noqa: E731
    return Question(
        claim, condition, rows, lambda level: clustered_rate(met, clusters, level), decide, name, estimator, columns, against, edges
    )


def _meets(claim: Claim, values: np.ndarray) -> np.ndarray:
    """Which values meet the claim's bound; a missing one never does."""
    if claim.at_least is not None:
        return values >= _floor(claim.at_least)
    if claim.at_most is not None:
        return values <= _ceiling(claim.at_most)
    assert isinstance(claim.equal_to, int | float) and claim.margin is not None
    return np.abs(values - claim.equal_to) <= claim.margin + _slack(claim.equal_to, claim.margin)


def _floor(bound: float) -> float:
    """The least value that is at least a bound, but for rounding."""
    return bound - ROUNDING * abs(bound)


def _ceiling(bound: float) -> float:
    """The largest value that is at most a bound, but for rounding."""
    return bound + ROUNDING * abs(bound)


def _slack(target: float, margin: float) -> float:
    """How far outside of its margin a value may be by rounding."""
    return ROUNDING * (abs(target) + margin)


def _bound_text(claim: Claim) -> str:
    if claim.at_least is not None:
        return f"at least {claim.at_least:g}"
    if claim.at_most is not None:
        return f"at most {claim.at_most:g}"
    return f"{claim.equal_to:g} within {claim.margin:g}"


def _order(claim: Claim, condition: dict[str, Any], mine: _Side, theirs: _Side) -> Question:
    """Whether this side's share is greater by a margin, or its values tend to be larger: over pairs, where the sides share their seeds."""
    is_rate = mine.measure in RATES
    pairs = _paired(mine, theirs)
    if pairs and not len(pairs.a) and not claim.paired:
        pairs = None
    if pairs is None and claim.paired:
        raise ValueError(f"claim '{claim.id}': paired: the sides do not share their seeds one to one; 'where' and 'by' must leave one cell")
    a, b = (pairs.a, pairs.b) if pairs else (mine.values, theirs.values)
    tied = bool(len(a) and len(b)) and (bool((a == b).all()) if pairs else len(np.unique(np.concatenate([a, b]))) < 2)
    if is_rate:
        margin = RATE_MARGIN if claim.margin is None else claim.margin
        lowest, middle, bound = -1.0, 0.0, margin
        name = f"difference of share {mine.measure} ({_typical(np.mean, a)} - {_typical(np.mean, b)})"
        estimator = (
            f"difference of shares over pairs with the same seeds: {SHARE}" if pairs else "difference of shares, Newcombe's interval"
        )
    else:
        margin = ORDER_MARGIN if claim.margin is None else claim.margin
        lowest, middle, bound = 0.0, 0.5, 0.5 + margin
        name = f"P({mine.measure} larger), medians {_typical(np.median, a)} and {_typical(np.median, b)}"
        estimator = "P(a > b) + P(a = b) / 2 " + (
            f"over pairs with the same seeds: {SHARE}" if pairs else "over all pairs, interval of Clopper and Pearson for independent ones"
        )

    def interval(level: float) -> Interval:
        if tied:
            return Interval(middle, lowest, 1.0, len(np.unique(pairs.clusters if pairs else mine.clusters)))
        if pairs and is_rate:
            return paired_difference(a, b, pairs.clusters, level)
        if is_rate:
            return unpaired_difference(clustered_rate(a, mine.clusters, level), clustered_rate(b, theirs.clusters, level))

        def improvement(unknown: float) -> Interval:
            ours, others = np.where(np.isnan(a), unknown, a), np.where(np.isnan(b), -unknown, b)
            if pairs:
                return paired_improvement(ours, others, pairs.clusters, level)
            return p_improvement(ours, others, mine.clusters, theirs.clusters, level)

        return either_way(improvement)

    return Question(
        claim,
        condition,
        pairs.rows if pairs else mine.rows,
        interval,
        lambda found: True if found.low > bound else False if found.high < bound else None,
        f"{name}{_notes(mine, theirs)}",
        estimator,
        _columns(claim, mine, theirs),
        _cells(theirs),
        _edges(mine, theirs),
        "the two sides never differ" if tied else "",
    )


def _typical(of: Callable[[np.ndarray], Any], values: np.ndarray) -> str:
    """The mean or median of values in words."""
    if not len(values):
        return "none"
    return "unknown" if np.isnan(values).any() else f"{of(values):.4g}"


def _equality(claim: Claim, condition: dict[str, Any], mine: _Side, theirs: _Side) -> Question:
    """Whether two sides are equal over pairs with the same seeds: shares by their difference, values by their ratio (1 where both are
    equal). A run without a value, such as one that diverged, is as far from any other as can be, also from one without a value."""
    pairs = _paired(mine, theirs)
    if pairs is None:
        raise ValueError(
            f"claim '{claim.id}': equal_to: the sides do not share their seeds one to one; 'where' and 'by' must leave one cell"
        )
    columns, against, edges = _columns(claim, mine, theirs), _cells(theirs), _edges(mine, theirs)
    if mine.measure in RATES:
        return Question(
            claim,
            condition,
            pairs.rows,
            lambda level: paired_difference(pairs.a, pairs.b, pairs.clusters, level),
            _criterion(claim),
            f"difference of share {mine.measure}{_notes(mine, theirs)}",
            f"difference of shares over pairs with the same seeds: {SHARE}",
            columns,
            against,
            edges,
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.abs(np.where(pairs.a == pairs.b, 1.0, pairs.a / pairs.b) - 1)
    difference = np.where(pairs.valued, difference, np.inf)
    name = f"relative difference of {mine.measure}"
    if claim.each:
        assert claim.margin is not None
        met, what = difference <= claim.margin, f"share with {name} at most {claim.margin:g}{_notes(mine, theirs)}"
        estimator = f"of pairs with the same seeds: {SHARE}"
        return _each(claim, condition, pairs.rows, met, pairs.clusters, what, estimator, columns, against, edges)
    return Question(
        claim,
        condition,
        pairs.rows,
        lambda level: clustered_median(difference, pairs.clusters, level),
        _criterion(claim),
        f"median {name}{_notes(mine, theirs)}",
        f"of pairs with the same seeds: {MEDIAN}",
        columns,
        against,
        edges,
    )


def _paired(mine: _Side, theirs: _Side) -> _Pairs | None:
    """Values of both sides at the seeds that both have; None if some seeds occur twice on a side."""
    ours, others = (pd.MultiIndex.from_frame(side.rows[SEEDS]) for side in (mine, theirs))
    if ours.has_duplicates or others.has_duplicates:
        return None
    place = others.get_indexer(ours)
    both = place >= 0
    clusters = drawn_pairs(mine.clusters[both], theirs.clusters[place[both]])
    valued = mine.valued[both] & theirs.valued[place[both]]
    return _Pairs(mine.values[both], theirs.values[place[both]], clusters, mine.rows[both], valued)


def _edges(mine: _Side, theirs: _Side) -> tuple[int, ...]:
    """Where a better value of a side at the edge of its sweep would move the comparison."""
    return tuple(sign * side.better for side, sign in ((mine, 1), (theirs, -1)) if side.edge)


def _cells(side: _Side) -> tuple[str, ...]:
    return tuple(side.rows["cell"].unique())


def _columns(claim: Claim, *sides: _Side) -> tuple[str, ...]:
    best = () if claim.best is None else (claim.best,)
    return tuple(dict.fromkeys([*(column for side in sides for column in columns_of(side.measure)), *best, *SEEDS]))


def _notes(mine: _Side, theirs: _Side) -> str:
    return mine.note if mine.note == theirs.note else f"{mine.note} v {theirs.note.rpartition(' ')[2]}"


def _criterion(claim: Claim) -> Decision:
    is_rate = claim.measure in RATES
    if claim.at_least is not None:
        bound = claim.at_least if is_rate else _floor(claim.at_least)
        return lambda interval: True if interval.low >= bound else False if interval.high < bound else None
    if claim.at_most is not None:
        bound = claim.at_most if is_rate else _ceiling(claim.at_most)
        return lambda interval: True if interval.high <= bound else False if interval.low > bound else None
    target = 0.0 if isinstance(claim.equal_to, Comparison) else claim.equal_to
    margin = claim.margin
    assert target is not None and margin is not None
    if not is_rate:
        margin += _slack(target, margin)
    return lambda interval: equivalent(interval, target, margin)
