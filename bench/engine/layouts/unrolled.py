"""The unrolled layout: every element of every array is a vector over lanes.

`jax.vmap` puts the lanes in front of each array and keeps the operations of the program: hundreds of products of 4 x 2 matrices. Here a
matrix product becomes multiplications and additions of vectors, reshaping and transposing become indexing, and known zeros and ones drop
out. An axis over examples can be kept: its elements stand together in one array (example, lane). The function is traced from the same
model and optimizer as everywhere else; nothing is written twice. It computes what `vmap` computes, up to the order of sums, and with
0 x = 0 also where x is infinite or NaN.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from bench.engine.curves import Trace
from bench.engine.layouts.costs import FEWEST_LANES, is_arithmetic, item_bytes, power_of_two, shapes_of_lane
from bench.engine.layouts.emit import STORED_ABOVE, emitted
from bench.engine.layouts.graph import Graph
from bench.engine.layouts.layout import Block, Setting, checked, checks_in_a_row
from bench.engine.layouts.per_program import once_per_program
from bench.engine.layouts.rules_vectors import RULES
from bench.engine.layouts.vectors import Vectors, join, split
from bench.engine.layouts.walker import Unsupported
from bench.hardware import Hardware
from bench.lane.program import Program
from bench.lane.state import Fixed, State
from bench.tasks.definition import Data

MAX_OPERATIONS = 3000
"""The largest number of operations of a step on data that are part of the program. Beyond it matrix products are faster, or compilation
takes longer than it saves."""
MAX_OPERATIONS_OWN_DATA = 300
"""The largest number of operations of a step on data that differ from lane to lane."""
FEWEST_OPERATIONS_PER_PARAMETER = 3
"""No parameter takes fewer operations; that much is known without tracing."""
EXAMPLES_BYTES = 1 << 13
"""Bytes that the examples of a block may take per feature."""
MAX_WIDTH = 128
"""The largest width on a CPU: XOR networks of 4 to 16 units train slower with half and with twice as many lanes."""


class Unrolled:
    """Layout in which every number of a lane is an element of a vector over lanes of its own."""

    checks_per_round = 128
    """Gathering costs as much as several checks, so that small networks take less time with many checks in a round; larger networks take a
    little more."""
    is_light = True

    def width(self, program: Program, hardware: Hardware) -> int | None:
        return None if operations_of_step(program) is None else hardware.lanes_factor * _width_on_host(program)

    def enter(self, setting: Setting, block: Block, checks: Int[Array, ""]) -> tuple[tuple[Fixed, Array], State]:
        fixed, state = unrolled_block(block)
        # Ones that the compiler cannot know to be ones.
        return (fixed, jnp.broadcast_to((checks > 0).astype(setting.program.dtype), (setting.width,))), state

    def advance(
        self, setting: Setting, fixed: tuple[Fixed, Array], state: State, checks: Int[Array, ""], trace: Trace
    ) -> tuple[State, Trace]:
        def check(given: tuple[Fixed, Array], state: State) -> tuple[State, dict[str, Any]]:
            fixed, one = given
            return unrolled(setting.program.advance_alone, one)(fixed, state)

        return checked(check, fixed, state, checks, trace, checks_in_a_row(self, setting.program, setting.hardware))

    def leave(self, state: State) -> State:
        return join(state)


def unrolled(function: Callable[..., Any], one: Array, registers: bool = False) -> Callable[..., Any]:
    """Return `function` of one lane as a function of trees of `Vectors`.

    `one` is a vector (lane,) of ones, of the function's float dtype, that the compiler cannot know to be ones (see `stored`). With
    `registers` the function is the body of a kernel, where every value stays in a register.
    """

    def many(*arguments: Any) -> Any:
        results, outs = Graph(RULES, registers=registers).trace(function, arguments)
        elements = [element for result in results for element in result.elements.flat]
        vectors = iter(emitted(elements, one, math.inf if registers else STORED_ABOVE))
        wrapped = [Vectors(result.elements.shape, [next(vectors) for _ in result.elements.flat]) for result in results]
        return jax.tree.unflatten(jax.tree.structure(outs), wrapped)

    return many


def operations(function: Callable[..., Any], arguments: Any, most: int) -> Counter[str] | None:
    """Return the number of operations on vectors that unrolling a function takes, by name.

    `arguments` are trees of `Vectors` of shapes. None beyond `most` operations, or if a part of the function cannot be unrolled.
    """
    try:
        graph = Graph(RULES, most)
        graph.trace(function, arguments)
        return graph.names
    except Unsupported:
        return None


def unrolled_block(block: Block) -> tuple[Fixed, State]:
    """Return a block's inputs and data, and its state, as `Vectors`. Data that are held keep their examples together."""
    data: Data | None = block.data
    held = split(data._replace(test_x=None, test_y=None), wide=True) if data is not None else None
    return Fixed(split(block.inputs), held), split(block.state)


def unrolled_shapes(program: Program) -> tuple[Fixed, State]:
    """Return the shapes of `unrolled_block` of a block of one lane."""
    fixed, state = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype), shapes_of_lane(program))
    data = None if program.constant_data is not None else fixed.data
    return jax.eval_shape(unrolled_block, Block(fixed.inputs, data, state))


@once_per_program
def operations_of_step(program: Program) -> Counter[str] | None:
    """Return the number of operations on vectors that one check of a program takes, by name; None if it should not be unrolled."""
    most = MAX_OPERATIONS if program.constant_data is not None else MAX_OPERATIONS_OWN_DATA
    if not is_arithmetic(program) or _width_on_host(program) < FEWEST_LANES:
        return None
    if FEWEST_OPERATIONS_PER_PARAMETER * program.n_parameters > most:
        return None
    with jax.enable_x64(program.dtype == "float64"):
        return operations(program.advance_alone, unrolled_shapes(program), most)


def _width_on_host(program: Program) -> int:
    together = 1 if program.constant_data is not None else program.n_examples
    return min(MAX_WIDTH, power_of_two(EXAMPLES_BYTES / item_bytes(program) / together))
