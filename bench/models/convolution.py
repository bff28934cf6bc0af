"""Convolutions of square images, as patches times a matrix.

Here the images of all examples stand together, the example last: on a CPU every operation then runs along examples, and patches are
whole runs of memory. With the example first a convolutional network trained half as fast.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from bench.models.activations import Forward, Hidden

Images = Float[Array, "channel side side example"]


def side_of(inputs: int) -> int:
    """Side of the square image of one plane that a flat input is; ValueError unless `inputs` is a square number."""
    side = math.isqrt(inputs)
    if side**2 != inputs:
        raise ValueError(f"inputs = {inputs}: a square image needs a square number of them, such as {side**2} or {(side + 1) ** 2}")
    return side


def images(flat: Float[Array, "example value"], channels: int = 1) -> Images:
    """Flat examples, channel after channel and row after row, as images."""
    side = side_of(flat.shape[1] // channels)
    return flat.T.reshape(channels, side, side, len(flat))


def flat(features: Images) -> Float[Array, "example value"]:
    """The inverse of `images`."""
    return features.reshape(-1, features.shape[-1]).T


def convolve(features: Images, kernel: Float[Array, "3 3 channel unit"]) -> Images:
    """3 x 3 convolution, stride 1, zeros around the images, no flipping of the kernel: `jax.lax`'s with padding "SAME".

    Kernels that differ from lane to lane would make of `jax.lax.conv_general_dilated` a grouped convolution, which takes five times as
    long in a training loop on a CPU; a matrix product stays one.
    """
    side = features.shape[1]
    padded = jnp.pad(features, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = jnp.concatenate([padded[:, i : i + side, j : j + side] for i in range(3) for j in range(3)])
    weights = kernel.reshape(-1, kernel.shape[-1])
    return (weights.T @ patches.reshape(len(weights), -1)).reshape(-1, *features.shape[1:])


def mean_pooled(features: Images) -> Images:
    """Means over squares of 2 x 2 positions."""
    channels, side, _, examples = features.shape
    return jnp.mean(features.reshape(channels, side // 2, 2, side // 2, 2, examples), axis=(2, 4))


class Convolution(nnx.Module):
    """3 x 3 convolution with a kernel of the shape that `nnx.Conv` has, (3, 3, in, out)."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True, *, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(jax.nn.initializers.lecun_normal()(rngs.params(), (3, 3, inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs)) if bias else None

    def __call__(self, features: Images) -> Images:
        convolved = convolve(features, self.kernel[...])
        return convolved if self.bias is None else convolved + self.bias[...][:, None, None, None]


def shifted(forward: Forward, channels: tuple[int, ...]) -> Forward:
    """What is added to the pre-activations of layers with so many channels, as images."""
    if forward.shifts is None:
        return forward
    return forward._replace(shifts=[images(shift, n) for shift, n in zip(forward.shifts, channels, strict=True)])


def seen(hidden: list[Hidden]) -> list[Hidden]:
    """Hidden layers as the probes look at them: (example, hidden)."""
    return jax.tree.map(flat, hidden)


def incoming(layer: Any) -> Float[Array, "unit feature"]:
    """Each unit's weights and bias in a dense layer or a convolution."""
    kernel, bias = layer.kernel[...], layer.bias
    weights = kernel.reshape(-1, kernel.shape[-1]).T
    return weights if bias is None else jnp.concatenate([weights, bias[...][:, None]], axis=1)


def outgoing(layer: Any) -> Float[Array, "input feature"]:
    """The weights of a dense layer or a convolution that read each of its inputs or input channels."""
    kernel = layer.kernel[...]
    return jnp.moveaxis(kernel, -2, 0).reshape(kernel.shape[-2], -1)
