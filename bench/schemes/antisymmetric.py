"""Pairs of units that cancel each other."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bench.schemes import scheme


@scheme
def antisymmetric(params: dict[Any, Any], network: Any, x: Float[Array, "example input"]) -> dict[Any, Any]:
    """The second half of the last hidden layer copies the first, with outgoing weights of the opposite sign, and no output bias.

    The network is the zero function at the start, to rounding of a sum, though none of its weights has to be 0; the paper doubles the
    whole network. The last hidden layer must have an even number of units.

    Formula: W_last = [U, U], W_out = [V; -V], b_out = 0.
    Source: Zhang et al., 2020, arXiv 1905.07777.
    Law: the outputs are 0 for every x.
    Limit: for two units a unit and its negative.
    """
    if not network.is_layered:
        raise ValueError("antisymmetric: it needs a model whose hidden layers follow one another")
    incoming, outgoing = (path[:-1] for path in network.weight_paths[-2:])

    def changed(path: Any, leaf: Array) -> Array:
        keys = tuple(entry.key for entry in path)
        if keys[:-1] == incoming:
            half, odd = divmod(leaf.shape[-1], 2)
            if odd:
                raise ValueError(f"antisymmetric: {leaf.shape[-1]} units in the last hidden layer; it needs an even number")
            return jnp.concatenate([leaf[..., :half], leaf[..., :half]], axis=-1)
        if keys[:-1] == outgoing:
            if keys not in network.weight_paths:
                return jnp.zeros_like(leaf)
            half = leaf.shape[0] // 2
            return jnp.concatenate([leaf[:half], -leaf[:half]])
        return leaf

    return jax.tree_util.tree_map_with_path(changed, params)
