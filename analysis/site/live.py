"""The starts that the page "Train XOR in your browser" offers, with the losses that the engine found from them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from analysis.rows.load import load
from bench.spec import Cell

REPORT, UNITS, CASE = "x11-xor-width", 4, "cross-entropy"
SEEDS, STEPS = 8, 20
"""Number of starts, and the last step whose loss is compared."""


def write_starts(reports: Path, target: Path) -> None:
    """Write the first starts of four tanh units of `x11-xor-width`, and their logged losses, as a script."""
    text = json.dumps(stored_starts(reports / REPORT), separators=(",", ":"))
    target.write_text(f"live.take({text});\n", encoding="utf-8")


def stored_starts(report: Path) -> list[dict[str, Any]]:
    """Return seed, weights, logged steps and losses of the first training runs; ValueError if the report has no such cell."""
    run = load(report)
    cell = next((cell for cell in run.experiment.cells if _is_wanted(cell)), None)
    if cell is None:
        raise ValueError(f"{report}: no cell with {UNITS} tanh units and cross-entropy")
    rows = run.reading()[run.lanes["cell"].astype(str) == cell.id].head(SEEDS)
    params = run.starts.of(cell, rows).params
    curves = run.curves[(run.curves["cell"].astype(str) == cell.id) & (run.curves["step"] <= STEPS)]
    found = []
    for number, (data, init) in enumerate(zip(rows["data_seed"], rows["init_seed"], strict=True)):
        first, last = ({name: np.asarray(leaf[number], float) for name, leaf in params["layers"][layer].items()} for layer in (0, 1))
        curve = curves[(curves["data_seed"] == data) & (curves["init_seed"] == init)]
        found.append(
            {
                "seed": int(init),
                "network": {
                    "w": first["kernel"].tolist(),
                    "b": first["bias"].tolist(),
                    "v": last["kernel"][:, 0].tolist(),
                    "c": float(last["bias"][0]),
                },
                "steps": curve["step"].astype(int).tolist(),
                "losses": curve["loss"].astype(float).tolist(),
            }
        )
    return found


def _is_wanted(cell: Cell) -> bool:
    return cell.axes.get("case") == CASE and list(cell.settings.model.options.get("widths", ())) == [UNITS]
