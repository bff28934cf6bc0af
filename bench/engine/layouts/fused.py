"""The fused layout: an unrolled program whose numbers stay in the registers of a GPU's threads for all checks of a round."""

from collections.abc import Collection
from typing import Any

import jax
from jaxtyping import Array, Int

from bench.engine.curves import Trace
from bench.engine.layouts.kernel import HAS_TRITON, run_kernel
from bench.engine.layouts.layout import Block, Setting
from bench.engine.layouts.primitives import ELEMENTWISE
from bench.engine.layouts.unrolled import operations_of_step, unrolled_block, unrolled_shapes
from bench.engine.layouts.vectors import join
from bench.hardware import Hardware
from bench.lane.program import Program
from bench.lane.state import Fixed, State

OPERATIONS = ELEMENTWISE - {"copy", "erf", "erfc", "reduce_precision", "round"} | {"given", "reduce_sum"}
"""Operations that a kernel can have. The largest of many examples is none of them: it would drop NaN."""
MAX_VECTORS = 200
"""The largest number of a kernel's arguments: more numbers of a lane would not stay in registers."""
WIDTH = 1 << 16
"""Lanes of one kernel: four warps for each scheduler of a large GPU."""


class Fused:
    """Layout in which every number of a lane is in a register of a GPU's thread."""

    checks_per_round = 512
    is_light = True

    def width(self, program: Program, hardware: Hardware) -> int | None:
        names = operations_of_step(program)
        if names is None:
            return None
        with jax.enable_x64(program.dtype == "float64"):
            return WIDTH if fusible(names, unrolled_shapes(program), hardware) else None

    def enter(self, setting: Setting, block: Block, checks: Int[Array, ""]) -> tuple[Fixed, State]:
        return unrolled_block(block)

    def advance(self, setting: Setting, fixed: Fixed, state: State, checks: Int[Array, ""], trace: Trace) -> tuple[State, Trace]:
        # The kernel writes a trace of its own, in place of the earlier one.
        return run_kernel(setting.program.advance_alone, fixed, state, checks, self.checks_per_round, setting.hardware)

    def leave(self, state: State) -> State:
        return join(state)


def fusible(operations: Collection[str], given: Any, hardware: Hardware) -> bool:
    """Return whether there is a kernel for these operations on these arguments (trees of `Vectors` of shapes) on this hardware."""
    if not HAS_TRITON or not hardware.compiles_triton:
        return False
    vectors = jax.tree.leaves(given)
    sizes = {vector.shape[0] for vector in vectors if vector.ndim > 1}
    return OPERATIONS.issuperset(operations) and len(vectors) <= MAX_VECTORS and all(size & (size - 1) == 0 for size in sizes)
