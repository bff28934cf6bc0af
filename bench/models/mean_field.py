"""The network whose trainability was mapped by Sohl-Dickstein (2024)."""

import math

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import PositiveInt

from bench.models import model
from bench.models.activations import PLAIN, Activation, Forward, Hidden


@model
class MeanField(nnx.Module):
    """One hidden layer without biases in the mean-field parametrization: f(x) = V act(sqrt(2 / inputs) W x) / width.

    It is meant for weights of variance 1: the scales are factors of the function and not of the weights, so the learning rate acts on
    weights of size 1. The source is the notebook that the author published ("The boundary of neural network trainability is fractal",
    arXiv 2402.06184).
    """

    def __init__(self, inputs: int, outputs: int, width: PositiveInt = 16, activation: Activation = "tanh", *, rngs: nnx.Rngs) -> None:
        self.first = nnx.Linear(inputs, width, use_bias=False, rngs=rngs)
        self.second = nnx.Linear(width, outputs, use_bias=False, rngs=rngs)
        self.activation = activation
        self.scales = math.sqrt(2 / inputs), 1 / width

    def trace(self, x: Float[Array, " input"], forward: Forward = PLAIN) -> tuple[Float[Array, " output"], list[Hidden]]:
        """Return the outputs for one example, and its hidden layer."""
        inner, outer = self.scales
        hidden = forward.hidden(0, self.activation, inner * self.first(x))
        return outer * self.second(hidden.activation), [hidden]

    def units(self) -> list[Float[Array, "hidden feature"]]:
        """Return each unit's incoming and outgoing weights."""
        return [jnp.concatenate([self.first.kernel[...].T, self.second.kernel[...]], axis=1)]
