"""Equal units, units that never move, and units that are almost equal."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, log_softmax, softmax

from analysis.laws.evidence import Evidence
from analysis.laws.law import SAMPLE, cells_of, law, starts
from analysis.rows.load import Run
from bench.models.activations import ZERO_AT_ZERO
from bench.runs.networks import BREAK, NOISE
from bench.spec import Cell

QUOTIENTS = SAMPLE // 4
"""Lanes per cell that a figure trains again in NumPy."""
REPEATED = SAMPLE // 4
"""Lanes per cell that are trained again with all their units."""
STILL_TIED = 1e-9
"""Units that end no further apart than this have not been separated by rounding."""
TIED = 0.5
"""Least share of the sampled lanes whose units have not been separated."""


@law()
def stuck_set(run: Run, found: Evidence) -> None:
    """From all-zero weights and biases, an activation function with act(0) = 0 (for a single neuron: a ReLU, whose slope at 0
    is 0) gives hidden weights a gradient of exactly 0: at the start, at the end, and their values stay 0."""
    for cell, rows in cells_of(run, _starts_in_the_stuck_set):
        lanes = found.lanes(rows)
        of_layers = ["hidden_grad_max_initial", "hidden_grad_max_final", "weight_norm_final", "tie_spread_final"]
        zeros = ["steps_run", "grad_norm_initial"] if cell.settings.model.name == "neuron" else of_layers
        lanes.facts((lanes.table(zeros) == 0).all(axis=1))


def _starts_in_the_stuck_set(cell: Cell) -> bool:
    initializer, model = cell.settings.initializer, cell.settings.model
    # Noise on the weights takes the gradient elsewhere.
    if initializer.name != "zeros" or initializer.bias_law != "zeros" or cell.settings.training.weight_noise > 0:
        return False
    activation = model.options.get("activation")
    return activation == "relu" if model.name == "neuron" else activation in ZERO_AT_ZERO - {"identity"}


@law()
def tied_units(run: Run, found: Evidence) -> None:
    """A network of smooth units that start equal trains as the network with one unit per layer and multiplied outgoing weights: final
    losses equal within 1e-9 in float64, against a NumPy loop, wherever rounding has not torn the units apart."""
    for cell, rows in cells_of(run, lambda cell: is_tied(cell) and cell.settings.training.dtype == "float64"):
        lanes = found.lanes(rows)
        tied = lanes.known("steps_run", "learning_rate", "loss_final") & (lanes["tie_spread_final"] < STILL_TIED)
        few = lanes.where(tied, TIED, SAMPLE)
        few.within("difference", np.abs(quotient_loss(run, cell, few.rows) - few["loss_final"]), 1e-9)


@law()
def same_order(run: Run, found: Evidence) -> None:
    """Units that start equal stay equal to the last bit if the same operations in the same order are done for each of them: trained again
    in NumPy, in the same precision and from the same data, whether or not their units came apart. Looked at first are those that did."""
    torn = 0
    for cell, rows in cells_of(run, is_tied):
        lanes = found.lanes(rows)
        known = lanes.known("steps_run", "learning_rate", "tie_spread_final")
        together = lanes["tie_spread_final"] <= BREAK
        # Each cell begins with another seed.
        places = np.roll(np.flatnonzero(known), -lanes.number * REPEATED)
        first = places[np.argsort(together[places], kind="stable")][:REPEATED]
        few = lanes.where(np.isin(np.arange(len(lanes)), first), 1.0, REPEATED)
        few.facts(_stays_equal(run, cell, few.rows))
        torn += int(np.sum(few["tie_spread_final"] > BREAK))
    found.note(f"units had come apart in {torn:,} of them")


@law(share=0.99)
def tie_growth(run: Run, found: Evidence) -> None:
    """While smooth units are almost equal, the difference of a unit from their mean is multiplied at each step by 1 - lr H, H being the
    second derivative of the loss along one unit of the one-unit network with the errors held fixed: that predicts the step at which
    the spread passes 1e-2, to 2 steps or 5%, in at least 99% of training runs."""
    for cell, rows in cells_of(run, _starts_almost_tied):
        lanes = found.lanes(rows)
        few = lanes.where(lanes.known("steps_run", "learning_rate") & (lanes["outcome"] != "diverged"), 1.0, SAMPLE)
        # A lane that ends with its units together is one whose tie would have broken later.
        predicted = np.minimum(predicted_break(run, cell, few.rows), few["steps_run"])
        measured = np.minimum(few["break_step"], few["steps_run"])
        few.facts(np.abs(predicted - measured) <= np.maximum(2, 0.05 * measured))


def _is_plain(cell: Cell) -> bool:
    """Whether a cell trains one hidden layer by full-batch gradient descent on cross-entropy, without noise."""
    settings = cell.settings
    training = settings.training
    return (
        settings.model.name == "mlp"
        and len(settings.model.options["widths"]) == 1
        and settings.model.options["bias"]
        and settings.model.options["dropout"] == 0
        and settings.model.options["activation"] in _SHAPES
        and (settings.optimizer.name, settings.optimizer.options) == ("sgd", {})
        and training.batch_size == 0
        and not training.freeze_zeros
        and all(getattr(training, noise) == 0 for noise in NOISE)
        and settings.task.options.get("loss") == "cross_entropy"
    )


def is_tied(cell: Cell) -> bool:
    """Whether the units of a cell's lanes start equal, and exact arithmetic keeps them so as `quotient_loss` has it."""
    initializer = cell.settings.initializer
    return (
        _is_plain(cell)
        and initializer.name in ("zeros", "constant")
        and initializer.zero_fraction in (0, 1)
        and not initializer.random
        and initializer.scheme is None
    )


def _starts_almost_tied(cell: Cell) -> bool:
    initializer = cell.settings.initializer
    return (
        _is_plain(cell)
        and initializer.name == "constant_noise"
        and 0 < initializer.options["eps"] <= BREAK / 10
        and cell.settings.training.dtype == "float64"
    )


class _Shape(NamedTuple):
    """An activation function with its first two derivatives."""

    value: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]
    curvature: Callable[[np.ndarray], np.ndarray]


def _logistic(z: np.ndarray) -> np.ndarray:
    return expit(z) * (1 - expit(z))


# Smooth ones: to pass a kink a bit earlier or later is no small difference, and one bit of rounding decides it.
_SHAPES = {
    "sigmoid": _Shape(expit, _logistic, lambda z: _logistic(z) * (1 - 2 * expit(z))),
    "softplus": _Shape(lambda z: np.logaddexp(0, z), expit, _logistic),
    "tanh": _Shape(np.tanh, lambda z: 1 - np.tanh(z) ** 2, lambda z: -2 * np.tanh(z) * (1 - np.tanh(z) ** 2)),
}


class _Units(NamedTuple):
    """Incoming weights, bias and outgoing weights (leading axes: lane, unit)."""

    w: np.ndarray
    b: np.ndarray
    v: np.ndarray


class _Quotient:
    """Per lane, one hidden unit that stands for `copies` equal ones, trained by gradient descent on the copies' own gradients."""

    def __init__(self, run: Run, cell: Cell, rows: pd.DataFrame) -> None:
        start = starts(run, cell, rows)
        first, last = start.params["layers"][0], start.params["layers"][1]
        # float64 from here on, whatever the lanes were trained in.
        w, b, v, self.c = (leaf.astype(float) for leaf in (first["kernel"], first["bias"], last["kernel"], last["bias"]))
        units = _Units(w.swapaxes(1, 2), b, v)
        self.unit = _Units(*(leaf.mean(axis=1) for leaf in units))
        self.differences = _Units(*(leaf - leaf.mean(axis=1, keepdims=True) for leaf in units))
        self.copies = w.shape[2]
        self.shape = _SHAPES[cell.settings.model.options["activation"]]
        self.rate = rows["learning_rate"].to_numpy(float)
        self.l2 = cell.settings.training.l2
        self.x = start.data.x.astype(float)
        # Integer classes as they are; probabilities of one output otherwise.
        self.y = start.data.y

    def loss_and_errors(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Loss (lane), its slope along the outputs (lane, example, output), and pre-activations (lane, example)."""
        w, b, v = self.unit
        z = np.einsum("lnd,ld->ln", self.x, w) + b[:, None]
        out = self.copies * self.shape.value(z)[:, :, None] * v[:, None] + self.c[:, None]
        n = out.shape[1]
        if self.y.ndim == 2:
            chosen = self.y[:, :, None] == np.arange(out.shape[2])
            loss = -np.sum(log_softmax(out, axis=2) * chosen, axis=(1, 2)) / n
            errors = (softmax(out, axis=2) - chosen) / n
        else:
            loss = np.mean(np.logaddexp(0, out) - self.y * out, axis=(1, 2))
            errors = (expit(out) - self.y) / n
        return loss + self.l2 / 2 * self.copies * (np.sum(w**2, axis=1) + np.sum(v**2, axis=1)), errors, z

    def grow(self, errors: np.ndarray, z: np.ndarray) -> None:
        """One step of the differences, to first order, before that of the unit; the errors do not react to them: they add up to 0."""
        (_, _, v), (dw, db, dv) = self.unit, self.differences
        rate = self.rate[:, None]
        pulled, slope = np.einsum("lnc,lc->ln", errors, v), self.shape.slope(z)
        dz = np.einsum("lnd,lhd->lnh", self.x, dw) + db[:, None]
        bent = np.einsum("lnc,lhc->lnh", errors, dv) * slope[:, :, None] + (pulled * self.shape.curvature(z))[:, :, None] * dz
        self.differences = _Units(
            dw - rate[:, :, None] * (np.einsum("lnh,lnd->lhd", bent, self.x) + self.l2 * dw),
            db - rate * bent.sum(axis=1),
            dv - rate[:, :, None] * (np.einsum("lnh,lnc->lhc", slope[:, :, None] * dz, errors) + self.l2 * dv),
        )

    def step(self, errors: np.ndarray, z: np.ndarray) -> None:
        """One step of the unit."""
        w, b, v = self.unit
        rate = self.rate[:, None]
        back = np.einsum("lnc,lc->ln", errors, v) * self.shape.slope(z)
        self.unit = _Units(
            w - rate * (np.einsum("ln,lnd->ld", back, self.x) + self.l2 * w),
            b - self.rate * back.sum(axis=1),
            v - rate * (np.einsum("ln,lnc->lc", self.shape.value(z), errors) + self.l2 * v),
        )
        self.c = self.c - rate * errors.sum(axis=1)


def _stays_equal(run: Run, cell: Cell, rows: pd.DataFrame) -> np.ndarray:
    """Whether all units of each lane end as one, trained by the same operations in the same order for each of them."""
    start = starts(run, cell, rows)
    # The lanes come last and the terms of a sum first, so that NumPy adds up term after term for all units alike.
    x, y = np.moveaxis(start.data.x, 0, 2), np.moveaxis(start.data.y, 0, -1)
    first, last = start.params["layers"][0], start.params["layers"][1]
    w, b, v, c = (np.moveaxis(leaf, 0, -1) for leaf in (first["kernel"], first["bias"], last["kernel"], last["bias"]))
    shape, steps = _SHAPES[cell.settings.model.options["activation"]], rows["steps_run"].to_numpy(int)
    rate, l2, n = rows["learning_rate"].to_numpy(w.dtype), w.dtype.type(cell.settings.training.l2), w.dtype.type(len(x))
    for step in range(steps.max(initial=0)):
        z = np.sum(x.swapaxes(0, 1)[:, :, None] * w[:, None], axis=0) + b
        hidden = shape.value(z)
        out = np.sum(hidden.swapaxes(0, 1)[:, :, None] * v[:, None], axis=0) + c
        errors = (softmax(out, axis=1) - (y[:, None] == np.arange(out.shape[1])[:, None]) if y.ndim == 2 else expit(out) - y) / n
        errors = errors.astype(w.dtype)
        back = np.sum(errors.swapaxes(0, 1)[:, :, None] * v.swapaxes(0, 1)[:, None], axis=0) * shape.slope(z)
        slopes = (
            np.sum(x[:, :, None] * back[:, None], axis=0) + l2 * w,
            np.sum(back, axis=0),
            np.sum(hidden[:, :, None] * errors[:, None], axis=0) + l2 * v,
            np.sum(errors, axis=0),
        )
        goes_on = rate * (step < steps)
        w, b, v, c = (leaf - goes_on * slope for leaf, slope in zip((w, b, v, c), slopes, strict=True))
    return np.all([np.all(leaf == leaf[..., :1, :], axis=tuple(range(leaf.ndim - 1))) for leaf in (w, b, v.swapaxes(0, 1))], axis=0)


def quotient_loss(run: Run, cell: Cell, rows: pd.DataFrame) -> np.ndarray:
    """Loss of the one-unit network of each lane after as many steps as the lane took."""
    quotient, steps = _Quotient(run, cell, rows), rows["steps_run"].to_numpy(int)
    found = np.full(len(rows), np.nan)
    for step in range(steps.max(initial=0) + 1):
        loss, errors, z = quotient.loss_and_errors()
        found = np.where(steps == step, loss, found)
        quotient.step(errors, z)
    return found


def predicted_break(run: Run, cell: Cell, rows: pd.DataFrame) -> np.ndarray:
    """First step at which the differences, grown as the linear law says, pass the spread that counts as broken; infinite if not yet."""
    quotient = _Quotient(run, cell, rows)
    found = np.full(len(rows), np.inf)
    for step in range(rows["steps_run"].to_numpy(int).max(initial=0) + 1):
        spread = np.max([np.abs(leaf).max(axis=tuple(range(1, leaf.ndim))) for leaf in quotient.differences], axis=0)
        found = np.where((spread > BREAK) & np.isinf(found), step, found)
        if not np.isinf(found).any():
            break
        _, errors, z = quotient.loss_and_errors()
        quotient.grow(errors, z)
        quotient.step(errors, z)
    return found
