"""Lane-minor evaluation: a function of one lane's small arrays, run for many lanes with one vector over lanes per array element.

`jax.vmap` puts the lanes in front of each array and keeps the operations of the program: hundreds of products of 4 x 2 matrices.
Here every element of every array is a vector over lanes; a matrix product becomes multiplications and additions of such vectors,
reshaping and transposing become indexing, and known zeros and ones drop out. An axis over examples can be kept: its elements
stand together in one array (example, lane). The function is traced from the same model and optimizer as everywhere else; nothing is
written twice. It computes what `vmap` computes, up to the order of sums, and with 0 x = 0 also where x is
infinite or no number.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core
from jaxtyping import Array

INLINED = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}
ELEMENTWISE = frozenset(
    "abs add add_any and atan2 cbrt ceil clamp convert_element_type copy cos cosh div eq erf erfc exp exp2 expm1 floor ge gt integer_pow "
    "is_finite le log log1p logistic lt max min mul ne neg nextafter not one_minus_square or pow reduce_precision rem round rsqrt select_n "
    "shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt square stop_gradient sub tan tanh xor "
    "bitcast_convert_type".split()
)
DEAR = frozenset("atan2 cbrt cos cosh div erf erfc exp exp2 expm1 log log1p logistic pow rsqrt sin sinh sqrt tan tanh".split())
"""What XLA never computes twice."""
KEPT_ABOVE = 24
"""Repeated operations beyond which a value is kept in memory; keeping it costs about as much as so many."""
REDUCTIONS = {
    "reduce_sum": lax.add_p,
    "reduce_prod": lax.mul_p,
    "reduce_max": lax.max_p,
    "reduce_min": lax.min_p,
    "reduce_and": lax.and_p,
    "reduce_or": lax.or_p,
}


class NotUnrollable(Exception):
    """A function has a part that cannot be evaluated lane-minor, or too many operations."""


@jax.tree_util.register_pytree_node_class
class Unrolled:
    """A batch of small arrays as one vector over lanes per element, or one (example, lane) per element without the first axis."""

    def __init__(self, shape: tuple[int, ...], vectors: list[Any], wide: bool = False) -> None:
        self.shape, self.vectors, self.wide = shape, vectors, wide

    def tree_flatten(self) -> tuple[list[Any], tuple[tuple[int, ...], bool]]:
        return self.vectors, (self.shape, self.wide)

    @classmethod
    def tree_unflatten(cls, kind: tuple[tuple[int, ...], bool], vectors: Any) -> "Unrolled":
        return cls(kind[0], list(vectors), kind[1])


def split(tree: Any, wide: bool = False) -> Any:
    """Arrays (lane, ...) as `Unrolled`; `wide`: keeping their first axis after the lanes."""

    def one(leaf: Array) -> Unrolled:
        if wide and leaf.ndim > 1:
            return Unrolled(leaf.shape[1:], [leaf[(slice(None), slice(None), *i)].T for i in np.ndindex(*leaf.shape[2:])], True)
        return Unrolled(leaf.shape[1:], [leaf[(slice(None), *i)] for i in np.ndindex(*leaf.shape[1:])])

    return jax.tree.map(one, tree)


def join(tree: Any) -> Any:
    """The inverse of `split`, for what is not wide."""

    def one(leaf: Unrolled) -> Array:
        return jnp.stack(leaf.vectors, axis=-1).reshape(-1, *leaf.shape) if leaf.shape != () else leaf.vectors[0]

    return jax.tree.map(one, tree, is_leaf=_is_unrolled)


def unrolled(function: Callable[..., Any], one: Array, registers: bool = False) -> Callable[..., Any]:
    """`function` of one lane as a function of trees of `Unrolled`.

    `one` is a vector (lane,) of ones, of the function's float dtype, that the compiler cannot know to be ones (see `_emitted`). With
    `registers` it becomes the body of a kernel, where every value stays in a register.
    """

    def many(*arguments: Any) -> Any:
        results, outs = _Graph(registers=registers).trace(function, arguments)
        elements = [element for result in results for element in result.elements.flat]
        vectors = iter(_emitted(elements, one, math.inf if registers else KEPT_ABOVE))
        wrapped = [Unrolled(result.elements.shape, [next(vectors) for _ in result.elements.flat]) for result in results]
        return jax.tree.unflatten(jax.tree.structure(outs), wrapped)

    return many


def operations(function: Callable[..., Any], arguments: Any, most: int) -> Counter[str] | None:
    """Operations on vectors that unrolling takes, by name; None beyond `most`, or if there is a part that cannot be unrolled.

    `arguments` are trees of `Unrolled` shapes.
    """
    try:
        graph = _Graph(most)
        graph.trace(function, arguments)
        return graph.names
    except NotUnrollable:
        return None


@dataclass(frozen=True, eq=False)
class Node:
    """An operation on vectors; `place` is its position in the graph, after its operands'."""

    place: int
    name: str
    dtype: Any
    wide: bool
    """Whether its value has an axis over examples."""
    compute: Callable[..., Array]
    operands: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Value:
    """An array of the program: a `Node` per element, or a NumPy scalar where the value is known.

    An axis over examples that is kept has length 1 here.
    """

    elements: np.ndarray
    axis: int | None = None


class _Graph:
    """The operations of one step on single numbers, each written down once."""

    def __init__(self, most: float = math.inf, registers: bool = False) -> None:
        self._nodes: dict[Any, Node] = {}
        self._most = most
        self._over = whole if registers else halved
        self._own = {"max": _larger, "min": _smaller} if registers else {}
        self._examples = 0

    @property
    def names(self) -> Counter[str]:
        return Counter(node.name for node in self._nodes.values())

    def trace(self, function: Callable[..., Any], arguments: Any) -> tuple[list[Value], Any]:
        """Results of a function, and the shapes that it returns."""
        leaves, tree = jax.tree.flatten(arguments, is_leaf=_is_unrolled)
        shapes = [jax.ShapeDtypeStruct(leaf.shape, leaf.vectors[0].dtype) for leaf in leaves]
        closed, outs = jax.make_jaxpr(function, return_shape=True)(*jax.tree.unflatten(tree, shapes))
        inputs = []
        for leaf in leaves:
            nodes = [self._node(id(vector), "given", vector.dtype, leaf.wide, lambda v=vector: v) for vector in leaf.vectors]
            if leaf.wide:
                self._examples = leaf.shape[0]
            inputs.append(Value(_array(nodes, (1, *leaf.shape[1:])), 0) if leaf.wide else Value(_array(nodes, leaf.shape)))
        results = self._evaluate(closed.jaxpr, [_known(const) for const in closed.consts], inputs)
        if any(result.axis is not None for result in results):
            raise NotUnrollable("a result has an axis over examples")
        return results, outs

    def _node(self, key: Any, name: str, dtype: Any, wide: bool, compute: Callable[..., Array], operands: tuple[Any, ...] = ()) -> Node:
        if key not in self._nodes:
            if len(self._nodes) > self._most:
                raise NotUnrollable("too many operations")
            self._nodes[key] = Node(len(self._nodes), name, dtype, wide, compute, operands)
        return self._nodes[key]

    def _evaluate(self, jaxpr: core.Jaxpr, consts: list[Value], arguments: list[Value]) -> list[Value]:
        known: dict[Any, Value] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))

        def read(atom: Any) -> Value:
            if not isinstance(atom, core.Literal):
                return known[atom]
            aval: Any = atom.aval
            return _known(np.asarray(atom.val, aval.dtype))

        for equation in jaxpr.eqns:
            if not equation.outvars:
                continue
            name, parameters = equation.primitive.name, equation.params
            out: Any = equation.outvars[0].aval
            inputs = [read(atom) for atom in equation.invars]
            if name in INLINED:
                closed = parameters[INLINED[name]]
                inner, inner_consts = (closed.jaxpr, closed.consts) if hasattr(closed, "jaxpr") else (closed, [])
                results = self._evaluate(inner, [_known(const) for const in inner_consts], inputs)
            elif name in ELEMENTWISE:
                results = [self._elementwise(equation.primitive, parameters, inputs, out)]
            elif name in REDUCTIONS:
                results = [self._reduced(name, inputs[0], parameters["axes"])]
            elif name == "dot_general":
                results = [self._dot(parameters["dimension_numbers"], inputs[0], inputs[1], out.dtype)]
            elif name in MOVES:
                results = [MOVES[name](self, parameters, out, *inputs)]
            else:
                raise NotUnrollable(name)
            known.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    # Arithmetic -----------------------------------------------------------------------------------------------------

    def _apply(self, primitive: core.Primitive, parameters: dict[str, Any], operands: list[Any], dtype: Any, tag: str = "") -> Any:
        """One elementwise operation; computed now if all operands are known, dropped if it changes nothing."""
        name = primitive.name
        if all(isinstance(operand, np.generic) for operand in operands):
            with jax.ensure_compile_time_eval():
                return np.asarray(primitive.bind(*map(jnp.asarray, operands), **parameters))[()]
        if name == "select_n" and isinstance(operands[0], np.generic):
            return operands[1 + int(operands[0])]
        if name in ("mul", "add", "add_any", "sub"):
            for known, other in ((operands[1], operands[0]), (operands[0], operands[1])):
                if not isinstance(known, np.generic):
                    continue
                if known == (1 if name == "mul" else 0) and (name != "sub" or known is operands[1]):
                    return other
                if name == "mul" and known == 0:
                    return known
        key = (name, tag, dtype, *map(_identity, operands))
        wide = any(operand.wide for operand in operands if isinstance(operand, Node))
        compute = self._own.get(name) or (lambda *vectors: primitive.bind(*vectors, **parameters))
        return self._node(key, name, dtype, wide, compute, tuple(operands))

    def _elementwise(self, primitive: core.Primitive, parameters: dict[str, Any], inputs: list[Value], out: Any) -> Value:
        if "sharding" in parameters:
            parameters = {**parameters, "sharding": None}
        axis = next((value.axis for value in inputs if value.axis is not None), None)
        shape = tuple(1 if i == axis else size for i, size in enumerate(out.shape))
        spread = [np.broadcast_to(self.widened(value, axis), shape) for value in inputs]
        tag = str(parameters)
        found = [self._apply(primitive, parameters, [one[i] for one in spread], out.dtype, tag) for i in np.ndindex(*shape)]
        return Value(_array(found, shape), axis)

    def widened(self, value: Value, axis: int | None) -> np.ndarray:
        """Elements of a value with this axis kept."""
        if value.axis is not None and value.axis != axis:
            raise NotUnrollable("two axes over examples")
        if axis is None or value.axis == axis or value.elements.ndim <= axis:
            return value.elements
        if value.elements.shape[axis] == 1:
            return value.elements
        rows = np.moveaxis(value.elements, axis, 0)
        found = [self._column(list(rows[(slice(None), *i)])) for i in np.ndindex(*rows.shape[1:])]
        return np.expand_dims(_array(found, rows.shape[1:]), axis)

    def _column(self, elements: list[Any]) -> Any:
        """Elements along the examples as one."""
        keys = tuple(map(_identity, elements))
        if len(set(keys)) == 1:
            return elements[0]
        known = tuple(element for element in elements if isinstance(element, np.generic))
        if len(known) == len(elements):
            return self._node(("column", keys), "known column", elements[0].dtype, True, lambda: jnp.asarray(np.array(known))[:, None])
        if known:
            raise NotUnrollable("a column of known and unknown values")
        return self._node(("column", keys), "column", elements[0].dtype, True, lambda *v: jnp.stack(v), tuple(elements))

    def _reduced(self, name: str, value: Value, axes: tuple[int, ...]) -> Value:
        primitive = REDUCTIONS[name]
        elements = value.elements
        kept = [axis for axis in range(elements.ndim) if axis not in axes]
        shape = tuple(elements.shape[axis] for axis in kept)
        rows = np.transpose(elements, (*kept, *axes)).reshape(*shape, -1)
        found = [self._folded(primitive, list(rows[i])) for i in np.ndindex(*shape)]
        if value.axis in axes:
            return Value(_array([self._over_examples(name, element) for element in found], shape))
        return Value(_array(found, shape), None if value.axis is None else kept.index(value.axis))

    def _over_examples(self, name: str, element: Any) -> Any:
        if isinstance(element, Node) and element.wide:
            return self._node((name, element.place), name, element.dtype, False, partial(self._over, name), (element,))
        if name not in ("reduce_sum", "reduce_prod"):
            return element
        number = np.asarray(self._examples, element.dtype)[()]
        return self._apply(lax.mul_p if name == "reduce_sum" else lax.pow_p, {}, [element, number], element.dtype)

    def _folded(self, primitive: core.Primitive, values: list[Any]) -> Any:
        """Pairs, pairs of pairs, ...: less rounding and fewer operations in a row than one after another."""
        while len(values) > 1:
            pairs = [self._apply(primitive, {}, values[i : i + 2], values[i].dtype) for i in range(0, len(values) - 1, 2)]
            values = pairs + values[len(values) - len(values) % 2 :]
        return values[0]

    def _dot(self, dimensions: Any, left: Value, right: Value, dtype: Any) -> Value:
        (left_sum, right_sum), (left_batch, right_batch) = dimensions
        summed = False
        for paired in ((left_sum, right_sum), (left_batch, right_batch)):
            for a, b in zip(*paired, strict=True):
                if left.axis == a or right.axis == b:
                    left, right = Value(self.widened(left, a), a), Value(self.widened(right, b), b)
                    summed |= paired[0] is left_sum

        def arranged(value: Value, batch: Any, contracted: Any) -> tuple[list[int], tuple[int, ...], np.ndarray]:
            free = [axis for axis in range(value.elements.ndim) if axis not in (*batch, *contracted)]
            shape = tuple(value.elements.shape[axis] for axis in (*batch, *free))
            rows = np.transpose(value.elements, (*batch, *free, *contracted))
            return free, shape, rows.reshape(math.prod(shape[: len(batch)]), math.prod(shape[len(batch) :]), -1)

        left_free, left_shape, rows = arranged(left, left_batch, left_sum)
        right_free, right_shape, columns = arranged(right, right_batch, right_sum)
        origin = [(left.axis, axis) for axis in (*left_batch, *left_free)] + [(right.axis, axis) for axis in right_free]
        kept = [place for place, (wide, axis) in enumerate(origin) if wide is not None and wide == axis]
        if len(kept) > 1:
            raise NotUnrollable("two axes over examples")
        found = []
        for batch, row, column in product(range(len(rows)), range(rows.shape[1]), range(columns.shape[1])):
            total: Any = np.zeros((), dtype)[()]
            for a, b in zip(rows[batch, row], columns[batch, column], strict=True):
                total = self._apply(lax.add_p, {}, [total, self._apply(lax.mul_p, {}, [a, b], dtype)], dtype)
            found.append(self._over_examples("reduce_sum", total) if summed else total)
        return Value(_array(found, (*left_shape, *right_shape[len(right_batch) :])), kept[0] if kept else None)


def halved(name: str, values: Array) -> Array:
    """Reduction over the first axis, half with half: XLA's own goes through a lane's examples one by one, without vectors."""
    primitive = REDUCTIONS[name]
    while len(values) > 1:
        half = len(values) // 2
        rest = values[2 * half :]
        values = primitive.bind(values[:half], values[half : 2 * half])
        values = jnp.concatenate([values, rest]) if len(rest) else values
    return values[0]


def _larger(a: Array, b: Array) -> Array:
    """The larger one, or what is no number, which Triton's own would drop."""
    return jnp.where((a > b) | (a != a), a, b)


def _smaller(a: Array, b: Array) -> Array:
    return jnp.where((a < b) | (a != a), a, b)


def whole(name: str, values: Array) -> Array:
    """Reduction over the first axis by the operation of its own."""
    return getattr(jnp, name.removeprefix("reduce_"))(values, axis=0)


def _emitted(results: list[Any], one: Array, kept_above: float) -> list[Array]:
    """The vectors of these results, computed.

    XLA fuses a cheap operation into each of its consumers: all that leads to the loss would be computed again wherever the loss is
    looked at. It does not do so with a division. A value that would be repeated at some cost is divided by `one`, which changes no
    bit of it, and so computed once and kept.
    """
    nodes: dict[int, Node] = {}
    waiting = [result for result in results if isinstance(result, Node)]
    while waiting:
        node = waiting.pop()
        if node.place not in nodes:
            nodes[node.place] = node
            waiting += [operand for operand in node.operands if isinstance(operand, Node)]
    uses = Counter(operand.place for node in nodes.values() for operand in set(node.operands) if isinstance(operand, Node))
    uses.update(result.place for result in results if isinstance(result, Node))
    examples = next((node.compute().shape[0] for node in nodes.values() if node.wide and node.name == "given"), 0)
    vectors: dict[int, Array] = {}
    repeated: dict[int, int] = {}
    """Operations that each further use of a value repeats."""

    def vector(element: Any, wide: bool) -> Array:
        found = vectors[element.place] if isinstance(element, Node) else jnp.asarray(element)
        return jnp.broadcast_to(found, (examples, len(one)) if wide else (len(one),))

    for place in sorted(nodes):
        node = nodes[place]
        if not node.operands:
            vectors[place], repeated[place] = node.compute(), 0
            continue
        over = node.name in REDUCTIONS
        spread = node.wide and node.name != "column" or over
        vectors[place] = node.compute(*[vector(operand, spread) for operand in node.operands])
        cost = 1 + sum(repeated[operand.place] for operand in node.operands if isinstance(operand, Node))
        cost *= examples if over else 1
        repeats = (uses[place] - 1) * cost
        if node.name in DEAR and uses[place] > 1:
            cost = 0
        elif repeats > kept_above and node.dtype == one.dtype:
            vectors[place], cost = vectors[place] / one, 0
        elif repeats > kept_above and node.dtype == bool:
            vectors[place], cost = jnp.where(vectors[place], one, 0) / one > 0, 1
        repeated[place] = cost
    return [vector(result, False) for result in results]


# Moves ------------------------------------------------------------------------------------------------------------


def _broadcast(graph: _Graph, parameters: dict[str, Any], out: Any, value: Value, *_: Any) -> Value:
    axis = None if value.axis is None else parameters["broadcast_dimensions"][value.axis]
    shape = [1] * len(parameters["shape"])
    for dimension, position in enumerate(parameters["broadcast_dimensions"]):
        shape[position] = value.elements.shape[dimension]
    target = tuple(1 if i == axis else size for i, size in enumerate(parameters["shape"]))
    return Value(np.broadcast_to(value.elements.reshape(shape), target), axis)


def _reshaped(graph: _Graph, parameters: dict[str, Any], out: Any, value: Value) -> Value:
    if value.axis is None:
        return Value(value.elements.reshape(out.shape))
    before = math.prod(value.elements.shape[: value.axis])
    places = [i for i, size in enumerate(out.shape) if size == graph._examples and math.prod(out.shape[:i]) == before]
    if len(places) != 1:
        raise NotUnrollable("the axis over examples is reshaped")
    shape = tuple(1 if i == places[0] else size for i, size in enumerate(out.shape))
    return Value(value.elements.reshape(shape), places[0])


def _transposed(graph: _Graph, parameters: dict[str, Any], out: Any, value: Value) -> Value:
    order = list(parameters["permutation"])
    return Value(np.transpose(value.elements, order), None if value.axis is None else order.index(value.axis))


def _reversed(graph: _Graph, parameters: dict[str, Any], out: Any, value: Value) -> Value:
    if value.axis in parameters["dimensions"]:
        raise NotUnrollable("reversed order of examples")
    return Value(np.flip(value.elements, parameters["dimensions"]), value.axis)


def _concatenated(graph: _Graph, parameters: dict[str, Any], out: Any, *values: Value) -> Value:
    axis = next((value.axis for value in values if value.axis is not None), None)
    if axis == parameters["dimension"]:
        raise NotUnrollable("concatenation of examples")
    return Value(np.concatenate([graph.widened(value, axis) for value in values], axis=parameters["dimension"]), axis)


def _stacked(graph: _Graph, parameters: dict[str, Any], out: Any, *values: Value) -> Value:
    axis = next((value.axis for value in values if value.axis is not None), None)
    stacked = np.stack([graph.widened(value, axis) for value in values], axis=parameters["axis"])
    return Value(stacked, None if axis is None else axis + (parameters["axis"] <= axis))


def _sliced(graph: _Graph, parameters: dict[str, Any], out: Any, value: Value) -> Value:
    strides = parameters["strides"] or [1] * value.elements.ndim
    places = [slice(*each) for each in zip(parameters["start_indices"], parameters["limit_indices"], strides, strict=True)]
    if value.axis is not None:
        if out.shape[value.axis] != graph._examples:
            raise NotUnrollable("a part of the examples")
        places[value.axis] = slice(None)
    return Value(value.elements[tuple(places)], value.axis)


def _padded(graph: _Graph, parameters: dict[str, Any], out: Any, value: Value, filler: Value) -> Value:
    if value.axis is not None:
        raise NotUnrollable("padding beside an axis over examples")
    padded = np.broadcast_to(filler.elements, out.shape).copy()
    for i in np.ndindex(*value.elements.shape):
        place = tuple(low + at * (inner + 1) for at, (low, _, inner) in zip(i, parameters["padding_config"], strict=True))
        if all(0 <= at < size for at, size in zip(place, out.shape, strict=True)):
            padded[place] = value.elements[i]
    return Value(padded)


def _iota(graph: _Graph, parameters: dict[str, Any], out: Any) -> Value:
    along = np.arange(parameters["shape"][parameters["dimension"]], dtype=parameters["dtype"])
    shape = [1] * len(parameters["shape"])
    shape[parameters["dimension"]] = -1
    return _known(np.broadcast_to(along.reshape(shape), parameters["shape"]))


MOVES: dict[str, Callable[..., Value]] = {
    "broadcast_in_dim": _broadcast,
    "concatenate": _concatenated,
    "expand_dims": _reshaped,
    "iota": _iota,
    "pad": _padded,
    "reshape": _reshaped,
    "rev": _reversed,
    "slice": _sliced,
    "squeeze": _reshaped,
    "stack": _stacked,
    "transpose": _transposed,
}


def _is_unrolled(leaf: Any) -> bool:
    return isinstance(leaf, Unrolled)


def _identity(element: Any) -> Any:
    return element.place if isinstance(element, Node) else (element.tobytes(), element.dtype)


def _array(elements: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    # Assigned one by one: NumPy would look inside the vectors.
    flat = np.empty(len(elements), object)
    for i, element in enumerate(elements):
        flat[i] = element
    return flat.reshape(shape)


def _known(values: Any) -> Value:
    values = np.asarray(values)
    return Value(_array([values[i] for i in np.ndindex(*values.shape)], values.shape))
