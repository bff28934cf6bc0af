"""The distribution of a weighted mean whose weights are uniform on the simplex."""

import math

import numpy as np

Array = np.ndarray
NODES = np.linspace(0, 12, 121)
"""Nodes of the trapezoidal rule; beyond them the integrand is below the last bit."""
AT_ONCE = 64
"""Number of values whose factors are in memory at one time."""
HALVINGS = 30
"""Steps of the bisection for the saddle point."""


def dirichlet_mean_cdf(values: Array, t: Array | float, counts: Array | None = None) -> Array:
    """P(sum of D_i x_i <= t) for weights D that are uniform on the simplex (Dirichlet with all parameters 1); axes (..., value).

    With exponential E_i the event is sum of E_i (x_i - t) <= 0. Its probability is the inverse Laplace transform of the product of
    1 / (1 - s (x_i - t)) over s, along a vertical line near the saddle point, by the trapezoidal rule after u = sinh(v), which converges
    exponentially (Daniels, 1954, for the saddle point). `counts` is the number of times that each value occurs.
    """
    a = np.asarray(values, float) - np.asarray(t, float)[..., None]
    counts = np.broadcast_to(1.0 if counts is None else np.asarray(counts, float), a.shape)
    a = np.where(counts > 0, a, 0)
    least, most = a.min(-1), a.max(-1)
    inside = (least < 0) & (most > 0)
    # The answer is known where the threshold is not inside, and any numbers do there.
    a = np.where(inside[..., None], a, np.resize([-1.0, 1.0], a.shape[-1]))
    low, high = np.asarray(1 / a.min(-1)), np.asarray(1 / a.max(-1))
    line = _line(a, counts, low, high)
    scale = np.minimum(np.abs(line), np.minimum(line - low, high - line))
    u = scale[..., None] * np.sinh(NODES)
    s = line[..., None] + 1j * u
    exponent = np.zeros(s.shape, complex)
    for part in np.array_split(np.arange(a.shape[-1]), math.ceil(a.shape[-1] / AT_ONCE)):
        exponent -= np.sum(counts[..., None, part] * np.log(1 - s[..., None] * a[..., None, part]), -1)
    height = (np.exp(exponent) / s).real * scale[..., None] * np.cosh(NODES)
    tail = NODES[1] / np.pi * (height.sum(-1) - height[..., 0] / 2)
    below = np.where(line < 0, -tail, 1 - tail)
    return np.where(inside, np.clip(below, 0, 1), np.where(most <= 0, 1.0, 0.0))


def _line(a: Array, counts: Array, low: Array, high: Array) -> Array:
    """The real part of the path of integration: the saddle point, moved away from the pole at 0."""
    left, right = low * (1 - 1e-12), high * (1 - 1e-12)
    for _ in range(HALVINGS):
        middle = (left + right) / 2
        rising = np.sum(counts * a / (1 - middle[..., None] * a), -1) > 0
        left, right = np.where(rising, left, middle), np.where(rising, middle, right)
    saddle = (left + right) / 2
    # The distance from the pole is measured by the inverse of the standard deviation.
    away = 0.5 / np.sqrt(np.sum(counts * a**2, -1))
    return np.where(saddle < 0, np.minimum(saddle, -np.minimum(away, -low / 2)), np.maximum(saddle, np.minimum(away, high / 2)))
