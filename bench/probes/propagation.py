"""Sizes of signals and gradients layer by layer; each probe gives one column per hidden layer, counted from 0."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from bench.probes import probe

PerExample = Float[Array, "example hidden"]


@probe(over_layers=list, optional=True)
def signal_variance(activation: PerExample) -> Float[Array, ""]:
    """Mean square of the activations over units and examples: |h|^2 / n, the length that signal propagation follows."""
    return jnp.mean(activation**2)


@probe(over_layers=list, optional=True)
def pre_activation_variance(pre_activation: PerExample) -> Float[Array, ""]:
    """Mean square of the pre-activations over units and examples: `q` of mean-field theory."""
    return jnp.mean(pre_activation**2)


@probe(over_layers=list, optional=True)
def gradient_variance(pre_activation_gradient: PerExample) -> Float[Array, ""]:
    """Mean square, over units and examples, of the slope of an example's loss in the pre-activations (Glorot and Bengio, 2010)."""
    return jnp.mean(pre_activation_gradient**2)


@probe(over_layers=list, optional=True)
def born_dead(pre_activation: PerExample) -> Float[Array, ""]:
    """1 if no unit of the layer has a positive pre-activation on any example, else 0.

    Rectifiers then pass nothing on. Without biases all later layers are dead with this one, so the column of layer l tells
    whether a network of depth l + 1 is dead.
    """
    return jnp.all(pre_activation <= 0).astype(pre_activation.dtype)


@probe(over_layers=list, optional=True)
def dead_at_first(pre_activation: PerExample) -> Float[Array, ""]:
    """`born_dead` for the first example alone."""
    return jnp.all(pre_activation[0] <= 0).astype(pre_activation.dtype)
