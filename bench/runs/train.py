"""Train all lanes of an experiment that are not on disk yet."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jax.sharding import Mesh

from bench.engine.pool import Pool
from bench.engine.scheduler import Batch, joined
from bench.hardware import Hardware, lane_mesh
from bench.lane.program import Program, programs
from bench.lane.state import Status
from bench.messages import first_few
from bench.runs import provenance
from bench.runs.folder import LANE, RunFolder
from bench.runs.manifest import SCHEMA_VERSION, CellRecord, Edit, Manifest, Provenance, differences
from bench.runs.memory import check_memory
from bench.runs.rows import CURVE_SEEDS, LaneTable
from bench.runs.stock import Stock, check_same, grown, take_stock
from bench.spec import Cell, Experiment

FLUSH_SECONDS = 10.0
ATTEMPTS = 3
"""How often a run begins again because parts of it went while it ran."""


@dataclass
class Progress:
    """How far a run has come."""

    lanes: int
    done: int
    solved: int = 0
    seed_steps: int = 0
    seconds: float = 0.0
    note: str = ""
    """What it is doing at the moment, if it is not training."""
    said: list[str] = field(default_factory=list)
    """What a user should know afterwards: what was damaged, repaired, mixed."""


Watch = Callable[[Progress], None]
"""Called after every segment of training, at the latest; what it raises ends the run, and the lanes that have ended are kept."""


def run(
    experiment: Experiment,
    out: Path | str = "results/runs",
    devices: list[jax.Device] | None = None,
    watch: Watch = lambda progress: None,
    mixed: bool = False,
    fresh: bool = False,
) -> Path:
    """Train the experiment's lanes into `out/<name>` and return that folder.

    Lanes that the folder already holds are not run again, so the same call resumes a run that was cut off, more seeds compute only the
    new lanes, and what was lost or damaged is made anew. Raises ValueError if the folder holds another experiment, or if its rows were
    made with other versions, devices, flags or code of the user's own, which `mixed` allows and marks; with `fresh` the run that the
    folder holds is removed first. OSError if the folder cannot be read or written, MemoryError if the devices have too little for the
    smallest pool.
    """
    mesh = lane_mesh(devices)
    folder = Path(out) / experiment.name
    plan = programs(experiment.cells, experiment.probes, experiment.track, experiment.seeds.data == "paired")
    check_memory(plan, len(experiment.seeds), mesh)
    table = LaneTable(experiment, plan)
    with RunFolder.locked(folder, fresh) as store:
        if not store.new:
            check_same(store, experiment)
        progress = Progress(experiment.lanes, 0)
        here: Provenance | None = None
        for _ in range(ATTEMPTS):
            stock = take_stock(store, table)
            progress.done, progress.solved = len(stock.done), stock.solved
            for fault in stock.faults:
                _say(progress, watch, fault)
            watch(progress)
            if stock.whole:
                break
            if here is None and stock.missing:
                here = provenance.environment(list(mesh.devices.flat), experiment)
                stock = _of_one_provenance(store, table, stock, here, mixed, progress)
                progress.done, progress.solved = len(stock.done), stock.solved
            _begin(store, experiment, plan, here)
            _train(store, table, plan, stock, mesh, progress, watch)
            try:
                store.put_in_order([cell.id for cell in experiment.cells])
            except (ValueError, FileNotFoundError) as error:
                _say(progress, watch, f"{error}; went while the run was under way")
                continue
            store.change(ended=provenance.now(), complete=True)
        else:
            raise OSError(f"{folder}: parts of this run go while it is written; nothing else may write there")
        store.remove_unlisted()
        _judge_by(store, grown(store, experiment, stock))
    return folder


def _say(progress: Progress, watch: Watch, text: str) -> None:
    """Tell whoever watches something that stays true."""
    progress.said.append(text)
    progress.note = text
    watch(progress)
    progress.note = ""


def _of_one_provenance(store: RunFolder, table: LaneTable, stock: Stock, here: Provenance, mixed: bool, progress: Progress) -> Stock:
    """What there is to go on with: rows that are there must have been made as those will be that are missing, unless they may be mixed."""
    if store.new:
        return stock
    found = list(dict.fromkeys(difference for made in store.manifest.in_use for difference in differences(made, here)))
    if not found:
        return stock
    named = first_few(found)
    if not mixed:
        raise ValueError(
            f"{store.folder}: its {len(stock.done):,} training runs were made otherwise ({named}). To go on: --mixed keeps them and "
            "marks the results as mixed, --fresh trains all of them anew, another --out leaves them alone"
        )
    progress.said.append(f"mixed with training runs that were made otherwise ({named})")
    # A curve must not begin as it was made there and end as it is made here, and where it was lost the row would not be met again.
    store.keep(table.seeds_of(np.setdiff1d(stock.done, stock.lost)))
    return take_stock(store, table)


def _record(cell: Cell, program: Program) -> CellRecord:
    label = ", ".join(f"{axis} = {value}" for axis, value in cell.axes.items())
    settings = cell.settings
    seeded = program.seeded[program.task_of[program.variant_of(cell)]]
    return CellRecord(
        id=cell.id, label=label, axes=cell.axes, draws=settings.initializer.random, seeded=seeded, settings=settings.identity()
    )


def _begin(store: RunFolder, experiment: Experiment, plan: list[Program], here: Provenance | None) -> None:
    """The manifest of a run that is under way; `here` is None if nothing is trained, but only put in order."""
    if store.new:
        assert here is not None
        program_of = {cell.id: program for program in plan for cell in program.cells}
        store.save(
            Manifest(
                schema_version=SCHEMA_VERSION,
                experiment=experiment.name,
                spec_hash=experiment.training_hash,
                judges_hash=experiment.judging_hash,
                criteria=experiment.criteria,
                provenance={here.id: here},
                dtype=", ".join(sorted({program.dtype for program in plan})),
                started=provenance.now(),
                ended=None,
                complete=False,
                lanes=experiment.lanes,
                curve_seeds=CURVE_SEEDS,
                cells=tuple(_record(cell, program_of[cell.id]) for cell in experiment.cells),
                block_width=(0,) * len(plan),
                parts=(),
            )
        )
    elif here is not None:
        # Widths shape the bits: they are kept with the rows, and chosen anew where there are none, or those are of another kind.
        before = store.manifest
        keep = bool(before.in_use) and len(before.block_width) == len(plan) and not any(differences(made, here) for made in before.in_use)
        known = {made.id: made for made in before.in_use if made.id != here.id} | {here.id: here}
        store.change(complete=False, lanes=experiment.lanes, provenance=known, block_width=before.block_width if keep else (0,) * len(plan))
    else:
        # It may have been begun with more seeds, of which it has no rows.
        store.change(lanes=experiment.lanes)
    _judge_by(store, experiment)


def _judge_by(store: RunFolder, experiment: Experiment) -> None:
    """Store the experiment file; a change of claims or laws after rows existed is noted in the manifest."""
    store.write_experiment(experiment.text)
    manifest, now = store.manifest, experiment.judging_hash
    if manifest.judged_by == now:
        return
    if any(part.kind == "lanes" for part in manifest.parts):
        store.change(edits=(*manifest.edits, Edit(when=provenance.now(), judges_hash=now)))
    else:
        store.change(judges_hash=now, criteria=experiment.criteria, edits=())


def _train(store: RunFolder, table: LaneTable, plan: list[Program], stock: Stock, mesh: Mesh, progress: Progress, watch: Watch) -> None:
    """Train what is missing, program by program, and write it part by part."""
    experiment, before = table.experiment, store.manifest
    here = before.latest.id
    started = time.perf_counter()
    spent = {name: getattr(before, name) for name in ("programs", "compilations", "compile_seconds", "run_seconds", "seed_steps")}
    widths = list(before.block_width)
    stored = store.rows(table.seeds_of(stock.lost)) if len(stock.lost) else None
    pending: list[Batch] = []
    flushed, trained = time.perf_counter(), 0

    def write(batches: list[Batch], widths: list[int]) -> None:
        batch = joined(batches)
        rows, again = table.rows(batch), np.isin(batch.columns["lane"], stock.lost)
        if stored is not None and again.any():
            _check_again(store.folder, rows.filter(pa.array(again)), stored.take(np.searchsorted(stock.lost, batch.columns["lane"][again])))
            rows = rows.filter(pa.array(~again))
        store.append(rows, table.curves(batch), here, block_width=widths)

    position = {cell.id: index for index, cell in enumerate(experiment.cells)}
    cells = [[position[cell.id] for cell in program.cells] for program in plan]
    have = np.setdiff1d(stock.done, stock.lost)
    counts = np.bincount(have // table.seeds, minlength=len(experiment.cells))
    left = [index for index in range(len(plan)) if any(counts[cell] < table.seeds for cell in cells[index])]
    ahead = ThreadPoolExecutor(1)
    with ThreadPoolExecutor(1) as writer:
        writing: Future[None] | None = None

        def flush() -> None:
            """Hand what is pending to the writer, who is at most one part behind."""
            nonlocal flushed, pending, writing
            if writing:
                writing.result()
            # Taken first: an interrupt may lose them here, but never write them twice.
            batches, pending = pending, []
            if batches:
                writing = writer.submit(write, batches, list(widths))
            flushed = time.perf_counter()

        def tell() -> None:
            """How far it is, after every segment, whether or not lanes have ended."""
            progress.seed_steps = trained + pool.costs.seed_steps
            progress.seconds = time.perf_counter() - started
            watch(progress)

        # A program is compiled while the one before it runs, unless they would share the CPU: there both took longer.
        early = not Hardware.of(mesh).is_host
        coming: Future[Pool] | None = None
        try:
            for number, index in enumerate(left):
                program = plan[index]
                progress.note = f"compiling program {index + 1} of {len(plan)}"
                watch(progress)
                try:
                    pool = coming.result() if coming else Pool(program, mesh, widths[index])
                except MemoryError:
                    if coming is None:
                        raise
                    # Beside the pool before it there was too little memory for the smallest one; that pool has ended now.
                    pool = Pool(program, mesh, widths[index])
                pool.after_segment = tell
                after = left[number + 1 : number + 2] if early else []
                coming = ahead.submit(Pool, plan[after[0]], mesh, widths[after[0]]) if after else None
                widths[index] = pool.width
                progress.note = ""
                for numbers in table.missing(cells[index], have):
                    for batch in pool.run(table.lanes(program, numbers), program.log_steps):
                        pending.append(batch)
                        progress.note = pool.note
                        new = ~np.isin(batch.columns["lane"], stock.lost)
                        progress.done += int(np.sum(new))
                        progress.solved += int(np.sum(batch.columns["status"][new] == Status.SOLVED))
                        tell()
                        if time.perf_counter() - flushed > FLUSH_SECONDS:
                            flush()
                if pool.note and pool.note not in progress.said:
                    progress.said.append(pool.note)
                trained += pool.costs.seed_steps
                for name in ("compile_seconds", "run_seconds", "seed_steps", "compilations"):
                    spent[name] += getattr(pool.costs, name)
                spent["programs"] += 1
                flush()
        finally:
            # Whatever ended the loop: lanes that have ended are kept.
            ahead.shutdown(wait=False, cancel_futures=True)
            flush()
            if writing:
                writing.result()
    if len(stock.lost):
        progress.said.append(f"made the curves of {len(stock.lost):,} training runs anew; the runs ended as their rows say, bit by bit")
    store.change(
        **spent,
        seed_steps_per_second=spent["seed_steps"] / spent["run_seconds"] if spent["run_seconds"] else 0.0,
        peak_memory_bytes=max(before.peak_memory_bytes, provenance.peak_memory_bytes(jax.devices())),
    )


def _check_again(folder: Path, rows: pa.Table, stored: pa.Table) -> None:
    """Lanes that ran again for their curves must have ended as their rows say; ValueError names the first that has not."""
    for name in stored.column_names:
        if not rows[name].equals(stored[name]):
            same = pc.fill_null(pc.equal(rows[name], stored[name]), False).to_numpy()
            both = pc.and_(rows[name].is_null(), stored[name].is_null()).to_numpy()
            place = int(np.flatnonzero(~(same | both))[0])
            lane = ":".join(str(stored[key][place]) for key in LANE)
            raise ValueError(
                f"{folder}: training run {lane} ran again because its curve was lost, and differs from its row: {name} is "
                f"{rows[name][place]}, stored {stored[name][place]}; --fresh trains all of them anew"
            )
