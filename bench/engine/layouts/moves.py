"""Primitives that move the elements of arrays and compute nothing, written once for all layouts.

A move reads its parameters and asks `Arrays` for the work: NumPy arrays of graph nodes, or JAX arrays with the lanes behind all other
axes. `axis` follows one axis through the move: that over examples, whose elements an unrolled program keeps together.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from bench.engine.layouts.walker import Operation, Unsupported


@runtime_checkable
class Arrays(Protocol):
    """Arrays of one kind; all axes and shapes are those of the program."""

    def broadcast(self, array: Any, shape: tuple[int, ...], positions: Sequence[int]) -> Any:
        """Broadcast an array whose axes stand at these positions of the shape."""

    def reshape(self, array: Any, shape: tuple[int, ...]) -> Any:
        """Reshape an array in the order of C."""

    def transpose(self, array: Any, order: Sequence[int]) -> Any:
        """Put the axes of an array in this order."""

    def concatenate(self, arrays: Sequence[Any], axis: int) -> Any:
        """Join arrays along an axis that they have."""

    def stack(self, arrays: Sequence[Any], axis: int) -> Any:
        """Join arrays of one shape along a new axis."""


class Move(NamedTuple):
    """One primitive: `moved(arrays, operation, shape, *operands)` returns its result of this shape.

    `axis(operation, axis, shape, examples)` is the place in the result of the axis over examples, given its place in an operand whose
    shape has length 1 there; raises Unsupported if it is not kept whole.
    """

    example: str
    moved: Callable[..., Any]
    axis: Callable[[Operation, int, tuple[int, ...], int], int]


def _broadcast(arrays: Arrays, operation: Operation, shape: tuple[int, ...], array: Any, *_: Any) -> Any:
    # JAX gives integers of NumPy in places.
    return arrays.broadcast(array, shape, [int(position) for position in operation.parameters["broadcast_dimensions"]])


def _broadcast_axis(operation: Operation, axis: int, before: tuple[int, ...], examples: int) -> int:
    return int(operation.parameters["broadcast_dimensions"][axis])


def _reshape(arrays: Arrays, operation: Operation, shape: tuple[int, ...], array: Any) -> Any:
    return arrays.reshape(array, shape)


def _reshape_axis(operation: Operation, axis: int, before: tuple[int, ...], examples: int) -> int:
    leading = math.prod(before[:axis])
    places = [i for i, size in enumerate(operation.shape) if size == examples and math.prod(operation.shape[:i]) == leading]
    if len(places) != 1:
        raise Unsupported("the axis over examples is reshaped")
    return places[0]


def _transpose(arrays: Arrays, operation: Operation, shape: tuple[int, ...], array: Any) -> Any:
    return arrays.transpose(array, operation.parameters["permutation"])


def _transpose_axis(operation: Operation, axis: int, before: tuple[int, ...], examples: int) -> int:
    return list(operation.parameters["permutation"]).index(axis)


def _concatenate(arrays: Arrays, operation: Operation, shape: tuple[int, ...], *parts: Any) -> Any:
    return arrays.concatenate(parts, operation.parameters["dimension"])


def _concatenate_axis(operation: Operation, axis: int, before: tuple[int, ...], examples: int) -> int:
    if axis == operation.parameters["dimension"]:
        raise Unsupported("concatenation of examples")
    return axis


def _stack(arrays: Arrays, operation: Operation, shape: tuple[int, ...], *parts: Any) -> Any:
    return arrays.stack(parts, operation.parameters["axis"])


def _stack_axis(operation: Operation, axis: int, before: tuple[int, ...], examples: int) -> int:
    return axis + int(operation.parameters["axis"] <= axis)


def _slice(arrays: Arrays, operation: Operation, shape: tuple[int, ...], array: Any) -> Any:
    parameters = operation.parameters
    strides = parameters["strides"] or [1] * len(shape)
    places = zip(parameters["start_indices"], parameters["limit_indices"], strides, strict=True)
    return array[tuple(slice(*place) for place in places)]


def _slice_axis(operation: Operation, axis: int, before: tuple[int, ...], examples: int) -> int:
    if operation.shape[axis] != examples:
        raise Unsupported("a part of the examples")
    return axis


MOVES = {
    "broadcast_in_dim": Move("broadcast_in_dim [a, b] to shape (2, 3) along axis 0 -> [[a, a, a], [b, b, b]]", _broadcast, _broadcast_axis),
    "concatenate": Move("concatenate [a], [b, c] -> [a, b, c]", _concatenate, _concatenate_axis),
    "expand_dims": Move("expand_dims [a, b] -> [[a], [b]]", _reshape, _reshape_axis),
    "reshape": Move("reshape [[a, b], [c, d]] -> [a, b, c, d]", _reshape, _reshape_axis),
    "slice": Move("slice [a, b, c, d] from 0 in steps of 2 -> [a, c]", _slice, _slice_axis),
    "squeeze": Move("squeeze [[a], [b]] -> [a, b]", _reshape, _reshape_axis),
    "stack": Move("stack [a, b], [c, d] along axis 0 -> [[a, b], [c, d]]", _stack, _stack_axis),
    "transpose": Move("transpose [[a, b], [c, d]] -> [[a, c], [b, d]]", _transpose, _transpose_axis),
}
