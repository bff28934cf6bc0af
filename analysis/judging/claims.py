"""Judging: what an experiment's claims come to, from intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.judging.families import corrected
from analysis.judging.questions import ORDER_MARGIN, RATE_MARGIN, SHARE_OF_RUNS, Question, questions_of
from analysis.judging.verdict import Outcome, Verdict
from analysis.laws import Law, evidence_of, laws
from analysis.rows.load import Run
from analysis.rows.measures import RATES, asked_cells, worst_value
from bench.messages import nearest, shown
from bench.spec import Claim, Comparison, Control, Experiment

NEVER_SHOWN = {"at_least": 1, "at_most": 0}
"""Bounds of a share that no interval reaches."""
LEAST = 1e-6
"""Error probabilities are not followed below this share of alpha, which is enough for families of a million comparisons."""


def check_claims(experiment: Experiment) -> None:
    """Raise ValueError on laws that do not exist and claims that cannot be judged as they are worded, before anything is trained."""
    named = [*experiment.laws, *(claim.law for claim in experiment.claim if claim.law)]
    for name in named:
        if name not in laws():
            raise ValueError(f"experiment '{experiment.name}': unknown law {shown(name)}; {nearest(name, laws())}")
    for claim in experiment.claim:
        place = f"experiment '{experiment.name}': claim '{claim.id}'"
        for fault in faults_of(experiment, claim):
            raise ValueError(f"{place}: {fault}")


def faults_of(experiment: Experiment, claim: Claim) -> list[str]:
    """What keeps a claim from being judged as it is worded: a median that the sentence does not speak of, rows pooled without saying so."""
    found = []
    numeric = claim.measure is not None and claim.measure not in RATES
    if claim.each and not numeric:
        found.append(f"each: '{claim.measure}' is true or false of a run, and judged by its share already; each stands with a number")
    if claim.needs is not None and claim.needs.share is not None and claim.needs.measure in RATES:
        found.append(f"needs: share stands with a number; '{claim.needs.measure}' is judged by its share already")
    if numeric and claim.greater_than is None and not claim.each and "median" not in claim.says.lower():
        found.append(f"judges the median of '{claim.measure}', of which `says` does not speak; say 'median', or set each = true")
    if claim.law is None:
        found += _impossible(claim)
        named = {*claim.by, *claim.pool, *([claim.best] if claim.best else [])}
        sides: list[tuple[str, Mapping[str, Any]]] = [("where", claim.where)]
        others = (("greater_than", claim.greater_than), ("equal_to", claim.equal_to), ("needs", claim.needs))
        sides += [(key, {**claim.where, **other.where}) for key, other in others if isinstance(other, Comparison | Control)]
        for key, where in sides:
            found += [
                f"{key}: pools {count} values of '{axis}'; name the axis in where, by, best, or, on purpose, in pool"
                for axis, count in _values_left(experiment, where).items()
                if axis not in named and axis not in where and count > 1
            ]
    return list(dict.fromkeys(found))


def _impossible(claim: Claim) -> list[str]:
    """What no rows could ever meet, and what is not defined."""
    found = []
    bounds = [(claim.measure, key, getattr(claim, key)) for key in ("at_least", "at_most", "equal_to")]
    if claim.needs is not None:
        bounds += [(claim.needs.measure, f"needs: {key}", getattr(claim.needs, key)) for key in ("at_least", "at_most")]
    for measure, key, bound in bounds:
        if measure in RATES and isinstance(bound, int | float) and not 0 <= bound <= 1:
            found.append(f"{key} = {bound:g}: '{measure}' is a share, from 0 to 1")
        if measure in RATES and bound is not None and bound == NEVER_SHOWN.get(key.rpartition(" ")[2]):
            found.append(f"{key} = {bound:g}: no number of runs shows that a share is exactly {bound:g}; say by how much it may miss it")
    if claim.margin is not None and (claim.greater_than is not None or claim.measure in RATES):
        most, of = (1.0, "of two shares") if claim.measure in RATES else (0.5, "of P(larger) from 1/2")
        if claim.margin >= most:
            found.append(f"margin = {claim.margin:g}: a difference {of}, below {most:g}")
    if claim.best is not None:
        if claim.best in claim.by:
            found.append(f"best: '{claim.best}' also stands in by, which leaves one value to choose from")
        sides = (claim, claim.greater_than, claim.equal_to, claim.needs)
        for measure in dict.fromkeys(side.measure for side in sides if isinstance(side, Claim | Comparison | Control)):
            if measure is not None and measure not in RATES and np.isnan(worst_value(measure)):
                found.append(f"best: nobody has said whether a small or a large '{measure}' is better")
    for key, other in (("greater_than", claim.greater_than), ("equal_to", claim.equal_to)):
        if isinstance(other, Comparison) and {**claim.where, **other.where} == claim.where and other.measure in (None, claim.measure):
            found.append(f"{key}: names the claim's own runs; its where names others")
    return found


def _values_left(experiment: Experiment, where: Mapping[str, Any]) -> dict[str, int]:
    """How many values of each axis the cells have that a `where` asks for."""
    cells = asked_cells(experiment, where)
    return {axis: len({cell.axes[axis] for cell in cells}) for axis in experiment.axes}


def judge(run: Run) -> tuple[list[Law], list[Verdict]]:
    """The laws that the experiment rests on, and a verdict per claim and condition, corrected over the families within the experiment;
    all withheld if a law fails."""
    checked = {
        name: evidence_of(name, run)
        for name in dict.fromkeys([*run.experiment.laws, *(claim.law for claim in run.experiment.claim if claim.law)])
    }
    failed = [name for name in run.experiment.laws if not checked[name].holds]
    questions = [question for claim in run.experiment.claim for question in questions_of(run, claim, checked)]
    return [found.law for found in checked.values()], corrected([_verdict(run, question, failed) for question in questions])


def _verdict(run: Run, question: Question, failed: list[str]) -> Verdict:
    claim, rows = question.claim, question.rows
    level = 1 - claim.alpha
    interval, answer, reason = question.ask(level)
    alone: Outcome = "undecided" if answer is None else "supported" if answer else "refuted"
    if failed or question.withheld:
        alone, reason = "withheld", f"law not met: {', '.join(failed)}" if failed else question.withheld
    return Verdict(
        id=claim.id,
        family=claim.family or run.experiment.name,
        says=claim.says,
        condition={axis: str(value) for axis, value in question.condition.items()},
        measure=question.measure,
        criterion=criterion_text(claim),
        verdict=alone,
        estimate=interval.estimate,
        low=interval.low,
        high=interval.high,
        level=level,
        n_lanes=len(rows),
        n_data_seeds=int(rows["data_seed"].nunique()),
        # The points of a map share the weights that their data seed draws.
        n_init_seeds=int(rows["data_seed" if run.experiment.seeds.map else "init_seed"].nunique()),
        estimator=question.estimator,
        columns=question.columns,
        cells=tuple(rows["cell"].unique()),
        against=question.against,
        alone=alone,
        p_value=_p_value(question, answer) if alone != "withheld" else 1.0,
        n_draws=interval.n,
        n_distinct=_distinct(run, rows),
        data=_data_sets(run, rows),
        reason=reason,
        edited=run.edited(claim),
    )


def _p_value(question: Question, answer: bool | None) -> float:
    """The least error probability at which the interval decides as it does at alpha; to a hundredth, from above."""
    if answer is None:
        return 1.0
    alpha = question.claim.alpha

    def decides(error: float) -> bool:
        return question.ask(1 - error)[1] is answer

    low, high = alpha * LEAST, alpha
    if decides(low):
        return low
    while high / low > 1.01:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def _distinct(run: Run, rows: pd.DataFrame) -> int:
    """Training runs that differ: in their cell, in their data, or in the parameters that they ended at."""
    return len(rows[["cell", *(["data_seed"] if run.data_sets > 1 else []), "params_digest"]].drop_duplicates())


def _data_sets(run: Run, rows: pd.DataFrame) -> str:
    """How many data sets these rows have seen, in words."""
    tasks = [run.tasks[cell] for cell in rows["cell"].unique()]
    number = int(rows["data_seed"].nunique())
    if number == 1 or not any(run.seeded[cell] for cell in rows["cell"].unique()):
        return "1 data set"
    resampled = all(task is not None and task.resamples for task in tasks)
    return f"{number:,} resamples of one data set" if resampled else f"{number:,} data sets"


def criterion_text(claim: Claim) -> str:
    """The criterion in words."""
    if claim.each:
        return f"in a share of at least {SHARE_OF_RUNS if claim.share is None else claim.share:g} of runs"
    if claim.at_least is not None:
        return f"at least {claim.at_least:g}"
    if claim.at_most is not None:
        return f"at most {claim.at_most:g}"
    if isinstance(claim.equal_to, Comparison):
        return f"0 within {claim.margin:g} against {_place(claim.equal_to)}"
    if claim.equal_to is not None:
        return f"{claim.equal_to:g} within {claim.margin:g}"
    if claim.greater_than is not None:
        is_rate = claim.measure in RATES
        margin = claim.margin if claim.margin is not None else RATE_MARGIN if is_rate else ORDER_MARGIN
        return f"more than {margin if is_rate else 0.5 + margin:g} against {_place(claim.greater_than)}"
    return f"law {claim.law} holds"


def _place(other: Comparison) -> str:
    return ", ".join(f"{axis} {_value(value)}" for axis, value in other.where.items()) or other.measure or "itself"


def _value(value: Any) -> str:
    """What an axis is compared with: one value, some, or a range."""
    if isinstance(value, dict):
        return " and ".join(f"{bound.replace('_', ' ')} {limit:g}" for bound, limit in value.items())
    return f"= {value}"
