"""The layout with the lanes in front of all other axes, as `jax.vmap` puts them: every program can have it."""

import jax
from jaxtyping import Array, Int

from bench.engine.curves import Trace
from bench.engine.layouts.costs import MIN_WIDTH, lane_bytes, power_of_two
from bench.engine.layouts.layout import LANE, Block, Setting, checked, checks_in_a_row, over_lanes
from bench.hardware import Hardware
from bench.lane.program import Program
from bench.lane.state import Fixed, Inputs, State
from bench.tasks.definition import Data

MAX_WIDTH = 256
"""The largest width on a CPU."""


class LanesFirst:
    """Layout with the lanes in front of all other axes."""

    checks_per_round = 32
    is_light = False

    def width(self, program: Program, hardware: Hardware) -> int | None:
        factor = hardware.lanes_factor
        fitting = hardware.cache_bytes * factor / lane_bytes(program)
        return power_of_two(min(max(fitting, MIN_WIDTH), MAX_WIDTH * factor))

    def enter(self, setting: Setting, block: Block, checks: Int[Array, ""]) -> tuple[tuple[Inputs, Data | None], State]:
        return (block.inputs, block.data), block.state

    def advance(
        self, setting: Setting, fixed: tuple[Inputs, Data | None], state: State, checks: Int[Array, ""], trace: Trace
    ) -> tuple[State, Trace]:
        def over_block(value: Array) -> Array:
            return value if setting.width == 1 else jax.lax.pmax(value, LANE)

        def advance(fixed: Fixed, state: State) -> tuple[State, dict[str, Array]]:
            return setting.program.advance(fixed, state, over_block, setting.hardware.loops_ask_host)

        def check(given: tuple[Inputs, Data | None], state: State) -> tuple[State, dict[str, Array]]:
            return over_lanes(advance, setting, Block(*given, state))

        return checked(check, fixed, state, checks, trace, checks_in_a_row(self, setting.program, setting.hardware))

    def leave(self, state: State) -> State:
        return state
