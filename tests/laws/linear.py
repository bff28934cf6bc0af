"""Linear models: minimum norm, conserved sums, Saxe's modes, the limit of stability."""

from typing import Any

from tests.laws.wrong import Misled, Wrong, changed, exact, scaled, shifted

SETTINGS: dict[str, dict[str, Any]] = {
    "minimum_norm": {
        "task": {"name": "regression", "n": 5, "column_scales": [1.0] * 12},
        "model": {"name": "linear", "bias": False},
        "grid": {"initializer": ["zeros", "normal"]},
        "optimizer": {"name": "sgd", "learning_rate": "1/curvature"},
        "training": {"steps": 4000, "solved_below": 1e-16, "dtype": "float64"},
        "probes": ["weight_norm"],
        "seeds": {"init": 20, "data": "paired"},
        "track": [],
    },
    "conserved_sums": {
        "task": {"name": "blobs", "classes": 3, "n": 40, "spread": 0.5},
        "model": "linear",
        "grid": {"initializer": ["zeros", {"name": "normal", "gain": 10.0}], "training.l2": [0.0, 0.1]},
        "optimizer": {"name": "sgd", "learning_rate": 1.0},
        "training": {"steps": 50, "dtype": "float64"},
        "seeds": {"init": 5, "data": "paired"},
        "probes": ["output_sum"],
        "track": [],
    },
    "saxe_modes": {
        "task": "modes",
        "model": {"name": "mlp", "widths": [4], "activation": "identity", "bias": False},
        "initializer": {"name": "identity", "gain": 0.1},
        "case": [
            {"label": "coarse", "optimizer.learning_rate": 0.05, "training.steps": 80},
            {"label": "fine", "optimizer.learning_rate": 0.025, "training.steps": 160},
        ],
        "training": {"dtype": "float64"},
        "seeds": {"init": 20, "data": "paired"},
        "track": [],
    },
    "trainability_boundary": {
        "task": {"name": "gaussian_pairs", "n": 30, "d": 3},
        "model": {"name": "linear", "bias": False},
        "initializer": "normal",
        "training": {"steps": 60, "dtype": "float64"},
        "seeds": {
            "init": 64,
            "map": {
                "x": {"path": "initializer.first_layer_offset", "from": -4.0, "to": 4.0},
                "y": {"path": "optimizer.learning_rate", "from": 0.1, "to": 11.0, "log": True},
            },
        },
        "track": [],
    },
}

WRONG: dict[str, list[Wrong | Misled]] = {
    "minimum_norm": [
        scaled("relative difference", "weight_norm_final", 1e-5),
        scaled("relative difference", "test_loss_final", 1e-5),
    ],
    "conserved_sums": [
        Wrong(
            "change, relative to the allowed one,",
            "tolerance",
            lambda rows, place, size: shifted("", "output_sum_final", 1e-9 + 1e-6 * rows["output_sum_initial"].iloc[place]).spoil(
                rows, place, size
            ),
        )
    ],
    "saxe_modes": [
        Wrong(
            "difference from the recursion",
            "tolerance",
            lambda rows, place, size: shifted("", "loss_final", 1e-9 * rows["loss_initial"].iloc[place]).spoil(rows, place, size),
        ),
        exact("loss_final", lambda loss: 1.5 * loss, "distance of the order from 1"),
    ],
    "trainability_boundary": [
        exact("loss_final", 1e3, among=lambda rows: rows["loss_final"] < rows["loss_initial"]),
        Wrong(
            "relative difference of a loss",
            "tolerance",
            changed("loss_final", lambda loss, size: loss * (1 + size * 1e-6)),
            among=lambda rows: rows["loss_final"] < rows["loss_initial"],
        ),
    ],
}
