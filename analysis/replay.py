"""Train one lane again, alone, and hold it against its row."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.rows.load import Run, load
from bench.engine.pool import Pool
from bench.engine.scheduler import joined
from bench.hardware import lane_mesh
from bench.lane.program import programs
from bench.registry import module_of, untrusted
from bench.runs import provenance
from bench.runs.folder import LANE, as_frame
from bench.runs.manifest import differences
from bench.runs.rows import LaneTable


@dataclass(frozen=True)
class Replay:
    """A lane as it was stored and as it is now."""

    lane: str
    """`cell:data_seed:init_seed`."""
    run: Run
    stored: pd.Series
    replayed: pd.Series
    curve: pd.DataFrame
    """Step, loss and tracked probes."""
    differences: list[str]
    elsewhere: str
    """What the row was made with, if that is not what there is here; the promise of the same bits does not hold across it."""


def replay(folder: Path, trust: Collection[str] = (), **choice: Any) -> Replay:
    """Train the chosen lane of a run or report folder; see `choose` for the choice.

    ValueError if there is no such lane, or if training needs a module that the folder names and that is not in `trust`.
    """
    run = load(folder, trust)
    stored = choose(run, **choice)
    run.check_trusted(run.experiment.cells)
    for name in (*(run.experiment.probes or ()), *run.experiment.track):
        if ":" in name and module_of(name) not in run.trust:
            raise ValueError(f"{folder}: {untrusted('probe', name)}")
    plan = programs(run.experiment.cells, run.experiment.probes, run.experiment.track, run.experiment.seeds.data == "paired")
    number = next(index for index, program in enumerate(plan) if stored["cell"] in [cell.id for cell in program.cells])
    program = plan[number]
    if len(run.manifest.block_width) != len(plan):
        raise ValueError(f"{folder}: run.json has {len(run.manifest.block_width)} widths of blocks for {len(plan)} programs")
    table = LaneTable(run.experiment, plan)
    lanes = table.lanes(program, table.numbers(pd.DataFrame([stored[LANE]])))
    pool = Pool(program, lane_mesh(), run.manifest.block_width[number])
    batch = joined(list(pool.run(replace(lanes, logged=np.ones(len(lanes), bool)), program.log_steps)))
    replayed, curve = as_frame(table.rows(batch)).iloc[0], as_frame(table.curves(batch))
    return Replay(_name(stored), run, stored, replayed, curve, _differences(run, stored, replayed), _elsewhere(run))


def choose(
    run: Run,
    lane: str | None = None,
    best: bool = False,
    worst: bool = False,
    cell: str | None = None,
    seed: int | None = None,
    data_seed: int | None = None,
) -> pd.Series:
    """One row of a run: by its number or its `cell:data_seed:init_seed`, by cell and seeds, or the one with the least or the largest final
    loss (of equal ones the faster; a diverged lane is the worst). ValueError if there is no such row, or none or several are asked for."""
    asked = [lane is not None, best, worst, cell is not None or seed is not None]
    if sum(asked) != 1:
        raise ValueError("which lane? one of --lane ID, --best, --worst, or --cell CELL with --seed SEED")
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
            raise ValueError(f"--lane {lane}: a row's number, or CELL:DATA_SEED:INIT_SEED such as {_name(rows.iloc[0])}")
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
        data_seed = seed if run.experiment.seeds.data == "paired" else 0
    found = rows[(rows["cell"] == matching[0]) & (rows["init_seed"] == seed) & (rows["data_seed"] == data_seed)]
    if found.empty:
        raise ValueError(
            f"cell {matching[0]} has no lane with init seed {seed} and data seed {data_seed}; it has {len(run.experiment.seeds)}"
        )
    return found.iloc[0]


def _name(row: pd.Series) -> str:
    return ":".join(str(row[name]) for name in LANE)


def _differences(run: Run, stored: pd.Series, replayed: pd.Series) -> list[str]:
    """Columns of the stored row that the replayed one has otherwise, bit for bit as far as the row was kept."""
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
            same = bool(run.lanes[name].dtype.type(now) == before)
        else:
            same = bool(before == now)
        if not same:
            found.append(f"{name}: stored {before}, replayed {now}")
    return found


def _elsewhere(run: Run) -> str:
    """What can change bits and is another here than where the rows were made."""
    here = provenance.environment(jax.devices(), run.experiment)
    return "; ".join(dict.fromkeys(one for made in run.manifest.in_use for one in differences(made, here)))


def drawn(replay: Replay) -> Figure:
    """The lane's loss, step by step, as far as float32 could hold it: no axis reaches to the end of float64."""
    drawing, axis = plt.subplots(figsize=(3.5, 2.4), layout="constrained")
    steps, loss = replay.curve["step"].to_numpy(), replay.curve["loss"].to_numpy(float)
    loss = np.where(loss < np.finfo(np.float32).max, loss, np.nan)
    axis.plot(np.maximum(steps, 0.7), loss, color="#0072B2", lw=1.2)
    axis.set_xscale("log")
    if np.nanmin(loss) > 0 and np.nanmax(loss) > 10 * np.nanmin(loss):
        axis.set_yscale("log")
    axis.set_xlabel("gradient steps")
    axis.set_ylabel("training loss")
    axis.set_title(f"{replay.run.experiment.name}, lane {replay.lane}", fontsize=8)
    return drawing
