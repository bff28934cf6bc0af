"""Random initializers: independent draws of a chosen scale, and random orthogonal matrices.

Normal laws are not truncated, as in the papers and in PyTorch; Keras truncates at two standard deviations.
"""

import math
from typing import Literal

import jax
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key
from pydantic import FiniteFloat, PositiveFloat

from bench.initializers import initializer
from bench.linalg import orthonormal

KeyLike = Key[Array, ""]
Weights = Float[Array, "..."]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """`(fan_in, fan_out)`: all axes but the last, and the last times any receptive field."""
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    receptive_field = math.prod(shape[:-2])
    return receptive_field * shape[-2], receptive_field * shape[-1]


def _normal(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, variance: float) -> Weights:
    return math.sqrt(variance) * jax.random.normal(key, shape, dtype)


def _uniform(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, variance: float) -> Weights:
    # A uniform law on (-a, a) has variance a^2 / 3.
    return math.sqrt(3 * variance) * jax.random.uniform(key, shape, dtype, -1.0, 1.0)


@initializer
def normal(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, stddev: PositiveFloat = 1.0) -> Weights:
    """N(0, stddev^2), whatever the fan-in."""
    return _normal(key, shape, dtype, stddev**2)


@initializer
def uniform(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, limit: PositiveFloat = 0.1) -> Weights:
    """U(-limit, limit), whatever the fan-in."""
    return _uniform(key, shape, dtype, limit**2 / 3)


@initializer
def lecun_normal(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """N(0, 1 / fan_in) (LeCun et al., 1998)."""
    return _normal(key, shape, dtype, 1 / fans(shape)[0])


@initializer
def lecun_uniform(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """Uniform with variance 1 / fan_in (LeCun et al., 1998)."""
    return _uniform(key, shape, dtype, 1 / fans(shape)[0])


@initializer
def glorot_normal(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """N(0, 2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    return _normal(key, shape, dtype, 2 / sum(fans(shape)))


@initializer
def glorot_uniform(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """Uniform with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    return _uniform(key, shape, dtype, 2 / sum(fans(shape)))


@initializer
def he_normal(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """N(0, 2 / fan_in) (He et al., 2015)."""
    return _normal(key, shape, dtype, 2 / fans(shape)[0])


@initializer
def he_uniform(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """Uniform with variance 2 / fan_in (He et al., 2015)."""
    return _uniform(key, shape, dtype, 2 / fans(shape)[0])


@initializer(bias="uniform_fan_in")
def pytorch_default(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """`torch.nn.Linear`'s default: U(-1/sqrt(fan_in), 1/sqrt(fan_in)), biases drawn likewise."""
    return _uniform(key, shape, dtype, 1 / (3 * fans(shape)[0]))


@initializer
def keras_default(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """`keras.layers.Dense`'s default: Glorot uniform weights, zero biases."""
    return glorot_uniform(key, shape, dtype)


@initializer
def glorot_standard(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)) with zero biases, the "standard" that Glorot and Bengio (2010) argue against.

    Its variance is 1 / (3 fan_in): a linear layer passes on a third of its input's variance.
    """
    return _uniform(key, shape, dtype, 1 / (3 * fans(shape)[0]))


@initializer
def variance_scaling(
    key: KeyLike,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    scale: PositiveFloat = 1.0,
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in",
    distribution: Literal["normal", "uniform"] = "normal",
) -> Weights:
    """Variance `scale / fan`: LeCun is 1 of fan_in, He 2 of fan_in, Glorot 1 of fan_avg (the mean of both)."""
    fan_in, fan_out = fans(shape)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    draw = _normal if distribution == "normal" else _uniform
    return draw(key, shape, dtype, scale / fan)


@initializer
def orthogonal(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, scale: FiniteFloat = 1.0) -> Weights:
    """Random orthonormal rows or columns, uniform over the orthogonal group (Saxe et al., 2014)."""
    rows, columns = math.prod(shape[:-1]), shape[-1]
    tall = orthonormal(jax.random.normal(key, (max(rows, columns), min(rows, columns)), dtype))
    return scale * (tall if rows >= columns else tall.T).reshape(shape)
