"""The best that equal units can do: the optimum of the network with one unit."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from analysis.laws.evidence import Evidence
from analysis.laws.law import SAMPLE, cells_of, law, starts
from analysis.laws.oracle import Layers, cross_entropy, forward, gradients
from analysis.laws.symmetry import STILL_TIED, TIED, is_tied
from analysis.rows.load import Run
from bench.spec import Cell

SAMPLED = SAMPLE // 4
"""Training runs per cell whose one-unit network is optimized."""
STARTS = 12
"""Random starts from which it is."""
REACHED = 1e-6
"""Nats by which a loss may have been missed."""


@law()
def one_unit_optimum(run: Run, found: Evidence) -> None:
    """A network of one hidden layer whose units start equal ends at no less than the least loss of the network with one unit, which SciPy
    looks for from 12 random starts, to 1e-6 nats, wherever rounding has not torn the units apart."""
    for cell, rows in cells_of(run, _can_be_one_unit):
        lanes = found.lanes(rows)
        tied = lanes.known("loss_final") & (lanes["tie_spread_final"] < STILL_TIED)
        few = lanes.where(tied, TIED, SAMPLED)
        start = starts(run, cell, few.rows)
        activation = cell.settings.model.options["activation"]
        ends = zip(start.data.x, start.data.y, few["loss_final"], strict=True)
        few.facts(np.array([_is_reached(x, y, activation, loss) for x, y, loss in ends], bool))


def _can_be_one_unit(cell: Cell) -> bool:
    settings = cell.settings
    return is_tied(cell) and settings.training.dtype == "float64" and settings.training.l2 == 0 and settings.task.options.get("n", 0) > 0


def _is_reached(x: Float[np.ndarray, "example input"], y: np.ndarray, activation: str, reached: float) -> bool:
    """Whether a network with one hidden unit gets to a cross-entropy, but for `REACHED`, from one of several random starts."""
    inputs, outputs = x.shape[1], 1 if y.ndim > 1 else int(y.max()) + 1

    def layers(flat: np.ndarray) -> Layers:
        w, b, v, c = np.split(flat, [inputs, inputs + 1, inputs + 1 + outputs])
        return [(w[:, None], b), (v[None], c)]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        network = layers(flat)
        passed = forward(network, activation, x)
        value, errors = cross_entropy(passed.sums[-1], y)
        return float(value), np.concatenate([part.ravel() for layer in gradients(network, activation, passed, errors) for part in layer])

    rng = np.random.default_rng(0)
    begun = rng.normal(scale=2.0, size=(STARTS, inputs + 1 + 2 * outputs))
    # The last starts are not needed where an earlier one gets there.
    return any(minimize(loss, one, jac=True, method="L-BFGS-B", options={"maxiter": 2000}).fun <= reached + REACHED for one in begun)
