"""How far apart the ends of random starts lie."""

from typing import Any

SETTINGS: dict[str, dict[str, Any]] = {
    "spread_shrinks": {
        "task": {"name": "xor", "loss": "mse"},
        "grid": {"model.widths": [[2], [16]]},
        "training": {"steps": 1000},
        "seeds": {"init": 100},
        "track": [],
    },
}

WRONG: dict[str, Any] = {
    "spread_shrinks": lambda rows: rows.assign(loss_final=rows["loss_final"].to_numpy()[::-1]),
}
