"""Lane-minor evaluation: a function of one lane's small arrays, run for many lanes with one vector over lanes per array element.

`jax.vmap` puts the lanes in front of each array and keeps the operations of the program: hundreds of products of 4 x 2 matrices.
Here every element of every array is a vector over lanes; a matrix product becomes multiplications and additions of such vectors,
reshaping and transposing become indexing, and known zeros and ones drop out. The function is traced from the same model and
optimizer as everywhere else; nothing is written twice. It computes what `vmap` computes, up to the order of sums.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core
from jaxtyping import Array

Elements = np.ndarray
"""An object array: a `Node` per element of one lane's array, or a NumPy scalar where the value is known."""

INLINED = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}
ELEMENTWISE = frozenset(
    "abs add add_any and atan2 cbrt ceil clamp convert_element_type copy cos cosh div eq erf erfc exp exp2 expm1 floor ge gt integer_pow "
    "is_finite le log log1p logistic lt max min mul ne neg nextafter not or pow reduce_precision rem round rsqrt select_n "
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


@jax.tree_util.register_pytree_node_class
class Unrolled:
    """A batch of small arrays as one vector over lanes per element; as a pytree, these vectors."""

    def __init__(self, shape: tuple[int, ...], vectors: list[Array]) -> None:
        self.shape, self.vectors = shape, vectors

    def tree_flatten(self) -> tuple[list[Array], tuple[int, ...]]:
        return self.vectors, self.shape

    @classmethod
    def tree_unflatten(cls, shape: tuple[int, ...], vectors: Any) -> "Unrolled":
        return cls(shape, list(vectors))

    @property
    def elements(self) -> Elements:
        return _array(self.vectors, self.shape)


def split(tree: Any) -> Any:
    """Arrays (lane, ...) as `Unrolled`."""

    def one(leaf: Array) -> Unrolled:
        return Unrolled(leaf.shape[1:], [leaf[(slice(None), *i)] for i in np.ndindex(*leaf.shape[1:])])

    return jax.tree.map(one, tree)


def join(tree: Any) -> Any:
    """The inverse of `split`."""

    def one(leaf: Unrolled) -> Array:
        return jnp.stack(leaf.vectors, axis=-1).reshape(-1, *leaf.shape) if leaf.shape != () else leaf.vectors[0]

    return jax.tree.map(one, tree, is_leaf=_is_unrolled)


def unrolled(function: Callable[..., Any], one: Array) -> Callable[..., Any]:
    """`function` of one lane as a function of trees of `Unrolled`.

    `one` is a vector (lane,) of ones, of the function's float dtype, that the compiler cannot know to be ones (see `_emitted`).
    """

    def many(*arguments: Any) -> Any:
        leaves, tree = jax.tree.flatten(arguments, is_leaf=_is_unrolled)
        shapes = [jax.ShapeDtypeStruct(leaf.shape, leaf.vectors[0].dtype) for leaf in leaves]
        closed, outs = jax.make_jaxpr(function, return_shape=True)(*jax.tree.unflatten(tree, shapes))
        graph = _Graph()
        inputs = [_array([graph.given(vector) for vector in leaf.vectors], leaf.shape) for leaf in leaves]
        results = graph.evaluate(closed.jaxpr, [_known(const) for const in closed.consts], inputs)
        vectors = iter(_emitted([element for result in results for element in result.flat], one))
        wrapped = [Unrolled(result.shape, [next(vectors) for _ in range(result.size)]) for result in results]
        return jax.tree.unflatten(jax.tree.structure(outs), wrapped)

    return many


def operations(function: Callable[..., Any], *shapes: Any) -> float:
    """Operations on vectors that unrolling a function takes; infinite if it has a part that cannot be unrolled."""
    return _operations(jax.make_jaxpr(function)(*shapes).jaxpr)


def _operations(jaxpr: core.Jaxpr) -> float:
    total = 0.0
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        size = math.prod(equation.outvars[0].aval.shape)  # type: ignore[attr-defined]
        if name in INLINED:
            total += _operations(_inner(equation)[0])
        elif name in ELEMENTWISE:
            total += size
        elif name in REDUCTIONS:
            total += math.prod(equation.invars[0].aval.shape)  # type: ignore[attr-defined]
        elif name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            total += 2 * size * math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)  # type: ignore[attr-defined]
        elif name not in MOVES:
            return math.inf
    return total


def _inner(equation: core.JaxprEqn) -> tuple[core.Jaxpr, list[Any]]:
    closed = equation.params[INLINED[equation.primitive.name]]
    return (closed.jaxpr, closed.consts) if hasattr(closed, "jaxpr") else (closed, [])


@dataclass(frozen=True, eq=False)
class Node:
    """An operation on vectors; `place` is its position in the graph, after its operands'."""

    place: int
    dtype: Any
    primitive: core.Primitive | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    operands: tuple[Any, ...] = ()
    vector: Array | None = None
    """What stands in place of an operation where the value is given."""


class _Graph:
    """The operations of one step on single numbers, each written down once."""

    def __init__(self) -> None:
        self._nodes: dict[Any, Node] = {}

    def given(self, vector: Array) -> Node:
        return self._nodes.setdefault(id(vector), Node(len(self._nodes), vector.dtype, vector=vector))

    def evaluate(self, jaxpr: core.Jaxpr, consts: list[Elements], arguments: list[Elements]) -> list[Elements]:
        """Results of a jaxpr."""
        known: dict[Any, Elements] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))

        def read(atom: Any) -> Elements:
            return _known(np.asarray(atom.val, atom.aval.dtype)) if isinstance(atom, core.Literal) else known[atom]

        for equation in jaxpr.eqns:
            name, parameters, out = equation.primitive.name, equation.params, equation.outvars[0].aval
            inputs = [read(atom) for atom in equation.invars]
            if name in INLINED:
                inner, inner_consts = _inner(equation)
                results = self.evaluate(inner, [_known(const) for const in inner_consts], inputs)
            elif name in ELEMENTWISE:
                results = [self._elementwise(equation.primitive, parameters, inputs, out)]
            elif name in REDUCTIONS:
                results = [self._reduced(REDUCTIONS[name], inputs[0], parameters["axes"])]
            elif name == "dot_general":
                results = [self._dot(parameters["dimension_numbers"], *inputs, out.dtype)]  # type: ignore[attr-defined]
            else:
                moved = MOVES[name](parameters, out, *inputs)
                results = moved if isinstance(moved, list) else [moved]
            known.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _apply(self, primitive: core.Primitive, parameters: dict[str, Any], operands: list[Any], dtype: Any, tag: Any = None) -> Any:
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
        key = (
            name,
            tag,
            dtype,
            *(operand.place if isinstance(operand, Node) else (operand.tobytes(), operand.dtype) for operand in operands),
        )
        return self._nodes.setdefault(key, Node(len(self._nodes), dtype, primitive, parameters, tuple(operands)))

    def _elementwise(self, primitive: core.Primitive, parameters: dict[str, Any], inputs: list[Elements], out: Any) -> Elements:
        if "sharding" in parameters:
            parameters = {**parameters, "sharding": None}
        spread, tag = [np.broadcast_to(one, out.shape) for one in inputs], str(parameters)
        found = [self._apply(primitive, parameters, [one[i] for one in spread], out.dtype, tag) for i in np.ndindex(*out.shape)]
        return _array(found, out.shape)

    def _reduced(self, primitive: core.Primitive, values: Elements, axes: tuple[int, ...]) -> Elements:
        kept = [axis for axis in range(values.ndim) if axis not in axes]
        shape = tuple(values.shape[axis] for axis in kept)
        rows = np.transpose(values, (*kept, *axes)).reshape(*shape, -1)
        return _array([self._folded(primitive, list(rows[i])) for i in np.ndindex(*shape)], shape)

    def _folded(self, primitive: core.Primitive, values: list[Any]) -> Any:
        """Pairs, pairs of pairs, ...: less rounding and fewer operations in a row than one after another."""
        while len(values) > 1:
            pairs = [self._apply(primitive, {}, values[i : i + 2], values[i].dtype) for i in range(0, len(values) - 1, 2)]
            values = pairs + values[len(values) - len(values) % 2 :]
        return values[0]

    def _dot(self, dimensions: Any, left: Elements, right: Elements, dtype: Any) -> Elements:
        (left_sum, right_sum), (left_batch, right_batch) = dimensions

        def arranged(values: Elements, batch: Any, summed: Any) -> tuple[tuple[int, ...], Elements]:
            free = [axis for axis in range(values.ndim) if axis not in (*batch, *summed)]
            batch_shape, free_shape = (tuple(values.shape[axis] for axis in axes) for axes in (batch, free))
            sizes = math.prod(batch_shape), math.prod(free_shape)
            return (*batch_shape, *free_shape), np.transpose(values, (*batch, *free, *summed)).reshape(*sizes, -1)

        left_shape, rows = arranged(left, left_batch, left_sum)
        right_shape, columns = arranged(right, right_batch, right_sum)
        shape = (*left_shape, *right_shape[len(right_batch) :])
        found = []
        for batch, row, column in product(range(len(rows)), range(rows.shape[1]), range(columns.shape[1])):
            total: Any = np.zeros((), dtype)[()]
            for a, b in zip(rows[batch, row], columns[batch, column], strict=True):
                total = self._apply(lax.add_p, {}, [total, self._apply(lax.mul_p, {}, [a, b], dtype)], dtype)
            found.append(total)
        return _array(found, shape)


def _emitted(results: list[Any], one: Array) -> list[Array]:
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
    vectors: dict[int, Array] = {}
    repeated: dict[int, int] = {}
    """Operations that each further use of a value repeats."""
    for place in sorted(nodes):
        node = nodes[place]
        if node.primitive is None:
            vectors[place], repeated[place] = node.vector, 0
            continue
        operands = [vectors[x.place] if isinstance(x, Node) else _vector(x, len(one)) for x in node.operands]
        vectors[place] = node.primitive.bind(*operands, **node.parameters)
        cost = 1 + sum(repeated[x.place] for x in node.operands if isinstance(x, Node))
        if node.primitive.name in DEAR and uses[place] > 1:
            cost = 0
        elif (uses[place] - 1) * cost > KEPT_ABOVE and node.dtype == one.dtype:
            vectors[place], cost = vectors[place] / one, 0
        elif (uses[place] - 1) * cost > KEPT_ABOVE and node.dtype == bool:
            vectors[place], cost = jnp.where(vectors[place], one, 0) / one > 0, 1
        repeated[place] = cost
    return [vectors[result.place] if isinstance(result, Node) else _vector(result, len(one)) for result in results]


# Moves ------------------------------------------------------------------------------------------------------------


def _broadcast(parameters: dict[str, Any], out: Any, values: Elements, *_: Any) -> Elements:
    shape = [1] * len(parameters["shape"])
    for axis, position in enumerate(parameters["broadcast_dimensions"]):
        shape[position] = values.shape[axis]
    return np.broadcast_to(values.reshape(shape), parameters["shape"])


def _slice(parameters: dict[str, Any], out: Any, values: Elements) -> Elements:
    strides = parameters["strides"] or [1] * values.ndim
    return values[tuple(map(slice, parameters["start_indices"], parameters["limit_indices"], strides))]


def _pad(parameters: dict[str, Any], out: Any, values: Elements, filler: Elements) -> Elements:
    padded = np.full(out.shape, None, object)
    for i in np.ndindex(*out.shape):
        padded[i] = filler[()]
    for i in np.ndindex(*values.shape):
        place = tuple(low + at * (inner + 1) for at, (low, _, inner) in zip(i, parameters["padding_config"], strict=True))
        if all(0 <= at < size for at, size in zip(place, out.shape, strict=True)):
            padded[place] = values[i]
    return padded


def _iota(parameters: dict[str, Any], out: Any) -> Elements:
    along = np.arange(parameters["shape"][parameters["dimension"]], dtype=parameters["dtype"])
    shape = [1] * len(parameters["shape"])
    shape[parameters["dimension"]] = -1
    return _known(np.broadcast_to(along.reshape(shape), parameters["shape"]))


def _pieces(parameters: dict[str, Any], out: Any, values: Elements) -> list[Elements]:
    return np.split(values, np.cumsum(parameters["sizes"])[:-1], axis=parameters["axis"])


MOVES: dict[str, Callable[..., Any]] = {
    "broadcast_in_dim": _broadcast,
    "concatenate": lambda parameters, out, *values: np.concatenate(values, axis=parameters["dimension"]),
    "expand_dims": lambda parameters, out, values: values.reshape(out.shape),
    "iota": _iota,
    "pad": _pad,
    "reshape": lambda parameters, out, values: values.reshape(out.shape),
    "rev": lambda parameters, out, values: np.flip(values, parameters["dimensions"]),
    "slice": _slice,
    "split": _pieces,
    "stack": lambda parameters, out, *values: np.stack(values, axis=parameters["axis"]),
    "squeeze": lambda parameters, out, values: values.reshape(out.shape),
    "transpose": lambda parameters, out, values: np.transpose(values, parameters["permutation"]),
}


def _is_unrolled(leaf: Any) -> bool:
    return isinstance(leaf, Unrolled)


def _array(elements: list[Any], shape: tuple[int, ...]) -> Elements:
    # Assigned one by one: NumPy would look inside the vectors.
    flat = np.empty(len(elements), object)
    for i, element in enumerate(elements):
        flat[i] = element
    return flat.reshape(shape)


def _known(values: Any) -> Elements:
    values = np.asarray(values)
    return _array([values[i] for i in np.ndindex(*values.shape)], values.shape)


def _vector(element: Any, lanes: int) -> Array:
    return jnp.full((lanes,), element, element.dtype) if isinstance(element, np.generic) else element
