"""The one-unit network that a network of equal units is in exact arithmetic."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.laws.law import SAMPLE, starts
from analysis.laws.oracle import Forward, Layers, backward, cross_entropy, forward, function_of
from analysis.rows.load import Run
from bench.probes.symmetry import BREAK
from bench.spec import Cell

QUOTIENTS = SAMPLE // 4
"""Number of lanes per cell that a figure trains again in NumPy."""


class Units(NamedTuple):
    """Incoming weights, bias and outgoing weights (leading axes: lane, unit)."""

    w: np.ndarray
    b: np.ndarray
    v: np.ndarray


class Quotient:
    """One hidden unit per lane that stands for `copies` equal ones, trained by gradient descent on the gradient of one copy.

    Small differences of the units from their mean are followed beside it, to first order.
    """

    def __init__(self, run: Run, cell: Cell, rows: pd.DataFrame) -> None:
        start = starts(run, cell, rows)
        first, last = start.params["layers"][0], start.params["layers"][1]
        # float64 from here on, whatever precision the lanes were trained in.
        w, b, v, self.c = (leaf.astype(float) for leaf in (first["kernel"], first["bias"], last["kernel"], last["bias"]))
        units = Units(w.swapaxes(1, 2), b, v)
        self.unit = Units(*(leaf.mean(axis=1) for leaf in units))
        self.differences = Units(*(leaf - leaf.mean(axis=1, keepdims=True) for leaf in units))
        self.copies = w.shape[2]
        self.activation = cell.settings.model.options["activation"]
        self.rate = rows["learning_rate"].to_numpy(float)[:, None]
        self.l2 = cell.settings.training.l2
        self.x = start.data.x.astype(float)
        self.y = start.data.y

    @property
    def layers(self) -> Layers:
        """The network of one hidden unit, whose outgoing weights are those of all copies."""
        w, b, v = self.unit
        return [(w[:, :, None], b[:, None]), (self.copies * v[:, None], self.c)]

    def evaluate(self) -> tuple[np.ndarray, np.ndarray, Forward]:
        """Loss (lane), its slope along the outputs (lane, example, output), and the forward pass."""
        passed = forward(self.layers, self.activation, self.x)
        loss, errors = cross_entropy(passed.sums[-1], self.y)
        w, _, v = self.unit
        return loss + self.l2 / 2 * self.copies * (np.sum(w**2, axis=1) + np.sum(v**2, axis=1)), errors, passed

    def grow(self, errors: np.ndarray, passed: Forward) -> None:
        """One step of the differences, to first order, before that of the unit; they add up to 0, so the outputs do not change."""
        (_, _, v), (dw, db, dv) = self.unit, self.differences
        shape, z = function_of(self.activation), passed.sums[0][:, :, 0]
        assert shape.curvature is not None
        pulled, slope = np.einsum("lnc,lc->ln", errors, v), shape.slope(z)
        dz = np.einsum("lnd,lhd->lnh", self.x, dw) + db[:, None]
        bent = np.einsum("lnc,lhc->lnh", errors, dv) * slope[:, :, None] + (pulled * shape.curvature(z))[:, :, None] * dz
        rate = self.rate[:, :, None]
        self.differences = Units(
            dw - rate * (np.einsum("lnh,lnd->lhd", bent, self.x) + self.l2 * dw),
            db - self.rate * bent.sum(axis=1),
            dv - rate * (np.einsum("lnh,lnc->lhc", slope[:, :, None] * dz, errors) + self.l2 * dv),
        )

    def step(self, errors: np.ndarray, passed: Forward) -> None:
        """One step of the unit."""
        (w, b, v), rate = self.unit, self.rate
        hidden, _ = backward(self.layers, self.activation, passed, errors)
        # The slope along one copy's pre-activation.
        back = hidden[:, :, 0] / self.copies
        self.unit = Units(
            w - rate * (np.einsum("ln,lnd->ld", back, self.x) + self.l2 * w),
            b - rate[:, 0] * back.sum(axis=1),
            v - rate * (np.einsum("ln,lnc->lc", passed.inputs[1][:, :, 0], errors) + self.l2 * v),
        )
        self.c = self.c - rate * errors.sum(axis=1)


def quotient_loss(run: Run, cell: Cell, rows: pd.DataFrame) -> np.ndarray:
    """Loss of the one-unit network of each lane after as many steps as the lane took."""
    quotient, steps = Quotient(run, cell, rows), rows["steps_run"].to_numpy(int)
    found = np.full(len(rows), np.nan)
    for step in range(steps.max(initial=0) + 1):
        loss, errors, passed = quotient.evaluate()
        found = np.where(steps == step, loss, found)
        quotient.step(errors, passed)
    return found


def predicted_break(run: Run, cell: Cell, rows: pd.DataFrame) -> np.ndarray:
    """First step at which the differences pass the spread that counts as broken, by their linear growth; infinite if they never do."""
    quotient = Quotient(run, cell, rows)
    found = np.full(len(rows), np.inf)
    for step in range(rows["steps_run"].to_numpy(int).max(initial=0) + 1):
        spread = np.max([np.abs(leaf).max(axis=tuple(range(1, leaf.ndim))) for leaf in quotient.differences], axis=0)
        found = np.where((spread > BREAK) & np.isinf(found), step, found)
        if not np.isinf(found).any():
            break
        _, errors, passed = quotient.evaluate()
        quotient.grow(errors, passed)
        quotient.step(errors, passed)
    return found
