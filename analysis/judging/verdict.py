"""A verdict: one claim under one condition, with the interval that decided it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter

Outcome = Literal["supported", "refuted", "undecided", "conditional", "withheld"]


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
    """When and why the criterion was changed after rows existed; the verdict is then exploratory."""

    def record(self) -> dict[str, Any]:
        """The verdict as JSON values: null for NaN, and text for infinity."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @staticmethod
    def of(record: dict[str, Any]) -> "Verdict":
        """The verdict of a record; KeyError, TypeError or ValueError if the record is not one of a verdict."""
        numbers = {key: np.nan if record[key] is None else float(record[key]) for key in ("estimate", "low", "high", "level")}
        return _VERDICT.validate_python({**record, **numbers})


_VERDICT = TypeAdapter(Verdict)


def _plain(value: Any) -> Any:
    if not isinstance(value, float) or np.isfinite(value):
        return value
    return None if np.isnan(value) else str(value)
