"""Residual networks: the output of a block is added to its input."""

from typing import Any, ClassVar, Literal

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import PositiveInt

from bench.models import model
from bench.models.activations import PLAIN, Activation, Forward, Hidden
from bench.models.convolution import Convolution, Flat, images, incoming, outgoing, seen, shifted, side_of
from bench.models.mlp import Depth

Normalization = Literal["none", "layer", "pre", "post"]


def _norm(kernel: Any, rngs: nnx.Rngs) -> nnx.LayerNorm:
    """Return the normalization over one example's units, and over positions behind a convolution, where the example is the last axis."""
    axes: dict[str, Any] = {"feature_axes": 0, "reduction_axes": (0, 1, 2)} if kernel.ndim > 2 else {}
    # The variance is a mean of squared deviations: a difference of two means would be mere rounding if all values are equal.
    return nnx.LayerNorm(kernel.shape[-1], **axes, use_fast_variance=False, rngs=rngs)


class Block(nnx.Module):
    """The map x + gate * second(act(first(x))), on vectors or on images, with normalizations at places that the model chooses.

    There is no activation function outside the branch, so a block whose branch is 0 is the identity, or a normalization.
    """

    def __init__(self, first: Any, second: Any, normalization: Normalization, gated: bool, *, rngs: nnx.Rngs) -> None:
        self.first, self.second = first, second
        self.normalization = normalization
        self.norm1: Any = _norm(first.kernel, rngs) if normalization in ("layer", "pre") else None
        self.norm2: Any = _norm(second.kernel, rngs) if normalization in ("layer", "post") else None
        self.gate: Any = nnx.Param(jnp.ones(())) if gated else None

    def trace(self, x: Array, index: int, activation: str, forward: Forward) -> tuple[Array, Hidden]:
        """Return the stream after the block, and the branch's hidden layer; `index` is that layer's number."""
        inside = self.normalization == "layer"
        inner = self.first(self.norm1(x) if self.normalization == "pre" else x)
        hidden = forward.hidden(index, activation, self.norm1(inner) if inside else inner)
        branch = self.second(hidden.activation)
        branch = self.norm2(branch) if inside else branch
        stream = x + (branch if self.gate is None else self.gate[...] * branch)
        return self.norm2(stream) if self.normalization == "post" else stream, hidden

    def units(self) -> Float[Array, "hidden feature"]:
        """Return the inner units of the branch, with the scale and bias of the normalization between its layers."""
        norm = [] if self.normalization != "layer" else [self.norm1.scale[...][:, None], self.norm1.bias[...][:, None]]
        return jnp.concatenate([incoming(self.first), *norm, outgoing(self.second)], axis=1)


class Residual(nnx.Module):
    """The common part of residual networks: a linear layer `input`, `blocks`, and a linear layer `output`."""

    input: Any
    output: Any
    blocks: Any
    activation: Activation

    def _through_blocks(self, stream: Array, forward: Forward) -> tuple[Array, list[Hidden]]:
        hidden = []
        for index, block in enumerate(self.blocks):
            stream, found = block.trace(stream, index, self.activation, forward)
            hidden.append(found)
        return stream, hidden

    def units(self) -> list[Float[Array, "hidden feature"]]:
        """Return the inner units of each block's branch."""
        return [block.units() for block in self.blocks]


@model
class ResMLP(Residual):
    """A residual multilayer perceptron: blocks x + gate * second(act(first(x))) of one width between two linear layers.

    As in pre-activation networks (He et al., 2016, "Identity mappings") no activation function follows the sum; unlike there, a branch
    begins with its first layer. With every branch at 0 the network is linear.
    `normalization = "layer"` puts a layer normalization after each layer of a branch (`norm1`, `norm2`), "pre" one in front of each branch
    (`norm1`; Xiong et al., 2020), "post" one after each sum (`norm2`; Vaswani et al., 2017).
    `gated` multiplies each branch by a number that starts at 1. These settings start branches at 0:
    `layers = {"blocks.*.second" = "zeros"}`, the last layer (Fixup, Zhang et al., 2019, has more to it: scheme `fixup`);
    `layers = {"blocks.*.norm2.scale" = "zeros"}`, zero-gamma (Goyal et al., 2017), with normalization;
    `layers = {"blocks.*.gate" = "zeros"}`, with gates: ReZero (Bachlechner et al., 2021) and SkipInit (De and Smith, 2020).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: PositiveInt = 8,
        blocks: Depth = 2,
        activation: Activation = "relu",
        normalization: Normalization = "none",
        gated: bool = False,
        bias: bool = True,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        def layer(fan_in: int, fan_out: int) -> nnx.Linear:
            return nnx.Linear(fan_in, fan_out, use_bias=bias, rngs=rngs)

        self.input = layer(inputs, width)
        self.blocks = nnx.List([Block(layer(width, width), layer(width, width), normalization, gated, rngs=rngs) for _ in range(blocks)])
        self.output = layer(width, outputs)
        self.activation = activation

    def trace(self, x: Float[Array, " input"], forward: Forward = PLAIN) -> tuple[Float[Array, " output"], list[Hidden]]:
        """Return the outputs for one example, and the hidden layer of each block."""
        stream, hidden = self._through_blocks(self.input(x), forward)
        return self.output(stream), hidden


@model
class ResCNN(Residual):
    """`resmlp` with 3 x 3 convolutions of `channels` channels in place of fully connected layers, on a square image of one plane.

    With `pool`, means over 2 x 2 positions follow the first layer. The output layer reads each channel's mean over the positions.
    `normalization = "layer"` normalizes over channels and positions, which is group normalization with one group (Wu and He, 2018);
    scale and bias are each channel's. The number of inputs must be a square.
    """

    whole_batch: ClassVar[bool] = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        channels: PositiveInt = 8,
        blocks: Depth = 2,
        activation: Activation = "relu",
        normalization: Normalization = "none",
        gated: bool = False,
        bias: bool = True,
        pool: bool = False,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        side = side_of(inputs)
        if pool and side % 2:
            raise ValueError(f"model.pool: means over 2 x 2 positions need an even side, not {side}")

        def layer(planes: int) -> Convolution:
            return Convolution(planes, channels, bias, rngs=rngs)

        self.input = layer(1)
        self.blocks = nnx.List([Block(layer(channels), layer(channels), normalization, gated, rngs=rngs) for _ in range(blocks)])
        self.output = nnx.Linear(channels, outputs, use_bias=bias, rngs=rngs)
        self.activation = activation
        self.pool = pool

    def trace(self, x: Flat, forward: Forward = PLAIN) -> tuple[Float[Array, "example output"], list[Hidden]]:
        """Return the outputs for several examples, and the hidden feature maps of each block."""
        stream = self.input(images(x), self.pool)
        forward = shifted(forward, (len(stream),) * len(self.blocks))
        stream, hidden = self._through_blocks(stream, forward)
        return self.output(jnp.mean(stream, axis=(1, 2)).T), seen(hidden)
