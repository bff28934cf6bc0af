"""Functions that are compiled for the devices: start lanes in slots, advance them round by round, and read their results.

In a round a device gathers its running lanes into blocks of `width`, takes some loss checks of each block, and puts the lanes back into
their slots, so that ended lanes cost nothing. A block is what is vectorized: always `width` lanes, padded. Nothing that a lane computes
depends on its slot or on its neighbors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from bench.engine.curves import BufferSize, Curves, Trace
from bench.engine.hashing import digest
from bench.engine.layouts.layout import Block, Layout, Setting, over_lanes
from bench.engine.slots import Slots, put, take
from bench.lane.start import Variant
from bench.lane.state import Inputs, State, Status
from bench.spec import TaskSpec
from bench.tasks.definition import Data

FILL_LANES = 4096
"""Lanes that start at a time on each device: the first of them start while the host prepares the next."""
MAX_FILL_BLOCKS = 32
"""The largest number of blocks that start at a time on each device."""
RESULTS = ("status", "step", "loss", "loss_initial", "steps_to_solve", "break_step")
"""Fields of `State` that are read when a lane has ended."""


@dataclass(frozen=True)
class Rounds:
    """Pure functions of the slots and the curve buffer of one device."""

    setting: Setting
    layout: Layout
    blocks: int
    """The number of blocks that the slots of a device make."""
    size: BufferSize

    @property
    def slots(self) -> int:
        """The number of slots on each device."""
        return self.setting.width * self.blocks

    @property
    def fill_blocks(self) -> int:
        """The number of blocks that start at a time on each device."""
        return min(max(FILL_LANES // self.setting.width, 1), MAX_FILL_BLOCKS, self.blocks)

    # Start -------------------------------------------------------------------------------------------------------

    def fill(self, slots: Slots, block: tuple[Array, Array], inputs: Inputs, index: Array) -> Slots:
        """Start lanes, block by block, in the slots `index` (block, lane).

        `block` holds, with the axis (block), the number of the variant that starts the block and the number of its shared data set. Blocks
        from the first one on without any slot are left out.
        """
        program, placement = self.setting.program, self.setting.placement

        def begin(variant: Variant, inputs: Inputs, keys: Array, data: Data) -> tuple[Inputs, State]:
            return jax.vmap(partial(program.begin, variant), (0, 0, None if placement.in_common else 0))(inputs, keys, data)

        def drawn(task: TaskSpec, seeds: Array) -> Data:
            return placement.drawn(partial(program.sample, task), seeds)

        def one(i: Array, slots: Slots) -> Slots:
            (variant, group), given, where = jax.tree.map(lambda leaf: leaf[i], (block, inputs, index))
            # A loop with a sort in it is not compiled as one function, which for many branches takes most of a minute.
            where = jnp.sort(where)
            samples = [partial(drawn, task) for task in program.tasks]
            number = jnp.asarray(program.task_of)[variant]
            data = placement.starting(slots, partial(jax.lax.switch, number, samples, given.data_seed))
            keys = jax.vmap(program.keys)(given.init_seed)
            began, state = jax.lax.switch(variant, [partial(begin, one) for one in program.variants], given, keys, data)
            fresh = began, state, jnp.broadcast_to(group, where.shape)
            began, state, groups = put((slots.inputs, slots.state, slots.group), fresh, where)
            place = placement.place(where, group)
            kept = slots.data if place is None else put(slots.data, data, place)
            return Slots(began, state, groups, kept)

        used = jnp.sum(index[:, 0] < self.slots)
        return jax.lax.fori_loop(0, used, one, slots)

    # Advance -----------------------------------------------------------------------------------------------------

    def advance(self, slots: Slots, curves: Curves, limits: Array) -> tuple[Slots, Curves, Array, Array, Array, Array]:
        """Advance the running lanes by one segment.

        `limits` holds (rounds, checks per round, floor): the segment ends after these rounds, when no more than `floor` lanes still run,
        or when the curve buffer is full. Returns slots, curves, status and step of all lanes, how many times a block was advanced, and the
        flags of the lanes that ended.
        """
        rounds, checks, floor = limits[0]
        ran = slots.state.status == Status.RUNNING

        def running(slots: Slots) -> Array:
            return jnp.sum(slots.state.status == Status.RUNNING)

        def more_rounds(carried: Any) -> Array:
            done, _, slots, curves = carried
            return (done < rounds) & (running(slots) > floor) & curves.has_room(self.size)

        def round_of_all(carried: Any) -> Any:
            done, blocks, slots, curves = carried
            order, count = self._order(slots, slots.state.status == Status.RUNNING)

            def more_blocks(carried: Any) -> Array:
                first, _, _, curves, _ = carried
                return (first < count) & curves.has_room(self.size)

            def block(carried: Any) -> Any:
                first, blocks, slots, curves, trace = carried
                index = self._block(slots, order, first)
                slots, curves, trace = self._advance_block(slots, curves, trace, index, checks)
                return first + jnp.sum(index < self.slots), blocks + 1, slots, curves, trace

            # Blocks write over one another's trace: emptying it for each block would take time and change nothing.
            shape = self.layout.checks_per_round, self.setting.width
            trace = {name: jnp.zeros(shape, leaf.dtype) for name, leaf in curves.seen.items()}
            _, blocks, slots, curves, _ = jax.lax.while_loop(more_blocks, block, (jnp.zeros_like(count), blocks, slots, curves, trace))
            return done + 1, blocks, slots, curves

        none = jnp.zeros((), jnp.int32)
        _, blocks, slots, curves = jax.lax.while_loop(more_rounds, round_of_all, (none, none, slots, curves.emptied()))
        return slots, curves, slots.state.status, slots.state.step, blocks[None], ran & (slots.state.status != Status.RUNNING)

    def _advance_block(self, slots: Slots, curves: Curves, trace: Trace, index: Array, checks: Array) -> tuple[Slots, Curves, Trace]:
        mine = index < self.slots
        inputs, state = take((slots.inputs, slots.state), index)
        before = state.step
        state = state._replace(status=jnp.where(mine, state.status, Status.SOLVED))
        block = Block(inputs, self.setting.placement.block(slots, index), state)
        fixed, inside = self.layout.enter(self.setting, block, checks)
        inside, trace = self.layout.advance(self.setting, fixed, inside, checks, trace)
        state = self.layout.leave(inside)
        slots = slots._replace(state=put(slots.state, state, index))
        kept = mine & inputs.logged
        found = index, before, state.step, state.status != Status.RUNNING, trace
        return slots, curves.with_block(self.size, kept, self.slots, found, self.setting.hardware), trace

    # Read --------------------------------------------------------------------------------------------------------

    def read(self, slots: Slots, chosen: Array) -> dict[str, Array]:
        """Return the results of the lanes in the chosen slots: their count, their slots, and their values in the same order."""

        def one(index: Array) -> dict[str, Array]:
            inputs, state = take((slots.inputs, slots.state), index)
            block = Block(inputs, self.setting.placement.block(slots, index), state)
            found = over_lanes(self.setting.program.measure, self.setting, block)
            plain = {name: getattr(state, name) for name in RESULTS}
            digests = jax.vmap(digest)(state.params)
            ends = {"params": jax.vmap(self.setting.program.parameters)(state)} if self.setting.program.ends else {}
            return {**plain, **ends, "learning_rate": inputs.learning_rate, "params_digest": digests, "measured": found}

        def more(carried: Any) -> Array:
            first, _ = carried
            return first < count

        def block(carried: Any) -> Any:
            first, kept = carried
            index = self._block(slots, order, first)
            kept = jax.tree.map(lambda old, new: jax.lax.dynamic_update_slice_in_dim(old, new, first, 0), kept, traced(index))
            return first + jnp.sum(index < self.slots), kept

        # Traced at the first of its uses only: tracing takes seconds.
        traced: Callable[[Array], dict[str, Array]] = jax.jit(one, inline=True)
        order, count = self._order(slots, chosen)
        shapes = jax.eval_shape(traced, order[: self.setting.width])
        empty = jax.tree.map(lambda leaf: jnp.zeros((len(order), *leaf.shape[1:]), leaf.dtype), shapes)
        _, found = jax.lax.while_loop(more, block, (jnp.zeros_like(count), empty))
        return {"count": count[None], "slot": order, **found}

    # Blocks ------------------------------------------------------------------------------------------------------

    def _order(self, slots: Slots, chosen: Array) -> tuple[Array, Array]:
        """Return the chosen slots as blocks take them, padded with at least a block of one past the last slot; and their count."""
        count = jnp.sum(chosen)
        order = self.setting.placement.ordered(slots, chosen, count, self.setting.hardware)
        return jnp.concatenate([order, jnp.full(self.setting.width, self.slots)]).astype(jnp.int32), count

    def _block(self, slots: Slots, order: Array, first: Array) -> Array:
        """Return the slots of the block that begins at this place of an order."""
        return self.setting.placement.cut(slots, jax.lax.dynamic_slice_in_dim(order, first, self.setting.width))
