"""Equal units, and units that never move."""

from collections.abc import Callable

import jax
import numpy as np
from scipy.special import expit, log_softmax, softmax

from analysis.load import Run
from analysis.theory.law import SAMPLE, cells_of, law, starts
from bench.models.activations import ZERO_AT_ZERO
from bench.spec import Cell


@law
def stuck_set(run: Run) -> tuple[bool, str, int]:
    """From all-zero weights and biases, an activation function with act(0) = 0 (for a single neuron: a ReLU, whose slope at 0
    is 0) gives hidden weights a gradient of exactly 0: at the start, at the end, and their values stay 0."""
    agree, n = 0, 0
    for cell, rows in cells_of(run, _starts_in_the_stuck_set):
        if cell.settings.model.name == "neuron":
            holds = (rows["steps_run"] == 0) & (rows["grad_norm_initial"] == 0)
        else:
            zeros = ("hidden_grad_max_initial", "hidden_grad_max_final", "weight_norm_final", "tie_spread_final")
            holds = (rows[list(zeros)] == 0).all(axis=1)
        agree, n = agree + int(holds.sum()), n + len(rows)
    return agree == n, f"{agree:,} of {n:,} lanes", n


def _starts_in_the_stuck_set(cell: Cell) -> bool:
    initializer, model = cell.settings.initializer, cell.settings.model
    if initializer.name != "zeros" or initializer.bias_law != "zeros":
        return False
    activation = model.options.get("activation")
    return activation == "relu" if model.name == "neuron" else activation in ZERO_AT_ZERO - {"identity"}


@law
def tied_units(run: Run) -> tuple[bool, str, int]:
    """A network that starts with equal units trains as the network with one unit per layer and multiplied outgoing weights: final
    losses equal within 1e-9 in float64, against a NumPy loop."""
    worst, n = 0.0, 0
    for cell, rows in cells_of(run, _is_tied_and_exact):
        rows = rows[rows["outcome"] != "diverged"].head(SAMPLE // 4)
        fixed, state = starts(run, cell, rows)
        for i in range(len(rows)):
            quotient = _Quotient(cell, jax.tree.map(lambda leaf, i=i: leaf[i], state.params))
            data = jax.tree.map(lambda leaf, i=i: leaf[i], fixed.data)
            loss = quotient.train(data.x, data.y, rows["learning_rate"].iloc[i], int(rows["steps_run"].iloc[i]))
            worst = max(worst, abs(loss - rows["loss_final"].iloc[i]))
            n += 1
    return worst < 1e-9, f"largest difference {worst:.1e}", n


def _is_tied_and_exact(cell: Cell) -> bool:
    settings = cell.settings
    return (
        settings.model.name == "mlp"
        and len(settings.model.options["widths"]) == 1
        and not settings.initializer.random
        and settings.training.dtype == "float64"
        and settings.optimizer.name == "sgd"
        and settings.task.options["loss"] == "cross_entropy"
        and settings.model.options["activation"] in _SLOPES
    )


_SLOPES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "sigmoid": (expit, lambda z: expit(z) * (1 - expit(z))),
    "softplus": (lambda z: np.logaddexp(0, z), expit),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
}


class _Quotient:
    """One hidden unit that stands for `copies` equal ones, trained by gradient descent on the copies' own gradients."""

    def __init__(self, cell: Cell, params: dict) -> None:
        first, last = params["layers"][0], params["layers"][1]
        self.copies = first["kernel"].shape[1]
        self.w, self.b = first["kernel"][:, 0], first["bias"][0]
        self.v, self.c = last["kernel"][0], last["bias"]
        self.act, self.slope = _SLOPES[cell.settings.model.options["activation"]]

    def train(self, x: np.ndarray, y: np.ndarray, rate: float, steps: int) -> float:
        """Cross-entropy after so many steps; y are integer classes, or probabilities for one output."""
        n = len(x)
        for step in range(steps + 1):
            z = x @ self.w + self.b
            unit = self.act(z)
            out = self.copies * unit[:, None] * self.v + self.c
            if y.ndim == 1:
                loss = -np.mean(log_softmax(out, axis=1)[np.arange(n), y])
                error = (softmax(out, axis=1) - np.eye(out.shape[1])[y]) / n
            else:
                loss = np.mean(np.logaddexp(0, out) - y * out)
                error = (expit(out) - y) / n
            if step == steps:
                break
            back = (error @ self.v) * self.slope(z)
            self.w = self.w - rate * x.T @ back
            self.b = self.b - rate * back.sum()
            self.v, self.c = self.v - rate * unit @ error, self.c - rate * error.sum(axis=0)
        return float(loss)
