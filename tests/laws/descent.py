"""Training itself, done again without the engine."""

from typing import Any

from tests.laws.wrong import Misled, Wrong, shifted

SETTINGS: dict[str, dict[str, Any]] = {
    "momentum_descent": {
        "task": {"name": "blobs", "n": 20},
        "model": {"name": "mlp", "widths": [6, 5]},
        "grid": {"model.activation": ["tanh", "relu", "sigmoid"]},
        "optimizer": {"name": "sgd", "learning_rate": 0.02, "momentum": 0.9},
        "training": {"steps": 60},
        "seeds": {"init": 12, "data": "paired"},
        "track": [],
    },
}

WRONG: dict[str, list[Wrong | Misled]] = {
    "momentum_descent": [
        shifted("difference of a loss", "loss_final", 1e-4),
    ],
}
