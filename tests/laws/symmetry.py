"""Equal units, and units that never move."""

from typing import Any

import numpy as np

SETTINGS: dict[str, dict[str, Any]] = {
    "stuck_set": {
        "task": "blobs",
        "model": {"name": "mlp", "widths": [5]},
        "grid": {"model.activation": ["tanh", "relu", "gelu"]},
        "initializer": "zeros",
        "training": {"steps": 50},
        "seeds": {"init": 10, "data": "paired"},
    },
    "tied_units": {
        "task": {"name": "blobs", "n": 40},
        "model": {"name": "mlp", "widths": [5]},
        "grid": {
            "model.activation": ["sigmoid", "softplus", "tanh"],
            "initializer": ["zeros", {"name": "constant", "value": 0.3}],
        },
        "training": {"steps": 60, "dtype": "float64"},
        "seeds": {"init": 5, "data": "paired"},
    },
    "same_order": {
        "task": {"name": "blobs", "n": 40},
        "model": {"name": "mlp", "widths": [5]},
        "grid": {"model.activation": ["sigmoid", "tanh"], "training.dtype": ["float32", "float64"]},
        "initializer": {"name": "constant", "value": 0.3},
        "training": {"steps": 60},
        "seeds": {"init": 5, "data": "paired"},
        "track": ["tie_spread"],
    },
}

WRONG: dict[str, Any] = {
    "stuck_set": lambda rows: rows.assign(weight_norm_final=rows["weight_norm_final"] + (np.arange(len(rows)) == 3)),
    "tied_units": lambda rows: rows.assign(loss_final=rows["loss_final"] * (1 + 1e-7)),
}
