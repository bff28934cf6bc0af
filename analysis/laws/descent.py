"""Training itself, done again without the engine."""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, log_softmax, softmax

from analysis.laws.evidence import Evidence
from analysis.laws.law import cells_of, law, starts
from analysis.rows.load import Run
from bench.spec import Cell

LANES = 10
"""Lanes per network that are trained again."""

SLOPES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "tanh": (np.tanh, lambda h: 1 - h**2),
    "relu": (lambda z: z * (z > 0), lambda h: (h > 0).astype(float)),
    "sigmoid": (expit, lambda h: h * (1 - h)),
}
"""Activation functions, and their slopes as functions of the activation."""


@law()
def momentum_descent(run: Run, found: Evidence) -> None:
    """Gradient descent with momentum is that of a NumPy loop with backpropagation by hand: the final loss of each of ten training
    runs of each network, from weights of gain 1 at the lowest learning rate, differs by at most 1e-4. (Rounding grows at the kinks of
    ReLU.)"""
    lowest = min(cell.settings.optimizer.rate for cell in run.experiment.cells)
    for cell, rows in cells_of(run, lambda cell: _is_plain(cell) and cell.settings.optimizer.rate == lowest):
        few = found.lanes(rows).sample(LANES)
        few = few.where(few.known("steps_run", "loss_final"), 1.0)
        start = starts(run, cell, few.rows)
        layers = [start.params["layers"][key] for key in sorted(start.params["layers"])]
        losses = np.zeros(len(few))
        for lane, steps in enumerate(few["steps_run"]):
            weights = [(layer["kernel"][lane].astype(float), layer["bias"][lane].astype(float)) for layer in layers]
            losses[lane] = trained(cell, weights, start.data.x[lane].astype(float), start.data.y[lane], int(steps))
        few.within("difference of a loss", np.abs(losses - few["loss_final"]), 1e-4)


def trained(cell: Cell, layers: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray, y: np.ndarray, steps: int) -> float:
    """Cross-entropy of integer classes `y` after so many steps of all examples."""
    act, slope = SLOPES[cell.settings.model.options["activation"]]
    rate, momentum = cell.settings.optimizer.rate, cell.settings.optimizer.options["momentum"]
    speeds = [(np.zeros_like(w), np.zeros_like(b)) for w, b in layers]
    for step in range(steps + 1):
        hidden = [x]
        for w, b in layers[:-1]:
            hidden.append(act(hidden[-1] @ w + b))
        output = hidden[-1] @ layers[-1][0] + layers[-1][1]
        if step == steps:
            break
        back = (softmax(output, axis=1) - np.eye(output.shape[1])[y]) / len(x)
        gradients = []
        for (w, _), h in zip(layers[::-1], hidden[::-1], strict=True):
            gradients.append((h.T @ back, back.sum(axis=0)))
            back = back @ w.T * slope(h)
        speeds = [(momentum * u + g, momentum * v + h) for (u, v), (g, h) in zip(speeds, gradients[::-1], strict=True)]
        layers = [(w - rate * u, b - rate * v) for (w, b), (u, v) in zip(layers, speeds, strict=True)]
    return float(-np.mean(log_softmax(output, axis=1)[np.arange(len(y)), y]))


def _is_plain(cell: Cell) -> bool:
    settings = cell.settings
    return (
        settings.model.name == "mlp"
        and settings.model.options["activation"] in SLOPES
        and settings.model.options["bias"]
        and settings.model.options["dropout"] == 0
        and settings.initializer.gain == 1
        and settings.optimizer.name == "sgd"
        and set(settings.optimizer.options) == {"momentum"}
        and settings.training.batch_size == 0
        and settings.training.l2 == 0
        and settings.training.label_noise == settings.training.weight_noise == settings.training.dropconnect == 0
        and settings.task.options.get("loss") == "cross_entropy"
        and not settings.training.freeze_zeros
    )
