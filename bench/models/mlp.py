"""Multilayer perceptrons."""

from itertools import pairwise
from typing import Annotated, Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field, PositiveInt

from bench.models import model
from bench.models.activations import Activation, Hidden, activate

Widths = Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1)]


@model
class MLP(nnx.Module):
    """Fully connected layers; one activation function after each hidden layer, none after the last."""

    def __init__(self, inputs: int, outputs: int, widths: Widths = (4,), activation: Activation = "tanh", *, rngs: nnx.Rngs) -> None:
        sizes = (inputs, *widths, outputs)
        self.layers = nnx.List([nnx.Linear(fan_in, fan_out, rngs=rngs) for fan_in, fan_out in pairwise(sizes)])
        self.activation = activation

    def trace(self, x: Float[Array, " input"]) -> tuple[Float[Array, " output"], list[Hidden]]:
        hidden: list[Hidden] = []
        for layer in self.layers[:-1]:
            hidden.append(activate(self.activation, layer(x)))
            x = hidden[-1].activation
        return self.layers[-1](x), hidden

    def units(self) -> list[Float[Array, "hidden feature"]]:
        layers: list[Any] = list(self.layers)
        return [
            jnp.concatenate([layer.kernel[...].T, layer.bias[...][:, None], after.kernel[...]], axis=1) for layer, after in pairwise(layers)
        ]
