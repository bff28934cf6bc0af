"""Weights that are exactly 0, and where the gradient goes beside them."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from bench.probes import probe
from bench.probes.magnitude import grad_share

Layers = list[Float[Array, "..."]]


def _zeroed(weights: Layers) -> Bool[Array, " layer"]:
    return jnp.stack([jnp.all(layer == 0) for layer in weights])


@probe(optional=True)
def zero_share(weights: Layers) -> Float[Array, ""]:
    """Share of single weights that are exactly 0."""
    zeros = sum(jnp.sum(layer == 0) for layer in weights)
    return zeros / jnp.asarray(sum(layer.size for layer in weights), weights[0].dtype)


@probe(optional=True)
def varying_zero_share(weights: Layers, inputs: Float[Array, "example input"]) -> Float[Array, ""]:
    """Share of single weights that are exactly 0, without those of inputs that are the same in all training examples.

    Standardization makes such inputs 0, as the pixels at the corners of digits are, and their weights never move.
    """
    varies = jnp.any(inputs != inputs[0], axis=0)
    first, *rest = weights
    seen = jnp.sum(varies) * (first.size // len(varies)) + sum(layer.size for layer in rest)
    zeros = jnp.sum((first == 0) & varies[:, None]) + sum(jnp.sum(layer == 0) for layer in rest)
    return zeros / seen.astype(first.dtype)


@probe(optional=True)
def moving_layers(gradients: Layers) -> Int[Array, ""]:
    """Number of weight layers that have a gradient other than 0: if there are none, nothing moves."""
    return jnp.sum(jnp.stack([jnp.any(layer != 0) for layer in gradients]))


@probe(optional=True)
def zero_layers(weights: Layers) -> Int[Array, ""]:
    """Number of weight layers that are entirely 0: beyond any of them, the network does not see its input."""
    return jnp.sum(_zeroed(weights))


@probe(optional=True)
def zeroed_grad_share(weights: Layers, gradients: Layers) -> Float[Array, ""]:
    """Share of the gradient norm (`grad_share`) that falls on the weight layers that are entirely 0; 0 if there is no gradient."""
    return jnp.sum(jnp.where(_zeroed(weights), grad_share(gradients), 0))


@probe(optional=True)
def other_grad_share(weights: Layers, gradients: Layers) -> Float[Array, ""]:
    """Share of the gradient norm (`grad_share`) that falls on the weight layers with a weight other than 0; 0 if there is no gradient.

    It is not 1 minus `zeroed_grad_share`: where nothing moves, both are 0.
    """
    return jnp.sum(jnp.where(_zeroed(weights), 0, grad_share(gradients)))
