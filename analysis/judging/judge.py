"""Verdicts on the claims of an experiment, from its rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.judging.criterion import criterion_text
from analysis.judging.family import corrected
from analysis.judging.question import Question, questions_of
from analysis.judging.verdict import Outcome, Verdict
from analysis.laws import Law, evidence_of
from analysis.rows.load import Run

LEAST = 1e-6
"""Share of alpha below which p-values are not resolved; it is small enough for families of a million comparisons."""
RESOLUTION = 1.01
"""Ratio of the bounds between which a p-value is found."""


def judge(run: Run) -> tuple[list[Law], list[Verdict]]:
    """The laws that the experiment rests on, and a verdict for each claim and condition.

    Verdicts are corrected over their families within the experiment. All are withheld if a law of the experiment fails.
    """
    experiment = run.experiment
    names = dict.fromkeys([*experiment.laws, *(claim.law for claim in experiment.claim if claim.law)])
    evidence = {name: evidence_of(name, run) for name in names}
    failed = [name for name in experiment.laws if not evidence[name].holds]
    questions = [question for claim in experiment.claim for question in questions_of(run, claim, evidence)]
    return [found.law for found in evidence.values()], corrected([_verdict(run, question, failed) for question in questions])


def _verdict(run: Run, question: Question, failed: Sequence[str]) -> Verdict:
    """The verdict on one claim under one condition by itself; `failed` names the laws of the experiment that do not hold."""
    claim, number = question.claim, question.number
    rows = number.rows
    level = 1 - claim.alpha
    interval, answer, reason = question.ask(level)
    alone: Outcome = "undecided" if answer is None else "supported" if answer else "refuted"
    if failed or question.withheld:
        alone, reason = "withheld", f"law not met: {', '.join(failed)}" if failed else question.withheld
    return Verdict(
        id=claim.id,
        family=claim.family or run.experiment.name,
        says=claim.says,
        condition={axis: str(value) for axis, value in number.condition.items()},
        measure=number.measure,
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
        estimator=number.estimator,
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
    """The least error probability at which the interval still gives the answer that it gives at alpha, rounded up by at most 1%.

    1 if there is no answer.
    """
    if answer is None:
        return 1.0

    def decides(error: float) -> bool:
        return question.ask(1 - error)[1] is answer

    low, high = question.claim.alpha * LEAST, question.claim.alpha
    if decides(low):
        return low
    while high / low > RESOLUTION:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def _distinct(run: Run, rows: pd.DataFrame) -> int:
    """The number of training runs that differ in their cell, their data, or the parameters that they ended with."""
    return len(rows[["cell", *(["data_seed"] if run.data_sets > 1 else []), "params_digest"]].drop_duplicates())


def _data_sets(run: Run, rows: pd.DataFrame) -> str:
    """The number of data sets behind these rows, in words."""
    cells = rows["cell"].unique()
    number = int(rows["data_seed"].nunique())
    if number == 1 or not any(run.seeded[cell] for cell in cells):
        return "1 data set"
    tasks = [run.tasks[cell] for cell in cells]
    resampled = all(task is not None and task.resamples for task in tasks)
    return f"{number:,} resamples of one data set" if resampled else f"{number:,} data sets"
