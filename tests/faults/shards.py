"""Shards that are killed, damaged, submitted twice, and joined by a process that ends in the middle."""

import random
import shutil
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from bench.runs.shards import Shard
from tests.faults import child, injection
from tests.faults.damage import DAMAGES
from tests.faults.record import Record, family
from tests.faults.rows import FEW, MANY, NAME, Reference, one_line, reference, same_as

COUNT = 3
SHARDS = [Shard(index, COUNT) for index in range(COUNT)]


@family(tries=12, quick=2)
def killed_shards(scratch: Path, tries: int) -> Record:
    """Shards that are killed and submitted again."""
    record = Record(
        "kill -9 of shards",
        f"each of {COUNT} shards is killed at a random moment, submitted again, every second one twice; then joined",
    )
    good = reference(scratch, MANY)
    rng = random.Random(5)
    began = time.monotonic()
    assert child.start(scratch / "timed.txt", [_shard(good, scratch / "timed", SHARDS[0])]).ended() == 0
    lasts = time.monotonic() - began
    out = [scratch / f"killed-{number}" for number in range(tries)]
    for number, folder in enumerate(out):
        for shard in SHARDS:
            for _ in range(1 + number % 2):
                running = child.start(folder.with_suffix(".txt"), [_shard(good, folder, shard)])
                running.process.join(rng.uniform(0, lasts))
                running.process.kill()
                running.ended()
    _joined(record, good, dict.fromkeys(out, "the bytes of one process after the same array again"))
    return record


@family(tries=28, quick=7)
def damaged_shards(scratch: Path, tries: int) -> Record:
    """Files of shards that are damaged."""
    record = Record(
        "damaged shards",
        f"one file of a shard: {', '.join(DAMAGES)}; then, in turns, the same array again and joined, or a run that takes over the shards",
    )
    good = reference(scratch)
    whole = _sharded(scratch, good)
    rng = random.Random(6)
    out = [scratch / f"damaged-{number}" for number in range(tries)]
    for number, folder in enumerate(out):
        run = Path(shutil.copytree(whole / NAME, folder / NAME))
        files = sorted(run.glob("shards/*/*/*.parquet"))
        list(DAMAGES.values())[number % len(DAMAGES)](rng.choice(files), rng)
    repaired, taken = out[::2], out[1::2]
    _joined(record, good, dict.fromkeys(repaired, "repaired, the bytes of one process"))
    run_again = child.start(scratch / "taken.txt", [(injection.relent, ["run", str(good.file), "--out", str(folder)]) for folder in taken])
    if run_again.ended():
        record.note("not taken over", run_again.printed[-400:])
    for folder in taken:
        same_as(record, "taken over, the bytes of one process", folder / NAME, good)
    return record


@family(tries=4, quick=1)
def two_on_one_shard(scratch: Path, tries: int) -> Record:
    """Two processes on one shard at once, while a run takes over what the shards have."""
    record = Record("a shard twice", "two processes are started at once on each shard, and a run without a shard beside them; then joined")
    good = reference(scratch, MANY)
    for number in range(tries):
        folder = scratch / f"twice-{number}"
        jobs = [_shard(good, folder, shard) for shard in SHARDS for _ in range(2)]
        jobs.append((injection.relent, ["run", str(good.file), "--out", str(folder)]))
        running = [child.start(scratch / f"twice-{number}-{place}.txt", [job]) for place, job in enumerate(jobs)]
        codes = [one.ended() for one in running]
        wrong = [fault for one in running if "initbench: " in one.printed and (fault := one_line(one.printed))]
        if set(codes) - {0, 2} or codes[-1] or wrong:
            record.breaks(f"exit codes {codes}", "; ".join(wrong))
        else:
            same_as(record, "each was trained once, the others stopped with one line", folder / NAME, good)
            _join(record, good, [folder])
    return record


@family(tries=40, quick=4)
def merge_crashes(scratch: Path, tries: int) -> Record:
    """The process that joins shards ends just before an operation on the disk."""
    record = Record("crash of merge", "the process ends without a word just before one fsync, rename, unlink, mkdir or open for writing")
    return _merged_with_faults(record, scratch, tries, injection.die, {0, injection.DIED})


@family(tries=40, quick=6)
def merge_errors(scratch: Path, tries: int) -> Record:
    """An operation on the disk fails while shards are joined."""
    record = Record(
        "I/O error of merge", "one fsync, rename, unlink, mkdir or open for writing fails with EIO; then the same command again"
    )
    return _merged_with_faults(record, scratch, tries, injection.fail, {0, 2})


def _merged_with_faults(record: Record, scratch: Path, tries: int, fault: Callable[[Path, int], None], codes: set[int]) -> Record:
    """Join shards under a fault at each of so many operations, and again without; the shards stay as they are."""
    good = reference(scratch)
    whole = _sharded(scratch, good)
    before = _content(whole)
    counted, numbers = scratch / "counted", scratch / "operations.txt"
    assert child.start(scratch / "counted.txt", [_merge(whole, counted, partial(injection.count, counted, numbers))]).ended() == 0
    total = numbers.stat().st_size
    out = [scratch / f"merged-{number}" for number in range(tries)]
    for number, folder in enumerate(out):
        running = child.start(folder.with_suffix(".txt"), [_merge(whole, folder, partial(fault, folder, 1 + number * total // tries))])
        code = running.ended()
        wrong = one_line(running.printed) if code == 2 else None
        if code not in codes or wrong:
            record.note("no clear line", f"{folder.name}: exit {code}: {wrong}")
    again = child.start(scratch / "again.txt", [_merge(whole, folder) for folder in out])
    if again.ended():
        record.note("not joined", again.printed[-400:])
    for folder in out:
        same_as(record, "the bytes of one process after the same command again", folder / NAME, good)
    if _content(whole) != before:
        record.note("the shards were changed", str(whole))
    return record


def _joined(record: Record, good: Reference, outcomes: dict[Path, str]) -> None:
    """Submit the array again in each folder, join its shards, and count its outcome if nothing is missing then."""
    jobs = [_shard(good, folder, shard) for folder in outcomes for shard in SHARDS]
    resumed = child.start(good.file.with_suffix(".txt"), jobs)
    if resumed.ended():
        record.note("not resumed", resumed.printed[-400:])
    _join(record, good, outcomes)
    for folder, outcome in outcomes.items():
        same_as(record, outcome, folder / "joined" / NAME, good)


def _join(record: Record, good: Reference, folders: Iterable[Path]) -> None:
    """Join the shards of each folder."""
    joined = child.start(good.file.with_suffix(".txt"), [_merge(folder / NAME, folder / "joined") for folder in folders])
    if joined.ended():
        record.note("not joined", joined.printed[-400:])


def _sharded(scratch: Path, good: Reference) -> Path:
    """A folder in which all shards of the reference are there."""
    folder = scratch / f"shards-{FEW}"
    trained = child.start(scratch / "shards.txt", [_shard(good, folder, shard) for shard in SHARDS])
    if trained.ended():
        raise RuntimeError(f"shards without faults failed: {trained.printed[-2000:]}")
    return folder


def _shard(good: Reference, out: Path, shard: Shard) -> child.Job:
    return injection.relent, ["run", str(good.file), "--out", str(out), "--shard", f"{shard.index}/{shard.count}"]


def _merge(source: Path, out: Path, inject: Callable[[], object] = injection.relent) -> child.Job:
    return inject, ["merge", str(source), "--out", str(out)]


def _content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
