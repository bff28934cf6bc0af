"""The choice of a layout and of the number of lanes in a block."""

from typing import NamedTuple

from bench.engine.layouts.costs import hessian_width
from bench.engine.layouts.fused import Fused
from bench.engine.layouts.lanes_first import LanesFirst
from bench.engine.layouts.lanes_last import LanesLast
from bench.engine.layouts.layout import Layout
from bench.engine.layouts.per_program import once_per_program
from bench.engine.layouts.unrolled import Unrolled
from bench.hardware import Hardware
from bench.lane.program import Program

LAYOUTS: tuple[Layout, ...] = (Fused(), Unrolled(), LanesLast(), LanesFirst())
"""All layouts in the order of preference: those that take more of a program's arrays apart come first. The last one takes every program."""


class Choice(NamedTuple):
    """A layout, and the lanes per block that it gets."""

    layout: Layout
    width: int
    """A power of two."""


@once_per_program
def choose(program: Program, hardware: Hardware) -> Choice:
    """Return the first layout that a program can have, with the width of its blocks, limited by the memory for second derivatives."""
    for layout in LAYOUTS:
        width = layout.width(program, hardware)
        if width is not None:
            return Choice(layout, min(width, hessian_width(program)))
    raise AssertionError("the last layout takes every program")
