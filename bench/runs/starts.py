"""The starts of training runs: their data and initial parameters, regenerated from their seeds. Nothing here trains."""

import math
from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd

from bench.hardware import precision
from bench.lane.data import data_bytes, data_shapes, sampled
from bench.lane.program import Program
from bench.lane.state import Fixed, State
from bench.lane.views import Views
from bench.runs.networks import Params
from bench.runs.plan import bare_programs
from bench.spec import Cell
from bench.startup import HASTY
from bench.tasks.definition import Data

AT_ONCE = 100
"""Number of starts that one compiled function computes: the last ones are padded, so that it serves all cells that start alike."""


class Start(NamedTuple):
    """The starts of some training runs of a cell; every array has the leading axis (training run)."""

    data: Any
    """`bench.tasks.definition.Data`, as arrays of NumPy."""
    params: Params
    learning_rate: np.ndarray


class Passes(NamedTuple):
    """The result of a pass through each network: for each hidden layer one array (training run, example, hidden)."""

    activations: list[np.ndarray]
    slopes: list[np.ndarray]
    """Gradients of the loss of each example in the pre-activations."""


class Starts:
    """The starts of the training runs of some cells."""

    def __init__(self, cells: list[Cell]) -> None:
        """ValueError if a cell cannot be built."""
        self.cells = cells
        self._program_of = {cell.id: program for program in bare_programs(cells) for cell in program.cells}

    def of(self, cell: Cell, rows: pd.DataFrame) -> Start:
        """Compute the starts of the training runs of a cell with these seeds (columns `data_seed` and `init_seed`)."""
        fixed, state = self._begun(cell, rows)
        return Start(fixed.data, state.params, fixed.inputs.learning_rate)

    def passes(self, cell: Cell, rows: pd.DataFrame) -> Passes:
        """Compute activations and slopes of the training runs of a cell with these seeds, before the first step, in float32."""
        program = self._program(cell)

        def views(fixed: Fixed, params: Params) -> tuple[Any, Any]:
            view = Views(program.recipe, params, fixed)
            return view.activation, view.pre_activation_gradient

        fixed, state = self._begun(cell, rows)
        forward, back = jax.jit(jax.vmap(views))(fixed, state.params)
        return Passes(*([np.asarray(layer) for layer in layers] for layers in (forward, back)))

    def n_examples(self, cell: Cell) -> int:
        """Return the number of training examples of each data set of a cell."""
        return self._program(cell).n_examples

    def _program(self, cell: Cell) -> Program:
        return self._program_of[cell.id]

    def _begun(self, cell: Cell, rows: pd.DataFrame) -> tuple[Fixed, State]:
        program = self._program(cell)
        start = program.starts[program.variant_of(cell)]
        seeds = np.zeros((max(1, math.ceil(len(rows) / AT_ONCE)) * AT_ONCE, 2), np.int64)
        seeds[: len(rows)] = rows[["data_seed", "init_seed"]]
        with precision(cell.settings.training.dtype):
            parts = [start(program.inputs_of(cell, *part.T)) for part in np.split(seeds, len(seeds) // AT_ONCE)]
        return jax.tree.map(lambda *leaves: np.concatenate(leaves)[: len(rows)], *parts)


def data_sets(cell: Cell, data_seeds: Iterable[int], most_bytes: int) -> list[Data]:
    """Draw the data sets of a cell with these seeds, as arrays of NumPy; only the first ones that take up to `most_bytes` together."""
    spec, dtype = cell.settings.task, cell.settings.training.dtype
    with precision(dtype):
        number = most_bytes // data_bytes(data_shapes(spec, dtype))
        draw = jax.jit(lambda seed: sampled(spec, seed, dtype), compiler_options=HASTY)
        return [jax.tree.map(np.asarray, draw(np.uint32(seed))) for seed in islice(data_seeds, number)]
