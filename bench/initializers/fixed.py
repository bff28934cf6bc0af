"""Initializers that ignore their key: every seed gives the same weights."""

import math
from typing import Annotated

import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key
from pydantic import Field, FiniteFloat

from bench.initializers import initializer
from bench.registry import Extended

Values = Annotated[tuple[Extended, ...], Field(strict=False)]


@initializer(random=False)
def zeros(key: Key[Array, ""], shape: tuple[int, ...], dtype: DTypeLike) -> Float[Array, "..."]:
    """All weights zero.

    Formula: W = 0.
    Source: JAX (Bradbury et al., 2018), `jax.nn.initializers.zeros`.
    Law: every weight is 0.
    Limit: `constant` with value = 0.
    """
    return jnp.zeros(shape, dtype)


@initializer(random=False)
def constant(key: Key[Array, ""], shape: tuple[int, ...], dtype: DTypeLike, value: FiniteFloat = 0.5) -> Float[Array, "..."]:
    """All weights equal.

    Formula: W_ij = value.
    Source: JAX (Bradbury et al., 2018), `jax.nn.initializers.constant`.
    Law: the variance around `value` is 0, and the rank is 1.
    Limit: `zeros` for value = 0.
    """
    return jnp.full(shape, value, dtype)


@initializer(random=False)
def listed(key: Key[Array, ""], shape: tuple[int, ...], dtype: DTypeLike, values: Values = ()) -> Float[Array, "..."]:
    """The weights as listed, row after row (a row has one input's weights to all units); an empty list stands for zeros.

    Formula: W_ij = values[i fan_out + j].
    Source: this suite, for starts that somebody has written down.
    Law: every weight is the number that is given.
    Limit: `zeros` for an empty list.
    """
    if values and len(values) != math.prod(shape):
        raise ValueError(f"listed: {len(values)} values for a weight layer of shape {shape}")
    return jnp.asarray(values or [0.0] * math.prod(shape), dtype).reshape(shape)
