"""Products with zeros."""

from typing import Any

import numpy as np

from tests.laws.wrong import Misled, Wrong, changed, exact

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

WRONG: dict[str, list[Wrong | Misled]] = {
    "worked_examples": [
        Wrong(
            "difference in units in the last place",
            "tolerance",
            changed("loss_initial", lambda output, size: output + size * float(np.spacing(np.float32(output)))),
        )
    ],
    "undefined_products": [exact("outcome", "unsolved"), exact("loss_initial", 0.0)],
    "zero_tensor": [exact("grad_share_0_initial", 1e-9)],
}
