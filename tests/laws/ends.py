"""Training runs whose ends are certified."""

from typing import Any

from tests.laws.wrong import Misled, Wrong, exact

SETTINGS: dict[str, dict[str, Any]] = {
    "certified_ends": {"ends": True, "model": {"name": "mlp", "widths": [2]}, "seeds": {"init": 24}, "track": []}
}

WRONG: dict[str, list[Wrong | Misled]] = {
    "certified_ends": [exact("end", "unknown", among=lambda rows: rows["outcome"] == "unsolved")],
}
