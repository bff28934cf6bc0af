"""Initializers whose entries are not independent draws: identities, Hadamard matrices, fixed numbers of connections."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from pydantic import PositiveFloat, PositiveInt
from scipy.linalg import hadamard

from bench.initializers import initializer

KeyLike = Key[Array, ""]
Weights = Float[Array, "..."]


def _rows(shape: tuple[int, ...]) -> int:
    return math.prod(shape[:-1])


@initializer(random=False)
def identity(key: KeyLike, shape: tuple[int, ...], dtype: jnp.dtype) -> Weights:
    """1 on the main diagonal, 0 elsewhere: each unit copies one input, as far as there are inputs and units."""
    return jnp.eye(_rows(shape), shape[-1], dtype=dtype).reshape(shape)


@initializer(random=False)
def zero_hadamard(key: KeyLike, shape: tuple[int, ...], dtype: jnp.dtype) -> Weights:
    """ZerO: the identity where a layer does not widen, else the corner of an orthonormal Hadamard matrix (Zhao et al., 2022).

    A widening identity would leave the new units at 0 and the network in the span of its inputs; +-2^(-m/2) in every entry,
    with 2^m the least power of two that holds the width, does not. The scale is that of the authors' code.
    """
    fan_in, fan_out = _rows(shape), shape[-1]
    if fan_out <= fan_in:
        return identity(key, shape, dtype)
    size = 2 ** math.ceil(math.log2(fan_out))
    corner = hadamard(size)[:fan_in, :fan_out] / np.sqrt(size)
    return jnp.asarray(corner, dtype).reshape(shape)


@initializer
def sparse(key: KeyLike, shape: tuple[int, ...], dtype: jnp.dtype, connections: PositiveInt = 15, stddev: PositiveFloat = 1.0) -> Weights:
    """Each unit has `connections` incoming weights from N(0, stddev^2), the others are 0 (Martens, 2010).

    With fewer inputs than `connections` it is `normal`.
    """
    lot = jax.random.uniform(jax.random.fold_in(key, 1), (_rows(shape), shape[-1]))
    # The rank of each lot among its unit's; equal lots are told apart by their place, so that the number is exact.
    rank = jnp.argsort(jnp.argsort(lot, axis=0), axis=0)
    weights = stddev * jax.random.normal(key, shape, dtype)
    return jnp.where((rank < connections).reshape(shape), weights, jnp.zeros_like(weights))
