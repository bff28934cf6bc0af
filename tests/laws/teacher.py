"""Students and their teachers."""

from typing import Any

SETTINGS: dict[str, dict[str, Any]] = {
    "student_teacher": {
        "task": "student_teacher",
        "model": "student",
        "grid": {"task.k": [2, 5], "model.surplus": [0, 2]},
        "training": {"steps": 20, "dtype": "float64"},
        "probes": ["hidden_units"],
        "seeds": {"init": 60},
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
SETTINGS["recorded_units"] = SETTINGS["student_teacher"]

WRONG: dict[str, Any] = {
    "student_teacher": lambda rows: rows.assign(loss_initial=rows["loss_initial"] + 1e-9),
    "recorded_units": lambda rows: rows.assign(hidden_units_0_final=rows["hidden_units_0_final"] + 1e-3),
    "second_order_ends": lambda rows: rows.assign(hessian_min_final=-rows["hessian_min_final"]),
}
