"""The scheduler: the host's account of which lane sits in which slot, and of the results of lanes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from bench.engine.curves import Chunk
from bench.engine.slots import Room
from bench.lane.state import Inputs, Status

Columns = dict[str, np.ndarray]
EMPTY = -1
"""The number of the lane in a slot without a running lane."""


@dataclass(frozen=True)
class Lanes:
    """Lanes to run, in the order in which they start; each array has one entry per lane."""

    ids: np.ndarray
    """Any integers by which the caller knows the lanes."""
    variant: np.ndarray
    inputs: Inputs
    logged: np.ndarray
    """Whether the lane's curve is kept."""

    def __len__(self) -> int:
        return len(self.ids)

    def without(self, ids: list[np.ndarray]) -> "Lanes":
        """Return the lanes except those with these ids."""
        if not ids:
            return self
        left = ~np.isin(self.ids, np.concatenate(ids))
        return Lanes(self.ids[left], self.variant[left], Inputs(*(values[left] for values in self.inputs)), self.logged[left])


class Batch(NamedTuple):
    """Lanes that ended: their columns, and the logged points of curves."""

    columns: Columns
    curves: Columns


def joined(batches: list[Batch]) -> Batch:
    """Return batches of one program as one."""

    def columns(parts: list[Columns]) -> Columns:
        parts = [part for part in parts if part]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}

    return Batch(columns([batch.columns for batch in batches]), columns([batch.curves for batch in batches]))


class Scheduler:
    """Lanes, slots, and the results of each lane at its start and its end.

    Slots are filled in blocks of lanes with the same variant. With data `by_block` a block holds lanes of one data seed, and a device one
    data set for each block that it has room for.
    """

    def __init__(self, lanes: Lanes, log_steps: np.ndarray, check_every: int, room: Room, by_block: bool) -> None:
        self.lanes, self.log_steps, self.check_every = lanes, log_steps, check_every
        self.room, self.by_block = room, by_block
        shape = room.devices, room.slots
        self.lane = np.full(shape, EMPTY)
        self.status = np.full(shape, Status.SOLVED, np.int32)
        self.steps = np.zeros(shape, np.int32)
        self.group = np.zeros(shape, np.int32)
        self.fresh = np.zeros(shape, bool)
        """Slots in which lanes were placed whose start has not been read yet."""
        self.next = 0
        keys = np.stack([lanes.variant, lanes.inputs.data_seed if by_block else np.zeros(len(lanes))])
        changes = np.flatnonzero(np.any(keys[:, 1:] != keys[:, :-1], axis=0)) + 1
        # By lane, the end of the run of lanes that start alike.
        self._run_end = np.repeat([*changes, len(lanes)], np.diff([0, *changes, len(lanes)]))
        self._inputs = lanes.inputs._replace(logged=lanes.logged)
        self._initial: list[tuple[np.ndarray, Any]] = []
        self._at_start: Columns = {}
        self._ended: list[tuple[np.ndarray, Any]] = []
        self._seen: list[tuple[np.ndarray, Chunk]] = []
        self._points: list[Columns] = []

    @property
    def idle(self) -> bool:
        """Whether no lane runs."""
        return bool(np.all(self.lane == EMPTY))

    @property
    def waiting(self) -> bool:
        """Whether lanes wait to be started."""
        return bool(self.next < len(self.lanes))

    @property
    def held(self) -> np.ndarray:
        """The number of running lanes on each device."""
        return np.sum(self.lane != EMPTY, axis=1)

    @property
    def blocks(self) -> int:
        """The number of blocks that the lanes fill on the device where they fill most."""
        held = self.lane != EMPTY
        # Blocks with shared data have one data set each.
        sizes = [np.bincount(group[mine]) if self.by_block else np.sum(mine) for group, mine in zip(self.group, held, strict=True)]
        return max(int(np.sum(-(-size // self.room.width))) for size in sizes)

    def next_lanes(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, Inputs]]:
        """Place waiting lanes in free slots, as long as there are any.

        Yields the slots with axes (device, block, lane), padded with one past the last slot; the variant and the number of the data set of
        each block, with axes (device, block); and the inputs of the lanes.
        """
        while self.waiting:
            devices, beyond, width, fill_blocks = self.room
            shape = (devices, fill_blocks, width)
            index, chosen = np.full(shape, beyond, np.int32), np.zeros(shape, np.int64)
            variant = np.zeros(shape[:2], np.int32)
            # Numbers out of range are those of blocks that stay empty.
            group = np.full(shape[:2], beyond, np.int32)
            free = [np.flatnonzero(row == EMPTY) for row in self.lane]
            # The emptiest device first, so that few lanes spread over all devices.
            share = -(-min(len(self.lanes) - self.next, devices * fill_blocks * width) // devices)
            placed = 0
            for device in sorted(range(devices), key=lambda d: -len(free[d])):
                left, block = min(len(free[device]), share), 0
                while left and block < fill_blocks and self.waiting:
                    # A run of lanes that start alike, as far as there is room for it.
                    count = min(left, self._run_end[self.next] - self.next, (fill_blocks - block) * width)
                    data = self._place_for_data(device)
                    if data is None:
                        break
                    blocks = slice(block, block + -(-count // width))
                    taken, slots, free[device] = np.arange(self.next, self.next + count), free[device][:count], free[device][count:]
                    index[device, blocks].reshape(-1)[:count] = slots
                    chosen[device, blocks] = taken[0]
                    chosen[device, blocks].reshape(-1)[:count] = taken
                    variant[device, blocks], group[device, blocks] = self.lanes.variant[taken[0]], data
                    self.lane[device, slots], self.group[device, slots] = taken, data
                    self.steps[device, slots], self.status[device, slots] = 0, Status.RUNNING
                    self.fresh[device, slots] = True
                    self.next, left, placed, block = self.next + count, left - count, placed + count, blocks.stop
            if placed == 0:
                return
            yield index, variant, group, Inputs(*(values[chosen] for values in self._inputs))

    def _place_for_data(self, device: int) -> int | None:
        """Return the number of the next block's shared data set: that of lanes with the same data, or a free one; None if none is free."""
        if not self.by_block:
            return 0
        held = self.lane[device] != EMPTY
        groups, lanes = self.group[device, held], self.lane[device, held]
        data_seed, variant = self.lanes.inputs.data_seed, self.lanes.variant
        same = (data_seed[lanes] == data_seed[self.next]) & (variant[lanes] == variant[self.next])
        if same.any():
            return int(groups[np.argmax(same)])
        free = np.setdiff1d(np.arange(self.room.slots // self.room.width), groups)
        return int(free[0]) if len(free) else None

    def started(self, found: dict[str, Any]) -> None:
        """Keep the results of `Rounds.read` of the lanes that were just placed, which `fresh` marks."""
        self._initial.append((self.lane.copy(), found))
        self.fresh = np.zeros_like(self.fresh)

    def segment_ended(self, status: np.ndarray, steps: np.ndarray, chunks: Iterable[Chunk], found: dict[str, Array]) -> int:
        """Take in a segment: status and steps of all slots, chunks of the curve buffer, and the results of the lanes that ended.

        The slots of those lanes are free now. Returns the number of steps that all lanes took together.
        """
        before = self.steps
        self.status, self.steps = status.reshape(self.lane.shape), steps.reshape(self.lane.shape)
        # By lane and not by slot: others may sit in the slots by the time that points of the curves are picked.
        self._seen += [(np.append(self.lane[chunk.device], EMPTY)[chunk.slot], chunk) for chunk in chunks]
        self._ended.append((self.lane, found))
        self.lane = np.where(self.status == Status.RUNNING, self.lane, EMPTY)
        return int(np.sum(self.steps - before))

    def _logged(self, lane: np.ndarray, chunk: Chunk) -> Columns:
        """Return the points of curves at the logged steps, and where a lane ended; `lane` has axes (chunk, lane)."""
        number, position = np.nonzero(lane != EMPTY)
        lanes = lane[number, position]
        before, now = chunk.before[number, position][:, None], chunk.after[number, position][:, None]
        checks = np.arange(next(iter(chunk.seen.values())).shape[1])
        at = np.minimum(before + self.check_every * checks, self.lanes.inputs.budget[lanes][:, None])
        fresh = np.ones_like(at, bool)
        fresh[:, 1:] = at[:, 1:] > at[:, :-1]
        ended = chunk.ended[number, position][:, None]
        first, last = np.searchsorted(self.log_steps, [before.min(), now.max()])
        row, check = np.nonzero(fresh & ((at < now) & np.isin(at, self.log_steps[first:last]) | (ended & (at == now))))
        points = {"lane": self.lanes.ids[lanes[row]], "step": at[row, check]}
        return points | {name: values[number[row], check, position[row]] for name, values in chunk.seen.items()}

    def settle(self) -> None:
        """Put results of starts and points of curves in their places: work that can wait until the devices are busy again."""
        self._points += [self._logged(*one) for one in self._seen]
        for lane, found in self._initial:
            lanes, values = self._by_lane(lane, found)
            for name, column in values["measured"].items():
                self._at_start.setdefault(name, np.full(len(self.lanes), np.nan))[lanes] = column
        self._seen, self._initial = [], []

    def batches(self) -> Iterator[Batch]:
        """Yield the columns of the lanes that ended, and all points of curves that have been settled."""
        for lane, found in self._ended:
            if not np.asarray(found["count"]).any():
                continue
            lanes, values = self._by_lane(lane, found)
            measured = values.pop("measured")
            columns = {"lane": self.lanes.ids[lanes], **values}
            for name, column in measured.items():
                columns[f"{name}_initial"] = self._at_start[name][lanes]
                columns[f"{name}_final"] = column
            points, self._points = self._points, []
            curves = {name: np.concatenate([part[name] for part in points]) for name in points[0]} if points else {}
            yield Batch(columns, curves)
        self._ended = []

    def _by_lane(self, lane: np.ndarray, found: dict[str, Any]) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the lanes that `found` is about, which sat in these slots, and its values by lane."""
        counts = np.asarray(found["count"])

        def used(leaf: Array) -> list[np.ndarray]:
            # On a CPU only the used part is copied.
            return [np.asarray(leaf.addressable_data(device))[:count] for device, count in enumerate(counts)]

        lanes = np.concatenate([lane[device, slot] for device, slot in enumerate(used(found["slot"]))])
        columns = {name: leaves for name, leaves in found.items() if name not in ("count", "slot")}
        return lanes, jax.tree.map(lambda leaf: np.concatenate(used(leaf)), columns)
