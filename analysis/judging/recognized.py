"""The law that a parameter starts by, recognized by its numbers at several starts."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bench.initializers.scaling import TRUNCATED, fans

FEWEST = 200
"""Fewest numbers by which the shape of a distribution is told."""
MOST = 20_000
"""Most numbers whose distribution is compared."""
SLACK = 1.03
"""Largest number of a bounded law, by its bound, where the standard deviation is estimated."""
LAWS = {
    "uniform": (math.sqrt(3), stats.uniform(-math.sqrt(3), 2 * math.sqrt(3)).cdf),
    "truncated normal": (2 / TRUNCATED, stats.truncnorm(-2, 2, scale=1 / TRUNCATED).cdf),
    "normal": (math.inf, stats.norm.cdf),
}
"""Distributions of variance 1: their bound, and their distribution function."""
CRITICAL = 1.95
"""Kolmogorov's distance in units of 1/sqrt(n) that a true law exceeds with probability 0.001."""


@dataclass(frozen=True)
class Start:
    """The law that a parameter starts by."""

    kind: str
    """zero, constant, identity, orthogonal, fixed, uniform, normal, truncated normal, or random."""
    words: str
    stddev: float
    fan_in: int | None
    fan_out: int | None

    @property
    def zero(self) -> bool:
        """Whether all of it starts at zero."""
        return self.kind == "zero"

    @property
    def to_he(self) -> float | None:
        """Standard deviation by He's, sqrt(2 / fan_in); None without fans."""
        return None if self.fan_in is None else self.stddev * math.sqrt(self.fan_in / 2)

    @property
    def to_glorot(self) -> float | None:
        """Standard deviation by Glorot's, sqrt(2 / (fan_in + fan_out)); None without fans."""
        return None if self.fan_in is None or self.fan_out is None else self.stddev * math.sqrt((self.fan_in + self.fan_out) / 2)


def recognized(starts: np.ndarray, fans_known: bool, layer: str = "") -> Start:
    """Recognize the starts (start, inputs..., unit) of a parameter; `layer` is the class of its layer, whose default is then named."""
    fan_in, fan_out = fans(starts.shape[1:]) if fans_known and starts.ndim > 2 else (None, None)
    first = starts[0]
    stddev = float(np.sqrt(np.mean(np.square(starts - _center(starts)))))
    if not np.any(starts):
        return Start("zero", "zero", 0.0, fan_in, fan_out)
    if np.all(starts == first.flat[0]):
        return Start("constant", f"constant {first.flat[0]:.4g}", float(abs(first.flat[0])), fan_in, fan_out)
    if np.all(starts == first):
        found = _matrix_of(first, fan_in)
        if found is not None and _is_identity(found):
            size = found[0, 0]
            return Start("identity", "identity" if size == 1 else f"{size:.4g} x identity", stddev, fan_in, fan_out)
        return Start("fixed", f"the same numbers at every start, stddev {stddev:.3g}", stddev, fan_in, fan_out)
    matrices = [_matrix_of(start, fan_in) for start in starts]
    if all(matrix is not None and min(matrix.shape) > 1 and _is_orthogonal(matrix) for matrix in matrices):
        size = float(np.linalg.norm(np.asarray(matrices[0]), 2))
        return Start("orthogonal", f"orthogonal, gain {size:.4g}", stddev, fan_in, fan_out)
    kind = _law(starts.ravel(), stddev)
    words = f"{kind}, stddev {stddev:.3g}"
    name = _name(kind, stddev, fan_in, fan_out, starts.size, layer)
    return Start(kind, f"{name} ({words})" if name else words, stddev, fan_in, fan_out)


def _center(starts: np.ndarray) -> float:
    """Return the mean if it differs from zero by more than chance, else zero."""
    mean, spread = float(np.mean(starts)), float(np.std(starts))
    return mean if abs(mean) > 5 * spread / math.sqrt(starts.size) else 0.0


def _matrix_of(start: np.ndarray, fan_in: int | None) -> np.ndarray | None:
    return None if fan_in is None else start.reshape(-1, start.shape[-1]).astype(np.float64)


def _is_identity(matrix: np.ndarray) -> bool:
    return min(matrix.shape) > 1 and np.array_equal(matrix, matrix[0, 0] * np.eye(*matrix.shape))


def _is_orthogonal(matrix: np.ndarray) -> bool:
    product = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    size = float(np.mean(np.diag(product)))
    return size > 0 and bool(np.max(np.abs(product - size * np.eye(len(product)))) < 1e-4 * size)


def _law(values: np.ndarray, stddev: float) -> str:
    if len(values) < FEWEST:
        return "random"
    scaled = (values - _center(values))[:: max(1, len(values) // MOST)] / stddev
    largest = float(np.max(np.abs(values - _center(values)))) / stddev
    near = {
        name: float(stats.ks_1samp(scaled, distribution).statistic)
        for name, (bound, distribution) in LAWS.items()
        if largest <= SLACK * bound
    }
    best = min(near, key=lambda name: near[name])
    return best if near[best] <= CRITICAL / math.sqrt(len(scaled)) + 0.002 else "random"


def _name(kind: str, stddev: float, fan_in: int | None, fan_out: int | None, count: int, layer: str) -> str:
    """Return the name of a law of known scale; empty if it is none."""
    if fan_in is None or fan_out is None or kind == "random":
        return ""
    scales = {"LeCun": 1 / fan_in, "He": 2 / fan_in, "Glorot": 2 / (fan_in + fan_out), "PyTorch's default": 1 / (3 * fan_in)}
    if kind != "uniform":
        del scales["PyTorch's default"]
    far = {name: round(abs(stddev / math.sqrt(variance) - 1), 9) for name, variance in scales.items()}
    # Where fan_in = fan_out, LeCun's and Glorot's scales are one.
    nearest = min(far, key=lambda name: (far[name], (name == "LeCun") == (kind == "uniform")))
    if far[nearest] >= 4 / math.sqrt(2 * count) + 0.005:
        return ""
    if nearest == "LeCun" and (kind == "normal" if layer == "Embed" else kind == "truncated normal"):
        return "LeCun, Flax's default"
    return nearest
