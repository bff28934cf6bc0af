"""Continuous batching: a fixed number of lane slots on each device, refilled as lanes end.

A device works in rounds: it gathers the running lanes into blocks of `width`, takes some looks at each block, and puts the lanes
back into their slots, so that ended lanes cost nothing. The host visits between segments of many rounds, learns which lanes ended
and what they have come to, and fills their slots. A block is what is vectorized, always `width` lanes, padded; nothing that a lane
computes depends on its slot or on its neighbors.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array

from bench.engine.curves import Log, LogSize, Trace
from bench.engine.hashing import digest
from bench.engine.layouts.choose import Form, block_count, block_width, form, unroll_block
from bench.engine.layouts.fused import fused
from bench.engine.layouts.lanes_last import lanes_last, to_back, to_front
from bench.engine.layouts.unrolled import join, unrolled
from bench.engine.scheduler import EMPTY, Batch, Book, Lanes
from bench.engine.slots import Slots, places, put, take
from bench.hardware import AXIS, HASTY, accelerated, alone, lane_sharding, precision
from bench.lane.program import Program
from bench.lane.start import Variant
from bench.lane.state import Fixed, Inputs, State, Status
from bench.spec import TaskSpec
from bench.tasks.definition import Data

__all__ = ["Batch", "Costs", "Lanes", "Pool"]

log = logging.getLogger("initbench")

LANE = "lane"
"""The axis over the lanes of a block."""
MAX_LOOKS = {Form.FUSED: 512, Form.UNROLLED: 128, Form.LANES_LAST: 32, Form.LANES_FIRST: 32}
"""Most looks at a block in one round, the time between two gatherings of the running lanes. Gathering costs as much as about ten looks at
unrolled lanes: with 128 instead of 32 XOR censuses of 2 and 4 units take 10 to 20% less time, that of 8 units 8% more."""
LOOKS_IN_A_ROW = 8
"""Where asking whether any of a block's lanes still runs is dear, it is asked after so many looks: at unrolled lanes it costs as much as a
tenth of a look, and an accelerator has to ask the host."""
FILL_LANES = 4096
"""So many lanes start at a time on each device: the first of them while the host writes down the next."""
MAX_FILL_BLOCKS = 32
FIRST_ROUNDS = 2
"""Rounds of a first segment of small networks."""
SEGMENT_SECONDS = 0.2
"""A segment should last about this long: far more than the host's own work, short enough for a progress bar."""
LOW_WATER = 0.25
"""While lanes wait, a segment ends when no more than this share of the slots still runs."""
OUT_OF_MEMORY = ("resource_exhausted", "out of memory", "failed to allocate")
"""How XLA says, in lower case, that there is too little memory; inside of a loop the error itself may be called INTERNAL."""
IN_FLIGHT = 2
"""So many segments are in flight once no lane waits: the next one is there when the host begins to look at one that has ended."""


class Segment(NamedTuple):
    """What the devices give back of some rounds."""

    sent: float
    """When it was handed to them."""
    looks: int
    """At a block in a round."""
    log: Log
    status: Array
    step: Array
    blocks: Array
    """How many times a block was looked at for a round."""
    found: dict[str, Array]
    """What the lanes have come to that ended, see `Pool._read`."""


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
    note: str = ""
    """What a user should know of how the lanes are run: that there was too little memory, or that they cannot share blocks."""
    after_segment: Callable[[], None] = lambda: None
    """Called by the host after every segment; what it raises ends `run`."""

    def __post_init__(self) -> None:
        self.devices = self.mesh.size
        self._sharding = lane_sharding(self.mesh)
        kept = self.width > 0
        self.width = self.width or block_width(self.program)
        self.form = form(self.program)
        self._blocks = block_count(self.program, self.width)
        self.most_looks = MAX_LOOKS[self.form]
        steps_dear = self.form is Form.UNROLLED or accelerated() and not self.program.batch_size
        self.in_a_row = LOOKS_IN_A_ROW if steps_dear else 1
        with precision(self.program.dtype):
            self._build(kept)

    def _build(self, kept: bool) -> None:
        """Compile, so that lanes get the same bits wherever they stand, for as many blocks as there is memory for."""
        while True:
            try:
                self._compile()
                if not kept and self.width > 1 and not self._bits_ignore_position():
                    places = f"instead of {self.width} in a block, where the last bits of each would depend on its place"
                    self.note = f"one training run at a time {places}"
                    log.warning(self.note)
                    self.width = 1
                    self._blocks = block_count(self.program, self.width)
                    self._compile()
                return
            except jax.errors.JaxRuntimeError as error:
                self._shrink(error)

    def _shrink(self, error: jax.errors.JaxRuntimeError) -> None:
        """From now on half of the blocks, if it was memory that there was too little of; the width, and so all bits, stay."""
        if not any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
            raise error
        if self.blocks == 1:
            raise MemoryError(
                f"model '{self.program.cells[0].settings.model.name}': too little memory on {self.mesh.devices.flat[0].device_kind} for "
                f"{self.width} lanes at a time, which is the least; a smaller model, data set or batch takes less"
            ) from error
        self._blocks = self.blocks // 2
        self.note = f"out of memory: {self._blocks * self.width:,} lanes at a time on each device instead of {self.slots:,}"
        log.warning(self.note)

    # Compiled functions -----------------------------------------------------------------------------------------

    def _compile(self) -> None:
        started = time.perf_counter()
        program = self.program
        self.blocks = self._blocks
        self.slots = self.width * self.blocks
        self.fill_blocks = min(max(FILL_LANES // self.width, 1), MAX_FILL_BLOCKS, self.blocks)
        inputs = Inputs(*(jax.ShapeDtypeStruct((), kind) for kind in program.input_types))
        fixed, state = jax.eval_shape(lambda one: program.start(program.variants[0], one), inputs)
        integer = jax.ShapeDtypeStruct((), jnp.int32)
        seen = jax.eval_shape(lambda fixed, state: program.advance(fixed, state, lambda value: value), fixed, state)[1]
        data = {"none": self._many(fixed.data, self.slots), "some": self._many(fixed.data, self.blocks), "all": None}[program.sharing]
        slots = Slots(self._many(inputs, self.slots), self._many(state, self.slots), self._many(integer, self.slots), data)
        item = sum(leaf.dtype.itemsize for leaf in seen.values())
        self.log_size = size = LogSize.of(self.width, self.most_looks, item)
        number, flag = (self._many(jax.ShapeDtypeStruct((), kind), size.chunks, size.lanes) for kind in (jnp.int32, jnp.bool_))
        log = Log(self._many(integer, 1), number, number, number, flag, self._many(seen, size.chunks, size.looks, size.lanes))
        fill, pace = (self.fill_blocks,), self._many(integer, 1, 3)
        starts = self._many((integer, integer), *fill), self._many(inputs, *fill, self.width), self._many(integer, *fill, self.width)
        chosen = self._many(jax.ShapeDtypeStruct((), jnp.bool_), self.slots)
        with ThreadPoolExecutor() as threads:
            # Each compiles while the next is traced.
            compiling = [
                threads.submit(self._lowered(self._fill, slots, *starts, donate=(0,)).compile, HASTY | alone()),
                threads.submit(self._lowered(self._advance, slots, log, pace, donate=(0, 1)).compile, alone()),
                threads.submit(self._lowered(self._read, slots, chosen).compile, alone()),
                threads.submit(self._lowered(lambda: self._empty(slots)).compile),
                threads.submit(self._lowered(lambda: self._zeros(log)).compile),
            ]
        self._filled, self._advanced, self._found, self._vacant, self._unwritten = (one.result() for one in compiling)
        self._chunk = jax.jit(self._sharded(Log.chunk))
        self.costs.compilations += len(compiling)
        self.costs.compile_seconds += time.perf_counter() - started

    def _many(self, shapes: Any, *axes: int) -> Any:
        """Shapes on all devices, with these leading axes on each."""
        shape = (self.devices * axes[0], *axes[1:])
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((*shape, *leaf.shape), leaf.dtype, sharding=self._sharding), shapes)

    def _sharded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        spec = PartitionSpec(AXIS)
        return jax.shard_map(function, mesh=self.mesh, in_specs=spec, out_specs=spec, check_vma=False)

    def _lowered(self, function: Callable[..., Any], *shapes: Any, donate: tuple[int, ...] = ()) -> Any:
        return jax.jit(self._sharded(function), donate_argnums=donate).lower(*shapes)

    def _batched(self, function: Callable[..., Any], inputs: Inputs, data: Data | None, state: State, *rest: Any) -> Any:
        """A function of `(Fixed, State, ...)` over a block of lanes, which have their own data or all the same."""
        own = self.program.sharing == "none"
        shared = self.program.constant_data if self.program.sharing == "all" else data

        def one(inputs: Inputs, data: Data | None, state: State) -> Any:
            return function(Fixed(inputs, data if own else shared), state, *rest)

        if self.width == 1:
            # XLA then sees plain products, not batches of one.
            alone = one(*jax.tree.map(lambda leaf: leaf[0], (inputs, data if own else None, state)))
            return jax.tree.map(lambda leaf: leaf[None], alone)
        return jax.vmap(one, in_axes=(0, 0 if own else None, 0), axis_name=LANE)(inputs, data if own else None, state)

    def _data(self, slots: Slots, index: Array) -> Data | None:
        """Data of a block: of each of its lanes, or the set that they share."""
        if self.program.sharing == "none":
            return take(slots.data, index)
        return jax.tree.map(lambda leaf: leaf[slots.group[jnp.minimum(index[0], self.slots - 1)]], slots.data)

    def _zeros(self, shapes: Any) -> Any:
        """Each device's part of arrays of these shapes on all devices."""
        return jax.tree.map(lambda leaf: jnp.zeros((leaf.shape[0] // self.devices, *leaf.shape[1:]), leaf.dtype), shapes)

    def _empty(self, slots: Slots) -> Slots:
        """Slots of these shapes on all devices, without running lanes."""
        slots = self._zeros(slots)
        ended = jnp.full_like(slots.state.status, Status.SOLVED)
        return slots._replace(state=slots.state._replace(status=ended))

    def _fill(self, slots: Slots, block: tuple[Array, Array], inputs: Inputs, index: Array) -> Slots:
        """Start lanes, block by block; `block` is (the branch that starts it, where its shared data are kept)."""
        program = self.program
        together = program.sharing == "some"

        def sample(task: TaskSpec, seeds: Array) -> Data:
            return program.sample(task, seeds[0]) if together else jax.vmap(lambda seed: program.sample(task, seed))(seeds)

        def begin(variant: Variant, inputs: Inputs, keys: Array, data: Data) -> tuple[Inputs, State]:
            return jax.vmap(partial(program.begin, variant), (0, 0, None if together else 0))(inputs, keys, data)

        def one(i: Array, slots: Slots) -> Slots:
            (variant, group), given, where = jax.tree.map(lambda leaf: leaf[i], (block, inputs, index))
            # A loop with a sort in it is not compiled as one function, which for many branches takes most of a minute.
            where = jnp.sort(where)
            samples = [partial(sample, task) for task in program.tasks]
            data = jax.lax.switch(jnp.asarray(program.task_of)[variant], samples, given.data_seed)
            keys = jax.vmap(program.keys)(given.init_seed)
            began, state = jax.lax.switch(variant, [partial(begin, one) for one in program.variants], given, keys, data)
            fresh = began, state, jnp.broadcast_to(group, where.shape)
            began, state, groups = put((slots.inputs, slots.state, slots.group), fresh, where)
            place = {"none": where, "some": group, "all": None}[program.sharing]
            kept = None if place is None else put(slots.data, data, place)
            return Slots(began, state, groups, kept)

        used = jnp.sum(index[:, 0] < self.slots)
        return jax.lax.fori_loop(0, used, one, slots)

    def _order(self, slots: Slots, chosen: Array) -> tuple[Array, Array]:
        """Chosen slots as blocks take them, followed by at least a block of places beyond the last slot; and how many there are."""
        count = jnp.sum(chosen)
        if self.program.sharing == "some":
            # Lanes with the same data stand together.
            sorted_slots = jnp.argsort(jnp.where(chosen, slots.group, self.slots), stable=True)
            order = jnp.where(jnp.arange(self.slots) < count, sorted_slots, self.slots)
        else:
            order = places(chosen, self.slots)
        return jnp.concatenate([order, jnp.full(self.width, self.slots)]).astype(jnp.int32), count

    def _block(self, slots: Slots, order: Array, first: Array) -> Array:
        """The slots of the block that begins at this place of an order."""
        index = jax.lax.dynamic_slice_in_dim(order, first, self.width)
        if self.program.sharing != "some":
            return index
        # A block has one data set: it ends before the first lane with another.
        groups = slots.group[jnp.minimum(index, self.slots - 1)]
        return jnp.where(jnp.cumsum(groups != groups[0]) == 0, index, self.slots)

    def _read(self, slots: Slots, chosen: Array) -> dict[str, Array]:
        """What the lanes in these slots have come to: how many there are, their slots, and their values in the same order."""

        def one(index: Array) -> dict[str, Array]:
            inputs, state = take((slots.inputs, slots.state), index)
            found = self._batched(self.program.measure, inputs, self._data(slots, index), state)
            plain = {name: getattr(state, name) for name in ("status", "step", "loss", "loss_initial", "steps_to_solve", "break_step")}
            digests = jax.vmap(digest)(state.params)
            return {**plain, "learning_rate": inputs.learning_rate, "params_digest": digests, "measured": found}

        def more(carried: Any) -> Array:
            first, _ = carried
            return first < count

        def block(carried: Any) -> Any:
            first, kept = carried
            index = self._block(slots, order, first)
            kept = jax.tree.map(lambda old, new: jax.lax.dynamic_update_slice_in_dim(old, new, first, 0), kept, one(index))
            return first + jnp.sum(index < self.slots), kept

        one = _traced_once(one)
        order, count = self._order(slots, chosen)
        shapes = jax.eval_shape(one, order[: self.width])
        empty = jax.tree.map(lambda leaf: jnp.zeros((len(order), *leaf.shape[1:]), leaf.dtype), shapes)
        _, found = jax.lax.while_loop(more, block, (jnp.zeros_like(count), empty))
        return {"count": count[None], "slot": order, **found}

    def _advance(self, slots: Slots, log: Log, pace: Array) -> tuple[Slots, Log, Array, Array, Array, Array]:
        """Rounds of so many looks at every running lane, until only so many (`pace`: rounds, looks, floor) still run or the log is full.

        Also returned: status and step of all lanes, how many times a block was looked at for a round, and which lanes ended.
        """
        rounds, looks, floor = pace[0]
        ran = slots.state.status == Status.RUNNING

        def running(slots: Slots) -> Array:
            return jnp.sum(slots.state.status == Status.RUNNING)

        def more_rounds(carried: Any) -> Array:
            done, _, slots, log = carried
            return (done < rounds) & (running(slots) > floor) & log.has_room(self.log_size)

        def round_of_all(carried: Any) -> Any:
            done, blocks, slots, log = carried
            order, count = self._order(slots, slots.state.status == Status.RUNNING)

            def more_blocks(carried: Any) -> Array:
                first, _, _, log, _ = carried
                return (first < count) & log.has_room(self.log_size)

            def block(carried: Any) -> Any:
                first, blocks, slots, log, trace = carried
                index = self._block(slots, order, first)
                slots, log, trace = self._advance_block(slots, log, trace, index, looks)
                return first + jnp.sum(index < self.slots), blocks + 1, slots, log, trace

            # Blocks write over one another's trace: emptying it took 4% of an XOR census.
            trace = {name: jnp.zeros((self.most_looks, self.width), leaf.dtype) for name, leaf in log.seen.items()}
            _, blocks, slots, log, _ = jax.lax.while_loop(more_blocks, block, (jnp.zeros_like(count), blocks, slots, log, trace))
            return done + 1, blocks, slots, log

        none = jnp.zeros((), jnp.int32)
        _, blocks, slots, log = jax.lax.while_loop(more_rounds, round_of_all, (none, none, slots, log.emptied()))
        return slots, log, slots.state.status, slots.state.step, blocks[None], ran & (slots.state.status != Status.RUNNING)

    def _advance_block(self, slots: Slots, log: Log, trace: Trace, index: Array, looks: Array) -> tuple[Slots, Log, Trace]:
        mine = index < self.slots
        inputs, state = take((slots.inputs, slots.state), index)
        before = state.step
        state = state._replace(status=jnp.where(mine, state.status, Status.SOLVED))
        state, trace = self._looks(inputs, self._data(slots, index), state, looks, trace)
        slots = slots._replace(state=put(slots.state, state, index))
        kept = mine & inputs.logged
        over = state.status != Status.RUNNING
        return slots, log.with_block(self.log_size, kept, index, self.slots, before, state.step, over, trace), trace

    def _looks(self, inputs: Inputs, data: Data | None, state: State, looks: Array, trace: Trace) -> tuple[State, Trace]:
        """So many looks at a block, or until none of its lanes runs; also what was seen (look, lane), written over an earlier `trace`."""
        given: Any
        if self.form is Form.FUSED:
            fixed, state = unroll_block(Fixed(inputs, data), state, self.program.constant_data is None)
            state, trace = fused(self.program.advance_alone, fixed, state, looks, self.most_looks)
            return join(state), trace
        if self.form is Form.UNROLLED:
            fixed, state = unroll_block(Fixed(inputs, data), state, self.program.constant_data is None)
            given = fixed, jnp.broadcast_to((looks > 0).astype(self.program.dtype), (self.width,))
        elif self.form is Form.LANES_LAST:
            ones = (looks > 0).astype(self.program.dtype), (looks > -1).astype(self.program.dtype)
            given = to_back(Fixed(inputs, data and data._replace(test_x=None, test_y=None))), ones
            state = to_back(state)
        else:
            given = inputs, data
        advance = _traced_once(
            {Form.UNROLLED: self._unrolled, Form.LANES_LAST: self._lanes_last, Form.LANES_FIRST: self._vectorized}[self.form]
        )

        def more(carried: Any) -> Array:
            i, state, _ = carried
            [status] = jax.tree.leaves(state.status)
            return (i < looks) & jnp.any(status == Status.RUNNING)

        def look(carried: Any) -> Any:
            i, state, trace = carried
            state, seen = advance(given, state)
            trace = jax.tree.map(lambda kept, new: jax.lax.dynamic_update_index_in_dim(kept, new, i, 0), trace, _plain(seen))
            return i + 1, state, trace

        def looks_in_a_row(carried: Any) -> Any:
            return jax.lax.fori_loop(0, self.in_a_row, lambda _, carried: look(carried), carried)

        start = (jnp.zeros((), jnp.int32), state, trace)
        _, state, trace = jax.lax.while_loop(more, looks_in_a_row if self.in_a_row > 1 else look, start)
        back = {Form.UNROLLED: join, Form.LANES_LAST: to_front, Form.LANES_FIRST: lambda same: same}
        return back[self.form](state), trace

    # One look at a block, in each form.

    def _vectorized(self, given: tuple[Inputs, Data | None], state: State) -> tuple[State, dict[str, Array]]:
        def over_block(value: Array) -> Array:
            return value if self.width == 1 else jax.lax.pmax(value, LANE)

        return self._batched(self.program.advance, *given, state, over_block)

    def _unrolled(self, given: tuple[Fixed, Array], state: State) -> tuple[State, dict[str, Array]]:
        fixed, one = given
        return unrolled(self.program.advance_alone, one)(fixed, state)

    def _lanes_last(self, given: tuple[Fixed, tuple[Array, Array]], state: State) -> tuple[State, dict[str, Array]]:
        fixed, ones = given
        return lanes_last(self.program.advance_alone, ones)(fixed, state)

    def _bits_ignore_position(self) -> bool:
        """Whether lanes get the same bits wherever they stand in a block: some compiled programs round by position.

        Tried on the compiled program itself, so that the width it decides follows from the program alone.
        """
        cells = self.program.cells
        cell = next((cell for cell in cells if cell.settings.initializer.random), cells[0])
        lanes = np.tile(np.arange(self.width), self.devices)
        inputs = self.program.inputs_of(cell, np.zeros_like(lanes) if self.program.sharing == "some" else lanes, lanes)
        variant = self.program.variant_of(cell)

        index = np.full((self.devices, self.fill_blocks, self.width), self.slots, np.int32)
        index[:, 0] = np.arange(self.width)
        group = np.full((self.devices, self.fill_blocks), self.slots, np.int32)
        group[:, 0] = 0

        def ends(shift: int) -> list[np.ndarray]:
            blocks = np.full((self.devices * self.fill_blocks,), variant, np.int32)
            rolled = jax.tree.map(lambda v: np.roll(v.reshape(self.devices, 1, -1), shift, axis=2).repeat(self.fill_blocks, 1), inputs)
            slots = self._fill_with(self._vacant(), blocks, group, rolled, index)
            slots, *_ = self._advanced(slots, self._unwritten(), self._pace(1, self.most_looks // 2, 0))
            found = self._found(slots, np.tile(np.arange(self.slots) < self.width, self.devices))
            del found["count"], found["slot"]
            shape = (self.devices, self.slots + self.width, -1)
            return [np.roll(np.asarray(leaf).reshape(shape)[:, : self.width], -shift, axis=1) for leaf in jax.tree.leaves(found)]

        first = ends(0)
        return all(all(a.tobytes() == b.tobytes() for a, b in zip(first, ends(shift), strict=True)) for shift in (1, self.width // 2))

    # The loop ---------------------------------------------------------------------------------------------------

    def run(self, lanes: Lanes, log_steps: np.ndarray) -> Iterator[Batch]:
        """Run all lanes to their ends; yields batches of ended lanes as they come, in no promised order.

        If there is too little memory, lanes that have not ended begin again in a smaller pool; their curves then begin twice.
        """
        ended: list[np.ndarray] = []
        steps = self.costs.seed_steps
        with precision(self.program.dtype):
            while True:
                started = time.perf_counter()
                try:
                    for batch in self._batches(lanes.without(ended), log_steps):
                        self.costs.run_seconds += time.perf_counter() - started
                        ended.append(batch.columns["lane"])
                        steps += int(np.sum(batch.columns["step"]))
                        yield batch
                        started = time.perf_counter()
                    break
                except jax.errors.JaxRuntimeError as error:
                    self._shrink(error)
                # Outside of the handler, which holds on to all that the failed attempt had. What it did to unended lanes does not count.
                self.costs.seed_steps = steps
                self._build(kept=True)
        self.costs.run_seconds += time.perf_counter() - started

    def _batches(self, lanes: Lanes, log_steps: np.ndarray) -> Iterator[Batch]:
        # First of all, so that the devices are busy while the host writes down who begins.
        slots, logs = self._vacant(), [self._unwritten()]
        shared = self.program.sharing == "some"
        book = Book(lanes, log_steps, self.program.check_every, (self.devices, self.slots), self.width, self.fill_blocks, shared)
        # A first segment of some rounds of small networks takes less than a segment should, and a short one would be all host.
        looks = FIRST_ROUNDS * self.most_looks if self.form in (Form.FUSED, Form.UNROLLED) else LOOKS_IN_A_ROW
        look_seconds = 0.0
        flight: deque[Segment] = deque()

        def dispatch(most: int) -> None:
            """Hand segments to the devices until so many are in flight."""
            nonlocal slots, looks
            while not book.idle and len(flight) < most:
                # A share of what runs, never all of it: there may be no room for those that wait.
                floor = (LOW_WATER * np.sum(book.lane != EMPTY, axis=1)).astype(np.int32) if book.waiting else 0
                if look_seconds:
                    looks = self._fitting(SEGMENT_SECONDS / (look_seconds * book.blocks), looks // 2)
                in_round = min(looks, self.most_looks)
                log = logs.pop() if logs else self._unwritten()
                slots, log, status, step, blocks, over = self._advanced(slots, log, self._pace(looks // in_round, in_round, floor))
                flight.append(Segment(time.perf_counter(), in_round, log, status, step, blocks, self._found(slots, over)))

        seen = 0.0
        while True:
            for index, variant, group, inputs in book.next_lanes():
                slots = self._fill_with(slots, variant, group, inputs, index)
            if book.fresh.any():
                book.started(self._found(slots, book.fresh.reshape(-1)))
            # CPU devices take no work while they have some: there a second one would make the host wait for the first.
            dispatch(IN_FLIGHT if accelerated() and not book.waiting else 1)
            # The host's share of the work, while the devices are busy with a segment.
            book.settle()
            yield from book.batches()
            if book.idle:
                return
            # What is ready may have ended all lanes: it is looked at before another segment is sent.
            if not book.waiting and not flight[0].status.is_ready():  # type: ignore[attr-defined]
                dispatch(IN_FLIGHT)
            segment = flight.popleft()
            status, step, blocks = (np.array(one) for one in (segment.status, segment.step, segment.blocks))
            began, seen = max(segment.sent, seen), time.perf_counter()
            look_seconds = (seen - began) / (segment.looks * np.max(blocks))
            self.costs.seed_steps += book.look(status, step, segment.log.chunks(self._chunk), segment.found)
            logs.append(segment.log)
            self.after_segment()

    def _fitting(self, looks: float, least: int) -> int:
        """So many looks, as whole rounds or at least as whole rows."""
        looks = max(int(looks), least, 1)
        unit = self.in_a_row if self.in_a_row > 1 and looks < self.most_looks else min(looks, self.most_looks)
        return max(unit, looks // unit * unit)

    def _fill_with(self, slots: Slots, variant: np.ndarray, group: np.ndarray, inputs: Inputs, index: np.ndarray) -> Slots:
        def on_devices(values: np.ndarray) -> np.ndarray:
            return values.reshape(-1, *values.shape[2:])

        return self._filled(slots, *jax.tree.map(on_devices, ((variant, group), inputs, index)))

    def _pace(self, rounds: int, looks: int, floor: int | np.ndarray) -> np.ndarray:
        """What `_advance` is told, the same on all devices but for the floor."""
        return np.stack([np.full(self.devices, value, np.int32) for value in (rounds, looks, floor)], axis=1)


def _traced_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is part of the program that calls it, traced at the first of its uses only: tracing takes seconds."""
    return jax.jit(function, inline=True)


def _plain(seen: dict[str, Any]) -> dict[str, Array]:
    """Scalars of a block's lanes as arrays (lane,)."""
    return {name: jax.tree.leaves(leaf)[0] for name, leaf in seen.items()}
