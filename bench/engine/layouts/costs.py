"""A cost model of a program: bytes that its lanes take.

Widths and layouts follow from it. They shape the compiled program, and with it the last bits of a lane, so they depend on the program and
the kind of device alone: never on a measured time, the number of seeds, or the number of devices.
"""

import math
from typing import Any

import jax

from bench.engine.data_placement import data_placement
from bench.engine.layouts.layout import Layout
from bench.hardware import Hardware
from bench.lane.data import MOST_CONSTANT_BYTES, data_bytes
from bench.lane.program import Program
from bench.lane.state import Inputs

FEWEST_LANES = 16
"""The least number of lanes for which unrolled lanes, or lanes behind all other axes, are faster than matrix products."""
MIN_WIDTH = 2
"""The least width of a block: even two lanes whose data and activations fit no cache take less time together than one after another."""
HESSIAN_BYTES = 1 << 31
"""Bytes that the second derivatives of a block's lanes may take together, where probes see them."""


def is_arithmetic(program: Program) -> bool:
    """Return whether a step is arithmetic alone, on data that no other lanes share.

    Minibatches and noise take more than arithmetic. A program whose lanes share held data gains nothing from another layout.
    """
    return not (program.batch_size or program.noisy or data_placement(program).in_common)


def item_bytes(program: Program) -> int:
    """Return the bytes of one number of the program's dtype."""
    return 8 if program.dtype == "float64" else 4


def power_of_two(number: float) -> int:
    """Return the largest power of two that is at most `number`, and 1 for smaller numbers."""
    return 2 ** math.floor(math.log2(max(number, 1)))


def lane_bytes(program: Program) -> int:
    """Return the bytes that one step of one lane touches: its own data, activations in both passes, parameters, gradients and state."""
    share = (program.batch_size or program.n_examples) / program.n_examples
    data = sum(leaf.size for leaf in (program.data_shapes.x, program.data_shapes.y))
    with jax.enable_x64(program.dtype == "float64"):
        hidden = jax.eval_shape(program.network.trace, program.network.shapes, program.data_shapes.x)
    activations = sum(leaf.size for leaf in jax.tree.leaves(hidden))
    own = share * data if data_placement(program).by_lane or program.batch_size else 0
    return int(item_bytes(program) * (own + share * 2 * activations + 4 * program.n_parameters))


def slot_bytes(program: Program) -> int:
    """Return the bytes that a lane takes in its slot."""
    data = sum(leaf.size for leaf in jax.tree.leaves(program.data_shapes)) if data_placement(program).by_lane else 0
    return item_bytes(program) * (data + 4 * program.n_parameters) + 64


def hessian_width(program: Program) -> int:
    """Return the number of lanes whose second derivatives fit `HESSIAN_BYTES`, as a power of two."""
    seen = {view for probes in (program.probes, program.track) for one in probes.values() for view in one.views}
    curved = "curvatures" in seen or any(variant.relative_rate for variant in program.variants)
    each = item_bytes(program) * program.n_parameters**2 if curved else 1
    return power_of_two(HESSIAN_BYTES / each)


def block_count(program: Program, layout: Layout, width: int, hardware: Hardware) -> int:
    """Return the number of blocks per device that the memory of a pool has room for; a block without lanes costs no time."""
    bytes_each = width * max(0 if layout.is_light else lane_bytes(program), slot_bytes(program))
    data = data_bytes(program.data_shapes)
    bytes_each += data if data_placement(program).by_block and data > MOST_CONSTANT_BYTES else 0
    return max(1, min(hardware.pool_bytes // bytes_each, hardware.max_blocks))


def shapes_of_lane(program: Program) -> Any:
    """Return the shapes of `Fixed` and `State` of one lane."""
    inputs = Inputs(*(jax.ShapeDtypeStruct((), kind) for kind in program.input_types))
    return jax.eval_shape(lambda one: program.start(program.variants[0], one), inputs)
