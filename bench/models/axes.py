"""Which axes of a weight are its inputs, as the flax layer that owns the weight tells.

An initializer draws an array whose last axis counts units and whose other axes are inputs. A weight whose axes stand in another order, or
of which several are units, is drawn in that form and then brought into its own.
"""

import math
from itertools import chain
from typing import Any

from flax import nnx
from jaxtyping import Array, Float

Form = tuple[tuple[int, ...], ...]
"""For each axis of the array that is drawn, the axes of the weight that it becomes."""

TRANSPOSED: Form = ((1,), (0,))
"""The form of a weight (unit, input)."""


def plain(ndim: int) -> Form:
    """Return the form of a weight that is drawn as it stands."""
    return tuple((axis,) for axis in range(ndim))


def grouped(inputs: int, outputs: int) -> Form:
    """Return the form of a weight with these numbers of axes of inputs and, behind them, of units."""
    return tuple(range(inputs)), tuple(range(inputs, inputs + outputs))


def form_of(owner: Any, name: str, ndim: int) -> Form | None:
    """Return the form of the weight `name` of a layer; None if nobody knows which axes are its inputs.

    The table of an `nnx.Embed` is drawn as flax does it, like the weights of the layer that reads its vectors: fan_in is their length.
    """
    if isinstance(owner, nnx.Embed):
        return TRANSPOSED
    if isinstance(owner, nnx.ConvTranspose) and owner.transpose_kernel:
        return (*plain(ndim - 2), (ndim - 1,), (ndim - 2,))
    if isinstance(owner, nnx.Conv | nnx.ConvTranspose):
        return plain(ndim)
    if isinstance(owner, nnx.LinearGeneral) and name == "kernel":
        return None if owner.batch_axis else grouped(len(owner.in_features), len(owner.out_features))
    if isinstance(owner, nnx.Einsum) and name == "kernel":
        return _of_einsum(owner.einsum_str)
    return plain(ndim) if ndim == 2 else None


def _of_einsum(subscripts: str) -> Form | None:
    """Return the form of the second operand of an einsum whose first one is the data; None if an index is in both and in the result."""
    operands, _, result = subscripts.replace(" ", "").replace("...", "").partition("->")
    data, _, kernel = operands.partition(",")
    inputs = tuple(place for place, index in enumerate(kernel) if index in data and index not in result)
    units = tuple(place for place, index in enumerate(kernel) if index in result and index not in data)
    return (inputs, units) if inputs and units and len(inputs) + len(units) == len(kernel) else None


def drawn_shape(form: Form, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape in which a weight of this shape is drawn."""
    return tuple(math.prod(shape[axis] for axis in axes) for axes in form)


def formed(form: Form, drawn: Float[Array, "..."], shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Return a weight of this shape from the array that was drawn for it."""
    order = list(chain.from_iterable(form))
    if form == plain(len(shape)):
        return drawn
    return drawn.reshape([shape[axis] for axis in order]).transpose([order.index(axis) for axis in range(len(shape))])
