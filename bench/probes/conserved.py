"""Quantities that training conserves."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from bench.probes import probe


@probe(optional=True)
def output_sum(weights: list[Float[Array, "..."]]) -> Float[Array, ""]:
    """Largest absolute sum over the outputs of the last layer's weights, of any of its inputs.

    Softmax's gradients sum to 0 over the classes, so gradient descent keeps these sums; a penalty shrinks them.
    """
    return jnp.max(jnp.abs(jnp.sum(weights[-1], axis=-1)))
