"""Linear and logistic regression."""

from typing import Any

import numpy as np

from analysis.laws.evidence import FACTS
from bench.runs.starts import Start
from tests.laws.wrong import Misled, Wrong, exact, scaled, shifted

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
        "probes": ["weight_norm"],
        "seeds": {"init": 20, "data": "paired"},
        "track": [],
    },
}
SETTINGS["least_squares_floor"] = SETTINGS["ols_steps"]
SETTINGS["logistic_floor"] = {
    **SETTINGS["logistic_optimum"],
    "task": {"name": "classification", "n": 32, "flip": 0.1, "excess": True},
    "training": {"steps": 10, "dtype": "float64"},
}
SETTINGS["separability"] = SETTINGS["logistic_optimum"]


def _higher_floor(found: Start) -> Start:
    floor = found.data.floor
    return found._replace(data=found.data._replace(floor=floor * np.where(np.arange(len(floor)) == 3, 1 + 1.5e-9, 1)))


def _higher_logistic_floor(found: Start) -> Start:
    floor = found.data.floor
    return found._replace(data=found.data._replace(floor=floor + np.where(np.arange(len(floor)) == 3, 1.5e-8, 0)))


def _one_class(found: Start) -> Start:
    y = found.data.y.copy()
    y[3] = 1
    return found._replace(data=found.data._replace(y=y))


WRONG: dict[str, list[Wrong | Misled]] = {
    "ols_steps": [exact("steps_to_solve", lambda steps: steps + 1)],
    "least_squares_floor": [Misled("relative difference", "starts", _higher_floor)],
    "logistic_floor": [Misled("difference of a loss", "starts", _higher_logistic_floor), Misled(FACTS, "_separable", lambda found: True)],
    "separability": [Misled(FACTS, "starts", _one_class)],
    "logistic_optimum": [
        shifted("difference of a loss", "loss_final", 1e-6),
        scaled("relative difference of a norm", "weight_norm_final", 0.01),
    ],
}
