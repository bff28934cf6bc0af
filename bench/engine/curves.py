"""What devices see of lanes whose curves are kept: chunks for each block and round, which the host reads after a segment."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bench.engine.slots import places
from bench.hardware import accelerated

LOG_BYTES = 1 << 23
LOG_LANES = 1 << 10
"""Most lanes of a chunk: of a wide block only those are kept whose curves are wanted."""

Trace = dict[str, Array]
"""What is seen of a block in a round: (look, lane)."""


class Chunk(NamedTuple):
    """What one device saw of lanes whose curves are kept: (chunk, lane), and (chunk, look, lane) for `seen`."""

    device: int
    slot: np.ndarray
    before: np.ndarray
    after: np.ndarray
    ended: np.ndarray
    seen: dict[str, np.ndarray]


class LogSize(NamedTuple):
    """How much a device's log holds."""

    chunks: int
    looks: int
    lanes: int
    """Of a chunk."""
    block_chunks: int
    """So many take all lanes of a block."""

    @classmethod
    def of(cls, width: int, looks: int, look_bytes: int) -> "LogSize":
        """For blocks of this width, at which so many looks are taken in a round, and of whose lanes so many bytes are seen at a look."""
        lanes = min(width, LOG_LANES)
        block_chunks = width // lanes
        return cls(int(np.clip(LOG_BYTES // (looks * lanes * look_bytes), max(4, 2 * block_chunks), 256)), looks, lanes, block_chunks)


class Log(NamedTuple):
    """A device's log (leading axis: chunk)."""

    used: Array
    slot: Array
    """(chunk, lane); one past the last slot where nothing is kept."""
    before: Array
    after: Array
    ended: Array
    seen: Trace
    """(chunk, look, lane)."""

    def emptied(self) -> "Log":
        return self._replace(used=jnp.zeros_like(self.used))

    def has_room(self, size: LogSize) -> Array:
        """Whether another block fits."""
        return self.used[0] <= size.chunks - size.block_chunks

    def with_block(
        self, size: LogSize, kept: Array, slot: Array, beyond: int, before: Array, after: Array, ended: Array, trace: Trace
    ) -> "Log":
        """With what was found of a block's `kept` lanes in these slots; the others stand in the one `beyond`."""
        chunk = (jnp.where(kept, slot, beyond), before, after, ended, trace)
        if size.block_chunks == 1:
            # Without a lane to keep, the next block writes over this one's chunk.
            return self._written(chunk, jnp.any(kept))
        order, count = places(kept, len(kept)), jnp.sum(kept)

        def part(first: Array, log: Log) -> Log:
            lanes = jax.lax.dynamic_slice_in_dim(order, first * size.lanes, size.lanes)
            slot, *rest = jax.tree.map(lambda leaf: jnp.take(leaf, lanes, axis=-1, mode="clip"), chunk)
            return log._written((jnp.where(lanes < len(kept), slot, beyond), *rest), True)

        return jax.lax.fori_loop(0, -(-count // size.lanes), part, self)

    def _written(self, chunk: Any, counts: Array | bool) -> "Log":
        """A chunk written behind those that count."""
        place = self.used[0]
        written = jax.tree.map(lambda old, new: jax.lax.dynamic_update_index_in_dim(old, new, place, 0), tuple(self[1:]), chunk)
        return Log(self.used + counts, *written)

    def chunk(self, number: Array) -> Any:
        """One of a device's chunks."""
        return jax.tree.map(lambda leaf: leaf[number], tuple(self[1:]))

    def chunks(self, one: Callable[..., Any]) -> Iterator[Chunk]:
        """On the host, what the devices have written; `one` is `chunk`, compiled for all of them."""
        counts = np.asarray(self.used)
        if not counts.any():
            return
        if accelerated():
            # Chunk by chunk: the whole log is far more than what is in it.
            for number in range(max(counts)):
                parts = jax.tree.map(np.asarray, one(self, np.full(len(counts), number, np.int32)))
                for device in range(len(counts)):
                    if number < counts[device]:
                        yield Chunk(device, *jax.tree.map(lambda leaf, d=device: leaf[d : d + 1], parts))
            return
        for device, count in enumerate(counts):
            if count:
                # From the device's own part of an array only what is used is copied.
                own = jax.tree.map(lambda leaf, d=device: np.asarray(leaf.addressable_data(d)), tuple(self[1:]))
                yield Chunk(device, *jax.tree.map(lambda leaf, c=count: leaf[:c].copy(), own))
