"""The question that a claim asks of the rows under one condition, at any confidence level."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.judging.bound import bound_decision
from analysis.judging.comparison import advantage_decision, equality_decision, order_decision
from analysis.judging.control import NONE, UNEVEN, failed_control
from analysis.judging.side import SEEDS, Side, columns_read, side_of
from analysis.laws import Decision, Evidence
from analysis.rows.load import Run
from analysis.rows.measures import asked_cells
from analysis.stats.intervals import Interval
from bench.spec import Claim

EDGE = "edge of the sweep"
SILENT = "no run of a side has a value"
ONE_DRAW = "one draw alone"


@dataclass(frozen=True)
class Question:
    """One claim under one condition."""

    claim: Claim
    number: Decision
    """The number that decides it."""
    columns: tuple[str, ...]
    """The columns of the rows that the number is computed from."""
    against: tuple[str, ...] = ()
    """The cells that the claim's own rows are compared with."""
    edges: tuple[int, ...] = ()
    """Per side whose best value is at the edge of its sweep, the direction in which a better one would move the number: 1 up, -1 down."""
    undecided: str = ""
    """Why no interval can decide it."""
    withheld: str = ""
    """Why its positive control was not met, if it was not."""

    def ask(self, level: float) -> tuple[Interval, bool | None, str]:
        """The interval at a confidence level, its answer, and the reason for no answer unless that is the width of the interval."""
        found = self.number.interval(level)
        if self.undecided:
            return found, None, self.undecided
        answer = self.number.decide(found)
        if answer is None and found.n < 2:
            return found, None, ONE_DRAW if found.n else NONE
        if answer is not None and any(self._may_turn(answer, edge) for edge in self.edges):
            return found, None, EDGE
        return found, answer, ""

    def _may_turn(self, answer: bool, edge: int) -> bool:
        """Whether a better value beyond the edge, which moves the number in the direction `edge`, could change the answer."""
        if self.claim.equal_to is not None:
            return True
        upwards = answer is (self.claim.at_most is None and self.claim.worse_than is None)
        return (edge > 0) is not upwards


def questions_of(run: Run, claim: Claim, evidence: Mapping[str, Evidence]) -> Iterator[Question]:
    """One question for each condition of a claim, or of the law that it rests on (`evidence`, by the name of the law)."""
    if claim.law is not None:
        found = evidence[claim.law]
        return (Question(claim, number, (*found.columns, *SEEDS)) for number in found.decisions)
    return (_question(run, claim, condition) for condition in _conditions(run, claim))


def _conditions(run: Run, claim: Claim) -> Iterator[dict[str, Any]]:
    """The combinations of values of the axes in `by`, in the order of the grid.

    They come from the cells, not the rows: a condition of which no training run has ended yet is counted, as undecided.
    """
    values = {axis: list(dict.fromkeys(run.experiment.axes[axis])) for axis in claim.by}
    wanted = {tuple(values[axis].index(cell.axes[axis]) for axis in claim.by) for cell in asked_cells(run.experiment, claim.where)}
    for places in sorted(wanted) if claim.by else [()]:
        yield {axis: values[axis][place] for axis, place in zip(claim.by, places, strict=True)}


def _question(run: Run, claim: Claim, condition: dict[str, Any]) -> Question:
    """A claim on a measure under one condition."""
    assert claim.measure is not None
    mine = side_of(run, claim, {**claim.where, **condition}, claim.measure)
    other = next(iter(claim.compared.values()), None)
    if other is None:
        return _ready(run, claim, bound_decision(claim, condition, mine), "", (mine,))
    theirs = side_of(run, claim, {**claim.where, **condition, **other.where}, other.measure or claim.measure)
    if claim.greater_than is not None:
        number, reason = order_decision(claim, condition, mine, theirs)
    elif claim.non_inferiority is not None:
        number, reason = advantage_decision(claim, condition, mine, theirs), ""
    else:
        number, reason = equality_decision(claim, condition, mine, theirs), ""
    return _ready(run, claim, number, reason, (mine, theirs))


def _ready(run: Run, claim: Claim, number: Decision, reason: str, sides: tuple[Side, ...]) -> Question:
    """The question with all that keeps it from being decided, besides `reason`."""
    if any(side.uneven for side in sides):
        reason = UNEVEN
    elif any(side.unknown for side in sides) or (len(sides) > 1 and all(side.silent for side in sides)):
        reason = SILENT
    return Question(
        claim,
        number,
        columns_read(claim, *sides),
        sides[1].cells if len(sides) > 1 else (),
        tuple(
            sign * (1 if claim.non_inferiority is not None else side.better)
            for side, sign in zip(sides, (1, -1), strict=False)
            if side.edge
        ),
        reason,
        failed_control(run, claim, number.condition),
    )
