"""Weights of zero: products, layers, single weights."""

from typing import Any

import numpy as np

_PATTERNS = [{"label": str(zero), "initializer.zero_layers": zero} for zero in ([0], [1], [2], [0, 2], [1, 2])]

SETTINGS: dict[str, dict[str, Any]] = {
    "zero_layers": {
        "task": {"name": "blobs", "n": 16},
        "model": {"name": "mlp", "widths": [4, 4]},
        "case": _PATTERNS,
        "grid": {"model.activation": ["tanh", "relu"]},
        "training": {"steps": 20},
        "probes": ["grad_share", "zero_layers"],
        "seeds": {"init": 10, "data": "paired"},
        "track": [],
    },
    "first_update": {
        "task": {"name": "blobs", "n": 16},
        "model": {"name": "mlp", "widths": [6, 5]},
        "grid": {"model.activation": ["tanh", "relu", "sigmoid"], "initializer.zero_fraction": [0.0, 0.6, 1.0]},
        "training": {"steps": 1},
        "probes": ["zero_share"],
        "seeds": {"init": 20, "data": "paired"},
        "track": [],
    },
}
SETTINGS["first_layer_to_move"] = SETTINGS["zero_layers"]

WRONG: dict[str, Any] = {
    "zero_layers": lambda rows: rows.assign(zero_layers_final=rows["zero_layers_final"] - (rows["zero_layers_final"] == 2)),
    "first_layer_to_move": lambda rows: rows.assign(grad_share_0_initial=rows["grad_share_0_initial"] + 1e-5),
    "first_update": lambda rows: rows.assign(zero_share_final=rows["zero_share_final"] + (np.arange(len(rows)) == 7) / 50),
}
