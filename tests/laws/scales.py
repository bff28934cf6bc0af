"""How large initial weights are."""

from typing import Any

SETTINGS: dict[str, dict[str, Any]] = {
    "weight_norms": {
        "task": {"name": "digits", "n_train": 16},
        "model": {"name": "mlp", "widths": [8, 16]},
        "training": {"steps": 1},
        "seeds": {"init": 100},
        "probes": ["weight_norm"],
        "track": [],
        "grid": {"initializer": ["he_normal", "he_uniform", "pytorch_default", "orthogonal", "zero_hadamard", "sparse"]},
    },
}

WRONG: dict[str, Any] = {"weight_norms": lambda rows: rows.assign(weight_norm_initial=rows["weight_norm_initial"] * 1.05)}
