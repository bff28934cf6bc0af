"""Multilayer perceptrons."""

from itertools import pairwise
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field, PositiveInt

from bench.models import model
from bench.models.activations import PLAIN, Activation, Forward, Hidden

MOST_LAYERS = 1000
"""Largest number of layers or blocks of a model: each is a part of the compiled program, which takes longer to trace with each."""
Widths = Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1, max_length=MOST_LAYERS)]
Depth = Annotated[int, Field(ge=1, le=MOST_LAYERS)]
Rate = Annotated[float, Field(ge=0, lt=1)]


@model
class MLP(nnx.Module):
    """Fully connected layers; one activation function after each hidden layer, none after the last.

    During training each hidden unit is dropped with probability `dropout`.
    """

    examples_last = True
    """`trace` takes one example, or several as an array (input, example)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        widths: Widths = (4,),
        activation: Activation = "tanh",
        bias: bool = True,
        dropout: Rate = 0.0,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        sizes = (inputs, *widths, outputs)
        self.layers = nnx.List([nnx.Linear(fan_in, fan_out, use_bias=bias, rngs=rngs) for fan_in, fan_out in pairwise(sizes)])
        self.activation = activation
        self.dropout = dropout

    def trace(self, x: Float[Array, " input *example"], forward: Forward = PLAIN) -> tuple[Float[Array, " output *example"], list[Hidden]]:
        """Return the outputs for one example, or for several as columns, and its hidden layers."""
        hidden: list[Hidden] = []
        for index, layer in enumerate(self.layers[:-1]):
            hidden.append(forward.hidden(index, self.activation, affine(layer, x), self.dropout))
            x = hidden[-1].activation
        return affine(self.layers[-1], x), hidden

    def units(self) -> list[Float[Array, "hidden feature"]]:
        """Return the units of each hidden layer by their incoming weights, bias and outgoing weights."""
        layers: list[Any] = list(self.layers)
        biases = [[] if layer.bias is None else [layer.bias[...][:, None]] for layer in layers]
        return [
            jnp.concatenate([layer.kernel[...].T, *bias, after.kernel[...]], axis=1)
            for (layer, after), bias in zip(pairwise(layers), biases, strict=False)
        ]


def affine(layer: nnx.Linear, x: Float[Array, " input *example"]) -> Float[Array, " output *example"]:
    """Return a layer's outputs for one example, or for several along the last axis."""
    if x.ndim == 1:
        return layer(x)
    outputs = product(layer.kernel[...], x)
    if layer.bias is None:
        return outputs
    # A product, so that its gradient is a product, too: sums over examples would be taken one by one.
    return outputs + layer.bias[...][:, None] @ jnp.ones((1, x.shape[1]), x.dtype)


@jax.custom_vjp
def product(kernel: Float[Array, "input output"], x: Float[Array, "input example"]) -> Float[Array, "output example"]:
    """Return `kernel.T @ x`; it and its gradients are products of arrays as they lie in memory, for which a CPU's libraries are fast.

    The barriers keep XLA from folding a transposition into the product.
    """
    return _product(kernel, x)[0]


def _product(kernel: Array, x: Array) -> tuple[Array, tuple[Array, Array]]:
    return jax.lax.optimization_barrier(kernel.T) @ x, (kernel, x)


def _product_gradients(factors: tuple[Array, Array], outputs: Array) -> tuple[Array, Array]:
    kernel, x = factors
    outputs = jax.lax.optimization_barrier(outputs)
    return jax.lax.optimization_barrier(outputs @ x.T).T, kernel @ outputs


product.defvjp(_product, _product_gradients)
