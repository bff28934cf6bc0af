"""One training run, trained again and compared with its stored row."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from analysis.rows.load import Run, load
from bench.registry import module_of, untrusted
from bench.runs.environment import current_provenance
from bench.runs.parquet import LANE
from bench.runs.provenance import differences
from bench.runs.replay import Again, train_again


@dataclass(frozen=True)
class Replay:
    """A training run as it was stored and as it is now."""

    lane: str
    """`cell:data_seed:init_seed`."""
    run: Run
    stored: pd.Series
    replayed: pd.Series
    curve: pd.DataFrame
    """Step, loss and tracked probes of the training run as it is now."""
    differences: list[str]
    """Columns in which the two differ, with both values."""
    elsewhere: str
    """Differences between here and where the row was made, across which the same bits are not promised; empty if there are none."""


def replay(folder: Path, trust: Collection[str] = (), **choice: Any) -> Replay:
    """Train the chosen training run of a run folder or report again; see `choose` for the choice.

    ValueError if there is no such training run, or if it needs a module that the folder names and that is not in `trust`.
    """
    run = load(folder, trust)
    stored = choose(run, **choice)
    again = trained_again(run, stored.to_frame().T)
    row = again.rows.iloc[0]
    return Replay(name_of(stored), run, stored, row, again.curves, _differences(run, stored, row), elsewhere(run))


def trained_again(run: Run, rows: pd.DataFrame, ends: bool = False) -> Again:
    """Train the runs of these rows again, with curves; or without, and with certified `ends`.

    ValueError if they need a module that the folder names and the user does not trust, or if they have no ends to be certified.
    """
    run.check_trusted(run.experiment.cells)
    for name in (*(run.experiment.probe_names or ()), *run.experiment.track_names):
        if ":" in name and module_of(name) not in run.trust:
            raise ValueError(f"{run.folder}: {untrusted('probe', name)}")
    experiment = run.experiment.model_copy(update={"ends": True}) if ends else run.experiment
    try:
        return train_again(experiment, rows, run.manifest.block_width, logged=not ends)
    except ValueError as error:
        raise ValueError(f"{run.folder}: {error}") from error


def choose(
    run: Run,
    lane: str | None = None,
    best: bool = False,
    worst: bool = False,
    cell: str | None = None,
    seed: int | None = None,
    data_seed: int | None = None,
) -> pd.Series:
    """Choose one row of a run: by its number or its `cell:data_seed:init_seed`, by cell and seeds, or by the least or largest final loss.

    Of rows with equal losses the faster one counts as better; a training run that diverged is the worst. ValueError if there is no such
    row, or if none or several are asked for.
    """
    asked = [lane is not None, best, worst, cell is not None or seed is not None]
    if sum(asked) != 1:
        raise ValueError("which training run? one of --lane ID, --best, --worst, or --cell CELL with --seed SEED")
    if data_seed is not None and cell is None:
        raise ValueError(f"--data-seed {data_seed}: goes with --cell CELL and --seed SEED")
    rows = run.lanes
    if best or worst:
        loss = rows["loss_final"].fillna(np.inf)
        ranks = pd.DataFrame({"loss": loss, "steps": rows["steps_run"]}).sort_values(["loss", "steps"], kind="stable")
        return rows.loc[ranks.index[0 if best else -1]]
    if lane is not None and lane.isdigit():
        if int(lane) >= len(rows):
            raise ValueError(f"--lane {lane}: rows are numbered from 0 to {len(rows) - 1}")
        return rows.iloc[int(lane)]
    if lane is not None:
        parts = lane.split(":")
        if len(parts) != 3 or not all(part.isdigit() for part in parts[1:]):
            raise ValueError(f"--lane {lane}: a row's number, or CELL:DATA_SEED:INIT_SEED such as {name_of(rows.iloc[0])}")
        cell, data_seed, seed = parts[0], int(parts[1]), int(parts[2])
    if cell is None:
        raise ValueError(f"--seed {seed}: needs --cell CELL")
    known = [one.id for one in run.experiment.cells]
    matching = [one for one in known if one.startswith(cell)]
    if len(matching) != 1:
        raise ValueError(f"--cell {cell}: {'several cells begin so' if matching else 'no such cell'}; cells: {', '.join(known)}")
    if seed is None:
        raise ValueError(f"--cell {cell}: needs --seed SEED, the init seed")
    if data_seed is None:
        data_seed = seed if run.experiment.seeds.data == "paired" else run.experiment.seeds.first
    found = rows[(rows["cell"] == matching[0]) & (rows["init_seed"] == seed) & (rows["data_seed"] == data_seed)]
    if found.empty:
        raise ValueError(
            f"cell {matching[0]} has no training run with init seed {seed} and data seed {data_seed}; it has {len(run.experiment.seeds)}"
        )
    return found.iloc[0]


def name_of(row: pd.Series) -> str:
    """Return the name of a row's training run, `cell:data_seed:init_seed`."""
    return ":".join(str(row[name]) for name in LANE)


def _differences(run: Run, stored: pd.Series, replayed: pd.Series) -> list[str]:
    """List the columns in which the replayed row differs from the stored one, bit for bit as far as the row was kept."""
    found = []
    for name in run.lanes.columns:
        if name in run.experiment.axes or name not in replayed:
            continue
        before, now = stored[name], replayed[name]
        if name == "params_digest":
            same = str(now).startswith(str(before))
        elif pd.isna(before) or pd.isna(now):
            same = bool(pd.isna(before) and pd.isna(now))
        elif pd.api.types.is_float_dtype(run.lanes[name].dtype):
            # In a report a column may be shorter than it was when its row was made.
            kept = run.lanes[name].dtype.type if run.manifest.of_report else float
            same = float(kept(now)) == float(before)
        else:
            same = bool(before == now)
        if not same:
            found.append(f"{name}: stored {before}, replayed {now}")
    return found


def elsewhere(run: Run) -> str:
    """Name the differences between here and where the rows were made that can change bits."""
    here = current_provenance(jax.devices(), run.experiment)
    return "; ".join(dict.fromkeys(one for made in run.manifest.in_use for one in differences(made, here)))
