"""Initializers that ignore their key: every seed gives the same weights."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Key
from pydantic import FiniteFloat

from bench.initializers import initializer


@initializer(random=False)
def zeros(key: Key[Array, ""], shape: tuple[int, ...], dtype: jnp.dtype) -> Float[Array, "..."]:
    """All weights zero."""
    return jnp.zeros(shape, dtype)


@initializer(random=False)
def constant(key: Key[Array, ""], shape: tuple[int, ...], dtype: jnp.dtype, value: FiniteFloat = 0.5) -> Float[Array, "..."]:
    """All weights equal to `value`."""
    return jnp.full(shape, value, dtype)
