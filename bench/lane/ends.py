"""The ends of lanes that have not solved their task, certified one by one in float64: minimum, saddle, plateau, late or unknown."""

from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from bench.hardware import host_device, precision
from bench.lane.descent import End, Loss, Point, certified
from bench.lane.objective import loss_of_trained
from bench.lane.program import Program
from bench.lane.state import Fixed, Inputs
from bench.spec import Cell
from bench.startup import one_thread_per_device
from bench.tasks.definition import Data

MOST_PARAMETERS = 1024
"""Largest number of parameters of a lane whose end is certified: each of some hundred steps takes all eigenvectors of its Hessian."""
AT_ONCE = 64
"""Number of lanes that one call of the compiled function certifies, one after another; the last ones are padded with lanes that cost
nothing."""


class Standing(NamedTuple):
    """Where a lane stands when training has ended."""

    params: Float[Array, " parameter"]
    """Its final parameters, as `Program.parameters` gives them."""
    data: Data
    l2: Float[Array, ""]
    solved_below: Float[Array, ""]


class Certifier:
    """Certifies the ends of a program's lanes."""

    def __init__(self, program: Program) -> None:
        """ValueError with one line if its lanes have no end that could be certified."""
        self._program = program
        self._check()

    def ends(self, cell: Cell, data_seed: np.ndarray, params: Float[np.ndarray, "lane parameter"]) -> End:
        """Return the ends of lanes of a cell with these data seeds (lane,) and final parameters, as arrays with the axis (lane,)."""
        training = cell.settings.training
        numbers = np.asarray([training.l2, training.solved_below], training.dtype).astype(np.float64)
        parts = []
        for first in range(0, len(params), AT_ONCE):
            count = min(AT_ONCE, len(params) - first)
            some = first + np.minimum(np.arange(AT_ONCE), count - 1)
            data = self._data(cell, data_seed[some])
            with precision("float64"), jax.default_device(host_device()):
                standing = Standing(params[some].astype(np.float64), data, *np.broadcast_to(numbers[:, None], (2, AT_ONCE)))
                found = self._certify(standing, np.arange(AT_ONCE) < count)
            parts.append(found)
        return jax.tree.map(lambda *leaves: np.concatenate(leaves)[: len(params)], *parts)

    def _check(self) -> None:
        program, recipe = self._program, self._program.recipe
        training, name = recipe.settings.training, recipe.settings.model.name
        faults = {
            "noise draws the loss anew at each step, so that there is nowhere to arrive": recipe.noisy,
            f"each minibatch of {recipe.batch_size} has another loss; only batch_size = 0 descends on one": recipe.batch_size > 0,
            f"the parts of model '{name}' are trained on losses of their own": bool(program.network.players),
            f"model '{name}' computes something else in training than when it is measured": recipe.measured_apart,
            "training.freeze_zeros holds single weights where they are": training.freeze_zeros,
            f"model '{name}' has {program.n_parameters:,} parameters, at most {MOST_PARAMETERS:,}": program.n_parameters > MOST_PARAMETERS,
            "without training.solved_below no training run fails": any(one.settings.training.solved_below is None for one in program.cells),
        }
        for why in (why for why, there in faults.items() if there):
            raise ValueError(f"ends = true: {why}")
        with precision("float64"):
            number: Any = jax.ShapeDtypeStruct((), jnp.float64)
            params: Any = jax.ShapeDtypeStruct((program.n_parameters,), jnp.float64)
            data = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, _kind(leaf)), _training_part(program.data_shapes))
            found = jax.eval_shape(lambda standing: _value(program, standing), Standing(params, data, number, number)).dtype
        if found != jnp.float64:
            raise ValueError(f"ends = true: model '{name}' or its loss computes in {found} whatever its parameters are, not in float64")

    def _data(self, cell: Cell, data_seed: np.ndarray) -> Data:
        """Return the training data of lanes with these data seeds as they were trained on, as arrays of NumPy with the axis (lane,)."""
        program = self._program
        if program.fixed_data is not None:
            found: Any = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (len(data_seed), *np.shape(leaf))), program.fixed_data)
        else:
            sample = self._samples[program.task_of[program.variant_of(cell)]]
            with precision(program.dtype):
                found = jax.tree.map(np.asarray, sample(data_seed.astype(np.uint32)))
        return jax.tree.map(lambda leaf: leaf.astype(_kind(leaf)), _training_part(found))

    @cached_property
    def _samples(self) -> list[Any]:
        """The data sets of many data seeds, for each task of the program."""
        return [jax.jit(jax.vmap(partial(self._program.sample, task))) for task in self._program.tasks]

    @cached_property
    def _certify(self) -> Any:
        def one(given: tuple[Standing, Array]) -> End:
            standing, there = given
            loss, start = _loss(self._program, standing)

            def end() -> End:
                return certified(loss, start, standing.solved_below)

            nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(end))
            return jax.lax.cond(there, end, lambda: nothing)

        return jax.jit(lambda *given: jax.lax.map(one, given), compiler_options=one_thread_per_device())


def _loss(program: Program, standing: Standing) -> tuple[Loss, Point]:
    """Return the training loss of a lane as a function of its trained parameters, and these parameters."""
    params = ravel_pytree(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), program.network.shapes))[1](standing.params)
    inputs = Inputs(*[None] * len(Inputs._fields))._replace(l2=standing.l2)
    return loss_of_trained(program.recipe, params, Fixed(inputs, standing.data))


def _value(program: Program, standing: Standing) -> Float[Array, ""]:
    loss, point = _loss(program, standing)
    return loss(point)


def _training_part(data: Data) -> Data:
    return data._replace(test_x=None, test_y=None)


def _kind(leaf: Any) -> Any:
    """Return the dtype of an array of data when real numbers are in float64."""
    return np.float64 if np.issubdtype(leaf.dtype, np.floating) else leaf.dtype
