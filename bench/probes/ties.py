"""Ties to the last bit."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from bench.probes import probe


@probe(over_layers=jnp.min, optional=True)
def tie_range(units: Float[Array, "hidden feature"]) -> Float[Array, ""]:
    """Largest difference of two units in any of their weights: exactly 0 as long as all units are equal in every bit.

    Unlike `tie_spread` it takes no mean, whose rounding would show as a spread that is not there.
    """
    return jnp.max(jnp.max(units, axis=0) - jnp.min(units, axis=0))
