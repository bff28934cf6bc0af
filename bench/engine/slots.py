"""Lanes in the slots of a device: found, gathered into blocks, and put back."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from bench.hardware import accelerated
from bench.lane.state import Inputs, State
from bench.tasks.definition import Data


class Slots(NamedTuple):
    """What a device holds: inputs, state and data of its lanes (leading axis: slot; data by data set where lanes share them)."""

    inputs: Inputs
    state: State
    group: Array
    """Which of the shared data sets is the lane's."""
    data: Data | None


def take(tree: Any, index: Array) -> Any:
    """What stands at these places of each array."""
    return jax.tree.map(lambda leaf: jnp.take(leaf, index, axis=0, mode="clip"), tree)


def put(tree: Any, new: Any, index: Array) -> Any:
    """Arrays with these new values at these places, as far as they have them."""

    def one(kept: Array, fresh: Array) -> Array:
        # Different places, also those beyond the last one: otherwise a GPU writes them one after another, so that the last one stays.
        own = jnp.where(index < len(kept), index, len(kept) + jnp.arange(index.size).reshape(index.shape))
        return kept.at[own].set(fresh, mode="drop", unique_indices=True)

    return jax.tree.map(one, tree, new)


def places(flags: Array, beyond: int) -> Array:
    """Where flags are set, in order; `beyond` behind the last one."""
    numbers = jnp.arange(len(flags), dtype=jnp.int32)
    none = jnp.full(len(flags), beyond, jnp.int32)
    if accelerated():
        order = jnp.where(flags, jnp.cumsum(flags) - 1, len(flags) + numbers)
        return none.at[order].set(numbers, mode="drop", unique_indices=True)
    # One after another up to the last one: on a CPU that takes a seventh of the time, or less than half of it if the last one stands last.
    count = jnp.sum(flags, dtype=jnp.int32)

    def one(carried: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        i, found, order = carried
        return i + 1, found + flags[i], order.at[found].set(i)

    zero = jnp.zeros((), jnp.int32)
    return jax.lax.while_loop(lambda carried: carried[1] < count, one, (zero, zero, none))[2]
