"""Products with zeros."""

from typing import Any

import numpy as np

_PRODUCT: dict[str, Any] = {
    "model": {"name": "linear", "bias": False},
    "training": {"steps": 1},
    "seeds": {"init": 1},
    "probes": [],
    "track": [],
}

SETTINGS: dict[str, dict[str, Any]] = {
    "worked_examples": {
        **_PRODUCT,
        "task": {"name": "worked_example", "x": [1.0, 1.0], "answer": 0.29781315},
        "initializer": {"name": "listed", "values": [0.24660266, 0.05121049]},
        "grid": {"training.dtype": ["float32", "float64"]},
    },
    "undefined_products": {
        **_PRODUCT,
        # The product is infinite in float32.
        "task": {"name": "worked_example", "x": [3e38, 1.0]},
        "initializer": {"name": "listed", "values": [10.0, 2.0]},
    },
    "zero_tensor": {
        "model": {"name": "mlp", "widths": [3, 3]},
        "grid": {"model.activation": ["tanh", "sigmoid"], "initializer.zero_layers": [[1], [2]]},
        "probes": ["grad_share"],
        "seeds": {"init": 10},
        "track": [],
    },
}

WRONG: dict[str, Any] = {
    "worked_examples": lambda rows: rows.assign(loss_initial=rows["loss_initial"] + 1e-7),
    "undefined_products": lambda rows: rows.assign(loss_initial=0.0),
    "zero_tensor": lambda rows: rows.assign(grad_share_0_initial=rows["grad_share_0_initial"] + (np.arange(len(rows)) == 3) * 1e-9),
}
