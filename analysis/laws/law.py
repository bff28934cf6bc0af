"""What a law is, and how it finds what its lanes started from."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
import pandas as pd

from analysis.laws.evidence import Evidence, Law
from analysis.rows.load import Run
from bench.hardware import precision
from bench.lane.data import problem
from bench.lane.network import Network
from bench.lane.state import Fixed, State
from bench.messages import nearest, shown
from bench.spec import Cell

SAMPLE = 100
"""Lanes per cell on which laws that solve an optimization problem per lane are checked."""


Check = Callable[[Run, Evidence], None]


@dataclass(frozen=True)
class _Entry:
    """A law of the registry: the function that collects the evidence, and what the evidence has to show."""

    check: Check
    says: str
    share: float
    census: bool


_LAWS: dict[str, _Entry] = {}


def law(share: float = 1.0, census: bool = False) -> Callable[[Check], Check]:
    """Register a law: its docstring is what it says, its function collects the evidence.

    `share` of the training runs that it tests have to agree. A `census` is about all that there is, not about a sample.
    """

    def register(check: Check) -> Check:
        _LAWS[check.__name__] = _Entry(check, " ".join((check.__doc__ or "").split()), share, census)
        return check

    return register


def laws() -> list[str]:
    """Names of all laws."""
    return sorted(_LAWS)


def law_text(name: str) -> str:
    """What a law says."""
    return _entry(name).says


def evidence_of(name: str, run: Run) -> Evidence:
    """What a law finds in a run: whether it holds (`.law`), and the numbers that decide a claim (`.decisions`).

    ValueError if there is no such law.
    """
    entry = _entry(name)
    # All cells have the same seeds.
    rows = run.lanes["cell"].value_counts().reindex([cell.id for cell in run.experiment.cells], fill_value=0)
    found = Evidence(name, entry.says, run, entry.share, entry.census, missing=int((rows.max() - rows).sum()))
    if not found.missing:
        entry.check(run, found)
    return found


def check_law(name: str, run: Run) -> Law:
    """Check one law against a run; ValueError if there is no such law."""
    return evidence_of(name, run).law


def _entry(name: str) -> _Entry:
    if name not in _LAWS:
        raise ValueError(f"unknown law {shown(name)}; {nearest(name, _LAWS)}")
    return _LAWS[name]


def starts(run: Run, cell: Cell, rows: pd.DataFrame) -> tuple[Fixed, State]:
    """Data and initial parameters of these lanes of a cell, regenerated from their seeds (leading axis: lane)."""
    program = run.program(cell)
    start = program.starts[program.variant_of(cell)]
    # So many at a time, the last ones padded, that one compiled function does for all cells that start alike.
    seeds = np.zeros((max(1, math.ceil(len(rows) / SAMPLE)) * SAMPLE, 2), np.int64)
    seeds[: len(rows)] = rows[["data_seed", "init_seed"]]
    with precision(cell.settings.training.dtype):
        parts = [start(program.inputs_of(cell, *part.T)) for part in np.split(seeds, len(seeds) // SAMPLE)]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[: len(rows)], *parts)


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
