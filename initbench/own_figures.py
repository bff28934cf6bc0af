"""The trials of a kind of figure of a user's own: how it can be called, and what it draws of a small run."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from analysis.figures.check import kind
from analysis.report.drawing import drawn
from analysis.rows.load import load
from bench.imports import described
from bench.registry import PieceError
from bench.runs.train import run
from bench.runs.trials import Trial, Untried
from bench.spec import Experiment, Figure

SMALL: dict[str, Any] = {
    "name": "check",
    "task": "xor",
    "model": {"name": "mlp", "widths": [3]},
    "training": {"steps": 20, "solved_below": 0.1},
    "seeds": {"init": 4},
    "probes": [],
    "grid": {"initializer": ["glorot_normal", "he_normal"]},
}
"""The experiment whose run is drawn."""
AXES: dict[str, Any] = {"x": "loss_final", "y": "loss", "color": "initializer"}
"""Keys of the figure that is drawn of it."""


def of_figure(name: str, options: dict[str, Any]) -> Iterator[Trial]:
    """Yield the trials of a kind of figure."""
    write = f"write def {name.rpartition(':')[2]}(run, figure) that returns a matplotlib Figure"
    figure = Figure(name="check", kind={"name": name, **options}, caption="", **AXES)
    yield Trial("it can be called as (run, figure)", partial(_callable, figure), write)
    yield Trial("it draws a matplotlib Figure of a small run", partial(_drawing, figure), write)


def _callable(figure: Figure) -> None:
    kind(figure)


def _drawing(figure: Figure) -> None:
    try:
        kind(figure)
    except ValueError as error:
        raise Untried("it cannot be called") from error
    with TemporaryDirectory() as folder:
        found = load(run(Experiment.model_validate(SMALL), Path(folder)))
        try:
            drawn(found, figure)
        except PieceError:
            raise
        except (ValueError, OSError) as error:
            # It may need columns that this run does not have.
            why = described(error.__cause__ or error)
            raise Untried(f"it does not fit a run with the axis 'initializer' and no probes: {why}") from error
