"""The data of the explorer: every cell of every experiment with its outcome, and for each experiment its curves and training runs.

They are scripts that hand a value to the page, since a page that is opened from a folder may load scripts, but no other data.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.figures.curve import SEEDS, held
from analysis.rows.load import Run, load
from analysis.words import ARCHITECTURES, value_words
from bench.spec import Cell, axis_label

RUNS = 100
"""Training runs of a cell that the explorer holds: the first ones in the order of the rows."""
CURVES = 8
"""Curves of single training runs of a cell that it holds; the quantiles are those of all curves that the report keeps."""
POINTS = 30
"""Most points of a curve."""
DIGITS = 4
QUANTILES = [0.1, 0.5, 0.9]
FLAT = ("linear", "neuron")
"""Models without hidden layers."""
DEPTHS = ("widths", "channels", "blocks", "layers", "depth")
"""Options of models that count layers, or list one number for each of them."""


def write_data(reports: list[Path], target: Path) -> None:
    """Write `cells.js`, the list of all cells, and a script for each experiment into a folder."""
    target.mkdir(parents=True)
    index: list[dict[str, Any]] = []
    for report in reports:
        run = load(report)
        index += _cells(run, pd.read_csv(report / "summary.csv", dtype={"cell": str}))
        _script(target / f"{run.experiment.name}.js", {"experiment": run.experiment.name, "cells": dict(_details(run))})
    _script(target / "cells.js", {"index": index})


def _script(path: Path, value: dict[str, Any]) -> None:
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    path.write_text(f"explorer.take({text});\n", encoding="utf-8")


def _cells(run: Run, summary: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the choices and the outcome of each cell, in the order of the grid."""
    lines = summary.set_index("cell")
    for cell in run.experiment.cells:
        line, settings = lines.loc[cell.id], cell.settings
        has_goal = settings.training.solved_below is not None
        yield {
            "experiment": run.experiment.name,
            "cell": cell.id,
            "label": ", ".join(value_words(axis_label(value)) for value in cell.axes.values()),
            "task": settings.task.name.replace("_", " "),
            **_choices(cell),
            "runs": int(line["lanes"]),
            "solved": [_short(line[name]) for name in ("solved", "solved_low", "solved_high")] if has_goal else None,
            "goal": settings.training.solved_below,
            "loss": _short(line["loss_median"]),
        }


def _choices(cell: Cell) -> dict[str, Any]:
    """Return what a reader chooses a cell by; None where the cell does not say it, as of the layers of a recurrent network."""
    model, initializer, rate = cell.settings.model, cell.settings.initializer, cell.settings.optimizer.learning_rate
    swept = [] if cell.map is None else [cell.map.x.path, cell.map.y.path]
    depth = next((model.options[name] for name in DEPTHS if name in model.options), None)
    return {
        "architecture": ARCHITECTURES.get(model.name, model.name.replace("_", " ")),
        "activation": value_words(model.options["activation"]) if "activation" in model.options else "none",
        "depth": len(depth) if isinstance(depth, list | tuple) else depth if isinstance(depth, int) else 0 if model.name in FLAT else None,
        "initializer": value_words(initializer.scheme_name or initializer.name),
        "rate": "varies" if "optimizer.learning_rate" in swept else rate,
    }


def _details(run: Run) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the id of each cell with its curves and its first training runs."""
    rows = {str(name): part for name, part in run.reading("loss_final", "steps_run").groupby("cell", sort=False, observed=True)}
    curves = {str(name): part for name, part in run.curves.groupby("cell", sort=False, observed=True)} if len(run.curves) else {}
    for cell in run.experiment.cells:
        part = rows[cell.id]
        yield cell.id, {"runs": _runs(part.head(RUNS)), "curves": _curves(cell, part, curves[cell.id]) if cell.id in curves else None}


def _runs(rows: pd.DataFrame) -> list[list[Any]]:
    """Return data seed, init seed, outcome, steps and final loss of training runs."""
    named = rows[[*SEEDS, "outcome", "steps_run", "loss_final"]].itertuples(index=False, name=None)
    return [[int(data), int(init), str(outcome), int(steps), _short(loss)] for data, init, outcome, steps, loss in named]


def _curves(cell: Cell, rows: pd.DataFrame, points: pd.DataFrame) -> dict[str, Any] | None:
    """Return the training loss over the steps: quantiles of all curves, and single curves; a run that has ended keeps its last loss."""
    gone = pd.MultiIndex.from_frame(rows.loc[rows["outcome"] == "diverged", ["cell", *SEEDS]])
    table = held(points, "loss", gone)
    if table.empty:
        # No loss of any of these runs is a number.
        return None
    table = table.iloc[np.unique(np.linspace(0, len(table) - 1, POINTS).astype(int))]
    between = "nearest" if np.isinf(table).any(axis=None) else "linear"
    quantiles = table.quantile(QUANTILES, axis=1, interpolation=between)
    ends = points.groupby(SEEDS, sort=False, observed=True)["step"].max()
    single = [
        {"seeds": [int(data), int(init)], "loss": [_short(loss) for step, loss in table[name].items() if step <= ends[(data, init)]]}
        for name in table.columns[:CURVES]
        for _, data, init in [name]
    ]
    return {
        "steps": [int(step) for step in table.index],
        "quantiles": [list(map(_short, line)) for line in quantiles.to_numpy()],
        "single": single,
    }


def _short(number: Any) -> float | None:
    """Return a number with few digits; None if it is not finite, since JSON has no such number."""
    value = float(number)
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
