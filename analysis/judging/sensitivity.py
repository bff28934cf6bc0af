"""How much hangs on a threshold or a budget: the same rows, judged by criteria that are half and twice as strict."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from analysis.judging.criterion import margin_of, required_share
from analysis.judging.family import corrected
from analysis.judging.question import questions_of
from analysis.judging.verdict import Verdict, verdict_on
from analysis.rows.load import Run
from analysis.rows.measures import RATES
from bench.spec import Claim

IN_TIME = ("solved", "unsolved", "steps_to_solve")
"""Measures that half of the budget can be judged on: rows tell when a training run solved its task."""

Change = Callable[[Claim], Claim | None]


def with_threshold(claim: Claim, factor: float) -> Claim | None:
    """Return a claim with its bound or margin multiplied; None if it has none, or none that could be multiplied.

    A bound on a share is multiplied by its distance from the nearer end: of "at least 0.99", 1% of runs may fail, then 2%. So is the share
    of runs that must meet a bound on each of them.
    """
    if claim.law is not None:
        return None
    if claim.each:
        return claim.model_copy(update={"share": 1 - factor * (1 - required_share(claim))})
    if claim.margin is not None or claim.compared:
        margin = factor * margin_of(claim)
        return claim.model_copy(update={"margin": margin}) if margin > 0 else None
    name = next(name for name in ("at_least", "at_most") if getattr(claim, name) is not None)
    bound = getattr(claim, name)
    if claim.measure in RATES:
        moved = factor * bound if bound <= 0.5 else 1 - factor * (1 - bound)
        return claim.model_copy(update={name: moved}) if 0 < moved < 1 else None
    return claim.model_copy(update={name: factor * bound}) if bound else None


def with_half_the_budget(run: Run) -> Run:
    """Return a run as if it had ended after half of each cell's budget, as far as outcomes and steps to solve tell."""
    budget = {cell.id: cell.settings.training.steps for cell in run.experiment.cells}
    lanes = run.lanes.copy()
    half = lanes["cell"].astype(str).map(budget).to_numpy() / 2
    solved_late = lanes["steps_to_solve"].to_numpy(float, na_value=0) > half
    ended_late = lanes["outcome"].isin(["stuck", "diverged"]).to_numpy() & (lanes["steps_run"].to_numpy(float) > half)
    lanes["outcome"] = lanes["outcome"].astype(str).mask(solved_late | ended_late, "unsolved")
    lanes["steps_to_solve"] = lanes["steps_to_solve"].mask(solved_late)
    return replace(run, lanes=lanes)


def sensitivity(run: Run, verdicts: Sequence[Verdict]) -> dict[str, dict[str, list[Verdict]]]:
    """Return the verdicts of each claim (by its id) as they stand and as they would be, by what is changed.

    Claims that a law decides, that are withheld, or that nothing here can change are left out.
    """
    given = {claim.id: [verdict for verdict in verdicts if verdict.id == claim.id] for claim in run.experiment.claim}
    changes: dict[str, tuple[Run, Change]] = {
        "threshold halved": (run, lambda claim: with_threshold(claim, 0.5)),
        "threshold doubled": (run, lambda claim: with_threshold(claim, 2.0)),
        "half the budget": (with_half_the_budget(run), lambda claim: claim if claim.measure in IN_TIME else None),
    }
    found: dict[str, dict[str, list[Verdict]]] = {}
    for name, (changed, change) in changes.items():
        claims = [other for claim in run.experiment.claim if (other := change(claim)) is not None and _stands(given[claim.id])]
        new = [verdict_on(changed, question, ()) for claim in claims for question in questions_of(changed, claim, {})]
        asked = {claim.id for claim in claims}
        # Corrected over the whole family, as the verdicts that stand.
        again = corrected([*new, *(verdict for verdict in verdicts if verdict.id not in asked)])
        for claim in claims:
            found.setdefault(claim.id, {"as it stands": given[claim.id]})[name] = [one for one in again if one.id == claim.id]
    return {claim.id: found[claim.id] for claim in run.experiment.claim if claim.id in found}


def _stands(verdicts: Sequence[Verdict]) -> bool:
    return any(verdict.verdict != "withheld" for verdict in verdicts)
