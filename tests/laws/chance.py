"""Random starts as draws."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.theory.evidence import TESTS
from tests.laws.wrong import Misled, Wrong

SETTINGS: dict[str, dict[str, Any]] = {
    "restarts": {"model": {"name": "mlp", "widths": [2]}, "seeds": {"init": 400}, "track": []},
}


def _clustered(rows: pd.DataFrame, place: int, size: float) -> pd.DataFrame:
    """Starts whose outcomes stand in order among the first ones, as if they depended on one another."""
    outcomes, first = rows["outcome"].to_numpy(object), int(size * len(rows))
    return rows.assign(outcome=np.concatenate([np.sort(outcomes[:first]), outcomes[first:]]))


WRONG: dict[str, list[Wrong | Misled]] = {
    "restarts": [Wrong(TESTS, "statistic", _clustered)],
}
