"""How large initial weights are, from the initializers' definitions."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import stats

from analysis.load import Run
from analysis.theory.law import cells_of, jointly, law, within
from bench.engine.program import problem
from bench.spec import Cell, InitializerSpec

ROUNDING = 1e-4


Options = dict[str, Any]


def _copied(fan_in: int, fan_out: int) -> float:
    return min(fan_in, fan_out) / (fan_in * fan_out)


MEAN_SQUARES: dict[str, Callable[[Options, int, int], float]] = {
    "lecun": lambda options, fan_in, fan_out: 1 / fan_in,
    "he": lambda options, fan_in, fan_out: 2 / fan_in,
    "glorot": lambda options, fan_in, fan_out: 2 / (fan_in + fan_out),
    "keras_default": lambda options, fan_in, fan_out: 2 / (fan_in + fan_out),
    "glorot_standard": lambda options, fan_in, fan_out: 1 / (3 * fan_in),
    "pytorch_default": lambda options, fan_in, fan_out: 1 / (3 * fan_in),
    "normal": lambda options, fan_in, fan_out: options["stddev"] ** 2,
    "uniform": lambda options, fan_in, fan_out: options["limit"] ** 2 / 3,
    "sparse": lambda options, fan_in, fan_out: min(options["connections"] / fan_in, 1) * options["stddev"] ** 2,
    "orthogonal": lambda options, fan_in, fan_out: options["scale"] ** 2 * _copied(fan_in, fan_out),
    "identity": lambda options, fan_in, fan_out: _copied(fan_in, fan_out),
    "zero_hadamard": lambda options, fan_in, fan_out: (
        _copied(fan_in, fan_out) if fan_out <= fan_in else 2.0 ** -math.ceil(math.log2(fan_out))
    ),
    "constant": lambda options, fan_in, fan_out: options["value"] ** 2,
}
"""Expected square of a weight, the mean over a fully connected layer, by initializer; `_normal` and `_uniform` laws have the same."""


def _law_of(initializer: InitializerSpec) -> str:
    name = initializer.name
    return name if name in MEAN_SQUARES else name.removesuffix("_normal").removesuffix("_uniform")


def weight_variances(cell: Cell) -> list[float]:
    """Expected square of a weight of each layer of a multilayer perceptron, gain included."""
    initializer = cell.settings.initializer
    of_fans = MEAN_SQUARES[_law_of(initializer)]
    return [initializer.gain**2 * of_fans(initializer.options, *fans) for fans in layer_sizes(cell)]


def layer_sizes(cell: Cell) -> list[tuple[int, int]]:
    """Fan-in and fan-out of each weight layer of a multilayer perceptron."""
    task = problem(cell.settings.task)
    return list(pairwise((task.inputs, *cell.settings.model.options["widths"], task.outputs)))


@law
def weight_norms(run: Run) -> tuple[bool, str, int]:
    """The squared norm of a network's initial weights is the sum over its layers of fan-in x fan-out x the variance in the initializer's
    definition: exactly (to 1e-4) for weights without randomness or with orthonormal columns, and on average over lanes for others: t-tests,
    jointly at the 1% level (Holm). Initial weights that a scheme has scaled to the data are left out."""
    p_values, worst, n = [], 0.0, 0
    for cell, rows in cells_of(run, _as_drawn):
        expected = sum(math.prod(fans) * square for fans, square in zip(layer_sizes(cell), weight_variances(cell), strict=True))
        ratio = rows["weight_norm_initial"].to_numpy(float) ** 2 / expected
        if np.ptp(ratio) < ROUNDING:
            worst = max(worst, float(np.max(np.abs(ratio - 1))))
        else:
            p_values.append(stats.ttest_1samp(ratio, 1).pvalue)
        n += len(rows)
    holds, text = jointly(p_values)
    close, difference = within(worst, ROUNDING)
    return holds and close, f"{text}; largest relative error of those without chance {difference}", n


def _as_drawn(cell: Cell) -> bool:
    initializer = cell.settings.initializer
    changed = initializer.scheme or initializer.zero_layers or initializer.zero_fraction or initializer.first_layer_offset
    return cell.settings.model.name == "mlp" and _law_of(initializer) in MEAN_SQUARES and not changed
