"""A run: train all training runs of an experiment that are not on disk yet."""

from pathlib import Path

import jax
from jax.sharding import Mesh

from bench.hardware import lane_mesh
from bench.runs.begin import begin, judge_by
from bench.runs.environment import current_provenance, now
from bench.runs.folder import RunFolder
from bench.runs.plan import Plan, check_memory, plan
from bench.runs.progress import Progress, Watch
from bench.runs.provenance import Provenance
from bench.runs.resume import check_same, grown, of_one_provenance
from bench.runs.rows import LaneTable
from bench.runs.stock import Stock, take_stock
from bench.runs.trainer import Trainer
from bench.spec import Experiment

ATTEMPTS = 3
"""Most passes over a folder, the last of which must find it whole: parts may go while a run is under way."""


def run(
    experiment: Experiment,
    out: Path | str = "results/runs",
    devices: list[jax.Device] | None = None,
    watch: Watch = lambda progress: None,
    mixed: bool = False,
    fresh: bool = False,
) -> Path:
    """Train the experiment into `out/<name>` and return that folder.

    Training runs that the folder already holds are not repeated, so the same call resumes a run that was cut off, more seeds compute only
    the new training runs, and lost or damaged rows are made anew. `mixed` allows, and marks, rows made with other versions, devices, flags
    or code of the user's own; `fresh` first removes the run that the folder holds.

    ValueError if the folder holds another experiment, or rows made otherwise without `mixed`. OSError if the folder cannot be read or
    written, MemoryError if the devices have too little memory for the smallest pool.
    """
    mesh = lane_mesh(devices)
    folder = Path(out) / experiment.name
    planned = plan(experiment)
    check_memory(planned.programs, len(experiment.seeds), mesh)
    # Every program is traced before the folder is touched, so that a probe that fails leaves nothing behind.
    table = planned.lanes
    with RunFolder.locked(folder, fresh) as store:
        if not store.new:
            check_same(store, experiment)
        stock = _made_whole(store, planned, table, mesh, watch, mixed)
        store.remove_unlisted()
        judge_by(store, grown(store, experiment, stock))
    return folder


def _made_whole(store: RunFolder, plan: Plan, table: LaneTable, mesh: Mesh, watch: Watch, mixed: bool) -> Stock:
    """Train and put in order until the folder holds the whole experiment; return its stock.

    OSError if parts go again and again while the folder is written.
    """
    experiment = plan.experiment
    progress = Progress(experiment.lanes, 0)
    here: Provenance | None = None
    for _ in range(ATTEMPTS):
        stock = take_stock(store, table)
        progress.done, progress.solved = len(stock.done), stock.solved
        for fault in stock.faults:
            progress.say(watch, fault)
        watch(progress)
        if stock.whole:
            return stock
        if here is None and stock.missing:
            here = current_provenance(list(mesh.devices.flat), experiment)
            stock = of_one_provenance(store, table, stock, here, mixed, progress)
            progress.done, progress.solved = len(stock.done), stock.solved
        begin(store, plan, here)
        Trainer(store, plan, stock, mesh, progress, watch).train()
        try:
            store.put_in_order([cell.id for cell in experiment.cells])
        except (ValueError, FileNotFoundError) as error:
            progress.say(watch, f"{error}; went while the run was under way")
            continue
        store.change(ended=now(), complete=True)
    raise OSError(f"{store.folder}: parts of this run go while it is written; nothing else may write there")
