"""The functions of `Rounds`, compiled for all devices of a mesh, and what the host hands to them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from bench.engine.curves import BufferSize, Curves
from bench.engine.layouts.costs import shapes_of_lane
from bench.engine.layouts.layout import Layout, Setting
from bench.engine.rounds import Rounds
from bench.engine.slots import Room, Slots
from bench.hardware import AXIS, lane_sharding
from bench.lane.state import Inputs, Status
from bench.startup import HASTY, one_thread_per_device

TRIED_STEPS = 256
"""Most steps after which bits are compared: an epoch of minibatches of many examples has more, and would take long."""


class Compiled:
    """The compiled functions of a pool with this many blocks on each device; arrays have all devices on their leading axis.

    The constructor compiles. It raises JaxRuntimeError if the devices have too little memory.
    """

    compilations = 5

    def __init__(self, setting: Setting, layout: Layout, blocks: int, mesh: Mesh) -> None:
        self.setting, self.layout = setting, layout
        self._mesh, self._sharding = mesh, lane_sharding(mesh)
        program = setting.program
        fixed, state = shapes_of_lane(program)
        seen = jax.eval_shape(lambda fixed, state: program.advance(fixed, state, lambda value: value), fixed, state)[1]
        size = BufferSize.of(setting.width, layout.checks_per_round, sum(leaf.dtype.itemsize for leaf in seen.values()))
        rounds = Rounds(setting, layout, blocks, size)
        self.room = room = Room(mesh.size, rounds.slots, setting.width, rounds.fill_blocks)
        integer, flag = (jax.ShapeDtypeStruct((), kind) for kind in (jnp.int32, jnp.bool_))
        inputs = Inputs(*(jax.ShapeDtypeStruct((), kind) for kind in program.input_types))
        sets = setting.placement.sets(room.slots, blocks)
        data = self._many(fixed.data, sets) if sets else None
        slots = Slots(self._many(inputs, room.slots), self._many(state, room.slots), self._many(integer, room.slots), data)
        number, ended = (self._many(kind, size.chunks, size.lanes) for kind in (integer, flag))
        curves = Curves(self._many(integer, 1), number, number, number, ended, self._many(seen, size.chunks, size.checks, size.lanes))
        fill = (room.fill_blocks,)
        starts = self._many((integer, integer), *fill), self._many(inputs, *fill, setting.width), self._many(integer, *fill, setting.width)
        chosen = self._many(flag, room.slots)
        with ThreadPoolExecutor() as threads:
            # Each compiles while the next is traced.
            compiling = [
                threads.submit(self._lowered(rounds.fill, slots, *starts, donate=(0,)).compile, HASTY | one_thread_per_device()),
                threads.submit(
                    self._lowered(rounds.advance, slots, curves, self._many(integer, 1, 3), donate=(0, 1)).compile, one_thread_per_device()
                ),
                threads.submit(self._lowered(rounds.read, slots, chosen).compile, one_thread_per_device()),
                threads.submit(
                    self._lowered(lambda: self._empty(slots if program.shared_data is None else slots._replace(data=None))).compile
                ),
                threads.submit(self._lowered(lambda: self._zeros(curves)).compile),
            ]
        self._fill, self.advance, self.read, self._empty_slots, self.empty_curves = (one.result() for one in compiling)
        self.chunk = jax.jit(self._sharded(Curves.chunk))

    def empty_slots(self) -> Slots:
        """Return slots without running lanes, with the data that all lanes share."""
        shared = self.setting.program.shared_data
        if shared is None:
            return self._empty_slots()
        copies = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (self.room.devices, *np.shape(leaf))), shared)
        return self._empty_slots()._replace(data=jax.device_put(copies, self._sharding))

    def fill(self, slots: Slots, variant: np.ndarray, group: np.ndarray, inputs: Inputs, index: np.ndarray) -> Slots:
        """Start lanes; the arguments are those of `Rounds.fill` with the axes (device, block, ...)."""

        def on_devices(values: np.ndarray) -> np.ndarray:
            return values.reshape(-1, *values.shape[2:])

        return self._fill(slots, *jax.tree.map(on_devices, ((variant, group), inputs, index)))

    def limits(self, rounds: int, checks: int, floor: int | np.ndarray) -> np.ndarray:
        """Return the limits of a segment for `advance`: the same for all devices, apart from the floor."""
        return np.stack([np.full(self.room.devices, value, np.int32) for value in (rounds, checks, floor)], axis=1)

    def _many(self, shapes: Any, *axes: int) -> Any:
        """Return shapes on all devices, with these leading axes on each."""
        shape = (self.room.devices * axes[0], *axes[1:])
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((*shape, *leaf.shape), leaf.dtype, sharding=self._sharding), shapes)

    def _sharded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        spec = PartitionSpec(AXIS)
        return jax.shard_map(function, mesh=self._mesh, in_specs=spec, out_specs=spec, check_vma=False)

    def _lowered(self, function: Callable[..., Any], *shapes: Any, donate: tuple[int, ...] = ()) -> Any:
        return jax.jit(self._sharded(function), donate_argnums=donate).lower(*shapes)

    def _zeros(self, shapes: Any) -> Any:
        """Return each device's part of arrays of these shapes on all devices."""
        return jax.tree.map(lambda leaf: jnp.zeros((leaf.shape[0] // self.room.devices, *leaf.shape[1:]), leaf.dtype), shapes)

    def _empty(self, slots: Slots) -> Slots:
        """Return slots of these shapes on all devices, without running lanes."""
        slots = self._zeros(slots)
        ended = jnp.full_like(slots.state.status, Status.SOLVED)
        return slots._replace(state=slots.state._replace(status=ended))


def shifts(width: int) -> list[int]:
    """Return by how many places `bits_ignore_position` moves the lanes of a block."""
    return sorted({1, width // 2})


def bits_ignore_position(compiled: Compiled) -> bool:
    """Return whether lanes get the same bits wherever they stand in a block: some compiled programs round by position.

    It is tried on the compiled program itself, so that the width that follows depends on the program alone.
    """
    program, room = compiled.setting.program, compiled.room
    devices, width = room.devices, room.width
    cell = next((cell for cell in program.cells if cell.settings.initializer.random), program.cells[0])
    lanes = np.tile(np.arange(width), devices)
    inputs = program.inputs_of(cell, np.zeros_like(lanes) if compiled.setting.placement.by_block else lanes, lanes)
    inputs = inputs._replace(budget=np.minimum(inputs.budget, TRIED_STEPS))
    index = np.full((devices, room.fill_blocks, width), room.slots, np.int32)
    index[:, 0] = np.arange(width)
    variant = np.full(index.shape[:2], program.variant_of(cell), np.int32)
    group = np.full(index.shape[:2], room.slots, np.int32)
    group[:, 0] = 0

    def ends(shift: int) -> list[np.ndarray]:
        """Results of the lanes, which stand `shift` places further on in the block."""
        rolled = jax.tree.map(lambda v: np.roll(v.reshape(devices, 1, -1), shift, axis=2).repeat(room.fill_blocks, 1), inputs)
        slots = compiled.fill(compiled.empty_slots(), variant, group, rolled, index)
        limits = compiled.limits(1, compiled.layout.checks_per_round // 2, 0)
        slots, *_ = compiled.advance(slots, compiled.empty_curves(), limits)
        found = compiled.read(slots, np.tile(np.arange(room.slots) < width, devices))
        del found["count"], found["slot"]
        shape = (devices, room.slots + width, -1)
        return [np.roll(np.asarray(leaf).reshape(shape)[:, :width], -shift, axis=1) for leaf in jax.tree.leaves(found)]

    first = ends(0)
    return all(all(a.tobytes() == b.tobytes() for a, b in zip(first, ends(shift), strict=True)) for shift in shifts(width))
