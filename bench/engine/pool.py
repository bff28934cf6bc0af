"""Continuous batching: a fixed number of lane slots that are refilled as lanes end.

Slots are arranged as (device, block, lane). A block is what `vmap` sees, always `width` lanes, padded; blocks of a device
run one after another, devices side by side. Nothing that a lane computes depends on its slot or on its neighbors.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from bench.engine.devices import AXIS, lane_sharding, precision
from bench.engine.program import Fixed, Inputs, Program, State, Status
from bench.engine.width import block_count, block_width

Columns = dict[str, np.ndarray]
EMPTY = -1
MAX_LOOKS = 256
"""Most looks at a lane's loss in one segment, the time between two visits of the host."""
TRIAL_LOOKS = 32
SEGMENT_SECONDS = 0.05
"""A segment should last about this long: far more than the host's own work, far less than most lanes."""


@dataclass(frozen=True)
class Lanes:
    """Lanes to run, in the order in which they start; each array has one entry per lane."""

    ids: np.ndarray
    """Any integers: how the caller knows the lanes."""
    variant: np.ndarray
    inputs: Inputs
    logged: np.ndarray
    """Whether the lane's curve is kept."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass
class Batch:
    """Lanes that ended: their columns, and the logged points of their curves."""

    columns: Columns
    curves: Columns


@dataclass
class Costs:
    """What a pool has spent."""

    compile_seconds: float = 0.0
    compilations: int = 0
    run_seconds: float = 0.0
    seed_steps: int = 0


@dataclass
class Pool:
    """Runs lanes of one program on a mesh of devices.

    `width` is the block width to keep, or 0 to take the cost model's.
    """

    program: Program
    mesh: Mesh
    width: int = 0
    costs: Costs = field(default_factory=Costs)

    def __post_init__(self) -> None:
        self.devices = self.mesh.size
        self._sharding = lane_sharding(self.mesh)
        kept = self.width > 0
        self.width = self.width or block_width(self.program)
        with precision(self.program.dtype):
            self._compile()
            if not kept and self.width > 1 and not self._bits_ignore_position():
                self.width = 1
                self._compile()

    # Compiled functions -----------------------------------------------------------------------------------------

    def _compile(self) -> None:
        started = time.perf_counter()
        program = self.program
        self.blocks = block_count(program, self.width)
        self.slots = self.width * self.blocks
        fresh = (self.devices * self.width,)
        inputs = Inputs(*(jax.ShapeDtypeStruct(fresh, kind) for kind in program.input_types))
        variant = jax.ShapeDtypeStruct((self.devices,), jnp.int32)
        lane = jax.eval_shape(jax.vmap(lambda one: program.start(program.variants[0], one)), inputs)
        pool = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((self.devices * self.slots, *leaf.shape[1:]), leaf.dtype), lane)
        index = jax.ShapeDtypeStruct(fresh, jnp.int32)
        everywhere = jax.ShapeDtypeStruct((self.devices * self.slots,), jnp.int32)
        lowered = (
            self._lowered(self._start_block, variant, inputs),
            self._lowered(jax.vmap(program.measure), *lane),
            self._lowered(self._advance_blocks, *pool, variant, donate=(1,)),
            self._lowered(_place, pool, lane, index, donate=(0,)),
            self._lowered(_take, pool, index),
            self._lowered(_take, pool, everywhere, donate=(0,)),
        )
        # Drawing initial values is rare, and its many random draws are slow to optimize.
        options = ({"xla_backend_optimization_level": 1}, *[None] * (len(lowered) - 1))
        with ThreadPoolExecutor() as threads:
            compiled = list(threads.map(lambda one, option: one.compile(option), lowered, options))
        self._start, self._measure, self._advance, self._place, self._take, self._move = compiled
        self.costs.compilations += len(compiled)
        self.costs.compile_seconds += time.perf_counter() - started
        self._shapes = pool

    def _bits_ignore_position(self) -> bool:
        """Whether lanes get the same bits wherever they stand in a block: some compiled programs round by position.

        Tried on the compiled program itself, so that the width it decides follows from the program alone.
        """
        cells = self.program.cells
        cell = next((cell for cell in cells if cell.settings.initializer.random), cells[0])
        lanes = self.devices * self.width
        values = self.program.inputs_of(cell, np.arange(lanes), np.arange(lanes))
        fresh = self._start(self._put(np.full(self.devices, self.program.variant_of(cell), np.int32)), jax.tree.map(self._put, values))

        def ends(shift: int) -> list[np.ndarray]:
            index = self._put(np.tile(np.roll(np.arange(self.width, dtype=np.int32), shift), self.devices))
            fixed, state = self._place(self._vacant(), fresh, index)
            state, _ = self._advance(fixed, state, self._put(np.full(self.devices, TRIAL_LOOKS, np.int32)))
            taken = self._take((fixed, state), index)
            return [np.asarray(leaf) for leaf in jax.tree.leaves((taken[1], self._measure(*taken)))]

        first = ends(0)
        return all(all(a.tobytes() == b.tobytes() for a, b in zip(first, ends(shift), strict=True)) for shift in (1, self.width // 2))

    def _lowered(self, function: Callable[..., Any], *shapes: Any, donate: tuple[int, ...] = ()) -> Any:
        spec = PartitionSpec(AXIS)
        sharded = jax.shard_map(function, mesh=self.mesh, in_specs=spec, out_specs=spec, check_vma=False)
        placed = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=self._sharding), shapes)
        return jax.jit(sharded, donate_argnums=donate).lower(*placed)

    def _start_block(self, variant: Any, inputs: Inputs) -> tuple[Fixed, State]:
        branches = [
            lambda block, variant=variant: jax.vmap(lambda one: self.program.start(variant, one))(block)
            for variant in self.program.variants
        ]
        return jax.lax.switch(variant[0], branches, inputs)

    def _advance_blocks(self, fixed: Fixed, state: State, looks: Any) -> tuple[State, dict[str, Any]]:
        """So many looks at every lane of every block; a block without running lanes costs nothing."""

        def block(arguments: tuple[Fixed, State]) -> tuple[State, dict[str, Any]]:
            held, state = arguments
            _, seen = jax.eval_shape(jax.vmap(self.program.advance), held, state)
            empty = jax.tree.map(lambda leaf: jnp.zeros((MAX_LOOKS, *leaf.shape), leaf.dtype), seen)

            def more(carried: Any) -> Any:
                i, state, _ = carried
                return (i < looks[0]) & jnp.any(state.status == Status.RUNNING)

            def look(carried: Any) -> Any:
                i, state, trace = carried
                state, seen = jax.vmap(self.program.advance)(held, state)
                return i + 1, state, jax.tree.map(lambda kept, new: kept.at[i].set(new), trace, seen)

            _, state, trace = jax.lax.while_loop(more, look, (jnp.zeros((), jnp.int32), state, empty))
            return state, trace

        blocked = jax.tree.map(lambda leaf: leaf.reshape(self.blocks, self.width, *leaf.shape[1:]), (fixed, state))
        state, trace = jax.lax.map(block, blocked)
        # The trace stays (block, look, lane): turning it around costs more than a step of a small network.
        return jax.tree.map(lambda leaf: leaf.reshape(self.slots, *leaf.shape[2:]), state), trace

    # The loop ---------------------------------------------------------------------------------------------------

    def run(self, lanes: Lanes, log_steps: np.ndarray) -> Iterator[Batch]:
        """Run all lanes to their ends; yields batches of ended lanes as they come, in no promised order."""
        started = time.perf_counter()
        with precision(self.program.dtype):
            for batch in self._batches(_Book(self, lanes, log_steps)):
                self.costs.run_seconds += time.perf_counter() - started
                yield batch
                started = time.perf_counter()
        self.costs.run_seconds += time.perf_counter() - started

    def _vacant(self) -> tuple[Fixed, State]:
        """A pool without running lanes."""
        fixed, state = jax.tree.map(lambda leaf: self._put(np.zeros(leaf.shape, leaf.dtype)), self._shapes)
        return fixed, state._replace(status=self._put(np.full(state.status.shape, Status.SOLVED, np.int32)))

    def _batches(self, book: "_Book") -> Iterator[Batch]:
        fixed, state = self._vacant()
        collected: list[Any] = []
        looks = 8
        while True:
            for index in book.ended_slots():
                taken = self._take((fixed, state), self._put(index.reshape(-1)))
                rate = taken[0].inputs.learning_rate
                collected.append((book.release(index), rate, taken[1], self._measure(*taken)))
            for index, variant, inputs in book.next_lanes():
                fresh = self._start(self._put(variant), jax.tree.map(self._put, inputs))
                book.initial(index, self._measure(*fresh))
                fixed, state = self._place((fixed, state), fresh, self._put(index.reshape(-1)))
            if book.idle:
                break
            if book.sparse:
                fixed, state = self._move((fixed, state), self._put(book.compact().reshape(-1)))
            before = book.steps
            started = time.perf_counter()
            state, trace = self._advance(fixed, state, self._put(np.full(self.devices, looks, np.int32)))
            # The host's share of the work, while the devices are busy with the next segment.
            yield from (book.batch(*one) for one in collected)
            collected = []
            book.look(np.asarray(state.status), np.asarray(state.step), before, trace)
            seconds_per_look = (time.perf_counter() - started) / looks
            looks = int(np.clip(SEGMENT_SECONDS / seconds_per_look, looks / 2, looks * 2))
            looks = max(1, min(looks, MAX_LOOKS))
        yield from (book.batch(*one) for one in collected)

    def _put(self, array: np.ndarray) -> jax.Array:
        return jax.device_put(array, self._sharding)


class _Book:
    """The host's account of which lane sits in which slot."""

    def __init__(self, pool: Pool, lanes: Lanes, log_steps: np.ndarray) -> None:
        self.pool, self.lanes, self.log_steps = pool, lanes, log_steps
        shape = (pool.devices, pool.slots)
        self.lane = np.full(shape, EMPTY)
        self.status = np.full(shape, Status.SOLVED, np.int32)
        self.steps = np.zeros(shape, np.int32)
        self.next = 0
        self._initial: list[tuple[np.ndarray, np.ndarray, Any]] = []
        self._at_start: Columns = {}
        self._points: list[Columns] = []

    @property
    def idle(self) -> bool:
        return bool(np.all(self.lane == EMPTY))

    @property
    def sparse(self) -> bool:
        """Whether no lane waits and half of the blocks at work could be saved by moving lanes together."""
        if self.next < len(self.lanes):
            return False
        occupied = (self.lane != EMPTY).reshape(self.pool.devices, self.pool.blocks, self.pool.width)
        at_work = np.any(occupied, axis=2).sum(axis=1)
        needed = -(-occupied.sum(axis=(1, 2)) // self.pool.width)
        return bool(np.any(at_work >= 2 * np.maximum(needed, 1)))

    def compact(self) -> np.ndarray:
        """Move the lanes of each device into its first blocks: for every slot, the slot whose lane it gets."""
        order = np.argsort(self.lane == EMPTY, axis=1, kind="stable").astype(np.int32)
        self.lane, self.status, self.steps = (np.take_along_axis(held, order, axis=1) for held in (self.lane, self.status, self.steps))
        return order

    def ended_slots(self) -> Iterator[np.ndarray]:
        """Slots of ended lanes, one width per device at a time, padded with a slot that does not exist."""
        ended = (self.lane != EMPTY) & (self.status != Status.RUNNING)
        waiting = [np.flatnonzero(row) for row in ended]
        while any(len(slots) for slots in waiting):
            yield np.stack([self._padded(slots) for slots in waiting])
            waiting = [slots[self.pool.width :] for slots in waiting]

    def release(self, index: np.ndarray) -> np.ndarray:
        """Free these slots; the lanes that sat there."""
        released = np.full(index.shape, EMPTY)
        for device, slots in enumerate(index):
            real = slots < self.pool.slots
            released[device, real] = self.lane[device, slots[real]]
            self.lane[device, slots[real]] = EMPTY
        return released

    def next_lanes(self) -> Iterator[tuple[np.ndarray, np.ndarray, Inputs]]:
        """Slots to fill, the branch that starts the lanes of each device, and their inputs (padded)."""
        while self.next < len(self.lanes) and np.any(self.lane == EMPTY):
            devices, width = self.pool.devices, self.pool.width
            index = np.full((devices, width), self.pool.slots, np.int32)
            chosen = np.zeros((devices, width), np.int64)
            variant = np.zeros(devices, np.int32)
            # The emptiest device first, so that few lanes spread over all devices.
            free = [np.flatnonzero(row == EMPTY) for row in self.lane]
            share = -(-min(len(self.lanes) - self.next, devices * width) // devices)
            for device in sorted(range(devices), key=lambda d: -len(free[d])):
                count = self._run_length(min(len(free[device]), share))
                if count == 0:
                    continue
                taken = np.arange(self.next, self.next + count)
                self.next += count
                index[device, :count] = free[device][:count]
                chosen[device, :count] = taken
                chosen[device, count:] = taken[0]
                variant[device] = self.lanes.variant[taken[0]]
                self.lane[device, free[device][:count]] = taken
                self.steps[device, free[device][:count]] = 0
                self.status[device, free[device][:count]] = Status.RUNNING
            flat = chosen.reshape(-1)
            yield index, variant, Inputs(*(values[flat] for values in self.lanes.inputs))

    def initial(self, index: np.ndarray, measured: dict[str, jax.Array]) -> None:
        """Remember what was measured at the start of the lanes that were just placed."""
        lanes = np.where(index < self.pool.slots, np.take_along_axis(self.lane, np.minimum(index, self.pool.slots - 1), 1), EMPTY)
        self._initial.append((index, lanes, measured))

    def look(self, status: np.ndarray, steps: np.ndarray, before: np.ndarray, trace: dict[str, jax.Array]) -> None:
        """After a segment: where every lane stands, and the logged points of their curves."""
        self.status, self.steps = status.reshape(self.lane.shape).copy(), steps.reshape(self.lane.shape).copy()
        occupied = self.lane != EMPTY
        self.pool.costs.seed_steps += int(np.sum((self.steps - before)[occupied]))
        kept = occupied & self.lanes.logged[np.maximum(self.lane, 0)]
        if not np.any(kept):
            return
        rows = np.flatnonzero(kept)
        lanes = self.lane.reshape(-1)[rows]
        at = before.reshape(-1)[rows, None] + self.pool.program.check_every * np.arange(MAX_LOOKS)
        now = self.steps.reshape(-1)[rows, None]
        ended = (self.status.reshape(-1)[rows] != Status.RUNNING)[:, None]
        budget = self.lanes.inputs.budget[lanes][:, None]
        at = np.minimum(at, budget)
        fresh = np.ones_like(at, bool)
        fresh[:, 1:] = at[:, 1:] > at[:, :-1]
        wanted = fresh & ((at < now) & np.isin(at, self.log_steps) | (ended & (at == now)))
        row, look = np.nonzero(wanted)
        points = {"lane": self.lanes.ids[lanes[row]], "step": at[row, look]}
        block, lane = np.divmod(rows, self.pool.width)
        points |= {name: np.asarray(values)[block[row], look, lane[row]] for name, values in trace.items()}
        self._points.append(points)

    def batch(self, released: np.ndarray, rate: jax.Array, ended: State, final: dict[str, jax.Array]) -> Batch:
        """Columns of the lanes that were released, from what the device sent back."""
        flat = released.reshape(-1)
        real = np.flatnonzero(flat != EMPTY)
        lanes = flat[real]
        columns: Columns = {"lane": self.lanes.ids[lanes], "learning_rate": np.asarray(rate)[real]}
        for name in ("status", "step", "loss", "loss_initial", "steps_to_solve", "break_step"):
            columns[name] = np.asarray(getattr(ended, name))[real]
        columns["params_digest"] = _digests([np.asarray(leaf)[real] for leaf in jax.tree.leaves(ended.params)])
        self._settle_initial()
        for name, values in final.items():
            columns[f"{name}_initial"] = self._at_start[name][lanes]
            columns[f"{name}_final"] = np.asarray(values)[real]
        points, self._points = self._points, []
        curves = {name: np.concatenate([part[name] for part in points]) for name in points[0]} if points else {}
        return Batch(columns, curves)

    def _settle_initial(self) -> None:
        for index, lanes, measured in self._initial:
            real = np.flatnonzero(index.reshape(-1) < self.pool.slots)
            for name, values in measured.items():
                if name not in self._at_start:
                    self._at_start[name] = np.full(len(self.lanes), np.nan)
                self._at_start[name][lanes.reshape(-1)[real]] = np.asarray(values)[real]
        self._initial = []

    def _run_length(self, most: int) -> int:
        """How many of the next lanes start by the same branch."""
        ahead = self.lanes.variant[self.next : self.next + most]
        if len(ahead) == 0:
            return 0
        other = np.flatnonzero(ahead != ahead[0])
        return int(other[0]) if len(other) else len(ahead)

    def _padded(self, slots: np.ndarray) -> np.ndarray:
        padded = np.full(self.pool.width, self.pool.slots, np.int32)
        chosen = slots[: self.pool.width]
        padded[: len(chosen)] = chosen
        return padded


def _take(pool: tuple[Fixed, State], index: jax.Array) -> tuple[Fixed, State]:
    return jax.tree.map(lambda leaf: jnp.take(leaf, index, axis=0, mode="clip"), pool)


def _place(pool: tuple[Fixed, State], fresh: tuple[Fixed, State], index: jax.Array) -> tuple[Fixed, State]:
    return jax.tree.map(lambda kept, new: kept.at[index].set(new, mode="drop"), pool, fresh)


def _digests(leaves: list[np.ndarray]) -> np.ndarray:
    """A digest per lane of the bytes of its parameters."""
    flat = np.concatenate([np.ascontiguousarray(leaf).reshape(len(leaf), -1).view(np.uint8) for leaf in leaves], axis=1)
    return np.array([hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest() for row in flat], dtype=object)
