"""How large initial weights are."""

from typing import Any

from analysis.laws.evidence import TESTS
from tests.laws.wrong import Misled, Wrong, changed, stretched

AUTO = {"name": "flax_default", "gain": "auto"}

SETTINGS: dict[str, dict[str, Any]] = {
    "weight_norms": {
        "task": {"name": "digits", "n_train": 16},
        "model": {"name": "mlp", "widths": [8, 16]},
        "training": {"steps": 1},
        "seeds": {"init": 100},
        "probes": ["weight_norm"],
        "track": [],
        "grid": {"initializer": ["he_normal", "he_uniform", "pytorch_default", "orthogonal", "zero_hadamard", "sparse", AUTO]},
    },
}

WRONG: dict[str, list[Wrong | Misled]] = {
    "weight_norms": [
        Wrong(
            "relative error of those without chance",
            "tolerance",
            changed("weight_norm_initial", lambda norm, size: norm * (1 + size * 1e-4) ** 0.5),
            among=lambda rows: rows["initializer"] == "orthogonal",
        ),
        stretched(TESTS, "weight_norm_initial", lambda rows: rows["initializer"] == "he_normal"),
    ],
}
