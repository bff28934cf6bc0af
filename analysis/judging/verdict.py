"""A verdict: one claim under one condition, with the interval that decided it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from string import hexdigits
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from analysis.judging.criterion import criterion_text
from analysis.judging.question import Question
from analysis.rows.load import Run
from analysis.stats.intervals import distinct
from analysis.stats.multiplicity import least_error
from bench.runs.at_rest import are_many

Outcome = Literal["supported", "refuted", "undecided", "conditional", "withheld"]

LEAST = 1e-6
"""Share of alpha below which p-values are not resolved; it is small enough for families of a million comparisons."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on one claim under one condition."""

    id: str
    family: str
    says: str
    condition: dict[str, str]
    measure: str
    criterion: str
    verdict: Outcome
    """The verdict after Holm's correction over the family."""
    estimate: float
    low: float
    high: float
    level: float
    """Confidence of the interval of this comparison by itself."""
    n_lanes: int
    n_data_seeds: int
    n_init_seeds: int
    estimator: str
    """The estimate and its interval in words."""
    columns: tuple[str, ...]
    """Columns of the rows that the estimate is computed from."""
    cells: tuple[str, ...]
    """Ids of the cells whose rows they are."""
    against: tuple[str, ...]
    """Ids of the cells that they are compared with, if any."""
    alone: Outcome
    """The verdict of this comparison by itself, before the correction."""
    p_value: float
    """The least error probability at which the interval still decides the claim; 1 if it does not decide it at alpha."""
    n_draws: int
    """Number of independent draws: of data sets where there are several, else of starts."""
    n_distinct: int
    """Number of the claim's own training runs that differ from one another."""
    data: str
    """Number of data sets in words: "1,000 data sets", "1,000 resamples of one data set"."""
    reason: str = ""
    """Why it is undecided or withheld, unless that is the width of its interval."""
    edited: str = ""
    """When and why the criterion was changed after rows existed; the verdict is then exploratory, unless it is confirmed."""
    confirmed: bool = False
    """Whether the changed criterion stood in the file before these rows, on seeds that no earlier report used."""

    @property
    def exploratory(self) -> bool:
        """Whether the criterion was changed after rows existed, and no fresh ones have confirmed the verdict."""
        return bool(self.edited) and not self.confirmed

    def record(self) -> dict[str, Any]:
        """The verdict as JSON values: null for NaN, and text for infinity."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @staticmethod
    def of(record: dict[str, Any]) -> "Verdict":
        """The verdict of a record; KeyError, TypeError or ValueError if the record is not one of a verdict."""
        numbers = {key: np.nan if record[key] is None else float(record[key]) for key in ("estimate", "low", "high", "level")}
        return _VERDICT.validate_python({**record, **numbers})


TOO_FEW = "too few independent training runs for an interval"

_VERDICT = TypeAdapter(Verdict)


def _plain(value: Any) -> Any:
    if not isinstance(value, float) or np.isfinite(value):
        return value
    return None if np.isnan(value) else str(value)


def verdict_on(run: Run, question: Question, failed: Sequence[str]) -> Verdict:
    """Decide one claim under one condition by itself, from its interval; `failed` names the laws of the experiment that do not hold."""
    claim, number = question.claim, question.number
    rows = number.rows
    level = 1 - claim.alpha
    interval, answer, reason = question.ask(level)
    alone: Outcome = "undecided" if answer is None else "supported" if answer else "refuted"
    if failed or question.withheld:
        alone, reason = "withheld", f"law not met: {', '.join(failed)}" if failed else question.withheld
    elif answer is None and not reason and np.isinf((interval.low, interval.high)).all():
        reason = TOO_FEW
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
        n_data_seeds=distinct(rows["data_seed"].to_numpy()),
        # The points of a map share the weights that their data seed draws.
        n_init_seeds=distinct(rows["data_seed" if run.experiment.seeds.map else "init_seed"].to_numpy()),
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
        confirmed=run.confirmed(claim),
    )


def _p_value(question: Question, answer: bool | None) -> float:
    """The least error probability at which the interval still gives the answer that it gives at alpha, rounded up by at most 1%.

    1 if there is no answer.
    """
    if answer is None:
        return 1.0

    def decides(error: float) -> bool:
        return question.ask(1 - error)[1] is answer

    return least_error(decides, question.claim.alpha * LEAST, question.claim.alpha)


def _distinct(run: Run, rows: pd.DataFrame) -> int:
    """The number of training runs that differ in their cell, their data, or the parameters that they ended with."""
    names = ["cell", *(["data_seed"] if run.data_sets > 1 else []), "params_digest"]
    if not are_many(len(rows)):
        return len(rows[names].drop_duplicates())
    # Digests are texts, of which a search for equal ones takes many times the memory; equal ones begin with the same digit.
    alike = (rows.loc[rows["params_digest"].str.startswith(digit), names] for digit in hexdigits[:16])
    return sum(len(portion.drop_duplicates()) for portion in alike)


def _data_sets(run: Run, rows: pd.DataFrame) -> str:
    """The number of data sets behind these rows, in words."""
    cells = rows["cell"].unique()
    number = distinct(rows["data_seed"].to_numpy())
    if number == 1 or not any(run.seeded[cell] for cell in cells):
        return "1 data set"
    resampled = all(run.resampled[cell] for cell in cells)
    return f"{number:,} resamples of one data set" if resampled else f"{number:,} data sets"
