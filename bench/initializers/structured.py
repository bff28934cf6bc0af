"""Initializers whose entries are not independent draws: identities, Hadamard matrices, delta-orthogonal kernels, fixed numbers of
connections."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key
from pydantic import FiniteFloat, PositiveFloat, PositiveInt
from scipy.linalg import hadamard

from bench.initializers import initializer
from bench.initializers.scaling import orthogonal

KeyLike = Key[Array, ""]
Weights = Float[Array, "..."]


def _rows(shape: tuple[int, ...]) -> int:
    return math.prod(shape[:-1])


def _at_center(matrix: Float[Array, "input unit"], shape: tuple[int, ...]) -> Weights:
    """A kernel that applies a matrix at the center of its receptive field and is 0 elsewhere; without such a field, the matrix.

    The center of n taps is tap n // 2, counted from 0: of an even number, the one after the middle.
    """
    center = tuple(n // 2 for n in shape[:-2])
    return jnp.zeros(shape, matrix.dtype).at[center].set(matrix) if center else matrix.reshape(shape)


@initializer(random=False)
def identity(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """1 on the main diagonal, 0 elsewhere: each unit copies one input, as far as there are inputs and units.

    A convolution copies channels: the identity is at the center of its kernel ("Dirac"), zeros around it.

    Formula: W_ij = 1 if i = j, else 0.
    Source: Le et al., 2015, arXiv 1504.00941, for recurrent weights.
    Law: every singular value is 1, but a widening layer leaves the added units at 0.
    Limit: `idinit` for a square layer.
    """
    return _at_center(jnp.eye(_rows(shape[-2:]), shape[-1], dtype=dtype), shape)


@initializer(random=False)
def zero_hadamard(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike) -> Weights:
    """ZerO: the identity where a layer does not widen, else the corner of an orthonormal Hadamard matrix.

    A widening identity would leave the new units at 0 and the network in the span of its inputs; +-2^(-m/2) in every entry,
    with 2^m the least power of two that holds the width, does not. The scale is that of the authors' code; the paper's is sqrt(2) times as
    large. A convolution has it at the center of its kernel, for its channels, and zeros around it.

    This is the paper's algorithm for a layer, applied to every layer alike. In the residual networks of the authors' first code the
    branches and the output layer are 0 instead, and the identity and the Hadamard matrix stand beside them, in the skip connections.

    Formula: W = 1 if fan_out <= fan_in, else the first fan_in x fan_out numbers of 2^(-m/2) H_(2^m), 2^m >= fan_out.
    Source: Zhao et al., 2022, arXiv 2110.12661.
    Law: every entry of a widening layer is +-2^(-m/2); every singular value is 1 if fan_out is a power of two.
    Limit: `identity` for a layer that does not widen.
    """
    fan_in, fan_out = _rows(shape[-2:]), shape[-1]
    if fan_out <= fan_in:
        return identity(key, shape, dtype)
    size = 2 ** math.ceil(math.log2(fan_out))
    corner = hadamard(size)[:fan_in, :fan_out] / np.sqrt(size)
    return _at_center(jnp.asarray(corner, dtype), shape)


@initializer
def delta_orthogonal(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, scale: FiniteFloat = 1.0) -> Weights:
    """A random orthogonal matrix at the center of a convolution's kernel, zeros around it.

    The convolution keeps the length of what stands at each position, as long as there are no fewer units than channels; with fewer
    it projects on as many directions as there are units (`jax.nn.initializers.delta_orthogonal` refuses).

    Formula: W = scale Q at the center of the receptive field, 0 around it, Q^T Q = 1 or Q Q^T = 1.
    Source: Xiao et al., 2018, arXiv 1806.05393.
    Law: every singular value of the center is |scale|, all other weights are 0.
    Limit: `orthogonal` without a receptive field.
    """
    return _at_center(orthogonal(key, shape[-2:], dtype, scale), shape)


@initializer
def sparse(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, connections: PositiveInt = 15, stddev: PositiveFloat = 1.0) -> Weights:
    """Each unit has a fixed number of incoming weights that are not 0.

    Meant for logistic units and biases of 0; for tanh Sutskever et al. (2013) multiply the weights by 0.25 and set the biases to 0.5:
    `gain = 0.25` and `bias = 0.5`.

    Formula: `connections` weights of each unit from N(0, stddev^2), the others 0.
    Source: Martens, 2010.
    Law: every unit has min(connections, fan_in) weights that are not 0, and these have the variance stddev^2.
    Limit: `normal` for a layer of no more inputs than `connections`.
    """
    lot = jax.random.uniform(jax.random.fold_in(key, 1), (_rows(shape), shape[-1]))
    # The rank of each lot among its unit's; equal lots are told apart by their place, so that the number is exact.
    rank = jnp.argsort(jnp.argsort(lot, axis=0), axis=0)
    weights = stddev * jax.random.normal(key, shape, dtype)
    return jnp.where((rank < connections).reshape(shape), weights, jnp.zeros_like(weights))


@initializer(random=False)
def idinit(key: KeyLike, shape: tuple[int, ...], dtype: DTypeLike, scale: FiniteFloat = 1.0) -> Weights:
    """A padded identity: where a layer widens or narrows, the identity is repeated, so that no unit and no input is left out.

    The receptive field of a convolution counts among its inputs. The paper sets `scale` to 1 and, where a residual branch should start near
    0, in its last layer, to 1e-6 ("IDIZ"): `layers = { "*.second" = { name = "idinit", scale = 1e-6 } }`. It also
    loosens the identity by a small noise, which is left out here.

    Formula: W_ij = scale if i = j modulo min(fan_in, fan_out), else 0.
    Source: Pan et al., 2025, arXiv 2503.04626.
    Law: the singular values are scale sqrt(n), n the number of copies of each row or column.
    Limit: `identity` for a square layer.
    """
    rows, columns = _rows(shape), shape[-1]
    short = min(rows, columns)
    copies = np.arange(rows)[:, None] % short == np.arange(columns) % short
    return scale * jnp.asarray(copies, dtype).reshape(shape)
