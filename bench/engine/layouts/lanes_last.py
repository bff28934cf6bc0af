"""The layout with the lanes behind all other axes.

`jax.vmap` puts the lanes in front, and a product of small matrices becomes a batch of products too small for a matrix kernel. With the
lanes last, every operation runs over contiguous vectors of lanes, and a product of matrices is a sum of products of such vectors. Arrays
stay whole; the unrolled layout takes them apart where they are smaller still. The function is traced from the same model and optimizer as
everywhere else; nothing is written twice. It computes what `vmap` computes, up to the order of sums.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from bench.engine.curves import Trace
from bench.engine.layouts.costs import FEWEST_LANES, is_arithmetic, item_bytes, lane_bytes, power_of_two, shapes_of_lane
from bench.engine.layouts.layout import Block, Setting, checked, checks_in_a_row
from bench.engine.layouts.rules_lanes_last import RULES, LanesBehind, Value, has_rule
from bench.engine.layouts.walker import operations_of
from bench.hardware import Hardware
from bench.lane.program import Program
from bench.lane.state import Fixed, State
from bench.lane.step import breaking

NUMBER_BYTES = 1 << 8
"""Bytes that one number of each lane of a block takes: networks of 8 to 16 units, 1 to 8 layers deep, train slower with half and with twice
of it."""
CACHES = 2
"""Caches that a block may fill: the layers are in use one after another."""


class LanesLast:
    """Layout with the lanes behind all other axes."""

    checks_per_round = 32
    is_light = False

    def width(self, program: Program, hardware: Hardware) -> int | None:
        # The rounding of matrix products is what tears ties: here all units of a layer would be summed alike.
        if not is_arithmetic(program) or breaking(program.track) is not None:
            return None
        width = power_of_two(min(NUMBER_BYTES / item_bytes(program), CACHES * hardware.cache_bytes / lane_bytes(program)))
        if width < FEWEST_LANES:
            return None
        with jax.enable_x64(program.dtype == "float64"):
            return hardware.lanes_factor * width if fits(program.advance_alone, shapes_of_lane(program)) else None

    def enter(self, setting: Setting, block: Block, checks: Int[Array, ""]) -> tuple[tuple[Fixed, tuple[Array, Array]], State]:
        # Ones that the compiler cannot know to be ones.
        ones = (checks > 0).astype(setting.program.dtype), (checks > -1).astype(setting.program.dtype)
        data = block.data and block.data._replace(test_x=None, test_y=None)
        return (to_back(Fixed(block.inputs, data)), ones), to_back(block.state)

    def advance(
        self, setting: Setting, fixed: tuple[Fixed, tuple[Array, Array]], state: State, checks: Int[Array, ""], trace: Trace
    ) -> tuple[State, Trace]:
        def check(given: tuple[Fixed, tuple[Array, Array]], state: State) -> tuple[State, dict[str, Any]]:
            fixed, ones = given
            return lanes_last(setting.program.advance_alone, ones)(fixed, state)

        return checked(check, fixed, state, checks, trace, checks_in_a_row(self, setting.program, setting.hardware))

    def leave(self, state: State) -> State:
        return to_front(state)


def to_back(tree: Any) -> Any:
    """Turn arrays (lane, ...) into (..., lane)."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, -1), tree)


def to_front(tree: Any) -> Any:
    """Turn arrays (..., lane) into (lane, ...): the inverse of `to_back`."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), tree)


def lanes_last(function: Callable[..., Any], ones: tuple[Array, Array]) -> Callable[..., Any]:
    """Return `function` of one lane as a function of trees of arrays (..., lane).

    `ones` are two numbers 1, of the function's float dtype, that the compiler cannot know to be 1 (see `stored`).
    """

    def many(*arguments: Any) -> Any:
        leaves, tree = jax.tree.flatten(arguments)
        shapes = [jax.ShapeDtypeStruct(leaf.shape[:-1], leaf.dtype) for leaf in leaves]
        closed, outs = jax.make_jaxpr(function, return_shape=True)(*jax.tree.unflatten(tree, shapes))
        evaluation = LanesBehind(RULES, leaves[0].shape[-1], ones)
        results = evaluation.walk(closed.jaxpr, closed.consts, [Value(leaf, True, True) for leaf in leaves])
        return jax.tree.unflatten(jax.tree.structure(outs), [evaluation.spread(result, result.shape) for result in results])

    return many


def fits(function: Callable[..., Any], arguments: Any) -> bool:
    """Return whether every operation of a function of one lane has a rule, and no product too many terms."""
    return all(has_rule(*operation) for operation in operations_of(jax.make_jaxpr(function)(*arguments).jaxpr))
