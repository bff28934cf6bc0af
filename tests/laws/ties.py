"""Almost equal units, and dropped ones."""

from typing import Any

from tests.laws.wrong import Misled, Wrong, exact

SETTINGS: dict[str, dict[str, Any]] = {
    "tie_growth": {
        "task": {"name": "blobs", "n": 24, "classes": 6, "spread": 0.05},
        "model": {"name": "mlp", "widths": [8]},
        "grid": {
            "model.activation": ["tanh", "softplus"],
            "initializer": [{"name": "constant_noise", "eps": 1e-5}, {"name": "constant_noise", "eps": 1e-3}],
        },
        "training": {"steps": 300, "dtype": "float64"},
        "seeds": {"init": 10, "data": "paired"},
    },
    "dropout_is_zeroing": {
        "task": {"name": "blobs", "n": 20},
        "model": {"name": "mlp", "widths": [5], "dropout": 0.3},
        "grid": {"model.activation": ["sigmoid", "relu"], "initializer": ["lecun_normal", "constant"]},
        "training": {"steps": 2, "dtype": "float64"},
        "seeds": {"init": 5, "data": "paired"},
    },
}

WRONG: dict[str, list[Wrong | Misled]] = {
    "tie_growth": [
        exact(
            "break_step", lambda step: round(step + 2 * max(2, 0.05 * step)), among=lambda rows: rows["break_step"] + 40 < rows["steps_run"]
        ),
    ],
    "dropout_is_zeroing": [Misled("difference", "dropped_apart", lambda found: found + 1.5e-12)],
}
