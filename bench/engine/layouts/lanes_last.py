"""Lanes last: a function of one lane, run for many lanes with the axis over lanes behind all others.

`jax.vmap` puts the lanes in front, and a product of small matrices becomes a batch of products too small for a matrix kernel. With
the lanes last, every operation runs over contiguous vectors of lanes, and a product of matrices is a sum of products of such vectors.
Arrays stay whole; `unroll` takes them apart where they are smaller still. The function is traced from the same model and optimizer as
everywhere else; nothing is written twice. It computes what `vmap` computes, up to the order of sums.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core
from jaxtyping import Array

from bench.engine.layouts.unrolled import DEAR, ELEMENTWISE, INLINED, REDUCTIONS, halved

MOST_SUMMED = 32
"""A product that sums over more is better left to a matrix kernel.

Measured against lanes in front, on two AVX-512 cores: networks of 8 to 16 units on 32 examples take 1.4 to 2.6 times as many steps a
second in float32, 1 to 2 times as many in float64; with 64 examples or 64 inputs 0.7 to 0.9 times.
"""


class Value(NamedTuple):
    """An array of the program: its own axes and then the lanes, or without them where it is the same for all lanes."""

    array: Array
    has_lanes: bool
    stored: bool
    """Whether XLA keeps it in memory, rather than compute it again wherever it is used."""


def to_back(tree: Any) -> Any:
    """Arrays (lane, ...) as (..., lane)."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, -1), tree)


def to_front(tree: Any) -> Any:
    """The inverse of `to_back`."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), tree)


def lanes_last(function: Callable[..., Any], ones: tuple[Array, Array]) -> Callable[..., Any]:
    """`function` of one lane as a function of trees of arrays (..., lane).

    `ones` are two numbers 1, of the function's float dtype, that the compiler cannot know to be 1 (see `_Evaluation.kept`).
    """

    def many(*arguments: Any) -> Any:
        leaves, tree = jax.tree.flatten(arguments)
        shapes = [jax.ShapeDtypeStruct(leaf.shape[:-1], leaf.dtype) for leaf in leaves]
        closed, outs = jax.make_jaxpr(function, return_shape=True)(*jax.tree.unflatten(tree, shapes))
        evaluation = _Evaluation(leaves[0].shape[-1], ones)
        results = evaluation.of(closed.jaxpr, closed.consts, [Value(leaf, True, True) for leaf in leaves])
        return jax.tree.unflatten(jax.tree.structure(outs), [evaluation.spread(result, shape_of(result)) for result in results])

    return many


def fits(function: Callable[..., Any], arguments: Any) -> bool:
    """Whether every operation of a function of one lane is known here, and no product sums over more than `MOST_SUMMED`."""
    return all(map(_fits, _equations(jax.make_jaxpr(function)(*arguments).jaxpr)))


def _equations(jaxpr: core.Jaxpr) -> Iterator[core.JaxprEqn]:
    for equation in jaxpr.eqns:
        if equation.primitive.name in INLINED:
            inner = equation.params[INLINED[equation.primitive.name]]
            yield from _equations(getattr(inner, "jaxpr", inner))
        elif equation.outvars:
            yield equation


def _fits(equation: core.JaxprEqn) -> bool:
    name = equation.primitive.name
    if name == "dot_general":
        summed = equation.params["dimension_numbers"][0][0]
        left: Any = equation.invars[0].aval
        return math.prod(left.shape[axis] for axis in summed) <= MOST_SUMMED
    return name in ELEMENTWISE or name in REDUCTIONS or name in MOVES or not equation.invars


class _Evaluation:
    """A program's operations, done for `n` lanes."""

    def __init__(self, n: int, ones: tuple[Array, Array]) -> None:
        self._n, self._ones = n, ones

    def of(self, jaxpr: core.Jaxpr, consts: list[Any], arguments: list[Value]) -> list[Value]:
        known: dict[Any, Value] = dict(zip(jaxpr.invars, arguments, strict=True))
        known.update((variable, Value(jnp.asarray(const), False, True)) for variable, const in zip(jaxpr.constvars, consts, strict=True))

        def read(atom: Any) -> Value:
            if not isinstance(atom, core.Literal):
                return known[atom]
            aval: Any = atom.aval
            return Value(jnp.asarray(atom.val, aval.dtype), False, True)

        for equation in jaxpr.eqns:
            if equation.outvars:
                results = self._results(equation, [read(atom) for atom in equation.invars])
                known.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _results(self, equation: core.JaxprEqn, inputs: list[Value]) -> list[Value]:
        primitive, parameters = equation.primitive, equation.params
        name = primitive.name
        if name in INLINED:
            inner = parameters[INLINED[name]]
            return self.of(getattr(inner, "jaxpr", inner), getattr(inner, "consts", []), inputs)
        if not any(value.has_lanes for value in inputs):
            found = primitive.bind(*(value.array for value in inputs), **parameters)
            return [Value(array, False, True) for array in (found if primitive.multiple_results else [found])]
        out: Any = equation.outvars[0].aval
        shape: tuple[int, ...] = out.shape
        if name in ELEMENTWISE:
            array = primitive.bind(*(self.spread(value, shape) for value in inputs), **parameters)
            return [Value(array, True, name in DEAR)]
        if name in REDUCTIONS:
            return [Value(_reduced(name, inputs[0], parameters["axes"]), True, False)]
        array = MOVES[name](self, parameters, shape, *inputs)
        return [Value(array, True, name != "dot_general" and all(value.stored for value in inputs))]

    def spread(self, value: Value, shape: tuple[int, ...]) -> Array:
        """A value, or one number for all places, as an array (*shape, lane)."""
        array = value.array if value.has_lanes else value.array[..., None]
        return jnp.broadcast_to(array.reshape((1,) * (len(shape) + 1 - array.ndim) + array.shape), (*shape, self._n))

    def kept(self, value: Value) -> Value:
        """A value that is used often, once in memory.

        XLA would fuse a cheap operation into each of the many terms that it is part of. It does not do so with a division: this one
        changes no bit, and its divisor is no broadcast number, whose inverse would be taken and multiplied.
        """
        if value.stored or value.array.dtype != self._ones[0].dtype:
            return value
        return value._replace(array=value.array / jnp.where(value.array > 0, *self._ones), stored=True)


def shape_of(value: Value) -> tuple[int, ...]:
    """The value's own axes."""
    return value.array.shape[:-1] if value.has_lanes else value.array.shape


def _reduced(name: str, value: Value, axes: tuple[int, ...]) -> Array:
    kept = [axis for axis in range(value.array.ndim) if axis not in axes]
    rows = jnp.transpose(value.array, (*axes, *kept))
    return halved(name, rows.reshape(-1, *rows.shape[len(axes) :]))


# With the lanes behind all other axes --------------------------------------------------------------------------------


def _dot(evaluation: _Evaluation, parameters: dict[str, Any], shape: tuple[int, ...], left: Value, right: Value) -> Array:
    (left_sum, right_sum), (left_batch, right_batch) = parameters["dimension_numbers"]
    left_free, right_free = (
        [axis for axis in range(len(shape_of(value))) if axis not in (*batch, *summed)]
        for value, batch, summed in ((left, left_batch, left_sum), (right, right_batch, right_sum))
    )

    def arranged(value: Value, *axes: Any) -> Array:
        """Axes summed over, of the batch, of the left and of the right side, each of them one number long where the value has none."""
        array = evaluation.kept(value).array
        array = array if value.has_lanes else array[..., None]
        array = jnp.transpose(array, (*(axis for axis in axes if axis is not None), array.ndim - 1))
        sizes = iter(array.shape)
        return array.reshape(*(1 if axis is None else next(sizes) for axis in axes), next(sizes))

    rows = arranged(left, *left_sum, *left_batch, *left_free, *(None for _ in right_free))
    columns = arranged(right, *right_sum, *right_batch, *(None for _ in left_free), *right_free)
    return jnp.sum(rows * columns, axis=tuple(range(len(left_sum))))


def _broadcast(evaluation: _Evaluation, parameters: dict[str, Any], shape: tuple[int, ...], value: Value, *_: Any) -> Array:
    return lax.broadcast_in_dim(value.array, (*shape, value.array.shape[-1]), (*parameters["broadcast_dimensions"], len(shape)))


def _reshaped(evaluation: _Evaluation, parameters: dict[str, Any], shape: tuple[int, ...], value: Value) -> Array:
    return value.array.reshape(*shape, -1)


def _transposed(evaluation: _Evaluation, parameters: dict[str, Any], shape: tuple[int, ...], value: Value) -> Array:
    return jnp.transpose(value.array, (*parameters["permutation"], len(shape)))


def _concatenated(evaluation: _Evaluation, parameters: dict[str, Any], shape: tuple[int, ...], *values: Value) -> Array:
    return jnp.concatenate([evaluation.spread(value, shape_of(value)) for value in values], axis=parameters["dimension"])


def _stacked(evaluation: _Evaluation, parameters: dict[str, Any], shape: tuple[int, ...], *values: Value) -> Array:
    return jnp.stack([evaluation.spread(value, shape_of(value)) for value in values], axis=parameters["axis"])


def _sliced(evaluation: _Evaluation, parameters: dict[str, Any], shape: tuple[int, ...], value: Value) -> Array:
    strides = parameters["strides"] or [1] * len(shape)
    places = zip(parameters["start_indices"], parameters["limit_indices"], strides, strict=True)
    return value.array[tuple(slice(*place) for place in places)]


def _padded(evaluation: _Evaluation, parameters: dict[str, Any], shape: tuple[int, ...], value: Value, filler: Value) -> Array:
    return lax.pad(evaluation.spread(value, shape_of(value)), filler.array, (*parameters["padding_config"], (0, 0, 0)))


MOVES: dict[str, Callable[..., Array]] = {
    "broadcast_in_dim": _broadcast,
    "concatenate": _concatenated,
    "dot_general": _dot,
    "expand_dims": _reshaped,
    "pad": _padded,
    "reshape": _reshaped,
    "slice": _sliced,
    "squeeze": _reshaped,
    "stack": _stacked,
    "transpose": _transposed,
}
