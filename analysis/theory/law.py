"""What a law is, and how it finds what its lanes started from."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import jax
import numpy as np
import pandas as pd

from analysis.load import Run
from bench.engine.devices import HASTY, precision
from bench.engine.network import Network
from bench.engine.program import Fixed, Inputs, Program, State, problem
from bench.messages import nearest
from bench.spec import Cell

JOINT_LEVEL = 0.01
SAMPLE = 100
"""Lanes per cell on which laws that solve an optimization problem per lane are checked."""


@dataclass(frozen=True)
class Law:
    """The result of checking a law: whether it holds, and the numbers that say so."""

    name: str
    says: str
    holds: bool
    number: str
    n: int


_LAWS: dict[str, Callable[[Run], Law]] = {}


def law(check: Callable[[Run], tuple[bool, str, int]]) -> Callable[[Run], Law]:
    name = check.__name__
    says = " ".join((check.__doc__ or "").split())

    def checked(run: Run) -> Law:
        holds, number, n = check(run)
        # A law that nothing was held against has not held.
        return Law(name, says, bool(holds) and n > 0, number, n)

    checked.__doc__ = says
    _LAWS[name] = checked
    return checked


def laws() -> list[str]:
    """Names of all laws."""
    return sorted(_LAWS)


def law_text(name: str) -> str:
    """What a law says."""
    return _LAWS[name].__doc__ or ""


def check_law(name: str, run: Run) -> Law:
    """Check one law against a run; ValueError if there is no such law."""
    if name not in _LAWS:
        raise ValueError(f"unknown law '{name}'; {nearest(name, _LAWS)}")
    return _LAWS[name](run)


def jointly(p_values: list[float]) -> tuple[bool, str]:
    """Whether several tests hold at the joint level of 1%: Holm's procedure, which begins with the smallest p-value times their number."""
    least = min(p_values) * len(p_values) if p_values else 0.0
    return least > JOINT_LEVEL, f"smallest adjusted p-value {min(least, 1):.3f} of {len(p_values)} tests"


def within(worst: float, allowed: float) -> tuple[bool, str]:
    """Whether a difference is allowed, and what is said of it: the allowed one. The true one is rounding, which every processor does
    in its own way, and a report should read the same on all of them."""
    bound = f"{allowed:.0e}".replace("e-0", "e-")
    return worst <= allowed, f"at most {bound}" if worst <= allowed else f"{worst:.1e}, more than {bound}"


def starts(run: Run, cell: Cell, rows: pd.DataFrame) -> tuple[Fixed, State]:
    """Data and initial parameters of these lanes of a cell, regenerated from their seeds (leading axis: lane)."""
    program = run.program(cell)
    start = _compiled(program, program.variant_of(cell))
    # So many at a time, the last ones padded, that one compiled function does for all cells that start alike.
    seeds = np.zeros((max(1, math.ceil(len(rows) / SAMPLE)) * SAMPLE, 2), np.int64)
    seeds[: len(rows)] = rows[["data_seed", "init_seed"]]
    with precision(cell.settings.training.dtype):
        parts = [start(program.inputs_of(cell, *part.T)) for part in np.split(seeds, len(seeds) // SAMPLE)]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[: len(rows)], *parts)


@lru_cache(maxsize=64)
def _compiled(program: Program, variant: int) -> Callable[[Inputs], tuple[Fixed, State]]:
    return jax.jit(jax.vmap(partial(program.start, program.variants[variant])), compiler_options=HASTY)


def network(cell: Cell) -> Network:
    """The network of a cell; the same one for all cells of a model."""
    model, task = cell.settings.model, problem(cell.settings.task)
    key = model.model_dump_json(), task.inputs, task.outputs
    if key not in _networks:
        _networks[key] = Network(model, task.inputs, task.outputs)
    return _networks[key]


_networks: dict[tuple[str, int, int], Network] = {}


def cells_of(run: Run, wanted: Callable[[Cell], bool]) -> list[tuple[Cell, pd.DataFrame]]:
    return [(cell, run.lanes[run.lanes["cell"] == cell.id]) for cell in run.experiment.cells if wanted(cell)]
