"""Weights of zero: products, layers, single weights."""

from typing import Any

from analysis.laws.evidence import FACTS
from tests.laws.wrong import Misled, Wrong, exact, shifted

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
        "seeds": {"init": 8, "data": "paired"},
        "track": [],
    },
}
SETTINGS["first_layer_to_move"] = SETTINGS["zero_layers"]

WRONG: dict[str, list[Wrong | Misled]] = {
    "zero_layers": [
        exact("zero_layers_final", lambda left: left - 1, among=lambda rows: rows["zero_layers_final"] > 0),
        exact("loss_final", 0.0, among=lambda rows: rows["zero_layers_final"] > 0),
    ],
    "first_layer_to_move": [
        exact("grad_share_0_initial", 1e-9, among=lambda rows: rows["grad_share_0_initial"] == 0),
        exact("grad_share_0_initial", 1 - 1.5e-6, among=lambda rows: rows["grad_share_0_initial"] == 1),
    ],
    "first_update": [shifted(FACTS, "zero_share_final", 0.5 / (2 * 6 + 6 * 5 + 5 * 4))],
}
