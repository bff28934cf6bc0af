"""Random initializers: independent draws of a chosen scale, and random orthogonal matrices.

Normal laws are not truncated, as in the papers and in PyTorch, unless their name says so; Flax and Keras truncate at two standard
deviations.
"""

import math
from typing import Literal

import jax
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key
from pydantic import FiniteFloat, PositiveFloat

from bench.initializers import initializer
from bench.linalg import orthonormal, singular_values

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


TRUNCATED = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))
"""Standard deviation of a standard normal that is truncated at +-2."""


def _corrected(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, variance: float) -> Weights:
    return math.sqrt(variance) / TRUNCATED * jax.random.truncated_normal(key, -2.0, 2.0, shape, dtype)


@initializer
def normal(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, stddev: PositiveFloat = 1.0) -> Weights:
    """A normal law, whatever the fan-in.

    Formula: W ~ N(0, stddev^2).
    Source: JAX (Bradbury et al., 2018), `jax.nn.initializers.normal`, whose default is stddev = 0.01.
    Law: the variance is stddev^2.
    Limit: `lecun_normal` for stddev = 1 / sqrt(fan_in).
    """
    return _normal(key, shape, dtype, stddev**2)


@initializer
def uniform(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, limit: PositiveFloat = 0.1) -> Weights:
    """A uniform law, whatever the fan-in.

    Formula: W ~ U(-limit, limit).
    Source: Keras (Chollet et al., 2015), `RandomUniform`, whose default is limit = 0.05.
    Law: the variance is limit^2 / 3.
    Limit: `lecun_uniform` for limit = sqrt(3 / fan_in).
    """
    return _uniform(key, shape, dtype, limit**2 / 3)


@initializer
def lecun_normal(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """A linear layer keeps the variance of a signal.

    Formula: W ~ N(0, 1 / fan_in).
    Source: LeCun et al., 1998 ("Efficient BackProp"), for the variance.
    Law: the variance is 1 / fan_in.
    Limit: `normal` with stddev = 1 for a single input.
    """
    return _normal(key, shape, dtype, 1 / fans(shape)[0])


@initializer
def lecun_uniform(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """As `lecun_normal`, of a uniform law.

    Formula: W ~ U(-a, a), a = sqrt(3 / fan_in).
    Source: LeCun et al., 1998 ("Efficient BackProp"), for the variance.
    Law: the variance is 1 / fan_in.
    Limit: `uniform` with limit = sqrt(3) for a single input.
    """
    return _uniform(key, shape, dtype, 1 / fans(shape)[0])


@initializer
def glorot_normal(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """A compromise of keeping the variance of the signal and that of the gradient.

    Formula: W ~ N(0, 2 / (fan_in + fan_out)).
    Source: Glorot and Bengio, 2010, for the variance; the paper draws from a uniform law.
    Law: the variance is 2 / (fan_in + fan_out).
    Limit: `lecun_normal` for a square layer.
    """
    return _normal(key, shape, dtype, 2 / sum(fans(shape)))


@initializer
def glorot_uniform(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """As `glorot_normal`, of a uniform law.

    Formula: W ~ U(-a, a), a = sqrt(6 / (fan_in + fan_out)).
    Source: Glorot and Bengio, 2010.
    Law: the variance is 2 / (fan_in + fan_out).
    Limit: `lecun_uniform` for a square layer.
    """
    return _uniform(key, shape, dtype, 2 / sum(fans(shape)))


@initializer
def he_normal(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """A layer of ReLU keeps the second moment of a signal.

    Formula: W ~ N(0, 2 / fan_in).
    Source: He et al., 2015, arXiv 1502.01852.
    Law: the variance is 2 / fan_in.
    Limit: `normal` with stddev = 1 for two inputs.
    """
    return _normal(key, shape, dtype, 2 / fans(shape)[0])


@initializer
def he_uniform(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """As `he_normal`, of a uniform law.

    Formula: W ~ U(-a, a), a = sqrt(6 / fan_in).
    Source: He et al., 2015, arXiv 1502.01852, for the variance; the paper draws from a normal law.
    Law: the variance is 2 / fan_in.
    Limit: `uniform` with limit = sqrt(3) for two inputs.
    """
    return _uniform(key, shape, dtype, 2 / fans(shape)[0])


@initializer(bias="uniform_fan_in")
def pytorch_default(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """The default of `torch.nn.Linear`; biases are drawn likewise.

    Formula: W, b ~ U(-a, a), a = 1 / sqrt(fan_in).
    Source: PyTorch (Paszke et al., 2019).
    Law: the variance is 1 / (3 fan_in).
    Limit: `glorot_standard` with bias = "zeros".
    """
    return _uniform(key, shape, dtype, 1 / (3 * fans(shape)[0]))


@initializer
def keras_default(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """The default of `keras.layers.Dense`; biases are zero.

    Formula: W ~ U(-a, a), a = sqrt(6 / (fan_in + fan_out)).
    Source: Keras (Chollet et al., 2015).
    Law: the variance is 2 / (fan_in + fan_out).
    Limit: `glorot_uniform`, of which it has the same draws.
    """
    return glorot_uniform(key, shape, dtype)


@initializer
def glorot_standard(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """The "standard" that Glorot and Bengio argue against: a linear layer passes on a third of its input's variance.

    Formula: W ~ U(-a, a), a = 1 / sqrt(fan_in).
    Source: Glorot and Bengio, 2010.
    Law: the variance is 1 / (3 fan_in).
    Limit: `uniform` with limit = 1 / sqrt(fan_in).
    """
    return _uniform(key, shape, dtype, 1 / (3 * fans(shape)[0]))


@initializer
def variance_scaling(
    key: KeyLike,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    scale: PositiveFloat = 1.0,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"] = "fan_in",
    distribution: Literal["normal", "truncated_normal", "uniform"] = "normal",
) -> Weights:
    """The family of LeCun's, Glorot's and He's initializers, as in `jax.nn.initializers.variance_scaling`.

    `fan_avg` is the arithmetic and `fan_geo_avg` the geometric mean of fan_in and fan_out. `truncated_normal` draws within two standard
    deviations and divides by .87963, the standard deviation that is left, so that the variance is that of the formula.

    Formula: W of variance scale / fan, from a normal law, one truncated at 2 standard deviations and corrected, or a uniform one.
    Source: JAX (Bradbury et al., 2018).
    Law: the variance is scale / fan; truncated weights are at most 2.2737 standard deviations.
    Limit: LeCun is scale 1 of fan_in, He scale 2 of fan_in, Glorot scale 1 of fan_avg.
    """
    fan_in, fan_out = fans(shape)
    means = {"fan_avg": (fan_in + fan_out) / 2, "fan_geo_avg": math.sqrt(fan_in * fan_out)}
    fan = {"fan_in": fan_in, "fan_out": fan_out, **means}[mode]
    draw = {"normal": _normal, "truncated_normal": _corrected, "uniform": _uniform}[distribution]
    return draw(key, shape, dtype, scale / fan)


@initializer
def flax_default(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """The default of `flax.nnx.Linear`, and of Flax's convolutions: LeCun's law, truncated and corrected; biases are zero.

    Formula: W = N(0, 1) truncated at +-2, over .87963 sqrt(fan_in).
    Source: Flax (Heek et al., 2020).
    Law: the variance is 1 / fan_in; no weight is larger than 2.2737 / sqrt(fan_in).
    Limit: `variance_scaling` with distribution = "truncated_normal".
    """
    return _corrected(key, shape, dtype, 1 / fans(shape)[0])


@initializer
def truncated_normal(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, stddev: PositiveFloat = 1.0) -> Weights:
    """A normal law without its tails and without a correction, as in `jax.nn.initializers.truncated_normal`.

    Formula: W = stddev N(0, 1) truncated at +-2.
    Source: JAX (Bradbury et al., 2018).
    Law: the variance is .77374 stddev^2, .87963 of the standard deviation; no weight is larger than 2 stddev.
    Limit: `flax_default` for stddev = 1 / (.87963 sqrt(fan_in)).
    """
    return stddev * jax.random.truncated_normal(key, -2.0, 2.0, shape, dtype)


@initializer
def small_init(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """Attention and MLP of a transformer of width d with the variance of the layers from d to 4 d under Glorot's law.

    The width d is taken to be the smaller one of fan_in and fan_out. It is not where an embedding has fewer inputs than d, or the output
    layer fewer outputs: their weights are larger then. The authors' code draws embeddings, which are its output layer as well, from
    N(0, 1 / d).

    Formula: W ~ N(0, 2 / (5 d)), d = min(fan_in, fan_out).
    Source: Nguyen and Salazar, 2019, arXiv 1910.05895.
    Law: the variance is 2 / (5 min(fan_in, fan_out)).
    Limit: `glorot_normal` for a layer from d to 4 d or back.
    """
    return _normal(key, shape, dtype, 2 / (5 * min(fans(shape))))


@initializer
def spectral(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """A normal matrix of the spectral norm with which features of every width are learned at the same rate.

    The receptive field of a convolution counts among its inputs.

    Formula: W = sqrt(fan_out / fan_in) N / |N|, N ~ N(0, 1), |.| the largest singular value.
    Source: Yang et al., 2023, arXiv 2310.17813.
    Law: the largest singular value is sqrt(fan_out / fan_in).
    Limit: for a wide square layer `normal` with stddev = 1 / (2 sqrt(fan_in)).
    """
    matrix = jax.random.normal(key, (math.prod(shape[:-1]), shape[-1]), dtype)
    target = math.sqrt(matrix.shape[1] / matrix.shape[0])
    return (target * matrix / singular_values(matrix)[0]).reshape(shape)


@initializer
def orthogonal(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, scale: FiniteFloat = 1.0) -> Weights:
    """Random orthonormal rows or columns, uniform over the orthogonal group.

    Formula: W = scale Q, Q^T Q = 1 or Q Q^T = 1.
    Source: Saxe et al., 2014, arXiv 1312.6120.
    Law: every singular value is |scale|.
    Limit: for a single unit a vector of length |scale| in a random direction.
    """
    rows, columns = math.prod(shape[:-1]), shape[-1]
    tall = orthonormal(jax.random.normal(key, (max(rows, columns), min(rows, columns)), dtype))
    return scale * (tall if rows >= columns else tall.T).reshape(shape)
