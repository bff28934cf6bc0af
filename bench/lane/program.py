"""A program: the functions of one lane that are compiled once for all cells that share them.

Every function here is written for one lane; the engine batches it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key

from bench.hardware import precision
from bench.keys import Seed
from bench.lane.data import MOST_CONSTANT_BYTES, data_bytes, sampled
from bench.lane.initial import parameter_keys
from bench.lane.measure import Probe, measure
from bench.lane.network import Network
from bench.lane.objective import Recipe
from bench.lane.start import Variant, begin, input_types, inputs_of
from bench.lane.state import Fixed, Inputs, State
from bench.lane.step import OverBlock, advance, log_steps
from bench.lane.update import evaluated
from bench.spec import Cell, TaskSpec
from bench.startup import HASTY
from bench.tasks.definition import Data, Task


@dataclass(frozen=True, eq=False)
class Program:
    """The values and the functions of one lane that a group of cells shares."""

    cells: list[Cell]
    recipe: Recipe
    data_shapes: Data
    """Shapes of the data set of one lane."""
    fixed_data: Data | None
    """The data set that all lanes have, as NumPy arrays; None if it depends on the data seed."""
    own_data: bool
    """Whether every lane has a data seed of its own."""
    variants: list[Variant]
    tasks: list[TaskSpec]
    seeded: list[bool]
    """For each task, whether two data seeds give two different data sets."""
    zeroings: list[tuple[bool, ...]]
    """For each parameter, whether it starts at zero, in all ways that the cells have."""
    probes: dict[str, Probe]
    """Probes that are measured at the start and at the end of a lane."""
    track: dict[str, Probe]
    """Probes that are measured along the curve of a lane."""
    ends: bool = False
    """Whether the final parameters of a lane are read, so that its end can be certified."""

    @property
    def network(self) -> Network:
        """The model as pure functions of its parameters."""
        return self.recipe.network

    @property
    def task(self) -> Task:
        """The task of the first cell; those of the others differ from it in their data alone."""
        return self.recipe.task

    @property
    def dtype(self) -> str:
        """Dtype of parameters, data and loss."""
        return self.recipe.dtype

    @property
    def batch_size(self) -> int:
        """Examples per update; 0: all of them."""
        return self.recipe.batch_size

    @property
    def n_examples(self) -> int:
        """Number of training examples."""
        return self.recipe.n_examples

    @property
    def check_every(self) -> int:
        """Steps between two checks of the training loss."""
        return self.recipe.check_every

    @property
    def noisy(self) -> bool:
        """Whether the gradients of training are random."""
        return self.recipe.noisy

    @property
    def constant_data(self) -> Data | None:
        """The data set that all lanes have, where it is part of the program."""
        return self.fixed_data if self.fixed_data is not None and data_bytes(self.fixed_data) <= MOST_CONSTANT_BYTES else None

    @property
    def shared_data(self) -> Data | None:
        """The data set that all lanes have, where it is too large to be part of the program and is an input of it."""
        return self.fixed_data if self.constant_data is None else None

    @property
    def n_parameters(self) -> int:
        """Number of single parameters."""
        return self.network.n_parameters

    @property
    def log_steps(self) -> np.ndarray:
        """The steps at which curves are kept."""
        return log_steps(self.check_every)

    @cached_property
    def task_of(self) -> list[int]:
        """For each variant, the index of its task in `tasks`."""
        return [list(map(repr, self.tasks)).index(repr(variant.task)) for variant in self.variants]

    def variant_of(self, cell: Cell) -> int:
        """Return the index of the variant that starts this cell's lanes."""
        return self.variants.index(Variant.of(cell.settings))

    @property
    def input_types(self) -> tuple[Any, ...]:
        """Dtypes of the fields of `Inputs`."""
        return input_types(self.dtype)

    def inputs_of(self, cell: Cell, data_seed: np.ndarray, init_seed: np.ndarray) -> Inputs:
        """Return the inputs of a cell's lanes with these seeds (lane,), as host arrays."""
        return inputs_of(self.network, self.zeroings, cell, data_seed, init_seed)

    def sample(self, task: TaskSpec, data_seed: Any) -> Data:
        """Return the data set of a data seed; large ones that all lanes have are not drawn again."""
        return sampled(task, data_seed, self.dtype) if self.shared_data is None else self.shared_data

    def keys(self, init_seed: Seed) -> Key[Array, " key"]:
        """Return the keys of the network's initial parameters."""
        return parameter_keys(self.network, init_seed)

    def begin(self, variant: Variant, inputs: Inputs, keys: Key[Array, " key"], data: Data) -> tuple[Inputs, State]:
        """Return a lane before its first step, with the keys of its network and on this data; its learning rate is now a number."""
        return begin(self.recipe, self.zeroings, variant, inputs, keys, data)

    def start(self, variant: Variant, inputs: Inputs) -> tuple[Fixed, State]:
        """Return a lane before its first step, with its data."""
        data = self.sample(variant.task, inputs.data_seed)
        inputs, state = self.begin(variant, inputs, self.keys(inputs.init_seed), data)
        return Fixed(inputs, data), state

    @cached_property
    def starts(self) -> list[Callable[[Inputs], tuple[Fixed, State]]]:
        """`start` of each variant, for many lanes at once (leading axis: lane); compiled at its first use."""
        return [jax.jit(jax.vmap(partial(self.start, variant)), compiler_options=HASTY) for variant in self.variants]

    def advance(
        self, fixed: Fixed, state: State, over_block: OverBlock | None = None, loops_ask_host: bool = False
    ) -> tuple[State, dict[str, Array]]:
        """Check the loss and take the steps until the next check; also return what the check has seen."""
        return advance(self.recipe, self.track, fixed, state, over_block, loops_ask_host)

    def advance_alone(self, fixed: Fixed, state: State) -> tuple[State, dict[str, Array]]:
        """`advance` a lane that asks nothing of its block, on the data that are part of the program if there are such data."""
        return self.advance(fixed if self.constant_data is None else fixed._replace(data=self.constant_data), state)

    def measure(self, fixed: Fixed, state: State) -> dict[str, Array]:
        """Return metric, test loss and metric, gradient norm and all probes of a lane as it stands."""
        return measure(self.recipe, self.probes, fixed, state)

    def parameters(self, state: State) -> Float[Array, " parameter"]:
        """Return the parameters at which a lane is measured, in one vector."""
        return ravel_pytree(evaluated(self.recipe, state).params)[0]

    @cached_property
    def measured(self) -> tuple[str, ...]:
        """Names of everything that `measure` gives."""
        with precision(self.dtype):
            inputs = Inputs(*(jax.ShapeDtypeStruct((), kind) for kind in self.input_types))
            return tuple(jax.eval_shape(lambda one: self.measure(*self.start(self.variants[0], one)), inputs))
