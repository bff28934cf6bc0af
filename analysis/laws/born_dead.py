"""Networks of rectifiers that are dead at the start."""

import numpy as np
from scipy import stats

from analysis.laws.evidence import Evidence
from analysis.laws.law import cells_of, law
from analysis.rows.load import Run
from bench.spec import Cell

SYMMETRIC = (
    "normal",
    "uniform",
    "lecun_normal",
    "lecun_uniform",
    "glorot_normal",
    "glorot_uniform",
    "glorot_standard",
    "he_normal",
    "he_uniform",
    "variance_scaling",
)
"""Initializers with independent weights of a symmetric law without atoms."""


def dead_at_a_point(widths: list[int]) -> float:
    """Probability that a network of rectifiers without biases is dead at one input: 1 - prod(1 - 2^-N_l).

    For an input of a layer that is not 0, each unit is off with probability 1/2, independently of the others.
    """
    return float(1 - np.prod(1 - 0.5 ** np.asarray(widths, float)))


def dead_on_the_line(width: int, depth: int) -> tuple[float, float]:
    """Bounds on the probability that such a network of `depth` layers of one width is dead on the whole real line.

    The network must be dead on both rays, x > 0 and x < 0. A unit of the first layer is off on one of them alone, so no network of one
    layer is dead. With two layers the bounds meet at 3 p^2 - 2 p^3, where p = 2^-width.
    """
    p = 0.5**width
    q = 1 - p
    if depth == 1:
        return 0.0, 0.0
    if depth == 2:
        return 3 * p**2 - 2 * p**3, 3 * p**2 - 2 * p**3
    return 1 - 2 * q**depth + (1 - 2 * p) * q ** (2 * (depth - 1)), 1 - q**depth * (1 + 2 * p)


@law()
def born_dead(run: Run, found: Evidence) -> None:
    """A network of rectifiers with zero biases and symmetric independent weights is dead at one input with probability
    1 - prod(1 - 2^-N_l), and on the whole line with 3 p^2 - 2 p^3 at depth 2 (p = 2^-N) and a probability between two bounds beyond,
    whatever the scale of its weights: exact binomial tests at every depth, jointly at the 1% level (Holm). None of the dead solves its
    task."""
    dead_lanes, solved = 0, 0
    for cell, rows in cells_of(run, _has_the_law):
        lanes = found.lanes(rows)
        widths = list(cell.settings.model.options["widths"])
        for layer in range(len(widths)):
            at_one, on_all = (int(np.sum(lanes[f"{name}_{layer}_initial"] == 1)) for name in ("dead_at_first", "born_dead"))
            lanes.tests([stats.binomtest(at_one, len(rows), dead_at_a_point(widths[: layer + 1])).pvalue])
            if len(set(widths)) == 1:
                low, high = dead_on_the_line(widths[0], layer + 1)
                lanes.tests(_within(on_all, len(rows), low, high))
        dead = lanes[f"born_dead_{len(widths) - 1}_initial"] == 1
        rescued = dead & (lanes["outcome"] == "solved")
        lanes.facts(~rescued)
        dead_lanes, solved = dead_lanes + int(dead.sum()), solved + int(rescued.sum())
    found.note(f"{solved} of {dead_lanes:,} dead networks solved their task")


def _within(dead: int, n: int, low: float, high: float) -> list[float]:
    """p-values of the hypothesis that a probability lies between two bounds: one exact test if they are equal, else one for each bound."""
    if low == high:
        return [stats.binomtest(dead, n, low).pvalue]
    return [stats.binomtest(dead, n, low, "less").pvalue, stats.binomtest(dead, n, high, "greater").pvalue]


def _has_the_law(cell: Cell) -> bool:
    initializer, model = cell.settings.initializer, cell.settings.model
    return (
        cell.settings.task.name == "absolute_value"
        and model.name == "mlp"
        and model.options["activation"] == "relu"
        and initializer.name in SYMMETRIC
        and initializer.bias_law == "zeros"
        and initializer.bias_stddev == initializer.first_layer_offset == initializer.zero_fraction == 0
        and not initializer.zero_layers
        and initializer.scheme is None
        and cell.settings.gain > 0
    )
