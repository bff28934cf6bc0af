"""The activity of the hidden units on the training data; over several layers, the mean counts."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from bench.probes import probe


@probe(over_layers=jnp.mean)
def dead_fraction(pre_activation: Float[Array, "example hidden"]) -> Float[Array, ""]:
    """Share of units without a positive pre-activation on any example: dead if the activation is a ReLU."""
    return jnp.mean(jnp.all(pre_activation <= 0, axis=0))


@probe(over_layers=jnp.mean)
def saturated_fraction(saturation: Float[Array, "example hidden"]) -> Float[Array, ""]:
    """Share of units within 1% of a bound of their activation function on at least 95% of the examples.

    `saturation` is the activation moved linearly from its bounds to (-1, 1); unbounded activation functions have no such column.
    """
    return jnp.mean(jnp.mean(jnp.abs(saturation) > 0.99, axis=0) >= 0.95)
