"""Linear and logistic regression."""

from typing import Any

import numpy as np

SETTINGS: dict[str, dict[str, Any]] = {
    "ols_steps": {
        "task": {"name": "regression", "excess": True},
        "model": "linear",
        "grid": {"initializer": ["zeros", "normal"]},
        "optimizer": {"name": "sgd", "learning_rate": "1/curvature"},
        "training": {"steps": 20_000, "solved_below": 1e-8, "dtype": "float64"},
        "seeds": {"init": 40, "data": "paired"},
        "track": [],
    },
    "logistic_optimum": {
        "model": "linear",
        "task": {"name": "classification", "n": 32, "flip": 0.1},
        "initializer": "normal",
        "optimizer": {"name": "sgd", "learning_rate": 1.0},
        "training": {"steps": 4000, "dtype": "float64", "l2": 0.01},
        "seeds": {"init": 20, "data": "paired"},
        "track": [],
    },
}
SETTINGS["least_squares_floor"] = SETTINGS["ols_steps"]
SETTINGS["separability"] = SETTINGS["logistic_optimum"]

WRONG: dict[str, Any] = {
    "ols_steps": lambda rows: rows.assign(steps_to_solve=rows["steps_to_solve"] + (np.arange(len(rows)) == 7)),
    "logistic_optimum": lambda rows: rows.assign(loss_final=rows["loss_final"] + 1e-5),
}
