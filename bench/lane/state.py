"""The values of one lane: what it is given, what it keeps and what changes.

`bench.lane` says what a lane is. No value here has a lane axis; the engine adds it.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Float, Int

Params = dict[Any, Any]
"""Parameters of a model, and what it moves itself in training: a nested dict of arrays."""
Path = tuple[Any, ...]
"""Keys that lead to one parameter in `Params`."""
Scalar = Any
"""A number of one lane: traced on the device, a NumPy array over lanes on the host, a shape while compiling."""


def dotted(path: Path) -> str:
    """Return a parameter's name, such as `layers.0.kernel`."""
    return ".".join(map(str, path))


def leaves(tree: Params) -> Iterator[tuple[Path, Any]]:
    """Yield paths and leaves in the order in which JAX flattens the tree."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield tuple(entry.key for entry in path), leaf


class Status(IntEnum):
    """The state of a lane: it runs, or it has ended in one of four ways."""

    RUNNING = 0
    SOLVED = 1
    UNSOLVED = 2
    STUCK = 3
    DIVERGED = 4


class Inputs(NamedTuple):
    """Everything about a lane that needs no compilation of its own. The host fills in NumPy arrays, one number per lane."""

    data_seed: Scalar
    init_seed: Scalar
    learning_rate: Scalar
    gain: Scalar
    zero_fraction: Scalar
    zeroing: Scalar
    """The index of the lane's entry in the program's `zeroings`."""
    first_layer_offset: Scalar
    l2: Scalar
    solved_below: Scalar
    stop_when_solved: Scalar
    budget: Scalar
    logged: Scalar
    """Whether the lane's curve is kept."""


class Fixed(NamedTuple):
    """The values that stay as they are while a lane runs."""

    inputs: Inputs
    data: Any
    """The lane's `Data`; None where the data are not part of the lane."""


class State(NamedTuple):
    """The values that change while a lane runs. `steps_to_solve` and `break_step` are -1 until there is such a step."""

    params: Params
    optimizer: Any
    step: Int[Array, ""]
    status: Int[Array, ""]
    loss: Float[Array, ""]
    loss_initial: Float[Array, ""]
    steps_to_solve: Int[Array, ""]
    break_step: Int[Array, ""]
