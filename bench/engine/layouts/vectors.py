"""A batch of small arrays as one vector over lanes for each array element."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


@jax.tree_util.register_pytree_node_class
class Vectors:
    """An array of each lane, taken apart: a vector with the axis (lane) per element, in the order of C.

    A `wide` array keeps its first axis, over examples, and has arrays with axes (example, lane) per element of the other axes.
    """

    def __init__(self, shape: tuple[int, ...], vectors: list[Any], wide: bool = False) -> None:
        self.shape, self.vectors, self.wide = shape, vectors, wide

    def tree_flatten(self) -> tuple[list[Any], tuple[tuple[int, ...], bool]]:
        """Children and auxiliary data, as JAX asks for them."""
        return self.vectors, (self.shape, self.wide)

    @classmethod
    def tree_unflatten(cls, kind: tuple[tuple[int, ...], bool], vectors: Any) -> "Vectors":
        """The inverse of `tree_flatten`."""
        return cls(kind[0], list(vectors), kind[1])


def split(tree: Any, wide: bool = False) -> Any:
    """Take arrays (lane, ...) apart into `Vectors`; `wide` keeps the axis after the lanes, if there is one."""

    def one(leaf: Array) -> Vectors:
        if wide and leaf.ndim > 1:
            return Vectors(leaf.shape[1:], [leaf[(slice(None), slice(None), *i)].T for i in np.ndindex(*leaf.shape[2:])], True)
        return Vectors(leaf.shape[1:], [leaf[(slice(None), *i)] for i in np.ndindex(*leaf.shape[1:])])

    return jax.tree.map(one, tree)


def join(tree: Any) -> Any:
    """Put `Vectors` that are not wide together again as arrays (lane, ...): the inverse of `split`."""

    def one(leaf: Vectors) -> Array:
        return jnp.stack(leaf.vectors, axis=-1).reshape(-1, *leaf.shape) if leaf.shape != () else leaf.vectors[0]

    return jax.tree.map(one, tree, is_leaf=is_vectors)


def is_vectors(leaf: Any) -> bool:
    """Return whether a node of a tree is a `Vectors`."""
    return isinstance(leaf, Vectors)
