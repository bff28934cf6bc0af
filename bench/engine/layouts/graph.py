"""The operations of one step on single numbers, each written down once: evaluation by graph nodes in place of arrays."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core
from jaxtyping import Array

from bench.engine.layouts.primitives import halved, whole
from bench.engine.layouts.vectors import is_vectors
from bench.engine.layouts.walker import Evaluation, Operation, Rule, Unsupported


@dataclass(frozen=True, eq=False)
class Node:
    """An operation on vectors; `place` is its position in the graph, which is after that of its operands."""

    place: int
    name: str
    dtype: Any
    wide: bool
    """Whether its value has an axis over examples."""
    compute: Callable[..., Array]
    operands: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Elements:
    """An array of the program: a NumPy array of objects, each a `Node` or, where the value is known, a NumPy scalar.

    `axis` is the axis over examples if it is kept; it has length 1 here.
    """

    elements: np.ndarray
    axis: int | None = None


class Graph(Evaluation[Elements]):
    """A graph that grows while a function is evaluated.

    Raises Unsupported beyond `most` nodes. With `registers` it is the body of a kernel, where every value stays in a register.
    """

    def __init__(self, rules: Mapping[str, Rule], most: float = math.inf, registers: bool = False) -> None:
        super().__init__(rules)
        self._nodes: dict[Any, Node] = {}
        self._most = most
        self._reduced = whole if registers else halved
        self._own = {"max": _larger, "min": _smaller} if registers else {}
        self.examples = 0
        """Length of the axis over examples that is kept."""

    @property
    def names(self) -> Counter[str]:
        """The number of nodes by name."""
        return Counter(node.name for node in self._nodes.values())

    def trace(self, function: Callable[..., Any], arguments: Any) -> tuple[list[Elements], Any]:
        """Evaluate a function on trees of `Vectors`; returns its results and the shapes that the function returns."""
        leaves, tree = jax.tree.flatten(arguments, is_leaf=is_vectors)
        shapes = [jax.ShapeDtypeStruct(leaf.shape, leaf.vectors[0].dtype) for leaf in leaves]
        closed, outs = jax.make_jaxpr(function, return_shape=True)(*jax.tree.unflatten(tree, shapes))
        inputs = []
        for leaf in leaves:
            nodes = [self.node(id(vector), "given", vector.dtype, leaf.wide, lambda v=vector: v) for vector in leaf.vectors]
            if leaf.wide:
                self.examples = leaf.shape[0]
            inputs.append(Elements(as_objects(nodes, (1, *leaf.shape[1:])), 0) if leaf.wide else Elements(as_objects(nodes, leaf.shape)))
        results = self.walk(closed.jaxpr, closed.consts, inputs)
        if any(result.axis is not None for result in results):
            raise Unsupported("a result has an axis over examples")
        return results, outs

    def constant(self, array: Any, dtype: Any = None) -> Elements:
        """Return an array whose elements are all known."""
        values = np.asarray(array, dtype)
        return Elements(as_objects([values[i] for i in np.ndindex(*values.shape)], values.shape))

    def without_rule(self, operation: Operation, values: list[Elements]) -> list[Elements]:
        """Raise Unsupported: single numbers need a rule for every primitive."""
        raise Unsupported(operation.name)

    def node(self, key: Any, name: str, dtype: Any, wide: bool, compute: Callable[..., Array], operands: tuple[Any, ...] = ()) -> Node:
        """Return the node of this key; a new one if there is none yet."""
        if key not in self._nodes:
            if len(self._nodes) > self._most:
                raise Unsupported("too many operations")
            self._nodes[key] = Node(len(self._nodes), name, dtype, wide, compute, operands)
        return self._nodes[key]

    def apply(self, primitive: core.Primitive, parameters: dict[str, Any], operands: list[Any], dtype: Any, tag: str = "") -> Any:
        """Return the element of one elementwise operation.

        It is computed at once if all operands are known, and left out if it changes nothing. `tag` tells operations of one primitive
        with different parameters apart.
        """
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
        return self.node(key, name, dtype, wide, compute, tuple(operands))

    def widened(self, value: Elements, axis: int | None) -> np.ndarray:
        """Return the elements of a value whose axis over examples is `axis`, gathering them along it where they stand apart."""
        if value.axis is not None and value.axis != axis:
            raise Unsupported("two axes over examples")
        if axis is None or value.axis == axis or value.elements.ndim <= axis:
            return value.elements
        if value.elements.shape[axis] == 1:
            return value.elements
        rows = np.moveaxis(value.elements, axis, 0)
        found = [self._column(list(rows[(slice(None), *i)])) for i in np.ndindex(*rows.shape[1:])]
        return np.expand_dims(as_objects(found, rows.shape[1:]), axis)

    def _column(self, elements: list[Any]) -> Any:
        """Return one element that has these elements along the examples."""
        keys = tuple(map(_identity, elements))
        if len(set(keys)) == 1:
            return elements[0]
        known = tuple(element for element in elements if isinstance(element, np.generic))
        if len(known) == len(elements):
            return self.node(("column", keys), "known column", elements[0].dtype, True, lambda: jnp.asarray(np.array(known))[:, None])
        if known:
            raise Unsupported("a column of known and unknown values")
        return self.node(("column", keys), "column", elements[0].dtype, True, lambda *v: jnp.stack(v), tuple(elements))

    def over_examples(self, name: str, element: Any) -> Any:
        """Return the element reduced over the examples."""
        if isinstance(element, Node) and element.wide:
            return self.node((name, element.place), name, element.dtype, False, partial(self._reduced, name), (element,))
        if name not in ("reduce_sum", "reduce_prod"):
            return element
        number = np.asarray(self.examples, element.dtype)[()]
        return self.apply(lax.mul_p if name == "reduce_sum" else lax.pow_p, {}, [element, number], element.dtype)


def as_objects(elements: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    """Return a NumPy array of objects of this shape."""
    # Assigned one by one: NumPy would look inside vectors.
    flat = np.empty(len(elements), object)
    for i, element in enumerate(elements):
        flat[i] = element
    return flat.reshape(shape)


def _identity(element: Any) -> Any:
    return element.place if isinstance(element, Node) else (element.tobytes(), element.dtype)


def _larger(a: Array, b: Array) -> Array:
    """Return the larger one, or the one that is NaN: Triton's own maximum would drop it."""
    return jnp.where((a > b) | (a != a), a, b)


def _smaller(a: Array, b: Array) -> Array:
    """Return the smaller one, or the one that is NaN."""
    return jnp.where((a < b) | (a != a), a, b)
