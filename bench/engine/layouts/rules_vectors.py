"""Rules for arrays that are taken apart into graph nodes, one per element."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from jax import lax
from jax.extend import core

from bench.engine.layouts.graph import Elements, Graph, as_objects
from bench.engine.layouts.moves import MOVES, Move
from bench.engine.layouts.primitives import ELEMENTWISE_EXAMPLES, REDUCTIONS, reduction_example
from bench.engine.layouts.walker import Operation, Rule, Unsupported


class _Objects:
    """NumPy arrays of objects, for moves."""

    def broadcast(self, array: np.ndarray, shape: tuple[int, ...], positions: Sequence[int]) -> np.ndarray:
        spread = [1] * len(shape)
        for size, position in zip(array.shape, positions, strict=True):
            spread[position] = size
        return np.broadcast_to(array.reshape(spread), shape)

    def reshape(self, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return array.reshape(shape)

    def transpose(self, array: np.ndarray, order: Sequence[int]) -> np.ndarray:
        return np.transpose(array, order)

    def concatenate(self, arrays: Sequence[np.ndarray], axis: int) -> np.ndarray:
        return np.concatenate(arrays, axis=axis)

    def stack(self, arrays: Sequence[np.ndarray], axis: int) -> np.ndarray:
        return np.stack(arrays, axis=axis)


def _moved(move: Move, graph: Graph, operation: Operation, *values: Elements) -> Elements:
    axis = _axis(values)
    if axis is None:
        return Elements(move.moved(_Objects(), operation, operation.shape, *(value.elements for value in values)))
    before = next(value.elements.shape for value in values if value.axis is not None)
    place = move.axis(operation, axis, before, graph.examples)
    shape = _shortened(operation.shape, place)
    return Elements(move.moved(_Objects(), operation, shape, *(graph.widened(value, axis) for value in values)), place)


def _elementwise(graph: Graph, operation: Operation, *values: Elements) -> Elements:
    parameters = operation.parameters
    if "sharding" in parameters:
        parameters = {**parameters, "sharding": None}
    axis = _axis(values)
    shape = _shortened(operation.shape, axis)
    spread = [np.broadcast_to(graph.widened(value, axis), shape) for value in values]
    tag, dtype = str(parameters), operation.dtype
    found = [graph.apply(operation.primitive, parameters, [one[i] for one in spread], dtype, tag) for i in np.ndindex(*shape)]
    return Elements(as_objects(found, shape), axis)


def _reduced(graph: Graph, operation: Operation, value: Elements) -> Elements:
    name, axes = operation.name, operation.parameters["axes"]
    elements = value.elements
    kept = [axis for axis in range(elements.ndim) if axis not in axes]
    shape = tuple(elements.shape[axis] for axis in kept)
    rows = np.transpose(elements, (*kept, *axes)).reshape(*shape, -1)
    found = [_folded(graph, REDUCTIONS[name], list(rows[i])) for i in np.ndindex(*shape)]
    if value.axis in axes:
        return Elements(as_objects([graph.over_examples(name, element) for element in found], shape))
    return Elements(as_objects(found, shape), None if value.axis is None else kept.index(value.axis))


def _folded(graph: Graph, primitive: core.Primitive, values: list[Any]) -> Any:
    """Combine pairs, then pairs of pairs, ...: less rounding and fewer operations in a row than one after another."""
    while len(values) > 1:
        pairs = [graph.apply(primitive, {}, values[i : i + 2], values[i].dtype) for i in range(0, len(values) - 1, 2)]
        values = pairs + values[len(values) - len(values) % 2 :]
    return values[0]


def _dot(graph: Graph, operation: Operation, left: Elements, right: Elements) -> Elements:
    (left_sum, right_sum), (left_batch, right_batch) = operation.parameters["dimension_numbers"]
    summed = False
    for paired in ((left_sum, right_sum), (left_batch, right_batch)):
        for a, b in zip(*paired, strict=True):
            if left.axis == a or right.axis == b:
                left, right = Elements(graph.widened(left, a), a), Elements(graph.widened(right, b), b)
                summed |= paired[0] is left_sum
    left_free, left_shape, rows = _as_matrices(left, left_batch, left_sum)
    right_free, right_shape, columns = _as_matrices(right, right_batch, right_sum)
    origin = [(left.axis, axis) for axis in (*left_batch, *left_free)] + [(right.axis, axis) for axis in right_free]
    kept = [place for place, (wide, axis) in enumerate(origin) if wide is not None and wide == axis]
    if len(kept) > 1:
        raise Unsupported("two axes over examples")
    dtype = operation.dtype
    found = []
    for batch, row, column in product(range(len(rows)), range(rows.shape[1]), range(columns.shape[1])):
        total: Any = np.zeros((), dtype)[()]
        for a, b in zip(rows[batch, row], columns[batch, column], strict=True):
            total = graph.apply(lax.add_p, {}, [total, graph.apply(lax.mul_p, {}, [a, b], dtype)], dtype)
        found.append(graph.over_examples("reduce_sum", total) if summed else total)
    return Elements(as_objects(found, (*left_shape, *right_shape[len(right_batch) :])), kept[0] if kept else None)


def _as_matrices(value: Elements, batch: Sequence[int], summed: Sequence[int]) -> tuple[list[int], tuple[int, ...], np.ndarray]:
    """Return the free axes, the shape of the batch and free axes, and the elements with axes (batch, free, summed)."""
    free = [axis for axis in range(value.elements.ndim) if axis not in (*batch, *summed)]
    shape = tuple(value.elements.shape[axis] for axis in (*batch, *free))
    rows = np.transpose(value.elements, (*batch, *free, *summed))
    return free, shape, rows.reshape(math.prod(shape[: len(batch)]), math.prod(shape[len(batch) :]), -1)


def _reversed(graph: Graph, operation: Operation, value: Elements) -> Elements:
    if value.axis in operation.parameters["dimensions"]:
        raise Unsupported("reversed order of examples")
    return Elements(np.flip(value.elements, operation.parameters["dimensions"]), value.axis)


def _padded(graph: Graph, operation: Operation, value: Elements, filler: Elements) -> Elements:
    if value.axis is not None:
        raise Unsupported("padding beside an axis over examples")
    shape = operation.shape
    padded = np.broadcast_to(filler.elements, shape).copy()
    for i in np.ndindex(*value.elements.shape):
        place = tuple(low + at * (inner + 1) for at, (low, _, inner) in zip(i, operation.parameters["padding_config"], strict=True))
        if all(0 <= at < size for at, size in zip(place, shape, strict=True)):
            padded[place] = value.elements[i]
    return Elements(padded)


def _iota(graph: Graph, operation: Operation) -> Elements:
    parameters = operation.parameters
    along = np.arange(parameters["shape"][parameters["dimension"]], dtype=parameters["dtype"])
    shape = [1] * len(parameters["shape"])
    shape[parameters["dimension"]] = -1
    return graph.constant(np.broadcast_to(along.reshape(shape), parameters["shape"]))


def _axis(values: Sequence[Elements]) -> int | None:
    """Return the axis over examples of the first value that has one."""
    return next((value.axis for value in values if value.axis is not None), None)


def _shortened(shape: tuple[int, ...], axis: int | None) -> tuple[int, ...]:
    """Return a shape with length 1 on the axis over examples."""
    return tuple(1 if i == axis else size for i, size in enumerate(shape))


RULES = {
    **{name: Rule(example, _elementwise) for name, example in ELEMENTWISE_EXAMPLES.items()},
    **{name: Rule(reduction_example(name), _reduced) for name in REDUCTIONS},
    **{name: Rule(move.example, partial(_moved, move)) for name, move in MOVES.items()},
    "dot_general": Rule("dot_general [[a, b]], [[c], [d]] -> [[a c + b d]]", _dot),
    "rev": Rule("rev [a, b, c] along axis 0 -> [c, b, a]", _reversed),
    "pad": Rule("pad [a, b] with x, one behind -> [a, b, x]", _padded),
    "iota": Rule("iota of length 3 -> [0, 1, 2]", _iota),
}
