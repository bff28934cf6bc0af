"""Students and their teachers."""

from typing import Any

from analysis.laws.evidence import TESTS
from tests.laws.wrong import Misled, Wrong, exact, shifted, stretched

SETTINGS: dict[str, dict[str, Any]] = {
    "student_teacher": {
        "task": "student_teacher",
        "model": "student",
        "grid": {"task.k": [2, 5], "model.surplus": [0, 2]},
        "training": {"steps": 20, "dtype": "float64"},
        "probes": ["hidden_units"],
        "seeds": {"init": 20},
        "track": [],
    },
    "second_order_ends": {
        "task": {"name": "student_teacher", "k": 8},
        "model": "student",
        "optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9},
        "training": {"steps": 2000, "dtype": "float64", "solved_below": 1e-6},
        "probes": ["hessian_min", "hessian_max", "hessian_index"],
        "seeds": {"init": 40},
        "track": [],
    },
}
SETTINGS["recorded_units"] = {**SETTINGS["student_teacher"], "grid": {"task.k": [2]}, "seeds": {"init": 10}}

WRONG: dict[str, list[Wrong | Misled]] = {
    "student_teacher": [
        shifted("difference from the integral", "loss_initial", 1e-10),
        stretched(TESTS, "loss_initial"),
    ],
    "recorded_units": [shifted("difference", "loss_final", 1e-6)],
    "second_order_ends": [
        exact("hessian_min_final", 0.0, among=lambda rows: rows["outcome"] == "unsolved"),
        exact("grad_norm_final", 1.5e-6, among=lambda rows: rows["outcome"] == "unsolved"),
    ],
}
