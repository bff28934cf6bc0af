"""Networks of rectifiers that are dead from the start."""

from typing import Any

from analysis.laws.evidence import TESTS
from tests.laws.wrong import Misled, Wrong, exact

SETTINGS: dict[str, dict[str, Any]] = {
    "born_dead": {
        "task": {"name": "absolute_value", "points": 3},
        "model": {"name": "mlp", "activation": "relu"},
        "grid": {"model.widths": [[2, 2, 2], [2, 3, 2]], "initializer": ["he_normal", {"name": "glorot_uniform", "gain": 0.25}]},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "training": {"steps": 20, "solved_below": 0.01},
        "seeds": {"init": 1000},
        "probes": ["born_dead", "dead_at_first"],
        "track": [],
    },
}

WRONG: dict[str, list[Wrong | Misled]] = {
    "born_dead": [
        exact("outcome", "solved", among=lambda rows: rows["born_dead_2_initial"] == 1),
        # The bounds at depth 3 and width 2 are 0.30 and 0.37.
        Wrong(
            TESTS,
            "statistic",
            lambda rows, place, size: rows.assign(
                born_dead_2_initial=rows["born_dead_2_initial"].where(rows["init_seed"] >= size * len(rows), 1.0)
            ),
        ),
    ],
}
