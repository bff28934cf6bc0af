"""Vectors of a graph: the JAX operations that compute its nodes."""

from collections import Counter
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from bench.engine.layouts.graph import Node
from bench.engine.layouts.primitives import EXPENSIVE, REDUCTIONS, stored

STORED_ABOVE = 24
"""Number of repeated operations beyond which a value is stored in memory: storing it costs about as much as so many operations."""


def emitted(results: list[Any], one: Array, stored_above: float) -> list[Array]:
    """Return the vectors of these elements with the axis (lane).

    Values whose operations XLA would repeat more than `stored_above` times are stored, see `stored`; `one` is its divisor (lane,).
    """
    nodes = _needed(results)
    uses = Counter(operand.place for node in nodes.values() for operand in set(node.operands) if isinstance(operand, Node))
    uses.update(result.place for result in results if isinstance(result, Node))
    examples = next((node.compute().shape[0] for node in nodes.values() if node.wide and node.name == "given"), 0)
    vectors: dict[int, Array] = {}
    repeated: dict[int, int] = {}
    """By place, the operations that each further use of a value repeats."""

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
        if node.name in EXPENSIVE and uses[place] > 1:
            cost = 0
        elif repeats > stored_above and node.dtype == one.dtype:
            vectors[place], cost = stored(vectors[place], one), 0
        elif repeats > stored_above and node.dtype == bool:
            vectors[place], cost = stored(jnp.where(vectors[place], one, 0), one) > 0, 1
        repeated[place] = cost
    return [vector(result, False) for result in results]


def _needed(results: list[Any]) -> dict[int, Node]:
    """Return, by place, the nodes that these elements follow from."""
    nodes: dict[int, Node] = {}
    waiting = [result for result in results if isinstance(result, Node)]
    while waiting:
        node = waiting.pop()
        if node.place not in nodes:
            nodes[node.place] = node
            waiting += [operand for operand in node.operands if isinstance(operand, Node)]
    return nodes
