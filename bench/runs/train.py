"""A run: train all training runs of an experiment that are not on disk yet."""

from pathlib import Path

import jax

from bench.hardware import lane_mesh
from bench.runs.begin import begin, begin_from, judge_by, kept_widths
from bench.runs.environment import now
from bench.runs.executor import Executor
from bench.runs.folder import RunFolder
from bench.runs.inventory import Inventory, inventory_of
from bench.runs.manifest import Share, read_manifest
from bench.runs.merge import TakeOver
from bench.runs.plan import Plan, plan
from bench.runs.progress import Progress, Watch
from bench.runs.provenance import Provenance
from bench.runs.resume import check_same, grown, of_one_provenance
from bench.runs.shards import Shard, lanes_of, shards_in
from bench.runs.spans import Spans
from bench.runs.storage import place
from bench.runs.this_process import ThisProcess
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
    or code of the user's own; `fresh` first removes the run that the folder holds, with its shards. `executor` trains, by default this
    process on all of its devices. With a `shard` its share of the training runs goes into a folder inside `out/<name>`, which is returned;
    a run without one takes over what shards have trained, also while they run.

    ValueError if the folder holds another experiment, or rows made otherwise without `mixed`. OSError if the folder cannot be read or
    written, MemoryError if the devices have too little memory for the smallest pool.
    """
    executor = executor or ThisProcess(lane_mesh(devices))
    folder = place(out) / experiment.name
    planned = plan(experiment)
    executor.check(planned)
    # Every program is traced before the folder is touched, so that a probe that fails leaves nothing behind.
    wanted = shard.lanes(planned) if shard else planned.lanes.numbering.all
    shards = [] if shard else shards_in(folder)
    for one in shards if fresh else ():
        with RunFolder.locked(one.folder(folder), fresh):
            pass
    with RunFolder.locked(shard.folder(folder) if shard else folder, fresh) as store:
        if not store.new:
            check_same(store, experiment)
        passes = _Pass(store, planned, wanted, executor, watch, mixed)
        if shard:
            passes.begin_shard(shard)
        inventory = passes.made_whole([] if fresh else shards)
        store.remove_unlisted()
        judge_by(store, grown(store, experiment, inventory))
    return store.folder


class _Pass:
    """Passes over a run folder until it holds the wanted lanes of a plan."""

    def __init__(self, store: RunFolder, planned: Plan, wanted: Spans, executor: Executor, watch: Watch, mixed: bool) -> None:
        self._store, self._plan, self._wanted = store, planned, wanted
        self._executor, self._watch, self._mixed = executor, watch, mixed
        self._progress = Progress(len(wanted), 0, can_solve=planned.experiment.has_threshold)
        self._share: Share | None = None

    def begin_shard(self, shard: Shard) -> None:
        """Note which share of the experiment the folder is to hold; ValueError if it holds another one."""
        self._share = shard.share(len(self._wanted))
        experiment, ours = self._plan.experiment, self._store.known
        if ours and (ours.spec_hash, ours.lanes, ours.share and ours.share.lanes) != (
            experiment.training_hash,
            experiment.lanes,
            len(self._wanted),
        ):
            raise ValueError(
                f"{self._store.folder}: is a share of {ours.lanes:,} training runs, this makes {experiment.lanes:,}; a run without "
                "--shard takes over what shards have and trains the rest, another --out begins new shards"
            )
        if not self._wanted:
            self._progress.said.append(f"shard {shard.index} of {shard.count} has nothing to train: there are fewer chunks than shards")

    def made_whole(self, shards: list[Shard]) -> Inventory:
        """Take over what shards have, train and put in order until the folder holds everything that is wanted; return its inventory.

        OSError if parts go again and again while the folder is written.
        """
        store, table = self._store, self._plan.lanes
        here: Provenance | None = None
        for attempt in range(ATTEMPTS):
            inventory = self._counted([] if attempt else shards)
            if inventory.whole:
                return inventory
            if here is None and (inventory.missing or store.new):
                here = self._executor.provenance(self._plan.experiment, self._progress, self._watch)
                inventory = self._told(of_one_provenance(store, table, self._wanted, inventory, here, self._mixed, self._progress))
            begin(store, self._plan, here, self._share)
            self._executor.train(store, self._plan, inventory, self._progress, self._watch)
            try:
                store.put_in_order(table.numbering.of)
            except (ValueError, FileNotFoundError) as error:
                self._progress.say(self._watch, f"{error}; went while the run was under way")
                continue
            share = self._share and self._share.model_copy(update={"whole": True})
            store.change(ended=now(), complete=len(self._wanted) == self._plan.experiment.lanes, share=share)
        raise OSError(f"{store.folder}: parts of this run go while it is written; nothing else may write there")

    def _counted(self, shards: list[Shard]) -> Inventory:
        """Return the inventory of the folder, into which what it lacks is first taken over from shards; tell what was damaged."""
        inventory = inventory_of(self._store, self._plan.lanes, self._wanted)
        said = inventory.faults
        if shards and not inventory.whole:
            said += self._take_over(shards, inventory.missing)
            inventory = inventory_of(self._store, self._plan.lanes, self._wanted)
            said += inventory.faults
        if self._share and (inventory.done - self._wanted):
            raise ValueError(
                f"{self._store.folder}: holds training runs of other shards, since the experiment was cut otherwise by another version of "
                "initbench; a run without --shard takes them over"
            )
        self._told(inventory)
        for line in said:
            self._progress.say(self._watch, line)
        return inventory

    def _take_over(self, shards: list[Shard], missing: Spans) -> list[str]:
        """Take over missing lanes that shards have; return what is to be said about it."""
        said: list[str] = []
        new, count = 0, 0
        taking = TakeOver(self._store, self._plan.lanes.numbering, self._mixed)
        for shard, lanes in lanes_of(shards, self._plan).items():
            source = shard.folder(self._store.folder)
            try:
                theirs = read_manifest(source)
            except ValueError as error:
                said += [f"{error}; what it holds is trained anew"] if (source / "run.json").exists() else []
                continue
            check_same(RunFolder(source, theirs), self._plan.experiment)
            alike = (theirs.spec_hash, theirs.lanes) == (self._plan.experiment.training_hash, self._plan.experiment.lanes)
            if alike and not lanes & missing:
                continue
            begin_from(self._store, self._plan, theirs)
            widths = kept_widths(theirs, self._plan.programs)
            taken = taking.take(source, widths)
            said += [f"{fault}; what is lost with it is made anew" for fault in taken.faults]
            new, count = new + taken.new, count + bool(taken.new)
        if new:
            said.append(f"took over {new:,} training runs from {count:,} shard{'' if count == 1 else 's'}")
        return said

    def _told(self, inventory: Inventory) -> Inventory:
        """Tell the watcher how much is there already."""
        self._progress.done, self._progress.solved = len(inventory.done), inventory.solved
        self._watch(self._progress)
        return inventory
