"""Training itself, done again without the engine."""

from typing import Any

from tests.laws.wrong import Misled, Wrong

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
        Wrong(
            "median difference",
            "tolerance",
            lambda rows, place, size: rows.assign(loss_final=rows["loss_final"] + size * 1e-5 * (rows["cell"] == rows["cell"].iloc[place])),
        )
    ],
}
