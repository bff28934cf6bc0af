"""The form of a program: how its lanes are laid out, how many stand side by side in a block, how many a device holds.

All of it shapes the compiled program, and with it a lane's last bits, so it comes from a cost model of the program on a kind of device:
never from a timing, the number of seeds, or the number of devices.
"""

import math
from enum import Enum, auto
from weakref import WeakKeyDictionary

import jax

from bench.engine.layouts.fused import fusible
from bench.engine.layouts.lanes_last import fits
from bench.engine.layouts.unrolled import operations, split
from bench.hardware import accelerated
from bench.lane.program import Program
from bench.lane.state import Fixed, Inputs, State
from bench.probes import breaking

MAX_OPERATIONS = 3000
"""Most operations of a step that is unrolled on known data, and on data that differ from lane to lane: beyond that, matrix products
win, or compilation costs more than it saves."""
MAX_OPERATIONS_OWN_DATA = 300
UNROLLED_BYTES = 1 << 13
"""What the examples of a block take, per feature."""
FEWEST_LANES = 16
"""With so many examples that fewer lanes than this fit, matrix products win."""
BLOCK_BYTES = 1 << 20
"""A block's data, activations and parameters should stay in a core's cache."""
MIN_WIDTH, MAX_WIDTH = 2, 256
"""Two lanes whose data and activations fit no cache still took 7% less time together than one after another."""
UNROLLED_WIDTH = 128
"""Measured on XOR networks of 4, 8 and 16 units: 64 lanes are up to 1.15 times, 256 up to 1.2 times as slow."""
LAST_BYTES = 1 << 8
"""What one number of each lane takes, with the lanes last. Measured on networks of 8 to 16 units, 1 to 8 layers deep: half of it is up to
1.2 times, twice of it up to 1.7 times as slow. Twice a block's usual bytes may be in use, as each layer's are met in turn."""
FUSED_WIDTH = 1 << 16
"""Lanes of one kernel: four warps for each scheduler of a large GPU."""
ACCELERATOR = 1 << 8
"""An accelerator has no cache to stay in and needs this many times as many lanes at once."""
HESSIAN_BYTES = 1 << 31
"""What the second derivatives of a block's lanes may take together, where probes look at them."""
POOL_BYTES, MAX_BLOCKS = 1 << 26, 256
ACCELERATOR_POOL_BYTES, ACCELERATOR_MAX_BLOCKS = 1 << 30, 8
"""Blocks are far wider there; few keep the device busy while the host reads what others have come to."""


class Form(Enum):
    """Where the lanes of a block are."""

    FUSED = auto()
    """Every number of a lane is in a register of a GPU's thread, for all looks of a round."""
    UNROLLED = auto()
    """Every number of a lane is a vector over lanes of its own."""
    LANES_LAST = auto()
    LANES_FIRST = auto()


_FORMS: WeakKeyDictionary[Program, Form] = WeakKeyDictionary()
"""Known already; it keeps no program alive."""


def form(program: Program) -> Form:
    """How a program's lanes are laid out: the smaller it is, the less it leaves of its arrays."""
    if program not in _FORMS:
        _FORMS[program] = _form(program)
    return _FORMS[program]


def _form(program: Program) -> Form:
    # A program with minibatches or noise does more in a step than arithmetic; one whose data many lanes share gains nothing.
    if program.batch_size or program.noisy or program.sharing == "some":
        return Form.LANES_FIRST
    given = program.constant_data is None
    with jax.enable_x64(program.dtype == "float64"):
        one = Inputs(*(jax.ShapeDtypeStruct((1,), kind) for kind in program.input_types))
        fixed, state = jax.eval_shape(jax.vmap(lambda inputs: program.start(program.variants[0], inputs)), one)
        most = MAX_OPERATIONS_OWN_DATA if given else MAX_OPERATIONS
        # No parameter takes fewer than three operations; that much is known without tracing.
        if _unrolled_width(program) >= FEWEST_LANES and 3 * program.n_parameters <= most:
            block = jax.eval_shape(lambda fixed, state: unroll_block(fixed, state, given), fixed, state)
            names = operations(program.advance_alone, block, most)
            if names is not None:
                return Form.FUSED if fusible(names, block) else Form.UNROLLED
        # How matrix products round is what tears ties: there, all units of a layer would be summed alike.
        if breaking(program.track) is not None:
            return Form.LANES_FIRST
        lane = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), (fixed, state))
        return Form.LANES_LAST if _last_width(program) >= FEWEST_LANES and fits(program.advance_alone, lane) else Form.LANES_FIRST


def unroll_block(fixed: Fixed, state: State, given: bool) -> tuple[Fixed, State]:
    """A block's inputs, data and state lane-minor; the examples of data that are `given` stay together."""
    data = split(fixed.data._replace(test_x=None, test_y=None), wide=True) if given else None
    return Fixed(split(fixed.inputs), data), split(state)


def lane_bytes(program: Program) -> int:
    """Bytes that one step of one lane touches: its own data, activations forth and back, parameters, gradients and state."""
    item = 8 if program.dtype == "float64" else 4
    share = (program.batch_size or program.n_examples) / program.n_examples
    data = sum(leaf.size for leaf in (program.data_shapes.x, program.data_shapes.y))
    with jax.enable_x64(program.dtype == "float64"):
        hidden = jax.eval_shape(program.network.trace, program.network.shapes, program.data_shapes.x)
    activations = sum(leaf.size for leaf in jax.tree.leaves(hidden))
    own = share * data if program.sharing == "none" or program.batch_size else 0
    return int(item * (own + share * 2 * activations + 4 * program.n_parameters))


def slot_bytes(program: Program) -> int:
    """Bytes that a waiting lane takes."""
    item = 8 if program.dtype == "float64" else 4
    data = sum(leaf.size for leaf in jax.tree.leaves(program.data_shapes)) if program.sharing == "none" else 0
    return item * (data + 4 * program.n_parameters) + 64


def block_width(program: Program) -> int:
    """Lanes per block: a power of two."""
    return min(_width_of_form(program), _hessian_width(program))


def _width_of_form(program: Program) -> int:
    factor = ACCELERATOR if accelerated() else 1
    if form(program) is Form.FUSED:
        return FUSED_WIDTH
    if form(program) is Form.UNROLLED:
        return factor * _unrolled_width(program)
    if form(program) is Form.LANES_LAST:
        return factor * _last_width(program)
    width = BLOCK_BYTES * factor / lane_bytes(program)
    return 2 ** math.floor(math.log2(min(max(width, MIN_WIDTH), MAX_WIDTH * factor)))


def _hessian_width(program: Program) -> int:
    seen = {view for probes in (program.probes, program.track) for one in probes.values() for view in one.views}
    curved = "curvatures" in seen or any(variant.relative_rate for variant in program.variants)
    item = 8 if program.dtype == "float64" else 4
    each = item * program.n_parameters**2 if curved else 1
    return 2 ** math.floor(math.log2(max(HESSIAN_BYTES / each, 1)))


def _unrolled_width(program: Program) -> int:
    item = 8 if program.dtype == "float64" else 4
    together = 1 if program.constant_data is not None else program.n_examples
    return min(UNROLLED_WIDTH, 2 ** int(math.log2(max(UNROLLED_BYTES / item / together, 1))))


def _last_width(program: Program) -> int:
    item = 8 if program.dtype == "float64" else 4
    width = min(LAST_BYTES / item, 2 * BLOCK_BYTES / lane_bytes(program))
    return 2 ** math.floor(math.log2(max(width, 1)))


def block_count(program: Program, width: int) -> int:
    """Blocks per device, as far as the memory set aside for a pool goes; a block without lanes costs nothing."""
    small = form(program) in (Form.FUSED, Form.UNROLLED)
    bytes_each = width * max(0 if small else lane_bytes(program), slot_bytes(program))
    memory, most = (ACCELERATOR_POOL_BYTES, ACCELERATOR_MAX_BLOCKS) if accelerated() else (POOL_BYTES, MAX_BLOCKS)
    return max(1, min(memory // bytes_each, most))
