"""Random starts as draws."""

from typing import Any

import pandas as pd

from analysis.laws.evidence import TESTS
from tests.laws.wrong import Misled, Wrong

SETTINGS: dict[str, dict[str, Any]] = {
    "restarts": {"model": {"name": "mlp", "widths": [2]}, "seeds": {"init": 400}, "track": []},
}


def _in_pairs(rows: pd.DataFrame, place: int, size: float) -> pd.DataFrame:
    """Pairs of starts among the first ones with the same outcome, as if the second depended on the first."""
    outcomes, pairs = rows["outcome"].to_numpy(object).copy(), int(size * len(rows) / 2)
    outcomes[1 : 2 * pairs : 2] = outcomes[: 2 * pairs : 2]
    return rows.assign(outcome=outcomes)


WRONG: dict[str, list[Wrong | Misled]] = {
    "restarts": [Wrong(TESTS, "statistic", _in_pairs)],
}
