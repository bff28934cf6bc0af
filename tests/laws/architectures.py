"""What zeros do in networks other than multilayer perceptrons."""

from typing import Any

import pandas as pd

from analysis.laws.evidence import FACTS
from tests.laws.wrong import Misled, Wrong, exact, scaled

DIGITS: dict[str, Any] = {
    "task": {"name": "digits", "n_train": 32},
    "training": {"steps": 6, "batch_size": 16},
    "probes": ["grad_share", "weight_norm"],
    "track": [],
    "seeds": {"init": 6, "data": "paired"},
}
RESNETS = [{"name": "resmlp", "width": 6}, {"name": "rescnn", "channels": 3}]

SETTINGS: dict[str, dict[str, Any]] = {
    "zero_gradients": {
        **DIGITS,
        "initializer": "zeros",
        "grid": {"model": [{"name": "cnn", "channels": [3, 4]}, {"name": "lstm", "width": 4}, {"name": "transformer", "width": 4}]},
    },
    "equal_units": {
        **DIGITS,
        "initializer": {"name": "constant", "value": 0.1},
        "probes": ["untied_layers", "untied_heads"],
        "grid": {"model": [{"name": "cnn", "channels": [4, 4]}, {"name": "transformer", "width": 8}]},
    },
    "false_equilibrium": {
        **DIGITS,
        "task": {"name": "ring", "n": 32, "n_test": 16},
        "model": "gan",
        "probes": ["weight_norm", "generator_loss"],
        "grid": {"initializer": ["zeros", "he_normal"]},
    },
    "identity_branches": {
        **DIGITS,
        "case": [
            *({"label": f"layer {m['name']}", "model": m, "initializer.zero_layers": ["*.second"]} for m in RESNETS),
            {"label": "gate", "model": {**RESNETS[0], "gated": True}, "initializer.layers": {"*.gate": "zeros"}},
        ],
    },
    "linear_baseline": {
        **DIGITS,
        "task": "digits",
        "model": {"name": "cnn", "channels": [8, 16]},
        "initializer": "he_normal",
        "optimizer": {"name": "adam", "learning_rate": 0.01},
        "training": {"steps": 840, "batch_size": 32, "stop": "budget"},
    },
}


def _moving_branch(rows: pd.DataFrame, place: int, size: float) -> pd.DataFrame:
    """One training run in which a layer has a gradient that had none."""
    shares = rows.filter(regex=r"^grad_share_\d+_initial$").iloc[place]
    return exact(str(shares.index[shares == 0][0]), 1e-9).spoil(rows, place, size)


WRONG: dict[str, list[Wrong | Misled]] = {
    "zero_gradients": [
        exact("grad_share_0_initial", 1e-9),
        exact("weight_norm_final", 1e-9),
        scaled("relative difference of the bias's gradient", "grad_norm_initial", 1e-5),
    ],
    "equal_units": [
        exact("untied_layers_final", 1.0),
        exact("untied_heads_initial", 1.0, among=lambda rows: rows["untied_heads_initial"] == 0),
    ],
    "false_equilibrium": [
        exact("grad_norm_final", 1e-9),
        scaled("relative difference of a loss", "loss_final", 1e-6),
        scaled("relative difference of a loss", "generator_loss_initial", 1e-6),
    ],
    "identity_branches": [
        Wrong(FACTS, "exact", _moving_branch),
        scaled("relative difference of the first loss", "loss_initial", 1e-5),
    ],
    "linear_baseline": [
        Wrong(
            "shortfall of a median",
            "exact",
            lambda rows, place, size: rows.assign(
                test_metric_final=rows["test_metric_final"] - 0.5 * (rows["cell"] == rows["cell"].iloc[place])
            ),
        )
    ],
}
