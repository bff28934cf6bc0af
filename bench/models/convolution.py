"""Convolutions of one square image, as patches times a matrix."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

Image = Float[Array, "side side channel"]


def side_of(inputs: int) -> int:
    """Side of the square image of one plane that a flat input is; ValueError unless `inputs` is a square number."""
    side = math.isqrt(inputs)
    if side**2 != inputs:
        raise ValueError(f"inputs = {inputs}: a square image needs a square number of them, such as {side**2} or {(side + 1) ** 2}")
    return side


def image(x: Float[Array, " input"]) -> Image:
    """A flat input, row after row, as an image of one plane."""
    side = side_of(len(x))
    return x.reshape(side, side, 1)


def convolve(features: Image, kernel: Float[Array, "3 3 channel unit"]) -> Float[Array, "side side unit"]:
    """3 x 3 convolution, stride 1, zeros around the image, no flipping of the kernel: `jax.lax`'s with padding "SAME".

    Kernels that differ from lane to lane would make of `jax.lax.conv_general_dilated` a grouped convolution, which takes five times as
    long in a training loop on a CPU; a matrix product stays one.
    """
    side = len(features)
    padded = jnp.pad(features, ((1, 1), (1, 1), (0, 0)))
    patches = jnp.concatenate([padded[i : i + side, j : j + side] for i in range(3) for j in range(3)], axis=-1)
    return patches @ kernel.reshape(-1, kernel.shape[-1])


def mean_pooled(features: Image) -> Image:
    """Means over squares of 2 x 2 positions."""
    half = len(features) // 2
    return jnp.mean(features.reshape(half, 2, half, 2, -1), axis=(1, 3))


class Convolution(nnx.Module):
    """3 x 3 convolution with a kernel of the shape that `nnx.Conv` has, (3, 3, in, out)."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True, *, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(jax.nn.initializers.lecun_normal()(rngs.params(), (3, 3, inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs)) if bias else None

    def __call__(self, features: Image) -> Float[Array, "side side unit"]:
        convolved = convolve(features, self.kernel[...])
        return convolved if self.bias is None else convolved + self.bias[...]


def incoming(layer: Any) -> Float[Array, "unit feature"]:
    """Each unit's weights and bias in a dense layer or a convolution."""
    kernel, bias = layer.kernel[...], layer.bias
    weights = kernel.reshape(-1, kernel.shape[-1]).T
    return weights if bias is None else jnp.concatenate([weights, bias[...][:, None]], axis=1)


def outgoing(layer: Any) -> Float[Array, "input feature"]:
    """The weights of a dense layer or a convolution that read each of its inputs or input channels."""
    kernel = layer.kernel[...]
    return jnp.moveaxis(kernel, -2, 0).reshape(kernel.shape[-2], -1)
