"""The size of initial weights, from the definitions of the initializers."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import stats

from analysis.laws.evidence import Evidence
from analysis.laws.law import cells_of, law
from analysis.laws.oracle import gain
from analysis.rows.load import Run
from bench.runs.networks import task_of
from bench.spec import Cell

ROUNDING = 1e-4
"""Relative error of a squared norm that counts as rounding."""
WITHOUT_CHANCE = ("constant", "idinit", "identity", "orthogonal", "zero_hadamard")
"""Initializers whose weights have the same norm in every draw."""

Options = dict[str, Any]


def _copied(fan_in: int, fan_out: int) -> float:
    return min(fan_in, fan_out) / (fan_in * fan_out)


FANS: dict[str, Callable[[int, int], float]] = {
    "fan_in": lambda fan_in, fan_out: fan_in,
    "fan_out": lambda fan_in, fan_out: fan_out,
    "fan_avg": lambda fan_in, fan_out: float(np.mean([fan_in, fan_out])),
    "fan_geo_avg": lambda fan_in, fan_out: float(stats.gmean([fan_in, fan_out])),
}
"""The divisors of the modes of `variance_scaling`."""

MEAN_SQUARES: dict[str, Callable[[Options, int, int], float]] = {
    "lecun": lambda options, fan_in, fan_out: 1 / fan_in,
    "he": lambda options, fan_in, fan_out: 2 / fan_in,
    "glorot": lambda options, fan_in, fan_out: 2 / (fan_in + fan_out),
    "keras_default": lambda options, fan_in, fan_out: 2 / (fan_in + fan_out),
    "glorot_standard": lambda options, fan_in, fan_out: 1 / (3 * fan_in),
    "pytorch_default": lambda options, fan_in, fan_out: 1 / (3 * fan_in),
    "flax_default": lambda options, fan_in, fan_out: 1 / fan_in,
    "variance_scaling": lambda options, fan_in, fan_out: options["scale"] / FANS[options["mode"]](fan_in, fan_out),
    "small_init": lambda options, fan_in, fan_out: 2 / (5 * min(fan_in, fan_out)),
    "truncated_normal": lambda options, fan_in, fan_out: options["stddev"] ** 2 * stats.truncnorm(-2, 2).var(),
    "normal": lambda options, fan_in, fan_out: options["stddev"] ** 2,
    "uniform": lambda options, fan_in, fan_out: options["limit"] ** 2 / 3,
    "sparse": lambda options, fan_in, fan_out: min(options["connections"] / fan_in, 1) * options["stddev"] ** 2,
    "orthogonal": lambda options, fan_in, fan_out: options["scale"] ** 2 * _copied(fan_in, fan_out),
    "identity": lambda options, fan_in, fan_out: _copied(fan_in, fan_out),
    "zero_hadamard": lambda options, fan_in, fan_out: (
        _copied(fan_in, fan_out) if fan_out <= fan_in else 2.0 ** -math.ceil(math.log2(fan_out))
    ),
    "idinit": lambda options, fan_in, fan_out: options["scale"] ** 2 / min(fan_in, fan_out),
    "constant": lambda options, fan_in, fan_out: options["value"] ** 2,
}
"""Expected square of a weight, averaged over a fully connected layer, by initializer without `_normal` and `_uniform`."""


def law_of(name: str) -> str:
    """The name in `MEAN_SQUARES` of an initializer, which need not be there."""
    return name if name in MEAN_SQUARES else name.removesuffix("_normal").removesuffix("_uniform")


def weight_variances(cell: Cell) -> list[float]:
    """Expected square of a weight of each layer of a multilayer perceptron, with its gain."""
    initializer = cell.settings.initializer
    of_fans = MEAN_SQUARES[law_of(initializer.name)]
    size = gain(cell.settings.model.options["activation"]) if initializer.gain == "auto" else initializer.gain
    return [size**2 * of_fans(initializer.options, *fans) for fans in layer_sizes(cell)]


def layer_sizes(cell: Cell) -> list[tuple[int, int]]:
    """Fan-in and fan-out of each weight layer of a multilayer perceptron."""
    task = task_of(cell)
    return list(pairwise((task.inputs, *cell.settings.model.options["widths"], task.outputs)))


@law()
def weight_norms(run: Run, found: Evidence) -> None:
    """The squared norm of a network's initial weights is the sum over its layers of fan-in x fan-out x the variance in the initializer's
    definition: exactly (to 1e-4) for weights without randomness or with orthonormal columns, and on average over training runs for others:
    t-tests, jointly at the 1% level (Holm). Initial weights that a scheme has scaled to the data are left out."""
    for cell, rows in cells_of(run, _as_drawn):
        expected = sum(math.prod(fans) * square for fans, square in zip(layer_sizes(cell), weight_variances(cell), strict=True))
        lanes = found.lanes(rows)
        ratio = lanes["weight_norm_initial"] ** 2 / expected
        if law_of(cell.settings.initializer.name) in WITHOUT_CHANCE:
            lanes.within("relative error of those without chance", np.abs(ratio - 1), ROUNDING)
        else:
            lanes.tests([stats.ttest_1samp(ratio, 1).pvalue])


def _as_drawn(cell: Cell) -> bool:
    initializer = cell.settings.initializer
    changed = initializer.scheme or initializer.zero_layers or initializer.zero_fraction or initializer.first_layer_offset
    return cell.settings.model.name == "mlp" and law_of(initializer.name) in MEAN_SQUARES and not changed
