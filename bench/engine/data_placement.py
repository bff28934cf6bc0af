"""The place of the lanes' data sets on a device: part of the program, one for all lanes, for those of a block, or for each lane."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from bench.engine.slots import Slots, places, take
from bench.hardware import Hardware
from bench.lane.data import data_bytes
from bench.lane.program import Program
from bench.tasks.definition import Data

SHARED_BYTES = 1 << 14
"""Data sets that are larger than this are held once for all lanes that have them, if lanes are crossed with data seeds."""

Sample = Callable[[Array], Data]
"""Draws the data set of one data seed."""


class DataPlacement(ABC):
    """The way in which a device holds the data sets of its lanes; by default any lanes may stand together in a block."""

    by_lane = False
    """Whether each lane holds a data set of its own."""
    by_block = False
    """Whether the lanes of a block share one held data set, so that only lanes with equal data stand together."""
    in_common = False
    """Whether the lanes of a block have one held data set between them."""

    @abstractmethod
    def sets(self, slots: int, blocks: int) -> int:
        """Return the number of data sets that a device with these many slots and blocks holds."""

    @abstractmethod
    def place(self, slots: Array, group: Array) -> Array | None:
        """Return where the data of a starting block go among the held data sets; None if none are held."""

    @abstractmethod
    def block(self, slots: Slots, index: Array) -> Data | None:
        """Return the held data of the block of lanes in the slots `index`."""

    @abstractmethod
    def of_lane(self, program: Program, data: Data | None) -> Data | None:
        """Return a lane's data, given its part of the held data of its block."""

    def drawn(self, sample: Sample, data_seeds: Array) -> Data:
        """Draw the data of a starting block, given its data seeds with the axis (lane)."""
        return jax.vmap(sample)(data_seeds)

    def starting(self, slots: Slots, draw: Callable[[], Data]) -> Data:
        """Return the data of a starting block, which `draw` draws if they are not held yet."""
        return draw()

    def ordered(self, slots: Slots, chosen: Array, count: Array, hardware: Hardware) -> Array:
        """Return the `count` chosen slots in the order in which blocks take them, padded with one past the last slot."""
        return places(chosen, len(chosen), hardware)

    def cut(self, slots: Slots, index: Array) -> Array:
        """Return `index` with one past the last slot from the first lane on that cannot stand in a block with the lane at 0."""
        return index


class Constant(DataPlacement):
    """All lanes have one data set, which is part of the program; none is held."""

    def sets(self, slots: int, blocks: int) -> int:
        return 0

    def place(self, slots: Array, group: Array) -> Array | None:
        return None

    def block(self, slots: Slots, index: Array) -> Data | None:
        return None

    def of_lane(self, program: Program, data: Data | None) -> Data | None:
        return program.constant_data


class Shared(DataPlacement):
    """All lanes of a device share one data set, which the host has put there: it is too large to be part of the program."""

    in_common = True

    def sets(self, slots: int, blocks: int) -> int:
        return 1

    def place(self, slots: Array, group: Array) -> Array | None:
        return None

    def block(self, slots: Slots, index: Array) -> Data | None:
        return jax.tree.map(lambda leaf: leaf[0], slots.data)

    def of_lane(self, program: Program, data: Data | None) -> Data | None:
        return data

    def starting(self, slots: Slots, draw: Callable[[], Data]) -> Data:
        return jax.tree.map(lambda leaf: leaf[0], slots.data)


class PerBlock(DataPlacement):
    """Lanes with the same data share one held data set, and a block has one."""

    by_block = True
    in_common = True

    def sets(self, slots: int, blocks: int) -> int:
        return blocks

    def place(self, slots: Array, group: Array) -> Array | None:
        return group

    def block(self, slots: Slots, index: Array) -> Data | None:
        return jax.tree.map(lambda leaf: leaf[slots.group[jnp.minimum(index[0], len(slots.group) - 1)]], slots.data)

    def of_lane(self, program: Program, data: Data | None) -> Data | None:
        return data

    def drawn(self, sample: Sample, data_seeds: Array) -> Data:
        return sample(data_seeds[0])

    def ordered(self, slots: Slots, chosen: Array, count: Array, hardware: Hardware) -> Array:
        beyond = len(chosen)
        sorted_slots = jnp.argsort(jnp.where(chosen, slots.group, beyond), stable=True)
        return jnp.where(jnp.arange(beyond) < count, sorted_slots, beyond)

    def cut(self, slots: Slots, index: Array) -> Array:
        beyond = len(slots.group)
        groups = slots.group[jnp.minimum(index, beyond - 1)]
        return jnp.where(jnp.cumsum(groups != groups[0]) == 0, index, beyond)


class Own(DataPlacement):
    """Each lane holds a data set of its own in its slot."""

    by_lane = True

    def sets(self, slots: int, blocks: int) -> int:
        return slots

    def place(self, slots: Array, group: Array) -> Array | None:
        return slots

    def block(self, slots: Slots, index: Array) -> Data | None:
        return take(slots.data, index)

    def of_lane(self, program: Program, data: Data | None) -> Data | None:
        return data


CONSTANT, SHARED, PER_BLOCK, OWN = Constant(), Shared(), PerBlock(), Own()


def data_placement(program: Program) -> DataPlacement:
    """Return the placement of a program's data: it follows from the program alone."""
    if program.constant_data is not None:
        return CONSTANT
    if program.shared_data is not None:
        return SHARED
    is_large = data_bytes(program.data_shapes) > SHARED_BYTES
    return PER_BLOCK if is_large and not program.own_data else OWN
