"""Training runs step by step: their parameters after numbers of steps, trained by the engine as the lanes of every other run."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd

from bench.engine.pool import Lanes, Pool
from bench.engine.scheduler import joined
from bench.hardware import lane_mesh, precision
from bench.lane.program import Program
from bench.lane.state import Inputs
from bench.runs.networks import Params
from bench.runs.plan import bare_programs
from bench.runs.starts import Starts
from bench.spec import Cell
from bench.tasks.definition import Data


class Path(NamedTuple):
    """One training run, step by step."""

    data: Data
    """The data set that it was trained on, as arrays of NumPy."""
    steps: np.ndarray
    params: Params
    """Its parameters after these numbers of steps; every array has the leading axis (step)."""


def paths(cells: Sequence[Cell], seed: int, steps: Sequence[int]) -> dict[str, Path]:
    """Train a run of each cell, with `seed` for its data and its weights; returns them step by step, by the ids of the cells.

    `steps` begins with 0, the start. A run that ends before one of these numbers of steps keeps its last parameters. ValueError if a cell
    cannot be built.
    """
    starts, row = Starts(list(cells)), pd.DataFrame({"data_seed": [seed], "init_seed": [seed]})
    trained = {
        identity: vectors
        for program in bare_programs(cells)
        for identity, vectors in _trained(program, seed, np.array(steps[1:], np.int32))
    }
    found = {}
    for cell in cells:
        start = starts.of(cell, row)
        data = jax.tree.map(lambda leaf: leaf[0], start.data)
        found[cell.id] = Path(data, np.array(steps), _from_start(start.params, trained[cell.id]))
    return found


def _trained(program: Program, seed: int, budgets: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the id of each cell of a program, and the parameters of its run after each number of steps as vectors (step, parameter).

    The budget is an input of the compiled program. Each number of steps is a lane, which takes the same steps as the others of its run.
    """
    cells, seeds = program.cells, np.full(len(budgets), seed, np.int64)
    with precision(program.dtype):
        inputs = [program.inputs_of(cell, seeds, seeds)._replace(budget=budgets) for cell in cells]
    lanes = Lanes(
        ids=np.arange(len(cells) * len(budgets)),
        variant=np.repeat(np.array([program.variant_of(cell) for cell in cells], np.int32), len(budgets)),
        inputs=Inputs(*map(np.concatenate, zip(*inputs, strict=True))),
        logged=np.zeros(len(cells) * len(budgets), bool),
    )
    # With `ends` the final parameters of a lane are read.
    columns = joined(list(Pool(replace(program, ends=True), lane_mesh()).run(lanes, program.log_steps))).columns
    vectors = columns["params"][np.argsort(columns["lane"])]
    yield from zip([cell.id for cell in cells], np.split(vectors, len(cells)), strict=True)


def _from_start(start: Params, vectors: np.ndarray) -> Params:
    """Return parameters with the leading axis (step): those of the start (one run), then those of the vectors (step, parameter).

    A vector has the arrays one after the other, in the order in which JAX flattens them.
    """
    leaves, tree = jax.tree.flatten(start)
    parts = np.split(vectors, np.cumsum([leaf[0].size for leaf in leaves])[:-1], axis=1)
    joint = [np.concatenate([leaf, part.reshape(-1, *leaf.shape[1:])]) for leaf, part in zip(leaves, parts, strict=True)]
    return jax.tree.unflatten(tree, joint)
