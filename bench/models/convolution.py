"""Convolutions of square images, as a product of patches and a matrix.

The images of all examples are one array whose last axis is the example: on a CPU every operation then runs along examples, and patches are
contiguous in memory. With the example as the first axis a convolutional network trains slower.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from bench.models.activations import Forward, Hidden

Flat = Float[Array | np.ndarray, "example value"]
"""Flat examples, of NumPy where they are part of a program."""
Images = Float[Any, "channel side side example"]
"""Images as an array of JAX, or of NumPy where they are part of a program."""
Filtered = Float[Array, "unit side side example"]
"""Images of the units of a layer, of the same side as those that the layer sees."""


def side_of(inputs: int) -> int:
    """Return the side of the square image of one plane that a flat input is; ValueError unless `inputs` is a square number."""
    side = math.isqrt(inputs)
    if side**2 != inputs:
        raise ValueError(f"inputs = {inputs}: a square image needs a square number of them, such as {side**2} or {(side + 1) ** 2}")
    return side


def images(flat: Flat, channels: int = 1) -> Images:
    """Return flat examples, which are channel after channel and row after row, as images."""
    side = side_of(flat.shape[1] // channels)
    return flat.T.reshape(channels, side, side, len(flat))


def flat(features: Float[Any, "channel *place example"]) -> Float[Array, "example value"]:
    """Return images, or sequences, as flat examples: the inverse of `images`."""
    return features.reshape(-1, features.shape[-1]).T


def patches(features: Images) -> Float[Array, "value side side example"]:
    """Return the values that a 3 x 3 kernel meets at each position, with zeros around the images.

    Along the first axis they are ordered by offset, and by channel within an offset.
    """
    for axis in (2, 1):
        side = features.shape[axis]
        padded = jnp.pad(features, [(1, 1) if n == axis else (0, 0) for n in range(4)])
        features = jnp.concatenate([jax.lax.slice_in_dim(padded, i, i + side, axis=axis) for i in range(3)])
    return features


def times(kernel: Float[Array, "3 3 channel unit"], seen: Float[Array, "value side side example"]) -> Filtered:
    """Return the product of a kernel and the patches that it meets."""
    return (kernel.reshape(len(seen), -1).T @ seen.reshape(len(seen), -1)).reshape(-1, *seen.shape[1:])


@jax.custom_vjp
def convolve(features: Images, kernel: Float[Array, "3 3 channel unit"]) -> Filtered:
    """Return the 3 x 3 convolution with stride 1 and zeros around the images, as `jax.lax` computes it with padding "SAME".

    With kernels that differ from lane to lane, `jax.lax.conv_general_dilated` would become a grouped convolution, which takes longer
    in a training loop on a CPU; a matrix product stays a matrix product. The gradient in the features is the convolution of the
    gradient in the results with the kernel rotated by half a turn: JAX itself would pad and add nine arrays, which takes longer.
    """
    return times(kernel, patches(features))


def _forward(features: Images, kernel: Float[Array, "3 3 channel unit"]) -> tuple[Filtered, tuple[Array, Array]]:
    seen = patches(features)
    return times(kernel, seen), (seen, kernel)


def _backward(residuals: tuple[Array, Array], cotangent: Filtered) -> tuple[Images, Float[Array, "3 3 channel unit"]]:
    seen, kernel = residuals
    in_kernel = seen.reshape(len(seen), -1) @ cotangent.reshape(len(cotangent), -1).T
    return times(kernel[::-1, ::-1].swapaxes(2, 3), patches(cotangent)), in_kernel.reshape(kernel.shape)


convolve.defvjp(_forward, _backward)


def convolve_pooled(features: Images, kernel: Float[Array, "3 3 channel unit"]) -> Float[Array, "unit half half example"]:
    """Return `mean_pooled` of `convolve`, with a quarter of the products: the mean of products is the product with the mean."""
    return times(kernel, mean_pooled(patches(features)))


def mean_pooled(features: Images) -> Float[Array, "channel half half example"]:
    """Return the means over squares of 2 x 2 positions."""
    channels, side, _, examples = features.shape
    return jnp.mean(features.reshape(channels, side // 2, 2, side // 2, 2, examples), axis=(2, 4))


class Convolution(nnx.Module):
    """A layer of 3 x 3 convolutions; its kernel has the shape of an `nnx.Conv`'s, (3, 3, in, out)."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True, *, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(jax.nn.initializers.lecun_normal()(rngs.params(), (3, 3, inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs)) if bias else None

    def __call__(self, features: Images, pool: bool = False) -> Float[Array, "unit place place example"]:
        convolved = (convolve_pooled if pool else convolve)(features, self.kernel[...])
        return convolved if self.bias is None else convolved + self.bias[...][:, None, None, None]


def shifted(forward: Forward, channels: tuple[int, ...], shaped: Callable[[Flat, int], Any] = images) -> Forward:
    """Return a pass whose shifts are images, or what else `shaped` makes of them, for layers with these numbers of channels."""
    if forward.shifts is None:
        return forward
    return forward._replace(shifts=[shaped(shift, n) for shift, n in zip(forward.shifts, channels, strict=True)])


def seen(hidden: list[Hidden]) -> list[Hidden]:
    """Return hidden layers of images as arrays (example, hidden), as probes look at them."""
    return jax.tree.map(flat, hidden)


def incoming(layer: Any) -> Float[Array, "unit feature"]:
    """Return each unit's weights and bias in a dense layer or a convolution."""
    kernel, bias = layer.kernel[...], layer.bias
    weights = kernel.reshape(-1, kernel.shape[-1]).T
    return weights if bias is None else jnp.concatenate([weights, bias[...][:, None]], axis=1)


def outgoing(layer: Any) -> Float[Array, "input feature"]:
    """Return the weights of a dense layer or a convolution that read each of its inputs or input channels."""
    kernel = layer.kernel[...]
    return jnp.moveaxis(kernel, -2, 0).reshape(kernel.shape[-2], -1)


def channel_rows(convolutions: list[Any], output: nnx.Linear) -> list[Float[Array, "unit feature"]]:
    """Return one row per channel of each convolution: incoming weights, bias, and weights that read it, the last ones in `output`."""
    last = output.kernel[...].reshape(convolutions[-1].kernel.shape[-1], -1)
    after = [*map(outgoing, convolutions[1:]), last]
    return [jnp.concatenate([incoming(layer), following], axis=1) for layer, following in zip(convolutions, after, strict=True)]
