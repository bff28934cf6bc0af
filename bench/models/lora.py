"""Multilayer perceptrons whose layers are adapted by matrices of low rank."""

from itertools import pairwise
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import FiniteFloat, PositiveInt

from bench.models import model
from bench.models.activations import PLAIN, Activation, Forward, Hidden
from bench.models.mlp import Widths


class Adapted(nnx.Module):
    """The layer x -> x W + b + scale (x A) B with W, b = `base`, A = `down` (fan_in, rank) and B = `up` (rank, fan_out)."""

    def __init__(self, fan_in: int, fan_out: int, rank: int, scale: float, rngs: nnx.Rngs) -> None:
        self.base = nnx.Linear(fan_in, fan_out, rngs=rngs)
        self.down = nnx.Linear(fan_in, rank, use_bias=False, rngs=rngs)
        self.up = nnx.Linear(rank, fan_out, use_bias=False, rngs=rngs)
        self.scale = scale

    def __call__(self, x: Float[Array, " input"]) -> Float[Array, " output"]:
        return self.base(x) + self.scale * self.up(self.down(x))

    def effective(self) -> Float[Array, "input output"]:
        """Return the weights W + scale A B."""
        return self.base.kernel[...] + self.scale * self.down.kernel[...] @ self.up.kernel[...]


@model
class LoRA(nnx.Module):
    """A multilayer perceptron whose every layer is a base and a product of low rank (Hu et al., 2022).

    A layer has the weights W + `scale` A B: `layers.N.base` (W and the bias), `layers.N.down` (A, of shape (fan_in, rank)) and
    `layers.N.up` (B, of shape (rank, fan_out)). The base stays as it is drawn, as in the paper, where it was trained before; with
    `train_base` it is trained as well. In the paper A is random and B begins at zero, `initializer.layers = { "layers.*.up" = "zeros" }`,
    so that training begins at the base; `scale` is the paper's alpha / rank. If A and B are both zero, neither has a gradient.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        widths: Widths = (16,),
        activation: Activation = "relu",
        rank: PositiveInt = 2,
        scale: FiniteFloat = 1.0,
        train_base: bool = False,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.layers = nnx.List([Adapted(fan_in, fan_out, rank, scale, rngs) for fan_in, fan_out in pairwise((inputs, *widths, outputs))])
        self.activation = activation
        self.frozen = () if train_base else ("layers.*.base",)

    def trace(self, x: Float[Array, " input"], forward: Forward = PLAIN) -> tuple[Float[Array, " output"], list[Hidden]]:
        """Return the outputs for one example, and its hidden layers."""
        hidden: list[Hidden] = []
        for index, layer in enumerate(self.layers[:-1]):
            hidden.append(forward.hidden(index, self.activation, layer(x)))
            x = hidden[-1].activation
        return self.layers[-1](x), hidden

    def units(self) -> list[Float[Array, "hidden feature"]]:
        """Return the units of each hidden layer by their effective weights."""
        layers: list[Any] = list(self.layers)
        return [
            jnp.concatenate([layer.effective().T, layer.base.bias[...][:, None], after.effective()], axis=1)
            for layer, after in pairwise(layers)
        ]
