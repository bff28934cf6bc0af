"""How far apart the ends of random starts lie."""

from typing import Any

from tests.laws.wrong import Misled, Wrong, stretched

SETTINGS: dict[str, dict[str, Any]] = {
    "spread_shrinks": {
        "task": {"name": "xor", "loss": "mse"},
        "grid": {"model.widths": [[2], [16]]},
        "training": {"steps": 1000},
        "seeds": {"init": 100},
        "track": [],
    },
}

WRONG: dict[str, list[Wrong | Misled]] = {
    "spread_shrinks": [stretched("upper bound of a ratio", "loss_final", lambda rows: rows["model.widths"].astype(str) == "(16,)")],
}
