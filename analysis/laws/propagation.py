"""Signals and gradients on their way through a network of random weights."""

import math

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy import optimize, stats

from analysis.laws.evidence import Evidence, Lanes
from analysis.laws.law import cells_of, law
from analysis.laws.oracle import ACTIVATIONS
from analysis.laws.scales import weight_variances
from analysis.rows.load import Run
from bench.spec import Cell

CRITICAL_AT_0_05 = 1.76095
"""Weight variance at the edge of chaos of tanh with bias variance 0.05."""
LIGHT_TAILED = 0.5
"""Largest 5 sum(1/n) at which moments of lengths are tested; beyond it a thousand draws do not settle a mean."""

NODES, WEIGHTS = hermegauss(201)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
"""Weights of expectations over a standard normal variable at `NODES`."""

PASSED_ON = {"relu": 0.5, "identity": 1.0}
"""Share of a squared signal that an activation function passes on, whatever the size of the signal."""


def predicted(cell: Cell) -> dict[str, np.ndarray]:
    """The expected mean square in each hidden layer, by column, for an input and an output slope of size 1.

    It is exact at any width for rectifiers and linear layers, and from mean-field theory for tanh.
    """
    activation = cell.settings.model.options["activation"]
    return _mean_field(cell) if activation == "tanh" else _mean_squares(cell, PASSED_ON[activation])


def _mean_squares(cell: Cell, passed: float) -> dict[str, np.ndarray]:
    variances, widths = weight_variances(cell), cell.settings.model.options["widths"]
    fans = (cell.settings.task.options["d"], *widths[:-1])
    signal = np.cumprod([fan_in * variance * passed for fan_in, variance in zip(fans, variances[:-1], strict=True)])
    back = np.cumprod([variance * passed * fan for variance, fan in zip(variances[:0:-1], (1, *widths[:0:-1]), strict=True)])
    return {"signal_variance": signal, "gradient_variance": back[::-1]}


def length_moment(k: int, width: int) -> float:
    """E[(length after a Gaussian rectifier layer / its mean)^k]: 1 for k = 1, 1 + 5/n for k = 2.

    The length is a mean of n independent relu(z)^2 with z ~ N(0, 1), whose j-th moment is (2j - 1)!! / 2; moments of the sum
    follow from the multinomial expansion, here as the k-th power of the moment series.
    """
    single = np.array([1.0, *(np.prod(np.arange(2 * j - 1, 0, -2.0)) / 2 for j in range(1, k + 1))])
    factorials = np.cumprod([1.0, *range(1, k + 1)])
    total = np.zeros(k + 1)
    total[0] = 1
    for _ in range(width):
        total = np.convolve(total, single / factorials)[: k + 1]
    return float(total[k] * factorials[k] / (width / 2) ** k)


@law()
def length_moments(run: Run, found: Evidence) -> None:
    """Through L layers of rectifiers the mean square of a signal is (fan-in x weight variance / 2)^L of the input's on average, and that
    of the gradient likewise; with Gaussian weights its second moment is prod(1 + 5/n) times the squared mean: tests of the means
    over training runs with their exact or sample standard errors where 5 sum(1/n) <= 0.5, jointly at the 1% level (Holm)."""
    ratios = []
    for cell, rows in cells_of(run, lambda cell: _propagates(cell, "relu")):
        lanes = found.lanes(rows)
        signal, back = predicted(cell).values()
        widths = cell.settings.model.options["widths"]
        for layer in range(len(widths)):
            if 5 * sum(1 / width for width in widths[: layer + 1]) <= LIGHT_TAILED:
                length = _values(lanes, "signal_variance", layer) / signal[layer]
                if cell.settings.initializer.name.endswith("_normal"):
                    second, fourth = (math.prod(length_moment(k, width) for width in widths[: layer + 1]) for k in (2, 4))
                    lanes.tests([_z_test(length, 1.0, second - 1), _z_test(length**2, second, fourth - second**2)])
                    ratios.append((np.mean(length**2) / np.mean(length) ** 2, second))
                else:
                    lanes.tests([stats.ttest_1samp(length, 1).pvalue])
            if 5 * sum(1 / width for width in widths[layer:]) <= LIGHT_TAILED:
                lanes.tests([stats.ttest_1samp(_values(lanes, "gradient_variance", layer) / back[layer], 1).pvalue])
    measured, expected = max(ratios, key=lambda ratio: ratio[1], default=(np.nan, np.nan))
    found.note(f"E M^2 / (E M)^2 = {measured:.3f}, predicted {expected:.3f}")


@law()
def glorot_variance(run: Run, found: Evidence) -> None:
    """Through linear layers of n units, weights U(-1/sqrt(n), 1/sqrt(n)) pass on a third of the mean square of signal and gradient, and
    Glorot's normalized weights all of it: t-tests of the means over training runs, jointly at the 1% level (Holm)."""
    for cell, rows in cells_of(run, lambda cell: _propagates(cell, "identity")):
        lanes = found.lanes(rows)
        for name, lengths in predicted(cell).items():
            lanes.tests([stats.ttest_1samp(_values(lanes, name, layer) / length, 1).pvalue for layer, length in enumerate(lengths)])
        means = [_values(lanes, "signal_variance", layer).mean() for layer in range(len(cell.settings.model.options["widths"]))]
        found.note(f"{(means[-1] / means[0]) ** (1 / (len(means) - 1)):.4f} a layer ({cell.settings.initializer.name})")


def next_length(q: float, weights: float, biases: float) -> float:
    """Variance of the next pre-activations in mean-field theory (Poole et al., 2016): weights x E tanh^2(sqrt(q) z) + biases."""
    return float(weights * WEIGHTS @ ACTIVATIONS["tanh"].value(np.sqrt(q) * NODES) ** 2 + biases)


def susceptibility(q: float, weights: float) -> float:
    """chi = weights x E tanh'(sqrt(q) z)^2: the factor per layer of a squared gradient or difference (Schoenholz et al., 2017)."""
    return float(weights * WEIGHTS @ np.cosh(np.sqrt(q) * NODES) ** -4.0)


def fixed_length(weights: float, biases: float) -> float:
    """The length q that a layer preserves; the bias variance must be positive."""
    return optimize.brentq(lambda q: next_length(q, weights, biases) - q, 1e-9, 1e3)


def critical_weights(biases: float) -> float:
    """The weight variance where chi = 1 at the fixed length."""
    return optimize.brentq(lambda weights: susceptibility(fixed_length(weights, biases), weights) - 1, 1 + 1e-3, 10, xtol=1e-10)


@law()
def edge_of_chaos(run: Run, found: Evidence) -> None:
    """In wide tanh networks the length of a signal follows q = s_w E tanh^2(sqrt(q) z) + s_b, and a gradient grows by
    chi = s_w E tanh'(sqrt(q) z)^2 a layer: the means over training runs within (layers passed) / width and four standard errors of
    mean-field theory, which is exact for infinite width. chi is 1 at s_w = 1.76095 for s_b = 0.05."""
    critical = critical_weights(0.05)
    for cell, rows in cells_of(run, lambda cell: _propagates(cell, "tanh")):
        lanes = found.lanes(rows)
        widths = cell.settings.model.options["widths"]
        for name, lengths in predicted(cell).items():
            for layer, length in enumerate(lengths):
                passed = layer + 1 if name == "pre_activation_variance" else len(widths)
                values = _values(lanes, name, layer) / length
                allowed = passed / min(widths) + 4 * values.std(ddof=1) / np.sqrt(len(values))
                lanes.statistic("departure of a mean, relative to the allowed one,", abs(values.mean() - 1) / allowed, 1.0)
        lanes.statistic("difference of the critical s_w", abs(critical - CRITICAL_AT_0_05), 1e-5)
    found.note(f"critical s_w {critical:.5f}")


SETTLED = 0.05
"""Relative distance from the fixed length within which a signal has settled."""


@law()
def depth_scale(run: Run, found: Evidence) -> None:
    """In the ordered phase of wide tanh networks (chi < 1) the mean square of a gradient shrinks by a factor of e over -1 / ln chi layers,
    with chi at the fixed length: measured between the layers whose length is within 5% of the fixed one, and within 10%, in networks that
    are deeper than that."""
    for cell, rows in cells_of(run, lambda cell: _propagates(cell, "tanh") and cell.settings.initializer.bias_stddev > 0):
        variances, widths = weight_variances(cell), cell.settings.model.options["widths"]
        inner = {round(width * variance, 9) for width, variance in zip(widths[:-1], variances[1:-1], strict=True)}
        if len(inner) != 1:
            continue
        [weights] = inner
        length = fixed_length(weights, cell.settings.initializer.bias_stddev**2)
        chi = susceptibility(length, weights)
        visible = chi < 1 and -1 / np.log(chi) < len(widths)
        settled = np.flatnonzero(abs(predicted(cell)["pre_activation_variance"] / length - 1) < SETTLED)
        if not visible or len(settled) < 3:
            continue
        lanes = found.lanes(rows)
        first, last = (np.log(_values(lanes, "gradient_variance", layer).mean()) for layer in (settled[0], settled[-1]))
        scale, law_scale = (settled[-1] - settled[0]) / (last - first), -1 / np.log(chi)
        lanes.statistic("relative difference of the depth", abs(scale / law_scale - 1), 0.1)
        found.note(f"{scale:.2f} layers, predicted {law_scale:.2f}")


def _mean_field(cell: Cell) -> dict[str, np.ndarray]:
    widths, biases = cell.settings.model.options["widths"], cell.settings.initializer.bias_stddev**2
    variances = weight_variances(cell)
    lengths = [cell.settings.task.options["d"] * variances[0] + biases]
    for width, variance in zip(widths[:-1], variances[1:-1], strict=True):
        lengths.append(next_length(lengths[-1], width * variance, biases))
    slopes = [susceptibility(lengths[-1], variances[-1])]
    for layer in reversed(range(len(widths) - 1)):
        slopes.append(slopes[-1] * susceptibility(lengths[layer], widths[layer + 1] * variances[layer + 1]))
    return {"pre_activation_variance": np.array(lengths), "gradient_variance": np.array(slopes[::-1])}


def _propagates(cell: Cell, activation: str) -> bool:
    """Whether the theory is about the networks of a cell: one input of size 1, an output slope of 1, independent centered weights."""
    settings = cell.settings
    return (
        settings.task.name == "unit_input"
        and settings.model.name == "mlp"
        and settings.model.options["activation"] == activation
        and settings.initializer.bias_law == "zeros"
        and (settings.initializer.bias_stddev == 0 or activation == "tanh")
    )


def _values(lanes: Lanes, name: str, layer: int | np.integer) -> np.ndarray:
    return lanes[f"{name}_{layer}_initial"]


def _z_test(values: np.ndarray, mean: float, variance: float) -> float:
    return float(2 * stats.norm.sf(abs(values.mean() - mean) / np.sqrt(variance / len(values))))
