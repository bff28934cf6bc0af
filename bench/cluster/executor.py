"""The executor of a run on a dask cluster: hands out chunks, and is the only one that writes their rows to the run folder."""

import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from distributed import Client, Future, KilledWorker
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError

from bench.cluster.task import TOPIC, Done, Order, Refused, Trained, provenance_here, train_chunk
from bench.imports import described
from bench.messages import first_few, one_line
from bench.runs.again import Again
from bench.runs.begin import SUMS, with_costs
from bench.runs.chunks import chunks
from bench.runs.folder import RunFolder
from bench.runs.inventory import Inventory
from bench.runs.parquet import Packed
from bench.runs.part_writer import FLUSH_SECONDS, MOST_ROWS
from bench.runs.plan import Plan
from bench.runs.progress import Progress, Watch
from bench.runs.provenance import Provenance
from bench.runs.spans import Spans
from bench.spec import Experiment

AHEAD = 2
"""Chunks that are handed out for each worker: the one that it trains, and the next, which waits there. Of the small chunks that come last,
there is one for each worker, so that none waits at one worker while another has nothing to do."""
WAIT_SECONDS = 0.2
"""Longest time between two checks of signals."""
COUNT_SECONDS = 1.0
"""Time after which the workers are counted again."""
PATIENCE_SECONDS = 24 * 3600.0
"""Longest time without any worker, as when a batch system has none to give, before the run gives up."""
EVENTS = "all"
"""The topic of dask's events about workers that come and go."""
PREEMPTIONS, FAILURES = 1000, 1
"""How many times a chunk is handed out again because its worker went away, and how many times because its training raised an error."""

GONE = "the scheduler of the cluster is gone; what was written is kept, and the same command goes on with the rest"


@dataclass(frozen=True)
class OnCluster:
    """The executor of a run that is a dask cluster; `mixed` allows workers that differ in what can change bits."""

    client: Client
    mixed: bool = False

    def check(self, plan: Plan) -> None:
        """Do nothing: each worker checks for itself whether a program fits it."""

    def provenance(self, experiment: Experiment, progress: Progress, watch: Watch) -> Provenance:
        """Return the provenance of the rows that some worker makes; OSError if there is none for long, or the scheduler is gone."""
        # All of them are asked, so that all trace their programs at the same time; and anybody, for one that is started anew after it was
        # lost has another address.
        workers: list[list[str] | None] = [*([one] for one in self.client.nthreads()), None]
        asked = [self.client.submit(provenance_here, experiment.text, pure=False, resources={"DEVICE": 1}, workers=one) for one in workers]
        answered: queue.SimpleQueue[Future] = queue.SimpleQueue()
        for one in asked:
            one.add_done_callback(answered.put)
        progress.note = "waiting for a worker"
        until = time.perf_counter() + PATIENCE_SECONDS
        while time.perf_counter() < until:
            # Signals are heard by the watcher, so that jobs which still wait in their queue can be canceled.
            watch(progress)
            try:
                return answered.get(timeout=WAIT_SECONDS).result()
            except queue.Empty:
                continue
            except FutureCancelledError as error:
                raise OSError(GONE) from error
        raise OSError(f"{self.client.scheduler.address}: has no worker since {PATIENCE_SECONDS / 3600:.0f} h")

    def train(self, store: RunFolder, plan: Plan, inventory: Inventory, progress: Progress, watch: Watch) -> None:
        """Train what is missing from the folder and write it chunk by chunk; an exception keeps the chunks that have been written."""
        dealer = _Dealer(self, store, plan, inventory, progress)
        try:
            while dealer.goes_on():
                watch(progress)
        finally:
            # Whatever ended the training: chunks that have come back are kept.
            dealer.write()
            dealer.leave()


@dataclass
class _Dealt:
    """A chunk that was handed out, and how many times it was before."""

    order: Order
    small: bool
    preempted: int = 0
    failed: int = 0

    def again(self, *, preempted: int = 0, failed: int = 0) -> "_Dealt":
        """Return the chunk as it is handed out again."""
        return replace(self, preempted=self.preempted + preempted, failed=self.failed + failed)

    @property
    def name(self) -> str:
        """The name of the task: the scheduler knows a chunk that is handed out again as another one."""
        return f"initbench-{self.order.key}-{self.preempted + self.failed}"


class _Dealer:
    """The chunks of one pass over a run folder: those that wait, those at workers, and those that come back."""

    def __init__(self, executor: OnCluster, store: RunFolder, plan: Plan, inventory: Inventory, progress: Progress) -> None:
        self._client, self._mixed = executor.client, executor.mixed
        self._store, self._plan, self._progress = store, plan, progress
        self._again = Again(store, plan.lanes, inventory.lost)
        self._lost = inventory.lost
        self._waiting = self._chunks(inventory.missing)
        self._next = next(self._waiting, None)
        self._dealt: dict[Future, _Dealt] = {}
        self._back: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._copies = _Copies()
        self._client.subscribe_topic(TOPIC, self._copies.hear)
        self._losses = _Losses(self._client)
        self._client.subscribe_topic(EVENTS, self._losses.hear)
        self._redone = 0
        """Chunks that this process has handed out again; what lost workers had, the scheduler hands out again by itself."""
        self._came: list[tuple[Order, Done]] = []
        """Chunks that have come back and are not written yet."""
        self._workers, self._counted = 0, 0.0
        self._started = self._last_seen = self._written = time.perf_counter()

    def goes_on(self) -> bool:
        """Hand out what the workers can take and take in what has come back; false once nothing is left to do."""
        workers = self._count_workers()
        while self._next is not None and self._wanted(max(workers, 1)):
            self._deal(self._next)
            self._next = next(self._waiting, None)
        if not self._dealt:
            self._copies.check()
            return False
        running = min(workers, len(self._dealt))
        redone = self._redone + self._losses.chunks
        again = f", {redone:,} handed out again" if redone else ""
        self._progress.note = f"{workers} workers, {running} chunks under way{again}"
        try:
            self._take(self._back.get(timeout=WAIT_SECONDS))
        except queue.Empty:
            pass
        if time.perf_counter() - self._written > FLUSH_SECONDS:
            self.write()
        self._progress.seconds = time.perf_counter() - self._started
        return True

    def leave(self) -> None:
        """Take back what the workers have not begun or ended."""
        for topic in (TOPIC, EVENTS):
            self._client.unsubscribe_topic(topic)
        for future in self._dealt:
            future.release()
        if self._copies.again:
            self._progress.said.append(f"{self._copies.again} chunks were trained twice, with the same rows to the last bit")

    def _wanted(self, workers: int) -> bool:
        """Tell whether the next chunk is to be handed out."""
        assert self._next is not None
        small = sum(dealt.small for dealt in self._dealt.values())
        return len(self._dealt) < AHEAD * workers and not (self._next.small and small >= workers)

    def _chunks(self, missing: Spans) -> Iterator[_Dealt]:
        text = self._plan.experiment.text
        for chunk in chunks(self._plan):
            lanes = chunk.lanes & missing
            if lanes:
                manifest = self._store.manifest
                expected = None if self._mixed else manifest.latest
                key, width = chunk._replace(lanes=lanes).key(self._plan), manifest.block_width[chunk.program]
                yield _Dealt(Order(key, text, chunk.program, lanes, width, expected), chunk.small)

    def _deal(self, dealt: _Dealt) -> None:
        # The width may have been chosen since the order was written.
        order = dealt.order._replace(width=self._store.manifest.block_width[dealt.order.program])
        future = self._client.submit(train_chunk, order, key=dealt.name, pure=False, resources={"DEVICE": 1}, retries=0)
        self._dealt[future] = replace(dealt, order=order)
        future.add_done_callback(self._back.put)

    def _count_workers(self) -> int:
        """Return the number of workers as last counted; OSError if the scheduler is gone, or there was no worker for long."""
        now = time.perf_counter()
        if self._workers and now - self._counted < COUNT_SECONDS and self._client.status == "running":
            return self._workers
        try:
            count = len(self._client.nthreads()) if self._client.status == "running" else None
        except CommClosedError:
            count = None
        if count is None:
            raise OSError(GONE)
        self._workers, self._counted = count, now
        if count:
            self._last_seen = now
        elif now - self._last_seen > PATIENCE_SECONDS:
            raise OSError(f"the cluster has no worker since {PATIENCE_SECONDS / 3600:.0f} h; the same command goes on with the rest")
        return count

    def _take(self, future: Future) -> None:
        """Take in a chunk that came back, with its rows or with an error."""
        dealt = self._dealt.pop(future)
        # A worker tells of a chunk before its rows come, so that a chunk whose copies differ is not written.
        self._copies.check()
        if future.status == "finished":
            found = future.result()
            future.release()
            if isinstance(found, Refused):
                self._dismiss(found)
                self._deal(dealt.again(preempted=1))
            else:
                self._receive(dealt, found)
            return
        error = future.exception() if future.status == "error" else None
        # Chunks of lost workers are counted as soon as these are lost.
        self._redone += not isinstance(error, KilledWorker)
        if error is None or isinstance(error, KilledWorker):
            if dealt.preempted == PREEMPTIONS:
                raise OSError(f"a chunk was handed out {PREEMPTIONS:,} times to workers that went away")
            self._deal(dealt.again(preempted=1))
        elif dealt.failed < FAILURES:
            self._deal(dealt.again(failed=1))
        else:
            raise ValueError(one_line(f"a worker could not train a chunk: {described(error)}")) from error

    def _dismiss(self, refused: Refused) -> None:
        """Send a worker away whose rows would differ from those of the others."""
        text = f"the worker {refused.address} on {refused.host} is not used: {first_few(refused.differences)}; --mixed allows and marks it"
        if text not in self._progress.said:
            self._progress.said.append(text)
        self._client.retire_workers([refused.address], close_workers=True, remove=True)

    def _receive(self, dealt: _Dealt, done: Done) -> None:
        """Take in the rows of a chunk; one is handed out again if its worker has chosen another width of blocks than the first worker."""
        order, widths = dealt.order, list(self._store.manifest.block_width)
        if widths[order.program] not in (0, done.width):
            self._redone += 1
            self._deal(dealt.again(preempted=1))
            return
        if not widths[order.program]:
            widths[order.program] = done.width
            # Chunks that are handed out from now on are told.
            self._store.change(block_width=widths)
        self._came.append((order, done))
        if sum(one.rows["lanes"].rows for _, one in self._came) >= MOST_ROWS:
            self.write()
        self._progress.done += len(order.lanes - self._lost)
        self._progress.solved += done.solved
        self._progress.seed_steps += done.costs.seed_steps

    def write(self) -> None:
        """Write the chunks that have come back and list them at once: the list of all parts is written as a whole."""
        came, self._came = self._came, []
        for made in {done.provenance.id: done.provenance for _, done in came}.values():
            found = [done for _, done in came if done.provenance.id == made.id]
            manifest, costs = self._store.manifest, [done.costs for done in found]
            spent = {name: sum(getattr(one, name) for one in costs) for name in SUMS}
            self._store.append(
                [(kind, self._new(kind, rows)) for done in found for kind, rows in done.rows.items()],
                (made.id,),
                **with_costs(manifest, spent, max(one.peak_memory_bytes for one in costs)),
                provenance=manifest.provenance | {made.id: made},
            )
        self._written = time.perf_counter()

    def _new(self, kind: str, rows: Packed) -> Packed | pa.Table:
        """Return rows without those of training runs that ran again for their curves."""
        return self._again.checked(rows.table) if kind == "lanes" and self._again else rows


class _Losses:
    """The number of chunks that lost workers had, by the events of the scheduler, which hands them out again by itself."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.chunks = 0

    def hear(self, event: tuple[float, Any]) -> None:
        """Take in an event; called by the client's thread."""
        told = event[1]
        if isinstance(told, dict) and told.get("action") == "remove-worker":
            # Those under way, those that waited at the worker, and those whose rows had not been fetched; not those of other clients.
            had = (*told["processing-tasks"], *told["lost-computed-tasks"])
            self.chunks += sum(key in self._client.futures for key in had)


class _Copies:
    """The reports of workers on the chunks that they have trained.

    A chunk that was trained twice must have the same rows, if that was in blocks of one width and by workers of one provenance.
    """

    def __init__(self) -> None:
        self._first: dict[tuple[str, str, int], Trained] = {}
        self._differ: list[tuple[Trained, Trained]] = []
        self.again = 0

    def hear(self, event: tuple[float, Any]) -> None:
        """Take in what a worker has told; called by the client's thread."""
        told = Trained(*event[1])
        before = self._first.setdefault((told.key, told.provenance, told.width), told)
        if before is not told:
            self.again += 1
            if before.digest != told.digest:
                self._differ.append((before, told))

    def check(self) -> None:
        """Raise ValueError if two copies of a chunk differ."""
        for first, second in self._differ:
            raise ValueError(
                f"chunk {first.key}: its rows from {first.host} and from {second.host} differ; one of the two computes wrongly, so neither "
                "can be trusted: initbench replay says which"
            )
