"""Verdicts: what an experiment's claims come to, judged from intervals."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.estimates import Interval, clustered_median, clustered_rate, equivalent, p_improvement
from analysis.load import Run, matching
from analysis.theory import Law, check_law, laws
from bench.messages import nearest
from bench.spec import Claim, Comparison, Experiment

Outcome = Literal["supported", "refuted", "undecided", "conditional", "withheld"]
OUTCOMES = ("solved", "unsolved", "stuck", "diverged")
WORST_IS_LARGE = ("loss", "test_loss", "grad_norm", "steps_to_solve", "steps_run")
"""Measures whose missing value (diverged, never) counts as infinitely large instead of dropping out."""


@dataclass(frozen=True)
class Verdict:
    """One claim under one condition."""

    id: str
    family: str
    says: str
    condition: dict[str, Any]
    measure: str
    criterion: str
    verdict: Outcome
    estimate: float
    low: float
    high: float
    level: float
    """Confidence of the interval, corrected for the family (Holm)."""
    n_lanes: int
    n_data_seeds: int
    n_init_seeds: int

    def record(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class _Question:
    """A claim under one condition, ready to be asked at any confidence level."""

    claim: Claim
    condition: dict[str, Any]
    rows: pd.DataFrame
    interval: Callable[[float], Interval]
    decide: Callable[[Interval], bool | None]
    measure: str
    level: float = 0.0
    answer: bool | None = None


def check_claims(experiment: Experiment) -> None:
    """Raise ValueError on a law that does not exist, before anything is trained."""
    named = [*experiment.laws, *(claim.law for claim in experiment.claim if claim.law)]
    for name in named:
        if name not in laws():
            raise ValueError(f"experiment '{experiment.name}': unknown law '{name}'; {nearest(name, laws())}")


def judge(run: Run) -> tuple[list[Law], list[Verdict]]:
    """The laws that the experiment rests on, and a verdict per claim and condition; all withheld if a law fails."""
    checked = {
        name: check_law(name, run)
        for name in dict.fromkeys([*run.experiment.laws, *(claim.law for claim in run.experiment.claim if claim.law)])
    }
    gates = [checked[name] for name in run.experiment.laws]
    questions = [question for claim in run.experiment.claim for question in _questions(run, claim, checked)]
    for family in dict.fromkeys(_family(run, question.claim) for question in questions):
        _ask([question for question in questions if _family(run, question.claim) == family])
    held = all(law.holds for law in gates)
    return list(checked.values()), [_verdict(run, question, held) for question in questions]


def _family(run: Run, claim: Claim) -> str:
    return claim.family or run.experiment.name


def _questions(run: Run, claim: Claim, checked: dict[str, Law]) -> list[_Question]:
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


def _question(run: Run, claim: Claim, condition: dict[str, Any], mask: np.ndarray, checked: dict[str, Law]) -> _Question:
    rows, clusters = run.lanes[mask], run.clusters[mask].to_numpy()
    if claim.law is not None:
        law = checked[claim.law]
        known = Interval(float(law.holds), float(law.holds), float(law.holds), law.n)
        return _Question(claim, condition, rows, lambda level: known, lambda interval: law.holds, claim.law)
    assert claim.measure is not None
    values = measured(rows, claim.measure)
    if claim.greater_than is not None:
        other = _against(run, claim, claim.greater_than, condition)
        theirs = measured(run.lanes[other], claim.greater_than.measure or claim.measure)
        mine, his = _per_cluster(values, clusters), _per_cluster(theirs, run.clusters[other].to_numpy())
        return _Question(
            claim,
            condition,
            rows,
            lambda level: p_improvement(mine, his, level),
            lambda interval: True if interval.low > 0.5 else False if interval.high <= 0.5 else None,
            f"P({claim.measure} larger)",
        )
    if isinstance(claim.equal_to, Comparison):
        other = run.lanes[_against(run, claim, claim.equal_to, condition)]
        theirs = measured(other, claim.equal_to.measure or claim.measure)
        ratio = _paired_ratio(rows, values, other, theirs)
        return _Question(
            claim,
            condition,
            rows.loc[ratio.index],
            lambda level: clustered_median(np.abs(ratio.to_numpy() - 1), run.clusters[ratio.index].to_numpy(), level),
            _criterion(claim),
            f"median size of the relative difference of {claim.measure}",
        )
    known_values = ~np.isnan(values)
    estimate = clustered_rate if claim.measure in OUTCOMES else clustered_median
    name = f"share {claim.measure}" if claim.measure in OUTCOMES else f"median {claim.measure}"
    return _Question(
        claim,
        condition,
        rows[known_values],
        lambda level: estimate(values[known_values], clusters[known_values], level),
        _criterion(claim),
        name,
    )


def measured(rows: pd.DataFrame, measure: str) -> np.ndarray:
    """An outcome as 0 and 1, or a numeric column as floats; ValueError if there is no such column."""
    if measure in OUTCOMES:
        return (rows["outcome"] == measure).to_numpy(float)
    if measure not in rows or not pd.api.types.is_numeric_dtype(rows[measure]):
        numeric = [name for name in rows if pd.api.types.is_numeric_dtype(rows[name])]
        raise ValueError(f"claim: unknown measure '{measure}'; {nearest(measure, [*OUTCOMES, *numeric])}")
    values = rows[measure].to_numpy(float, na_value=np.nan)
    if measure.removesuffix("_final").removesuffix("_initial") in WORST_IS_LARGE:
        return np.where(np.isnan(values), np.inf, values)
    return values


def _against(run: Run, claim: Claim, other: Comparison, condition: dict[str, Any]) -> np.ndarray:
    """The rows that a claim is held against under a condition: where it says nothing else, the claim's own."""
    where = {**claim.where, **condition, **other.where}
    return matching(run.lanes, run.experiment, where)


def _paired_ratio(rows: pd.DataFrame, values: np.ndarray, other: pd.DataFrame, theirs: np.ndarray) -> pd.Series:
    """Ratio of each row to the row with the same seeds (1 where both are equal, infinities too); rows without a partner drop out."""
    seeds = ["data_seed", "init_seed"]
    partner = pd.Series(theirs, pd.MultiIndex.from_frame(other[seeds]))
    if partner.index.has_duplicates:
        raise ValueError("claim: equal_to: several rows have the same seeds; 'where' and 'by' must leave one cell on either side")
    denominator = partner.reindex(pd.MultiIndex.from_frame(rows[seeds])).to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(values == denominator, 1.0, values / denominator)
    return pd.Series(ratio, rows.index).dropna()


def _per_cluster(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    return pd.Series(values).groupby(clusters).mean().to_numpy()


def _criterion(claim: Claim) -> Callable[[Interval], bool | None]:
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


def _ask(questions: list[_Question]) -> None:
    """Holm's step-down with intervals: while some claim is decided at alpha / (number still open), it is settled at that level.

    Deciding by an interval at 1 - a is deciding by its p-value at a, so this is Holm's procedure, and the interval that is printed
    is the one that decided.
    """
    waiting = list(questions)
    while waiting:
        decided = []
        for question in waiting:
            question.level = 1 - question.claim.alpha / len(waiting)
            question.answer = question.decide(question.interval(question.level))
            if question.answer is not None:
                decided.append(question)
        if not decided:
            return
        # Any decided claim may be the next in Holm's order; the others are asked again at the milder level.
        waiting = [question for question in waiting if question is not decided[0]]


def _verdict(run: Run, question: _Question, held: bool) -> Verdict:
    claim, interval = question.claim, question.interval(question.level)
    outcome: Outcome = {True: "supported", False: "refuted", None: "undecided"}[question.answer]  # type: ignore[assignment]
    return Verdict(
        id=claim.id,
        family=_family(run, claim),
        says=claim.says,
        condition={axis: str(value) for axis, value in question.condition.items()},
        measure=question.measure,
        criterion=criterion_text(claim),
        verdict=outcome if held else "withheld",
        estimate=interval.estimate,
        low=interval.low,
        high=interval.high,
        level=question.level,
        n_lanes=len(question.rows),
        n_data_seeds=int(question.rows["data_seed"].nunique()),
        n_init_seeds=int(question.rows["init_seed"].nunique()),
    )


def criterion_text(claim: Claim) -> str:
    """The criterion in words."""
    if claim.at_least is not None:
        return f"at least {claim.at_least:g}"
    if claim.at_most is not None:
        return f"at most {claim.at_most:g}"
    if isinstance(claim.equal_to, Comparison):
        return f"0 within {claim.margin:g} against {_place(claim.equal_to)}"
    if claim.equal_to is not None:
        return f"{claim.equal_to:g} within {claim.margin:g}"
    if claim.greater_than is not None:
        return f"more than 0.5 against {_place(claim.greater_than)}"
    return f"law {claim.law} holds"


def _place(other: Comparison) -> str:
    return ", ".join(f"{axis} = {value}" for axis, value in other.where.items()) or other.measure or "itself"


def overall(verdicts: list[Verdict]) -> Outcome:
    """The verdict on a family: theirs if they agree, conditional if some hold and some fail."""
    found = {verdict.verdict for verdict in verdicts}
    if len(found) == 1:
        return found.pop()
    if "withheld" in found:
        return "withheld"
    return "conditional" if {"supported", "refuted"} <= found else "undecided"
