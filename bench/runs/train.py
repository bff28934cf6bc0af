"""A run: train all training runs of an experiment that are not on disk yet."""

from pathlib import Path

import jax

from bench.hardware import lane_mesh
from bench.runs.begin import begin, judge_by
from bench.runs.environment import now
from bench.runs.executor import Executor
from bench.runs.folder import RunFolder
from bench.runs.here import Here
from bench.runs.merge import take_over
from bench.runs.plan import Plan, plan
from bench.runs.progress import Progress, Watch
from bench.runs.provenance import Provenance
from bench.runs.resume import check_same, grown, of_one_provenance
from bench.runs.shards import Shard, shards_in
from bench.runs.spans import Spans
from bench.runs.stock import Stock, take_stock
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
    executor: Executor | None = None,
    shard: Shard | None = None,
) -> Path:
    """Train the experiment into `out/<name>` and return that folder.

    Training runs that the folder already holds are not repeated, so the same call resumes a run that was cut off, more seeds compute only
    the new training runs, and lost or damaged rows are made anew. `mixed` allows, and marks, rows made with other versions, devices, flags
    or code of the user's own; `fresh` first removes the run that the folder holds. `executor` trains, by default this process on all of
    its devices. With a `shard` its share of the training runs goes into a folder inside `out/<name>`, which is returned; a run without
    one takes over what shards have trained.

    ValueError if the folder holds another experiment, or rows made otherwise without `mixed`. OSError if the folder cannot be read or
    written, MemoryError if the devices have too little memory for the smallest pool.
    """
    executor = executor or Here(lane_mesh(devices))
    folder = Path(out) / experiment.name
    planned = plan(experiment)
    executor.check(planned)
    # Every program is traced before the folder is touched, so that a probe that fails leaves nothing behind.
    wanted = shard.lanes(planned) if shard else planned.lanes.numbering.all
    shards = [] if shard else [one.folder(folder) for one in shards_in(folder)]
    folder = shard.folder(folder) if shard else folder
    with RunFolder.locked(folder, fresh) as store:
        for one in shards:
            take_over(store, one, planned.lanes.numbering, mixed)
        if not store.new:
            check_same(store, experiment)
        stock = _Pass(store, planned, wanted, executor, watch, mixed).made_whole()
        store.remove_unlisted()
        judge_by(store, grown(store, experiment, stock))
    return folder


class _Pass:
    """Passes over a run folder until it holds the wanted lanes of a plan."""

    def __init__(self, store: RunFolder, planned: Plan, wanted: Spans, executor: Executor, watch: Watch, mixed: bool) -> None:
        self._store, self._plan, self._wanted = store, planned, wanted
        self._executor, self._watch, self._mixed = executor, watch, mixed
        self._progress = Progress(len(wanted), 0)

    def made_whole(self) -> Stock:
        """Train and put in order until the folder holds everything that is wanted; return its stock.

        OSError if parts go again and again while the folder is written.
        """
        store, table = self._store, self._plan.lanes
        here: Provenance | None = None
        for _ in range(ATTEMPTS):
            stock = self._told(take_stock(store, table, self._wanted))
            for fault in stock.faults:
                self._progress.say(self._watch, fault)
            if stock.whole:
                return stock
            if here is None and stock.missing:
                here = self._executor.provenance(self._plan.experiment)
                stock = self._told(of_one_provenance(store, table, self._wanted, stock, here, self._mixed, self._progress))
            begin(store, self._plan, here)
            self._executor.train(store, self._plan, stock, self._progress, self._watch)
            try:
                store.put_in_order(table.numbering.of)
            except (ValueError, FileNotFoundError) as error:
                self._progress.say(self._watch, f"{error}; went while the run was under way")
                continue
            store.change(ended=now(), complete=len(self._wanted) == self._plan.experiment.lanes)
        raise OSError(f"{store.folder}: parts of this run go while it is written; nothing else may write there")

    def _told(self, stock: Stock) -> Stock:
        """Tell the watcher how much is there already."""
        self._progress.done, self._progress.solved = len(stock.done), stock.solved
        self._watch(self._progress)
        return stock
