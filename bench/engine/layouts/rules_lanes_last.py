"""Rules for arrays that stay whole, with the lanes behind all other axes."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from bench.engine.layouts.moves import MOVES, Move
from bench.engine.layouts.primitives import ELEMENTWISE_EXAMPLES, EXPENSIVE, REDUCTIONS, halved, reduction_example, stored
from bench.engine.layouts.walker import Evaluation, Operation, Rule


class Value(NamedTuple):
    """An array of the program: its own axes and then the lanes, or without the lanes where it is the same for all of them."""

    array: Array
    has_lanes: bool
    is_stored: bool
    """Whether XLA keeps it in memory, rather than compute it again wherever it is used."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The program's own axes."""
        return self.array.shape[:-1] if self.has_lanes else self.array.shape


class LanesBehind(Evaluation[Value]):
    """Operations on arrays with `n` lanes behind all other axes.

    `ones` are two numbers 1, of the function's float dtype, that the compiler cannot know to be 1.
    """

    def __init__(self, rules: Mapping[str, Rule], n: int, ones: tuple[Array, Array]) -> None:
        super().__init__(rules)
        self._n, self._ones = n, ones

    def constant(self, array: Any, dtype: Any = None) -> Value:
        """Return an array that is the same for all lanes."""
        return Value(jnp.asarray(array, dtype), False, True)

    def results(self, operation: Operation, values: list[Value]) -> list[Value]:
        """Return the results of an operation: once for all lanes, as the program has it, where no operand has lanes."""
        return super().results(operation, values) if any(value.has_lanes for value in values) else self._once(operation, values)

    def without_rule(self, operation: Operation, values: list[Value]) -> list[Value]:
        """Raise KeyError: `has_rules` has been asked before."""
        raise KeyError(operation.name)

    def _once(self, operation: Operation, values: list[Value]) -> list[Value]:
        primitive = operation.primitive
        found = primitive.bind(*(value.array for value in values), **operation.parameters)
        return [Value(array, False, True) for array in (found if primitive.multiple_results else [found])]

    def spread(self, value: Value, shape: tuple[int, ...]) -> Array:
        """Return a value, or one number for all places, as an array (*shape, lane)."""
        array = value.array if value.has_lanes else value.array[..., None]
        return jnp.broadcast_to(array.reshape((1,) * (len(shape) + 1 - array.ndim) + array.shape), (*shape, self._n))

    def in_memory(self, value: Value) -> Array:
        """Return the array of a value that is used often, so that XLA computes it once (see `stored`)."""
        if value.is_stored or value.array.dtype != self._ones[0].dtype:
            return value.array
        # One number for all places would be a broadcast divisor.
        return stored(value.array, jnp.where(value.array > 0, *self._ones))


class _Behind:
    """JAX arrays with the lanes behind all other axes, for moves."""

    def broadcast(self, array: Array, shape: tuple[int, ...], positions: Sequence[int]) -> Array:
        return lax.broadcast_in_dim(array, (*shape, array.shape[-1]), (*positions, len(shape)))

    def reshape(self, array: Array, shape: tuple[int, ...]) -> Array:
        return array.reshape(*shape, -1)

    def transpose(self, array: Array, order: Sequence[int]) -> Array:
        return jnp.transpose(array, (*order, len(order)))

    def concatenate(self, arrays: Sequence[Array], axis: int) -> Array:
        return jnp.concatenate(arrays, axis=axis)

    def stack(self, arrays: Sequence[Array], axis: int) -> Array:
        return jnp.stack(arrays, axis=axis)


def _moved(move: Move, lanes: LanesBehind, operation: Operation, *values: Value) -> Value:
    array = move.moved(_Behind(), operation, operation.shape, *(lanes.spread(value, value.shape) for value in values))
    return Value(array, True, all(value.is_stored for value in values))


def _elementwise(lanes: LanesBehind, operation: Operation, *values: Value) -> Value:
    array = operation.primitive.bind(*(lanes.spread(value, operation.shape) for value in values), **operation.parameters)
    return Value(array, True, operation.name in EXPENSIVE)


def _reduced(lanes: LanesBehind, operation: Operation, value: Value) -> Value:
    axes = operation.parameters["axes"]
    kept = [axis for axis in range(value.array.ndim) if axis not in axes]
    rows = jnp.transpose(value.array, (*axes, *kept))
    return Value(halved(operation.name, rows.reshape(-1, *rows.shape[len(axes) :])), True, False)


def _dot(lanes: LanesBehind, operation: Operation, left: Value, right: Value) -> Value:
    (left_sum, right_sum), (left_batch, right_batch) = operation.parameters["dimension_numbers"]
    left_free, right_free = (
        [axis for axis in range(len(value.shape)) if axis not in (*batch, *summed)]
        for value, batch, summed in ((left, left_batch, left_sum), (right, right_batch, right_sum))
    )

    def arranged(value: Value, *axes: int | None) -> Array:
        """Arrange a value's axes: summed, batch, left free, right free, with length 1 where the value has none (None)."""
        array = lanes.in_memory(value)
        array = array if value.has_lanes else array[..., None]
        array = jnp.transpose(array, (*(axis for axis in axes if axis is not None), array.ndim - 1))
        sizes = iter(array.shape)
        return array.reshape(*(1 if axis is None else next(sizes) for axis in axes), next(sizes))

    rows = arranged(left, *left_sum, *left_batch, *left_free, *(None for _ in right_free))
    columns = arranged(right, *right_sum, *right_batch, *(None for _ in left_free), *right_free)
    return Value(jnp.sum(rows * columns, axis=tuple(range(len(left_sum)))), True, False)


def _padded(lanes: LanesBehind, operation: Operation, value: Value, filler: Value) -> Value:
    array = lax.pad(lanes.spread(value, value.shape), filler.array, (*operation.parameters["padding_config"], (0, 0, 0)))
    return Value(array, True, value.is_stored and filler.is_stored)


RULES = {
    **{name: Rule(example, _elementwise) for name, example in ELEMENTWISE_EXAMPLES.items()},
    **{name: Rule(reduction_example(name), _reduced) for name in REDUCTIONS},
    **{name: Rule(move.example, partial(_moved, move)) for name, move in MOVES.items()},
    "dot_general": Rule("dot_general [[a, b]], [[c], [d]] -> [[a c + b d]]", _dot),
    "pad": Rule("pad [a, b] with x, one behind -> [a, b, x]", _padded),
}

MAX_SUMMED = 32
"""The largest number of terms of a product: a matrix kernel is faster beyond it.

Networks of 8 to 16 units on 32 examples are faster than with the lanes in front in float32, and at least as fast in float64; with 64
examples or 64 inputs they are slower.
"""


def has_rule(operation: Operation, shapes: list[tuple[int, ...]]) -> bool:
    """Return whether an operation on operands of these shapes has a rule, and, if it is a product, few enough terms."""
    if operation.name == "dot_general":
        summed = operation.parameters["dimension_numbers"][0][0]
        return math.prod(shapes[0][axis] for axis in summed) <= MAX_SUMMED
    return operation.name in RULES or not shapes
