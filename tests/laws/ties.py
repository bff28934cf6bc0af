"""Almost equal units, and dropped ones."""

from typing import Any

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

WRONG: dict[str, Any] = {
    "tie_growth": lambda rows: rows.assign(break_step=(rows["break_step"] * 1.2 + 5).round()),
}
