"""Consequences of zero weights in exact arithmetic: for layers and for single weights."""

import math

import numpy as np
import pandas as pd

from analysis.laws.evidence import Evidence
from analysis.laws.law import SAMPLE, cells_of, law, starts
from analysis.laws.oracle import FLAT_AT_ZERO, ZERO_AT_ZERO, backward, cross_entropy, forward, layers_of
from analysis.rows.load import Run
from bench.runs.networks import network
from bench.spec import Cell

ROUNDING = 1e-6
"""Rounding of sums of about a hundred numbers in float32."""
CANCELLED = 1e-6
"""Share of the terms of a gradient below which their sum is rounding: some units in the last place of float32."""


def weight_layers(cell: Cell) -> int:
    """Number of weight layers of a multilayer perceptron."""
    return len(cell.settings.model.options["widths"]) + 1


def zeroed_layers(cell: Cell) -> list[int]:
    """Indices of the weight layers that a cell's initializer sets to zero."""
    return network(cell).zeroed_layers(cell.settings.initializer)


def moving_layers(cell: Cell) -> list[int] | None:
    """The weight layers that gradient descent moves at its first step if some layers are zero and act(0) = 0; None if no layer is zero.

    With zero biases, everything behind a zero layer is 0. A later layer has no input to learn from, and no earlier one receives a gradient:
    a zero layer moves if it is the only one. The slope of a ReLU at 0 is 0, so it must then be the last layer.
    """
    zero = zeroed_layers(cell)
    if not zero:
        return None
    alone = len(zero) == 1
    if cell.settings.model.options["activation"] in FLAT_AT_ZERO:
        alone = alone and zero[0] == weight_layers(cell) - 1
    return [zero[0]] if alone else []


def _is_zero_at_zero(cell: Cell) -> bool:
    settings = cell.settings
    return (
        settings.model.name == "mlp"
        and settings.model.options["activation"] in ZERO_AT_ZERO
        and settings.initializer.bias_law == "zeros"
        and settings.initializer.bias_stddev == 0
        and settings.initializer.zero_fraction == 0
        and settings.initializer.random
        and bool(settings.initializer.zero_layers)
    )


@law()
def first_layer_to_move(run: Run, found: Evidence) -> None:
    """With act(0) = 0 and zero biases a single zero weight layer takes the whole first gradient, and with two or more no weight
    moves (ReLU: unless the zero layer is the last one): a share of 1 to rounding there, exactly 0 elsewhere."""
    for cell, rows in cells_of(run, _is_zero_at_zero):
        lanes = found.lanes(rows)
        moving = moving_layers(cell)
        assert moving is not None
        expected = np.array([float(layer in moving) for layer in range(weight_layers(cell))])
        shares = lanes.table([f"grad_share_{layer}_initial" for layer in range(weight_layers(cell))])
        lanes.facts((np.abs(shares - expected) <= ROUNDING * expected).all(axis=1))


@law()
def zero_layers(run: Run, found: Evidence) -> None:
    """With act(0) = 0 and zero biases a network with two or more zero weight layers (ReLU: or one that is not the last) keeps them
    all and stays a constant function, whose loss is at least the entropy of the labels; a single zero layer (ReLU: the last) does
    not stay zero."""
    floors: dict[str, pd.Series] = {}
    for cell, rows in cells_of(run, _is_zero_at_zero):
        # Cells of one task have the same data.
        task = repr(cell.settings.task)
        if task not in floors:
            floors[task] = label_entropy(run, cell, rows)
        lanes = found.lanes(rows)
        left = lanes["zero_layers_final"]
        if moving_layers(cell):
            lanes.facts(left == 0)
        else:
            floor = floors[task].loc[rows["data_seed"]].to_numpy()
            lanes.facts((left == len(zeroed_layers(cell))) & (lanes["loss_final"] >= floor - ROUNDING))


def label_entropy(run: Run, cell: Cell, rows: pd.DataFrame) -> pd.Series:
    """The least cross-entropy of a constant output on the training labels, by data seed."""
    rows = rows.drop_duplicates("data_seed")
    y = np.asarray(starts(run, cell, rows).data.y)
    shares = np.stack([(y == label).mean(axis=1) for label in np.unique(y)])
    return pd.Series(-np.sum(shares * np.log(np.where(shares > 0, shares, 1)), axis=0), rows["data_seed"].to_numpy())


@law()
def first_update(run: Run, found: Evidence) -> None:
    """After one step of gradient descent the share of single weights that are 0 is the share of those that were 0 and have a
    gradient of 0, by backpropagation in NumPy: a zero weight stays if and only if its gradient is 0. Where terms cancel to less than
    float32 can tell, either is right."""
    for cell, rows in cells_of(run, _is_one_plain_step):
        few = found.lanes(rows).sample(SAMPLE)
        start = starts(run, cell, few.rows)
        shares, bounds = few["zero_share_final"], np.zeros((len(few), 2))
        for i in range(len(few)):
            layers, activation = layers_of(start.params, i), cell.settings.model.options["activation"]
            passed = forward(layers, activation, start.data.x[i].astype(float))
            slopes = backward(layers, activation, passed, cross_entropy(passed.sums[-1], start.data.y[i])[1])
            # Each gradient, with the sum of the absolute values of its terms.
            terms = [(h.T @ slope, np.abs(h).T @ np.abs(slope)) for h, slope in zip(passed.inputs, slopes, strict=True)]
            zeros = [kernel == 0 for kernel, _ in layers]
            bounds[i] = [
                sum(int(np.sum(zero & (np.abs(g) <= share * size))) for zero, (g, size) in zip(zeros, terms, strict=True))
                for share in (0, CANCELLED)
            ]
        counts = np.round(shares * sum(math.prod(layer["kernel"].shape[1:]) for layer in start.params["layers"].values()))
        few.facts((bounds[:, 0] <= counts) & (counts <= bounds[:, 1]))


def _is_one_plain_step(cell: Cell) -> bool:
    settings = cell.settings
    return (
        settings.model.name == "mlp"
        and settings.optimizer.is_gradient_descent
        and settings.training.steps == 1
        and settings.training.batch_size == 0
        and settings.training.l2 == 0
    )
