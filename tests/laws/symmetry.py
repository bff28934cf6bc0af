"""Equal units, and units that never move."""

from typing import Any

import numpy as np

from analysis.laws.evidence import FACTS
from bench.runs.starts import Start
from tests.laws.wrong import Misled, Wrong, exact, shifted

SETTINGS: dict[str, dict[str, Any]] = {
    "stuck_set": {
        "task": "blobs",
        "model": {"name": "mlp", "widths": [5]},
        "grid": {"model.activation": ["tanh", "relu", "gelu"]},
        "initializer": "zeros",
        "training": {"steps": 50},
        "probes": ["hidden_grad_max", "weight_norm", "tie_spread"],
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
        "probes": ["tie_spread"],
        "seeds": {"init": 5, "data": "paired"},
    },
    "one_unit_optimum": {
        "task": {"name": "moons", "n": 24},
        "model": {"name": "mlp", "widths": [5]},
        "grid": {"model.activation": ["sigmoid", "tanh"]},
        "initializer": "zeros",
        "training": {"steps": 60, "dtype": "float64"},
        "probes": ["tie_spread"],
        "seeds": {"init": 3, "data": "paired"},
        "track": [],
    },
    "same_order": {
        "task": {"name": "blobs", "n": 40},
        "model": {"name": "mlp", "widths": [5]},
        "grid": {"model.activation": ["sigmoid", "tanh"], "training.dtype": ["float32", "float64"]},
        "initializer": {"name": "constant", "value": 0.3},
        "training": {"steps": 60},
        "probes": ["tie_spread"],
        "seeds": {"init": 5, "data": "paired"},
        "track": ["tie_spread"],
    },
}


def _another_unit(found: Start) -> Start:
    """Change one weight of one unit of one start by its last bit."""
    layers = found.params["layers"]
    kernel = layers[0]["kernel"].copy()
    kernel[3, 0, 0] = np.nextafter(kernel[3, 0, 0], np.inf)
    return found._replace(params={**found.params, "layers": {**layers, 0: {**layers[0], "kernel": kernel}}})


WRONG: dict[str, list[Wrong | Misled]] = {
    "stuck_set": [exact("weight_norm_final", 1e-12), exact("hidden_grad_max_initial", 1e-12)],
    "tied_units": [shifted("difference", "loss_final", 1e-9)],
    "one_unit_optimum": [exact("loss_final", 0.01)],
    "same_order": [Misled(FACTS, "starts", _another_unit)],
}
