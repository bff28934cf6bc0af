"""Random starts as draws."""

from typing import Any

SETTINGS: dict[str, dict[str, Any]] = {
    "restarts": {"model": {"name": "mlp", "widths": [2]}, "seeds": {"init": 400}, "track": []},
}

WRONG: dict[str, Any] = {
    "restarts": lambda rows: rows.assign(outcome=["solved", "unsolved"] * (len(rows) // 2)),
}
