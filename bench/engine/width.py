"""How many lanes stand side by side in a block, and how many blocks a pool has.

Both shape the compiled program, and with it a lane's last bits, so they come from a cost model of the program alone: never
from a timing, the number of seeds, or the machine.
"""

import math

import jax

from bench.engine.program import Program

BLOCK_BYTES = 1 << 20
"""A block's data, activations and parameters should stay in a core's cache."""
MAX_WIDTH = 256
POOL_BYTES = 1 << 28
MAX_BLOCKS = 32


def lane_bytes(program: Program) -> int:
    """Bytes that one step of one lane touches: data, activations forth and back, parameters, gradients and state."""
    item = 8 if program.dtype == "float64" else 4
    data = sum(leaf.size for leaf in (program.data_shapes.x, program.data_shapes.y))
    hidden = jax.eval_shape(program.network.trace, program.network.shapes, program.data_shapes.x)
    activations = sum(leaf.size for leaf in jax.tree.leaves(hidden))
    share = (program.batch_size or program.n_examples) / program.n_examples
    return int(item * (share * (data + 2 * activations) + 4 * program.n_parameters))


def block_width(program: Program) -> int:
    """Lanes per block: a power of two."""
    width = BLOCK_BYTES / lane_bytes(program)
    return 2 ** max(0, min(int(math.log2(MAX_WIDTH)), math.floor(math.log2(max(width, 1)))))


def block_count(program: Program, width: int) -> int:
    """Blocks per device, as far as the memory set aside for a pool goes; a block without lanes costs nothing."""
    return max(1, min(POOL_BYTES // (width * lane_bytes(program)), MAX_BLOCKS))
