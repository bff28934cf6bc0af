"""Lanes in the slots of a device: found, gathered into blocks, and put back."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from bench.hardware import Hardware
from bench.lane.state import Inputs, State
from bench.tasks.definition import Data


class Room(NamedTuple):
    """The room that a pool has for lanes."""

    devices: int
    slots: int
    """Slots on each device."""
    width: int
    """Lanes per block."""
    fill_blocks: int
    """Blocks that start at a time on each device."""


class Slots(NamedTuple):
    """Inputs, state and data of the lanes that a device holds. The leading axis is the slot, for `data` that of its placement."""

    inputs: Inputs
    state: State
    group: Array
    """The number of the lane's data set, where blocks share data sets."""
    data: Data | None


def take(tree: Any, index: Array) -> Any:
    """Gather `tree[index[i]]` of each array; indices out of range are moved to the nearest place."""
    return jax.tree.map(lambda leaf: jnp.take(leaf, index, axis=0, mode="clip"), tree)


def put(tree: Any, new: Any, index: Array) -> Any:
    """Scatter `new[i]` to `tree[index[i]]` of each array; indices out of range are dropped."""

    def one(kept: Array, fresh: Array) -> Array:
        # All places differ, also those out of range: a GPU would write equal places one after another, so that the last write stays.
        own = jnp.where(index < len(kept), index, len(kept) + jnp.arange(index.size).reshape(index.shape))
        return kept.at[own].set(fresh, mode="drop", unique_indices=True)

    return jax.tree.map(one, tree, new)


def places(flags: Bool[Array, " place"], beyond: int, hardware: Hardware) -> Int[Array, " place"]:
    """Return the indices of the set flags in ascending order, followed by `beyond` up to the length of `flags`."""
    numbers = jnp.arange(len(flags), dtype=jnp.int32)
    none = jnp.full(len(flags), beyond, jnp.int32)
    if hardware.loops_ask_host:
        order = jnp.where(flags, jnp.cumsum(flags) - 1, len(flags) + numbers)
        return none.at[order].set(numbers, mode="drop", unique_indices=True)
    # On a CPU a loop up to the last set flag is faster, even if the last flag of all is set.
    count = jnp.sum(flags, dtype=jnp.int32)

    def one(carried: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        i, found, order = carried
        return i + 1, found + flags[i], order.at[found].set(i)

    zero = jnp.zeros((), jnp.int32)
    return jax.lax.while_loop(lambda carried: carried[1] < count, one, (zero, zero, none))[2]
