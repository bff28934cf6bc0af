"""How far apart the ends of random starts lie."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.laws.spread import _ratio
from tests.laws.wrong import Misled, Wrong

SETTINGS: dict[str, dict[str, Any]] = {
    "spread_shrinks": {
        "task": {"name": "xor", "loss": "mse"},
        "grid": {"model.widths": [[2], [16]]},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "training": {"steps": 2000},
        "seeds": {"init": 100},
        "track": [],
    },
}


def _as_wide(rows: pd.DataFrame, place: int, size: float) -> pd.DataFrame:
    """The wide network's losses scaled so that the ratio of the two lengths is `size`."""
    wide, losses = (rows["model.widths"].astype(str) == "[16]").to_numpy(), rows["loss_final"].to_numpy()
    return rows.assign(loss_final=losses * np.where(wide, size / _ratio(losses[~wide], losses[wide]), 1))


WRONG: dict[str, list[Wrong | Misled]] = {
    "spread_shrinks": [Wrong("upper bound of a ratio", "tolerance", _as_wide)],
}
