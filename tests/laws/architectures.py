"""What zeros do in networks other than multilayer perceptrons."""

from typing import Any

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

WRONG: dict[str, Any] = {
    "zero_gradients": lambda rows: rows.assign(grad_norm_initial=rows["grad_norm_initial"] * 1.01),
    "equal_units": lambda rows: rows.assign(untied_layers_final=rows["untied_layers_final"] + (rows["init_seed"] == 3)),
    "false_equilibrium": lambda rows: rows.assign(loss_final=rows["loss_final"] + 0.01),
    "identity_branches": lambda rows: rows.assign(loss_initial=rows["loss_initial"] * 1.001),
    "linear_baseline": lambda rows: rows.assign(test_metric_final=rows["test_metric_final"] - 0.5),
}
