"""Verdicts: what an experiment's claims come to, judged from intervals."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np

from analysis.load import Run
from analysis.questions import Question, questions_of
from analysis.theory import Law, check_law, laws
from bench.messages import nearest
from bench.spec import Claim, Comparison, Experiment

Outcome = Literal["supported", "refuted", "undecided", "conditional", "withheld"]


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
    estimator: str
    """What estimate and interval are."""
    columns: tuple[str, ...]
    """Of the rows, that they are computed from."""
    cells: tuple[str, ...]
    """Whose rows they are."""
    against: tuple[str, ...]
    """Cells that those are compared with, if any."""

    def record(self) -> dict[str, Any]:
        """The verdict as JSON knows it: no NaN (null) and no infinity (text)."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """The verdict that a record stands for."""
        numbers = {key: np.nan if record[key] is None else float(record[key]) for key in ("estimate", "low", "high", "level")}
        lists = {key: tuple(record[key]) for key in ("columns", "cells", "against")}
        return cls(**{**record, **numbers, **lists})


def _plain(value: Any) -> Any:
    if not isinstance(value, float) or np.isfinite(value):
        return value
    return None if np.isnan(value) else str(value)


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
    questions = [question for claim in run.experiment.claim for question in questions_of(run, claim, checked)]
    for family in dict.fromkeys(_family(run, question.claim) for question in questions):
        _ask([question for question in questions if _family(run, question.claim) == family])
    held = all(law.holds for law in gates)
    return list(checked.values()), [_verdict(run, question, held, checked) for question in questions]


def _family(run: Run, claim: Claim) -> str:
    return claim.family or run.experiment.name


def _ask(questions: list[Question]) -> None:
    """Holm's step-down with intervals: while some claims are decided at alpha / (number still open), they are settled at that level.

    Deciding by an interval at 1 - a is deciding by its p-value at a, so this is Holm's procedure, and the interval that is printed
    is the one that decided.
    """
    waiting = list(questions)
    while waiting:
        for question in waiting:
            question.level = 1 - question.claim.alpha / len(waiting)
            question.answer = question.decide(question.interval(question.level))
        still = [question for question in waiting if question.answer is None]
        if len(still) == len(waiting):
            return
        waiting = still


def _verdict(run: Run, question: Question, held: bool, checked: dict[str, Law]) -> Verdict:
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
        # A law may look at some of the lanes only.
        n_lanes=checked[claim.law].n if claim.law else len(question.rows),
        n_data_seeds=int(question.rows["data_seed"].nunique()),
        # The points of a map share one draw of the weights.
        n_init_seeds=1 if run.experiment.seeds.map else int(question.rows["init_seed"].nunique()),
        estimator=question.estimator,
        columns=question.columns,
        cells=tuple(question.rows["cell"].unique()),
        against=question.against,
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
    return ", ".join(f"{axis} {_value(value)}" for axis, value in other.where.items()) or other.measure or "itself"


def _value(value: Any) -> str:
    """What an axis is compared with: one value, some, or a range."""
    if isinstance(value, dict):
        return " and ".join(f"{bound.replace('_', ' ')} {limit:g}" for bound, limit in value.items())
    return f"= {value}"


def overall(verdicts: list[Verdict]) -> Outcome:
    """The verdict on several conditions: theirs if they agree, conditional if some hold and some fail."""
    found = {verdict.verdict for verdict in verdicts}
    if len(found) == 1:
        return found.pop()
    if "withheld" in found:
        return "withheld"
    if {"supported", "refuted"} <= found:
        return "conditional"
    # One condition that fails is enough against a claim that nowhere was shown to hold.
    return "refuted" if "refuted" in found else "undecided"


def deciding(verdicts: list[Verdict]) -> Verdict:
    """The condition whose number is shown for all: a refuted one where there is one, and of those the widest interval."""
    order = {"refuted": 0, "undecided": 1, "supported": 2}

    def rank(verdict: Verdict) -> tuple[int, float]:
        width = verdict.high - verdict.low
        return order.get(verdict.verdict, 3), -width if np.isfinite(width) else 0.0

    return min(verdicts, key=rank)
