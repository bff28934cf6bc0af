"""Squared errors, not halved."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bench.losses import Targets, loss


@loss
def mse(outputs: Float[Array, "example output"], targets: Targets) -> Float[Array, " example"]:
    """Squared error, averaged over the outputs and over the examples; integer classes count as one-hot vectors."""
    if targets.ndim == 1:
        targets = jax.nn.one_hot(targets, outputs.shape[-1], dtype=outputs.dtype)
    return jnp.mean((outputs - targets) ** 2, axis=-1)


@loss(total=jnp.sum)
def rss(outputs: Float[Array, "example output"], targets: Targets) -> Float[Array, " example"]:
    """Squared error, averaged over the outputs and summed over the examples."""
    return mse(outputs, targets)
