"""What becomes of signals and gradients on their way through a network of random weights."""

from typing import Any

from analysis.laws.evidence import TESTS
from tests.laws.wrong import Misled, Wrong, stretched

PASSING: dict[str, Any] = {
    "task": {"name": "unit_input", "d": 32},
    "optimizer": {"name": "sgd", "learning_rate": 0.01},
    "training": {"steps": 1},
    "seeds": {"init": 400},
    "probes": ["signal_variance", "pre_activation_variance", "gradient_variance"],
    "track": [],
}

SETTINGS: dict[str, dict[str, Any]] = {
    "length_moments": {
        **PASSING,
        "model": {"name": "mlp", "widths": [32, 48], "activation": "relu"},
        "grid": {"initializer": ["he_normal", "glorot_uniform"]},
    },
    "glorot_variance": {
        **PASSING,
        "model": {"name": "mlp", "widths": [32, 32, 32], "activation": "identity"},
        "grid": {"initializer": ["glorot_standard", "glorot_uniform"]},
    },
    "edge_of_chaos": {
        **PASSING,
        "model": {"name": "mlp", "widths": [96, 96, 96], "activation": "tanh"},
        "initializer": {"name": "lecun_normal", "bias_stddev": 0.05**0.5},
        "grid": {"initializer.gain": [1.0, 2.0]},
    },
    "depth_scale": {
        **PASSING,
        "model": {"name": "mlp", "widths": [64] * 10, "activation": "tanh"},
        "task": {"name": "unit_input", "d": 64},
        "initializer": {"name": "lecun_normal", "bias_stddev": 0.05**0.5},
        "grid": {"initializer.gain": [1.0, 1.3270078]},  # the second one is critical: no decay to measure
    },
}

WRONG: dict[str, list[Wrong | Misled]] = {
    "length_moments": [stretched(TESTS, "signal_variance_1_initial")],
    "glorot_variance": [stretched(TESTS, "gradient_variance_0_initial")],
    "edge_of_chaos": [
        stretched("departure of a mean, relative to the allowed one,", "gradient_variance_0_initial"),
        Misled("difference of the critical s_w", "critical_weights", lambda found: found + 1.5e-5),
    ],
    "depth_scale": [stretched("relative difference of the depth", "gradient_variance_9_initial")],
}
