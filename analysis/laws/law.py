"""The registry of laws, and how a law finds the starts of its training runs."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from analysis.laws.evidence import Evidence, Law
from analysis.rows.load import Run
from bench.messages import nearest, shown
from bench.runs.starts import Start
from bench.spec import Cell

SAMPLE = 100
"""Training runs per cell on which a law is checked that solves an optimization problem for each of them."""

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
    """Register a law: its docstring is the sentence of the law, its function collects the evidence.

    At least the share `share` of the training runs that it tests has to agree. A `census` covers all that there is, not a sample.
    """

    def register(check: Check) -> Check:
        _LAWS[check.__name__] = _Entry(check, " ".join((check.__doc__ or "").split()), share, census)
        return check

    return register


def laws() -> list[str]:
    """Return the names of all laws."""
    return sorted(_LAWS)


def law_text(name: str) -> str:
    """Return the sentence of a law; ValueError if there is no such law."""
    return _entry(name).says


def evidence_of(name: str, run: Run) -> Evidence:
    """Collect the evidence of a law in a run: whether it holds (`.law`), and the numbers that decide a claim (`.decisions`).

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


def starts(run: Run, cell: Cell, rows: pd.DataFrame) -> Start:
    """Return the data and initial parameters of these training runs of a cell (leading axis: training run).

    ValueError if they are made by code of a module that the user does not trust.
    """
    run.check_trusted([cell])
    return run.starts.of(cell, rows)


def cells_of(run: Run, wanted: Callable[[Cell], bool]) -> list[tuple[Cell, pd.DataFrame]]:
    """Return the cells that a law is about, each with its rows: predictions know no activation function of a user's own."""
    chosen = [cell for cell in run.experiment.cells if not has_own_activation(cell) and wanted(cell)]
    return [(cell, run.lanes[run.lanes["cell"] == cell.id]) for cell in chosen]


def has_own_activation(cell: Cell) -> bool:
    """Tell whether a model of the package, or a task, has an activation function of a user's own."""
    return any(kind.endswith(".activation") for kind, _ in cell.settings.foreign())
