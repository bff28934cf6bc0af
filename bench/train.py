"""Train all lanes of an experiment that are not on disk yet."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from jax.sharding import Mesh

from bench import provenance
from bench.engine.book import Batch, joined
from bench.engine.devices import lane_mesh, matmul_precision
from bench.engine.memory import check_memory
from bench.engine.pool import Pool
from bench.engine.program import Program, Status, programs
from bench.manifest import SCHEMA_VERSION, CellRecord, Manifest
from bench.records import LANE, RunFolder
from bench.rows import CURVE_SEEDS, LaneTable
from bench.spec import Cell, Experiment

FLUSH_SECONDS = 10.0


@dataclass
class Progress:
    """How far a run has come."""

    lanes: int
    done: int
    solved: int = 0
    seed_steps: int = 0
    seconds: float = 0.0
    note: str = ""


Watch = Callable[[Progress], None]


def run(
    experiment: Experiment,
    out: Path | str = "results/runs",
    devices: list[jax.Device] | None = None,
    watch: Watch = lambda progress: None,
) -> Path:
    """Train the experiment's lanes into `out/<name>` and return that folder.

    Lanes that the folder already holds are not run again, so the same call resumes a run that was cut off, and more seeds compute
    only the new lanes. Raises ValueError if the folder holds another experiment or was begun with other versions, kind of
    devices or precision, OSError if it cannot be written, MemoryError if the devices have too little for the smallest pool.
    """
    mesh = lane_mesh(devices)
    here = list(mesh.devices.flat)
    folder = Path(out) / experiment.name
    plan = programs(experiment.cells, experiment.probes, experiment.track, experiment.seeds.data == "paired")
    check_memory(plan, len(experiment.seeds), mesh)
    with RunFolder.locked(folder) as store:
        _check_same(store, experiment, here)
        rows, faults = store.intact()
        progress = Progress(experiment.lanes, 0)
        for fault in faults:
            progress.note = f"{fault}; its lanes run again"
            watch(progress)
        progress.note = ""
        missing = _missing(experiment, rows)
        done_before = rows["outcome"].eq("solved").sum() if len(rows) else 0
        progress.done, progress.solved = len(rows), int(done_before)
        watch(progress)
        if missing.any() or store.new or not store.manifest.complete:
            _train(experiment, store, plan, missing, mesh, progress, watch)
        store.write_experiment(experiment.text)
    return folder


def _check_same(store: RunFolder, experiment: Experiment, devices: list[jax.Device]) -> None:
    """A folder goes on with the experiment, versions and kind of device that it was begun with."""
    if store.new:
        return
    known = store.manifest
    if known.spec_hash != experiment.training_hash:
        raise ValueError(
            f"{store.folder}: holds another experiment (spec hash {known.spec_hash[:12]}, this one has "
            f"{experiment.training_hash[:12]}); take another --out, or another name"
        )
    mine, begun_with = provenance.versions(), known.latest
    for package in ("jax", "jaxlib"):
        if begun_with.versions[package] != mine[package]:
            raise ValueError(
                f"{store.folder}: begun with {package} {begun_with.versions[package]}, this is {mine[package]}; take another --out"
            )
    kind = provenance.describe_device(devices).kind
    if begun_with.device.kind != kind:
        raise ValueError(f"{store.folder}: begun on {begun_with.device.kind}, this is {kind}; take another --out")
    begun, now = begun_with.matmul_precision, matmul_precision()
    if begun != now:
        raise ValueError(f"{store.folder}: begun with matrix products of precision '{begun}', this is '{now}'; take another --out")


def _missing(experiment: Experiment, rows: pd.DataFrame) -> np.ndarray:
    """(cell, lane) table of the lanes that are not on disk."""
    if rows.empty:
        return np.ones((len(experiment.cells), len(experiment.seeds)), bool)
    data_seed, init_seed = experiment.seeds.pairs()
    wanted = pd.MultiIndex.from_arrays(
        [
            np.repeat([cell.id for cell in experiment.cells], len(experiment.seeds)),
            np.tile(data_seed, len(experiment.cells)),
            np.tile(init_seed, len(experiment.cells)),
        ]
    )
    missing = ~wanted.isin(pd.MultiIndex.from_frame(rows[LANE]))
    return np.asarray(missing).reshape(len(experiment.cells), len(experiment.seeds))


def _record(cell: Cell) -> CellRecord:
    label = ", ".join(f"{axis} = {value}" for axis, value in cell.axes.items())
    settings = cell.settings
    return CellRecord(id=cell.id, label=label, axes=cell.axes, draws=settings.initializer.random, settings=settings.essence())


def _train(
    experiment: Experiment,
    store: RunFolder,
    plan: list[Program],
    missing: np.ndarray,
    mesh: Mesh,
    progress: Progress,
    watch: Watch,
) -> None:
    here = provenance.environment(list(mesh.devices.flat))
    started = time.perf_counter()
    if store.new:
        store.save(
            Manifest(
                schema_version=SCHEMA_VERSION,
                experiment=experiment.name,
                spec_hash=experiment.training_hash,
                judges_hash=experiment.judging_hash,
                provenance={here.id: here},
                dtype=", ".join(sorted({program.dtype for program in plan})),
                started=provenance.now(),
                ended=None,
                complete=False,
                lanes=experiment.lanes,
                curve_seeds=CURVE_SEEDS,
                cells=tuple(_record(cell) for cell in experiment.cells),
                block_width=(0,) * len(plan),
                parts=(),
            )
        )
        store.write_experiment(experiment.text)
    else:
        store.change(complete=False, lanes=experiment.lanes, provenance={**store.manifest.provenance, here.id: here})
    before = store.manifest
    spent = {name: getattr(before, name) for name in ("programs", "compilations", "compile_seconds", "run_seconds", "seed_steps")}
    widths = list(before.block_width)
    table = LaneTable(experiment, plan)
    pending: list[Batch] = []
    flushed, trained = time.perf_counter(), 0

    def write(batches: list[Batch], widths: list[int]) -> None:
        batch = joined(batches)
        store.append(table.rows(batch), table.curves(batch), here.id, block_width=widths)

    position = {cell.id: index for index, cell in enumerate(experiment.cells)}
    cells = [[position[cell.id] for cell in program.cells] for program in plan]
    left = [index for index in range(len(plan)) if missing[cells[index]].any()]
    with ThreadPoolExecutor(1) as ahead, ThreadPoolExecutor(1) as writer:
        writing: Future[None] | None = None

        def flush() -> None:
            """Hand what is pending to the writer, who is at most one part behind."""
            nonlocal flushed, pending, writing
            if writing:
                writing.result()
            if pending:
                writing = writer.submit(write, pending, list(widths))
            flushed, pending = time.perf_counter(), []

        # A program is compiled while the one before it runs, unless they would share the CPU: there both took longer.
        early = mesh.devices.flat[0].platform != "cpu"
        coming: Future[Pool] | None = None
        for number, index in enumerate(left):
            program = plan[index]
            progress.note = f"compiling program {index + 1} of {len(plan)}"
            watch(progress)
            pool = coming.result() if coming else Pool(program, mesh, widths[index])
            after = left[number + 1 : number + 2] if early else []
            coming = ahead.submit(Pool, plan[after[0]], mesh, widths[after[0]]) if after else None
            widths[index] = pool.width
            progress.note = ""
            for batch in pool.run(table.lanes(program, cells[index], missing), program.log_steps):
                pending.append(batch)
                progress.note = pool.note
                progress.done += len(batch.columns["status"])
                progress.solved += int(np.sum(batch.columns["status"] == Status.SOLVED))
                progress.seed_steps = trained + pool.costs.seed_steps
                progress.seconds = time.perf_counter() - started
                watch(progress)
                if time.perf_counter() - flushed > FLUSH_SECONDS:
                    flush()
            trained += pool.costs.seed_steps
            for name in ("compile_seconds", "run_seconds", "seed_steps", "compilations"):
                spent[name] += getattr(pool.costs, name)
            spent["programs"] += 1
            flush()
        if writing:
            writing.result()
    store.put_in_order([cell.id for cell in experiment.cells])
    store.change(
        **spent,
        seed_steps_per_second=spent["seed_steps"] / spent["run_seconds"] if spent["run_seconds"] else 0.0,
        peak_memory_bytes=max(before.peak_memory_bytes, provenance.peak_memory_bytes(jax.devices())),
        ended=provenance.now(),
        complete=True,
    )
