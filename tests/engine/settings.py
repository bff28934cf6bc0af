"""Experiments of every kind for which the engine promises the same bits."""

from typing import Any

SETTINGS: dict[str, dict[str, Any]] = {
    "xor": {},
    "uneven width": {"model": {"name": "mlp", "widths": [17, 5], "activation": "sigmoid"}},
    "float64": {
        "task": {"name": "regression"},
        "model": "linear",
        "training": {"steps": 300, "dtype": "float64"},
        "track": [],
    },
    "lanes last": {
        "probes": None,
        "task": {"name": "blobs", "n": 24},
        "model": {"name": "mlp", "widths": [7, 5]},
        "optimizer": {"name": "adam", "learning_rate": 0.05},
        "training": {"steps": 60, "solved_below": 0.3},
        "track": [],
    },
    "adam on digits": {
        "probes": None,
        "task": {"name": "digits", "n_train": 100},
        "model": {"name": "mlp", "widths": [9], "activation": "relu"},
        "optimizer": {"name": "adam", "learning_rate": 0.01},
        "training": {"steps": 20, "solved_below": 0.3},
    },
    "a large full batch": {
        "task": {"name": "digits", "n_train": 256},
        "model": {"name": "mlp", "widths": [9, 8], "activation": "relu"},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "training": {"steps": 20, "solved_below": 0.3},
    },
    "large minibatches": {
        "task": {"name": "digits", "n_train": 256},
        "model": {"name": "mlp", "widths": [9, 8], "activation": "relu"},
        "optimizer": {"name": "adam", "learning_rate": 0.01},
        "training": {"steps": 20, "batch_size": 64, "solved_below": 0.3},
    },
    "a scheme that sees the data": {
        "task": {"name": "blobs", "n": 24},
        "model": {"name": "mlp", "widths": [6]},
        "initializer": {"name": "orthogonal", "scheme": "lsuv"},
        "training": {"steps": 40, "solved_below": 0.3},
    },
    "dropout and label noise": {
        "task": {"name": "blobs", "n": 24},
        "model": {"name": "mlp", "widths": [6], "dropout": 0.2},
        "training": {"steps": 40, "label_noise": 0.1, "solved_below": 0.3},
    },
    "minibatches": {
        "task": {"name": "blobs"},
        "training": {"steps": 50, "batch_size": 32, "solved_below": 0.3},
    },
    "two players": {
        "task": {"name": "ring", "n": 32, "n_test": 16},
        "model": {"name": "gan", "discriminator_widths": [6], "generator_widths": [5]},
        "training": {"steps": 30, "batch_size": 16, "updates": "alternating"},
        "track": [],
    },
    "cnn with minibatches": {
        "probes": None,
        "task": {"name": "classification", "n": 48, "d": 16},
        "model": {"name": "cnn", "channels": [2, 3]},
        "initializer": "he_normal",
        "training": {"steps": 18, "batch_size": 16, "solved_below": 0.3},
    },
    "rescnn": {
        "task": {"name": "classification", "n": 8, "d": 4},
        "model": {"name": "rescnn", "channels": 2, "blocks": 1, "normalization": "layer", "gated": True},
        "initializer": {"name": "he_normal", "layers": {"blocks.*.gate": "zeros"}},
        "training": {"steps": 20, "solved_below": 0.3},
    },
    "lstm with minibatches and adam": {
        "task": {"name": "first_symbol", "length": 4, "symbols": 3, "n": 32, "n_test": 0},
        "model": {"name": "lstm", "features": 3, "width": 5},
        "initializer": {"name": "glorot_uniform", "layers": {"*.h": "orthogonal", "*.forget.bias": {"name": "constant", "value": 1.0}}},
        "optimizer": {"name": "adam", "learning_rate": 0.02},
        "training": {"steps": 12, "batch_size": 8, "solved_below": 1.0},
        "probes": ["distinct_units", "recurrent_jacobian_max"],
        "track": [],
    },
    "transformer": {
        "task": {"name": "first_symbol", "length": 4, "symbols": 3, "n": 16, "n_test": 0},
        "model": {"name": "transformer", "features": 3, "width": 6, "mlp_width": 7, "gated": "adaptive"},
        "training": {"steps": 10, "solved_below": 1.0},
        "probes": ["distinct_units", "distinct_heads"],
        "track": [],
    },
    "gru": {
        "task": {"name": "adding", "length": 4, "n": 16, "n_test": 0},
        "model": {"name": "gru", "features": 2, "width": 4},
        "training": {"steps": 12},
        "probes": ["distinct_units"],
        "track": [],
    },
    "resmlp": {
        "task": {"name": "blobs", "n": 24},
        "model": {"name": "resmlp", "width": 5, "blocks": 2, "normalization": "layer", "gated": True},
        "initializer": {"name": "he_normal", "layers": {"*.gate": "zeros"}},
        "training": {"steps": 30, "solved_below": 0.3},
    },
    "elman and frozen parameters": {
        "task": {"name": "adding", "length": 4, "n": 16, "n_test": 0},
        "model": {"name": "elman", "features": 2, "width": 4, "activation": "relu"},
        "initializer": {"name": "glorot_uniform", "layers": {"*.h": "identity"}},
        "training": {"steps": 20, "frozen": ["*.x"]},
        "track": [],
    },
    "a schedule, averages and clipping": {
        "optimizer": {
            "name": "contrib.schedule_free_sgd",
            "learning_rate": {"schedule": "warmup_cosine", "peak": 2.0, "warmup_steps": 20},
            "clip_by_global_norm": 0.5,
        },
        "training": {"steps": 80, "solved_below": 0.3},
        "track": [],
    },
    "low-rank adapters": {
        "task": {"name": "blobs", "n": 24},
        "model": {"name": "lora", "widths": [6]},
        "initializer": {"name": "he_normal", "zero_layers": ["*.up"]},
        "training": {"steps": 40, "solved_below": 0.3, "frozen": ["*.base"]},
    },
}
