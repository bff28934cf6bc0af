"""The curve buffer: chunks of checks of the lanes whose curves are kept, written by the devices and read by the host after a segment."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bench.engine.slots import places
from bench.hardware import Hardware

BUFFER_BYTES = 1 << 23
"""Bytes of a device's curve buffer, as far as `BufferSize.of` can keep to it."""
CHUNK_LANES = 1 << 10
"""Lanes that one chunk holds at most: of a wide block only those lanes are written whose curves are kept."""

Trace = dict[str, Array]
"""Loss and tracked probes of a block in a round, each with axes (check, lane)."""


class Chunk(NamedTuple):
    """Chunks that one device has written: arrays with axes (chunk, lane), and (chunk, check, lane) in `seen`."""

    device: int
    slot: np.ndarray
    before: np.ndarray
    after: np.ndarray
    ended: np.ndarray
    seen: dict[str, np.ndarray]


class BufferSize(NamedTuple):
    """Size of one device's curve buffer."""

    chunks: int
    checks: int
    """Checks per chunk."""
    lanes: int
    """Lanes per chunk."""
    block_chunks: int
    """Chunks that hold all lanes of a block."""

    @classmethod
    def of(cls, width: int, checks: int, check_bytes: int) -> "BufferSize":
        """Size for blocks of `width` lanes, each with up to `checks` checks per round of `check_bytes` bytes per lane."""
        lanes = min(width, CHUNK_LANES)
        block_chunks = width // lanes
        chunks = BUFFER_BYTES // (checks * lanes * check_bytes)
        return cls(int(np.clip(chunks, max(4, 2 * block_chunks), 256)), checks, lanes, block_chunks)


class Curves(NamedTuple):
    """One device's curve buffer. The leading axis is the chunk."""

    used: Array
    """The number of chunks that are written, as an array of one element."""
    slot: Array
    """Slots with axes (chunk, lane); one past the last slot where nothing is kept."""
    before: Array
    """Steps of the lanes before the round."""
    after: Array
    """Steps of the lanes after the round."""
    ended: Array
    seen: Trace
    """Traces with axes (chunk, check, lane)."""

    def emptied(self) -> "Curves":
        """The same buffer without any chunk."""
        return self._replace(used=jnp.zeros_like(self.used))

    def has_room(self, size: BufferSize) -> Array:
        """Return whether another block fits."""
        return self.used[0] <= size.chunks - size.block_chunks

    def with_block(self, size: BufferSize, kept: Array, beyond: int, block: tuple[Any, ...], hardware: Hardware) -> "Curves":
        """Add the `kept` lanes of a block.

        `block` is (slot, steps before, steps after, ended, trace), with the lane as last axis. The other lanes get the slot `beyond`.
        """
        slot, *found = block
        chunk = (jnp.where(kept, slot, beyond), *found)
        if size.block_chunks == 1:
            # Without a kept lane the next block writes over this one's chunk.
            return self._written(chunk, jnp.any(kept))
        order, count = places(kept, len(kept), hardware), jnp.sum(kept)

        def part(first: Array, curves: Curves) -> Curves:
            lanes = jax.lax.dynamic_slice_in_dim(order, first * size.lanes, size.lanes)
            slot, *rest = jax.tree.map(lambda leaf: jnp.take(leaf, lanes, axis=-1, mode="clip"), chunk)
            return curves._written((jnp.where(lanes < len(kept), slot, beyond), *rest), True)

        return jax.lax.fori_loop(0, -(-count // size.lanes), part, self)

    def _written(self, chunk: tuple[Any, ...], counts: Array | bool) -> "Curves":
        """Write a chunk behind the used ones; it is used from now on if it `counts`."""
        place = self.used[0]
        written = jax.tree.map(lambda old, new: jax.lax.dynamic_update_index_in_dim(old, new, place, 0), tuple(self[1:]), chunk)
        return Curves(self.used + counts, *written)

    def chunk(self, number: Array) -> Any:
        """One of a device's chunks, as a tuple of the fields after `used`."""
        return jax.tree.map(lambda leaf: leaf[number], tuple(self[1:]))

    def chunks(self, one: Callable[..., Any], hardware: Hardware) -> Iterator[Chunk]:
        """Yield, on the host, the chunks that the devices have written; `one` is `chunk`, compiled for all of them."""
        counts = np.asarray(self.used)
        if not counts.any():
            return
        if not hardware.is_host:
            # Chunk by chunk: the buffer is far larger than its used part, and all of it would be copied.
            for number in range(max(counts)):
                parts = jax.tree.map(np.asarray, one(self, np.full(len(counts), number, np.int32)))
                for device in range(len(counts)):
                    if number < counts[device]:
                        yield Chunk(device, *jax.tree.map(lambda leaf, d=device: leaf[d : d + 1], parts))
            return
        for device, count in enumerate(counts):
            if count:
                # From the device's own part of an array only the used chunks are copied.
                own = jax.tree.map(lambda leaf, d=device: np.asarray(leaf.addressable_data(d)), tuple(self[1:]))
                yield Chunk(device, *jax.tree.map(lambda leaf, c=count: leaf[:c].copy(), own))
