"""Convolutional networks."""

from itertools import pairwise
from typing import Annotated, ClassVar

from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field, PositiveInt

from bench.models import model
from bench.models.activations import PLAIN, Activation, Forward, Hidden
from bench.models.convolution import Convolution, Flat, channel_rows, flat, images, mean_pooled, seen, shifted, side_of

Channels = Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1, max_length=3)]


@model
class CNN(nnx.Module):
    """One to three 3 x 3 convolutions of a square image, the activation function after each, and a fully connected output layer.

    An input is an image of one plane, row after row; the number of inputs must be a square. Convolutions keep the side (zeros around
    the image). With `pool`, means over 2 x 2 positions follow each of them while the side is even. They are means because the gradient of
    a maximum is a matter of convention where activations are equal, as they are after symmetric starts.
    The rows of the output layer's weights are ordered by channel, and by position within a channel.
    """

    whole_batch: ClassVar[bool] = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        channels: Channels = (8, 16),
        activation: Activation = "relu",
        bias: bool = True,
        pool: bool = True,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        side = side_of(inputs)
        self.pooled: tuple[bool, ...] = ()
        for _ in channels:
            self.pooled += (pool and side % 2 == 0,)
            side = side // 2 if self.pooled[-1] else side
        planes = (1, *channels)
        self.convolutions = nnx.List([Convolution(before, after, bias, rngs=rngs) for before, after in pairwise(planes)])
        self.output = nnx.Linear(side**2 * channels[-1], outputs, use_bias=bias, rngs=rngs)
        self.activation = activation
        self.channels = tuple(channels)

    def trace(self, x: Flat, forward: Forward = PLAIN) -> tuple[Float[Array, "example output"], list[Hidden]]:
        """Return the outputs for several examples, and the feature maps of each convolution."""
        features, forward, hidden = images(x), shifted(forward, self.channels), []
        for index, convolution in enumerate(self.convolutions):
            hidden.append(forward.hidden(index, self.activation, convolution(features)))
            features = mean_pooled(hidden[-1].activation) if self.pooled[index] else hidden[-1].activation
        return self.output(flat(features)), seen(hidden)

    def units(self) -> list[Float[Array, "hidden feature"]]:
        """Return one row per channel of each convolution."""
        return channel_rows(list(self.convolutions), self.output)
