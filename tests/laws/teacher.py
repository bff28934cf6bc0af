"""Students and their teachers."""

from typing import Any

from analysis.laws.evidence import TESTS
from tests.laws.wrong import Misled, Wrong, shifted, stretched

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
}
SETTINGS["recorded_units"] = {**SETTINGS["student_teacher"], "grid": {"task.k": [2]}, "seeds": {"init": 10}}

WRONG: dict[str, list[Wrong | Misled]] = {
    "student_teacher": [
        shifted("difference from the integral", "loss_initial", 1e-10),
        stretched(TESTS, "loss_initial"),
    ],
    "recorded_units": [shifted("difference", "loss_final", 1e-6)],
}
