"""Convolutional networks of sequences."""

from itertools import pairwise
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field, PositiveInt

from bench.models import model
from bench.models.activations import PLAIN, Activation, Forward, Hidden
from bench.models.cnn import Channels
from bench.models.convolution import Flat, channel_rows, flat, seen, shifted
from bench.models.mlp import product

KernelSizes = Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1, max_length=3)]
Sequences = Float[Array | np.ndarray, "channel place example"]
"""Sequences with the example as the last axis, as images have it in `bench.models.convolution`."""
STRIDE = 2
"""Places from one window of a convolution to the next."""


def sequences(flat: Flat, channels: int = 1) -> Sequences:
    """Return flat examples, which are channel after channel, as sequences."""
    return flat.T.reshape(channels, -1, len(flat))


def places_after(places: int, size: int) -> int:
    """Return at how many places a kernel of this size meets a sequence with a zero at each end; 0 or less if it is too large."""
    return (places + 2 - size) // STRIDE + 1


def windows(features: Sequences, size: int) -> Float[Array, "value window example"]:
    """Return the values that a kernel of this size meets at each place, ordered by offset, and by channel within an offset."""
    last = STRIDE * (places_after(features.shape[1], size) - 1) + 1
    padded = jnp.pad(features, ((0, 0), (1, 1), (0, 0)))
    return jnp.concatenate([jax.lax.slice_in_dim(padded, i, i + last, STRIDE, axis=1) for i in range(size)])


class SequenceConvolution(nnx.Module):
    """A layer of convolutions with stride 2 and a zero at each end; its kernel has the shape of an `nnx.Conv`'s, (size, in, out).

    It is a product of matrices, as `bench.models.convolution.convolve` is and for the same reason. On a CPU a step of the published network
    is faster with `product` than with `@`.
    """

    def __init__(self, inputs: int, outputs: int, size: int, bias: bool = True, *, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(jax.nn.initializers.lecun_normal()(rngs.params(), (size, inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs)) if bias else None

    def __call__(self, features: Sequences) -> Float[Array, "unit window example"]:
        kernel = self.kernel[...]
        values = windows(features, len(kernel))
        flat = values.reshape(len(values), -1)
        convolved = product(kernel.reshape(len(flat), -1), flat).reshape(-1, *values.shape[1:])
        return convolved if self.bias is None else convolved + self.bias[...][:, None, None]


@model
class CNN1D(nnx.Module):
    """One to three convolutions along a sequence of numbers, the activation function after each, and a fully connected output layer.

    `kernel_sizes` has one size for each number of channels. A convolution halves the sequence: its stride is 2, with a zero at each end.
    The defaults are the network that was published with MNIST-1D (Greydanus and Kobak, 2024).
    The rows of the output layer's weights are ordered by channel, and by place within a channel.
    """

    whole_batch: ClassVar[bool] = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        channels: Channels = (25, 25, 25),
        kernel_sizes: KernelSizes = (5, 3, 3),
        activation: Activation = "relu",
        bias: bool = True,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        if len(kernel_sizes) != len(channels):
            raise ValueError(f"model.kernel_sizes = {list(kernel_sizes)}: one for each of the {len(channels)} model.channels")
        places = inputs
        for size in kernel_sizes:
            before, places = places, places_after(places, size)
            if places < 1:
                raise ValueError(f"model.kernel_sizes = {list(kernel_sizes)}: {size} on a sequence of {before} with a zero at each end")
        layers = zip(pairwise((1, *channels)), kernel_sizes, strict=True)
        self.convolutions = nnx.List([SequenceConvolution(*planes, size, bias, rngs=rngs) for planes, size in layers])
        self.output = nnx.Linear(places * channels[-1], outputs, use_bias=bias, rngs=rngs)
        self.activation = activation
        self.channels = tuple(channels)

    def trace(self, x: Flat, forward: Forward = PLAIN) -> tuple[Float[Array, "example output"], list[Hidden]]:
        """Return the outputs for several examples, and the feature maps of each convolution."""
        features, forward, hidden = sequences(x), shifted(forward, self.channels, sequences), []
        for index, convolution in enumerate(self.convolutions):
            hidden.append(forward.hidden(index, self.activation, convolution(features)))
            features = hidden[-1].activation
        return self.output(flat(features)), seen(hidden)

    def units(self) -> list[Float[Array, "hidden feature"]]:
        """Return one row per channel of each convolution."""
        return channel_rows(list(self.convolutions), self.output)
