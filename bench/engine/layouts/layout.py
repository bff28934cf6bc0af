"""A layout: the way in which the lanes of a block stand in memory while they train."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from bench.engine.curves import Trace
from bench.engine.data_placement import DataPlacement
from bench.hardware import Hardware
from bench.lane.program import Program
from bench.lane.state import Fixed, Inputs, State, Status
from bench.tasks.definition import Data

LANE = "lane"
"""The name of the axis over the lanes of a block, for functions of `over_lanes`."""
CHECKS_IN_A_ROW = 8
"""Checks between two tests whether a lane of the block still runs, where that test is expensive: beside the cheap checks of unrolled
lanes its time counts, and an accelerator has to ask the host."""


class Setting(NamedTuple):
    """Facts about all blocks of a pool."""

    program: Program
    hardware: Hardware
    placement: DataPlacement
    width: int
    """Lanes per block."""


class Block(NamedTuple):
    """Lanes of a block, as the slots hold them: leading axis lane, for `data` that of the placement."""

    inputs: Inputs
    data: Data | None
    state: State


@runtime_checkable
class Layout(Protocol):
    """The way in which the lanes of a block stand in memory while they train.

    A layout has no state of its own. The results of `enter`, `advance` and `leave` for a lane depend neither on its place in the block nor
    on the other lanes.
    """

    checks_per_round: int
    """The largest number of loss checks of a block in one round, which is the time between two gatherings of the running lanes."""
    is_light: bool
    """Whether a check is so short that testing the condition of the loop over checks is expensive, and a step reads little memory."""

    def width(self, program: Program, hardware: Hardware) -> int | None:
        """Return the number of lanes per block, a power of two; None if the program cannot have this layout, or should not."""

    def enter(self, setting: Setting, block: Block, checks: Int[Array, ""]) -> tuple[Any, Any]:
        """Return what stays fixed and the state of a block in this layout."""

    def advance(self, setting: Setting, fixed: Any, state: Any, checks: Int[Array, ""], trace: Trace) -> tuple[Any, Trace]:
        """Advance a block by up to `checks` loss checks, or until all of its lanes have ended.

        Returns the new state and the trace with axes (check, lane), written over an earlier one; rows after the last check are stale.
        """

    def leave(self, state: Any) -> State:
        """Return the state as the slots hold it: the inverse of `enter`."""


def checks_in_a_row(layout: Layout, program: Program, hardware: Hardware) -> int:
    """Return the number of checks between two tests whether a lane of the block still runs."""
    # An epoch of minibatches is long beside the test.
    is_expensive = layout.is_light or hardware.loops_ask_host and not program.batch_size
    return CHECKS_IN_A_ROW if is_expensive else 1


def checked(
    check: Callable[[Any, Any], tuple[Any, dict[str, Any]]], fixed: Any, state: Any, checks: Int[Array, ""], trace: Trace, in_a_row: int
) -> tuple[Any, Trace]:
    """Repeat `check(fixed, state)` as `Layout.advance` promises, testing every `in_a_row` checks whether to go on."""
    check = jax.jit(check, inline=True)

    def more(carried: Any) -> Array:
        i, state, _ = carried
        [status] = jax.tree.leaves(state.status)
        return (i < checks) & jnp.any(status == Status.RUNNING)

    def once(carried: Any) -> Any:
        i, state, trace = carried
        state, seen = check(fixed, state)
        # Values of a check are arrays (lane,), whatever tree the layout holds them in.
        vectors = {name: jax.tree.leaves(leaf)[0] for name, leaf in seen.items()}
        trace = jax.tree.map(lambda kept, new: jax.lax.dynamic_update_index_in_dim(kept, new, i, 0), trace, vectors)
        return i + 1, state, trace

    def several(carried: Any) -> Any:
        return jax.lax.fori_loop(0, in_a_row, lambda _, carried: once(carried), carried)

    start = (jnp.zeros((), jnp.int32), state, trace)
    _, state, trace = jax.lax.while_loop(more, several if in_a_row > 1 else once, start)
    return state, trace


def over_lanes(function: Callable[[Fixed, State], Any], setting: Setting, block: Block) -> Any:
    """Apply a function of one lane's `Fixed` and `State` to all lanes of a block; leading axis of the result: lane."""
    by_lane = setting.placement.by_lane

    def one(inputs: Inputs, data: Data | None, state: State) -> Any:
        return function(Fixed(inputs, setting.placement.of_lane(setting.program, data)), state)

    if setting.width == 1:
        # XLA then sees plain products, not batches of one.
        inputs, data, state = block
        inputs, state = jax.tree.map(lambda leaf: leaf[0], (inputs, state))
        data = jax.tree.map(lambda leaf: leaf[0], data) if by_lane else data
        return jax.tree.map(lambda leaf: leaf[None], one(inputs, data, state))
    return jax.vmap(one, in_axes=(0, 0 if by_lane else None, 0), axis_name=LANE)(*block)
