"""A verdict: one claim under one condition, with the interval that it was judged from."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter

Outcome = Literal["supported", "refuted", "undecided", "conditional", "withheld"]


@dataclass(frozen=True)
class Verdict:
    """One claim under one condition."""

    id: str
    family: str
    says: str
    condition: dict[str, str]
    measure: str
    criterion: str
    verdict: Outcome
    """After Holm's correction over the family."""
    estimate: float
    low: float
    high: float
    level: float
    """Confidence of the interval, of this comparison by itself."""
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
    alone: Outcome
    """The verdict of this comparison by itself, before the correction."""
    p_value: float
    """The least error probability at which its interval still decides it."""
    n_draws: int
    """Independent draws behind it: data sets where there are several, else starts."""
    n_distinct: int
    """Training runs among its own that differ from one another."""
    data: str
    """The data sets in words: "1,000 data sets", "1,000 resamples of one data set"."""
    reason: str = ""
    """Why it is undecided or withheld, if not for the width of its interval."""
    edited: str = ""
    """When and why the criterion was changed after rows existed; the verdict is then exploratory."""

    def record(self) -> dict[str, Any]:
        """The verdict as JSON knows it: no NaN (null) and no infinity (text)."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @staticmethod
    def of(record: dict[str, Any]) -> "Verdict":
        """The verdict that a record stands for; KeyError, TypeError or ValueError if it stands for none."""
        numbers = {key: np.nan if record[key] is None else float(record[key]) for key in ("estimate", "low", "high", "level")}
        return _VERDICT.validate_python({**record, **numbers})


_VERDICT = TypeAdapter(Verdict)


def _plain(value: Any) -> Any:
    if not isinstance(value, float) or np.isfinite(value):
        return value
    return None if np.isnan(value) else str(value)
