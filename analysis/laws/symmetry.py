"""Units that stay equal, never move, or are almost equal."""

import numpy as np
import pandas as pd
from scipy.special import expit, softmax

from analysis.laws.evidence import Evidence
from analysis.laws.law import SAMPLE, cells_of, law, starts
from analysis.laws.oracle import ACTIVATIONS, FLAT_AT_ZERO, ZERO_AT_ZERO, function_of
from analysis.laws.quotient import predicted_break, quotient_loss
from analysis.rows.load import Run
from bench.runs.networks import BREAK, NOISE
from bench.spec import Cell

REPEATED = SAMPLE // 4
"""Number of lanes per cell that are trained again with all their units."""
STILL_TIED = 1e-9
"""Largest spread of final units that rounding has not separated."""
TIED = 0.5
"""Least share of the sampled lanes whose units must not have been separated."""
SMOOTH = frozenset(name for name, activation in ACTIVATIONS.items() if activation.curvature is not None)
"""Activation functions without a kink: at a kink one bit of rounding makes a large difference."""


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
    # Noise on the weights moves the point at which the gradient is taken.
    if initializer.name != "zeros" or initializer.bias_law != "zeros" or cell.settings.training.weight_noise > 0:
        return False
    activation = model.options.get("activation")
    return activation in FLAT_AT_ZERO if model.name == "neuron" else activation in ZERO_AT_ZERO - {"identity"}


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
        # The samples of different cells begin with different seeds.
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
        # If a lane ends with its units together, its tie would have broken later.
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
        and settings.model.options["activation"] in SMOOTH
        and settings.optimizer.is_gradient_descent
        and training.batch_size == 0
        and not training.freeze_zeros
        and all(getattr(training, noise) == 0 for noise in NOISE)
        and settings.task.options.get("loss") == "cross_entropy"
    )


def is_tied(cell: Cell) -> bool:
    """Whether the units of the lanes of a cell start equal, and stay so in exact arithmetic."""
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


def _stays_equal(run: Run, cell: Cell, rows: pd.DataFrame) -> np.ndarray:
    """Whether all units of each lane end equal if they are trained by the same operations in the same order.

    The order of the operations is the purpose of this loop: every unit gets the same sums, term by term. It is not written with
    `analysis.laws.oracle`, which takes matrix products: BLAS may add the terms of a product in another order for one unit than for the
    next, and a last bit would then separate units that start equal.
    """
    start = starts(run, cell, rows)
    # With the lanes last, `einsum` adds the terms of a sum in the same order for all units: it takes no other path unless it is told to.
    first, last = start.params["layers"][0], start.params["layers"][1]
    leaves = (start.data.x, start.data.y, first["kernel"], first["bias"], last["kernel"], last["bias"])
    x, y, w, b, v, c = (np.ascontiguousarray(np.moveaxis(leaf, 0, -1)) for leaf in leaves)
    shape, steps = function_of(cell.settings.model.options["activation"]), rows["steps_run"].to_numpy(int)
    rate, l2, n = rows["learning_rate"].to_numpy(w.dtype), w.dtype.type(cell.settings.training.l2), w.dtype.type(len(x))
    for step in range(steps.max(initial=0)):
        z = np.einsum("nil,ihl->nhl", x, w) + b
        hidden = shape.value(z)
        out = np.einsum("nhl,hol->nol", hidden, v) + c
        errors = (softmax(out, axis=1) - (y[:, None] == np.arange(out.shape[1])[:, None]) if y.ndim == 2 else expit(out) - y) / n
        errors = errors.astype(w.dtype)
        back = np.einsum("nol,hol->nhl", errors, v) * shape.slope(z)
        slopes = (
            np.einsum("nil,nhl->ihl", x, back) + l2 * w,
            np.sum(back, axis=0),
            np.einsum("nhl,nol->hol", hidden, errors) + l2 * v,
            np.sum(errors, axis=0),
        )
        goes_on = rate * (step < steps)
        w, b, v, c = (leaf - goes_on * slope for leaf, slope in zip((w, b, v, c), slopes, strict=True))
    return np.all([np.all(leaf == leaf[..., :1, :], axis=tuple(range(leaf.ndim - 1))) for leaf in (w, b, v.swapaxes(0, 1))], axis=0)
