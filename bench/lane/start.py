"""The start of a lane: its variant, its inputs, its initial parameters and its state before the first step."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from bench.lane.initial import initial_parameters, zeroed_parameters
from bench.lane.network import Network
from bench.lane.objective import Recipe, hessian
from bench.lane.state import Fixed, Inputs, Params, State, Status
from bench.lane.update import begun
from bench.linalg import eigenvalues
from bench.spec import Cell, InitializerSpec, Settings, TaskSpec
from bench.tasks.definition import Data


@dataclass(frozen=True)
class Variant:
    """A way to start a lane: one branch inside the one start program of a `Program`."""

    task: TaskSpec
    initializer: InitializerSpec
    relative_rate: bool
    """Whether the learning rate is counted in units of 1 / curvature."""

    @classmethod
    def of(cls, settings: Settings) -> "Variant":
        """Return the variant of a cell.

        Cells that differ in gain, offset, zero fraction or zero layers alone share one, because these are inputs.
        """
        # Of the zero fraction it counts whether single weights are drawn to be zeroed at all.
        zeroed = float(settings.initializer.zero_fraction > 0)
        neutral = settings.initializer.model_copy(
            update={"gain": 1.0, "first_layer_offset": 0.0, "zero_fraction": zeroed, "zero_layers": ()}
        )
        return cls(settings.task, neutral, settings.optimizer.relative)


def input_types(dtype: str) -> tuple[Any, ...]:
    """Return the dtypes of the fields of `Inputs`, for lanes of this dtype."""
    real = jnp.dtype(dtype)
    return (jnp.uint32, jnp.uint32, real, real, real, jnp.int32, real, real, real, jnp.bool_, jnp.int32, jnp.bool_)


def inputs_of(network: Network, zeroings: list[tuple[bool, ...]], cell: Cell, data_seed: np.ndarray, init_seed: np.ndarray) -> Inputs:
    """Return the inputs of a cell's lanes with these seeds (lane,), as host arrays.

    The points of a map have the initial weights of their data seed. `zeroings` tells of each parameter whether it starts at zero, in all
    ways that the cells of the program have.
    """
    settings = cell.settings
    below = settings.training.solved_below
    values = Inputs(
        data_seed=data_seed,
        init_seed=init_seed,
        learning_rate=settings.optimizer.rate,
        gain=settings.gain,
        zero_fraction=settings.initializer.zero_fraction,
        zeroing=zeroings.index(zeroed_parameters(network, settings.initializer)),
        first_layer_offset=settings.initializer.first_layer_offset,
        l2=settings.training.l2,
        solved_below=-np.inf if below is None else below,
        stop_when_solved=settings.training.stop == "solved",
        budget=settings.training.steps,
        logged=False,
    )
    if cell.map is not None:
        places = {path.rpartition(".")[2]: place for path, place in cell.map.places(init_seed).items()}
        values = values._replace(init_seed=data_seed, **places)
    pairs = zip(values, input_types(settings.training.dtype), strict=True)
    return Inputs(*(np.broadcast_to(np.asarray(value, kind), init_seed.shape) for value, kind in pairs))


def begin(
    recipe: Recipe,
    zeroings: list[tuple[bool, ...]],
    variant: Variant,
    inputs: Inputs,
    keys: Key[Array, " key"],
    data: Data,
) -> tuple[Inputs, State]:
    """Return a lane before its first step, with the `parameter_keys` of its network and on this data.

    In the inputs that are returned the learning rate is a number, also where it was counted in units of 1 / curvature.
    """
    params = initial_parameters(
        recipe.network,
        variant.initializer,
        keys,
        inputs.gain,
        inputs.zero_fraction,
        jnp.dtype(recipe.dtype),
        data,
        inputs.first_layer_offset,
        jnp.asarray(zeroings)[inputs.zeroing],
    )
    if variant.relative_rate:
        origin = jax.tree.map(jnp.zeros_like, params)
        curvature = eigenvalues(hessian(recipe, origin, Fixed(inputs, data)))[-1]
        inputs = inputs._replace(learning_rate=inputs.learning_rate / curvature)
    return inputs, _before_the_first_step(recipe, inputs, params)


def _before_the_first_step(recipe: Recipe, inputs: Inputs, params: Params) -> State:
    none = jnp.full((), -1, jnp.int32)
    zero = jnp.zeros((), recipe.dtype)
    return State(
        params=params,
        optimizer=begun(recipe, inputs.learning_rate, params),
        step=jnp.zeros((), jnp.int32),
        status=jnp.full((), Status.RUNNING, jnp.int32),
        loss=zero,
        loss_initial=zero,
        steps_to_solve=none,
        break_step=none,
    )
