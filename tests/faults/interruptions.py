"""Runs that are cut off: killed, crashed at each operation on the disk, failed by the device, stopped by a signal."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.faults import child, injection
from tests.faults.record import Record, family
from tests.faults.rows import MANY, NAME, Reference, one_line, reference, same_as

AT_ONCE = 2
"""Processes side by side."""
AGAIN = "same bytes after the same command again"


@family(tries=20, quick=3)
def kills(scratch: Path, tries: int) -> Record:
    """`kill -9` at random moments of a run, every second time once more while it resumes."""
    record = Record(
        "kill -9", "a run that writes parts as fast as it can is killed at a random moment; every second one again as it resumes"
    )
    good = reference(scratch, MANY)
    rng = random.Random(1)
    began = time.monotonic()
    assert child.train(scratch / "timed.txt", good.file, scratch / "timed").ended() == 0
    lasts = time.monotonic() - began
    out = [scratch / f"kill-{number}" for number in range(tries)]
    for number, folder in enumerate(out):
        for _ in range(1 + number % 2):
            process = child.train(folder.with_suffix(".txt"), good.file, folder)
            process.process.join(rng.uniform(0, lasts))
            process.process.kill()
            process.ended()
    resumed(record, good, dict.fromkeys(out, AGAIN))
    return record


@family(tries=96, quick=6)
def crash_points(scratch: Path, tries: int) -> Record:
    """The process ends just before an operation on the disk."""
    record = Record("crash", "the process ends without a word just before one fsync, rename, unlink, mkdir or open for writing")
    good = reference(scratch)
    out = [scratch / f"crash-{number}" for number in range(tries)]
    points = _points(scratch, good, tries)
    for pairs in batched(out, points):
        running = [
            child.train(folder.with_suffix(".txt"), good.file, folder, inject=partial(injection.die, folder, at)) for folder, at in pairs
        ]
        codes = [one.ended() for one in running]
        assert set(codes) <= {0, injection.DIED}, running[0].printed
    resumed(record, good, dict.fromkeys(out, AGAIN))
    return record


@family(tries=96, quick=12)
def failing_operations(scratch: Path, tries: int) -> Record:
    """An operation on the disk fails, and the process is there to say so."""
    record = Record("I/O error", "one fsync, rename, unlink, mkdir or open for writing fails with EIO; then the same command again")
    good = reference(scratch)
    out = [scratch / f"failing-{number}" for number in range(tries)]
    faults = [partial(injection.fail, folder, at) for folder, at in zip(out, _points(scratch, good, tries), strict=True)]
    with_faults(record, "one line, then the same bytes", good, out, faults)
    return record


@family(tries=16, quick=2)
def signals(scratch: Path, tries: int) -> Record:
    """SIGINT and SIGTERM at random moments of a command, its start included."""
    record = Record("SIGINT, SIGTERM", "sent to `initbench run` at a random moment, its imports included; then the same command again")
    good = reference(scratch, MANY)
    rng = random.Random(2)
    began = time.monotonic()
    assert _command(good.file, scratch / "timed-signal").wait() == 0
    lasts = time.monotonic() - began
    outcomes: dict[Path, str] = {}
    for number in range(tries):
        sent = (signal.SIGINT, signal.SIGTERM)[number % 2]
        folder = scratch / f"signal-{number}"
        process = _command(good.file, folder)
        try:
            printed, _ = process.communicate(timeout=lasts * rng.uniform(0.05, 0.95))
        except subprocess.TimeoutExpired:
            process.send_signal(sent)
            printed, _ = process.communicate()
        code, began_to_write = process.returncode, (folder / NAME / "run.json").exists()
        if code not in (0, 128 + sent, -sent) or "Traceback" in printed:
            record.breaks(f"exit {code}", printed[-400:])
        elif code == -sent and began_to_write:
            record.breaks("ended without a word", f"by {sent.name}")
        else:
            ends = {0: "over before the signal", -sent: "stopped as it started, then the same bytes"}
            outcomes[folder] = ends.get(code, f"exit {code}, then the same bytes")
    resumed(record, good, outcomes)
    return record


def resumed(record: Record, good: Reference, outcomes: dict[Path, str]) -> None:
    """Run the same command to its end in each of these folders, and count its outcome if nothing is missing then."""
    again = child.train(good.file.with_suffix(".txt"), good.file, *outcomes)
    if again.ended():
        record.note("not resumed", again.printed[-400:])
    for folder, outcome in outcomes.items():
        same_as(record, outcome, folder / NAME, good)


def batched(folders: list[Path], points: list[int]) -> Iterator[list[tuple[Path, int]]]:
    """As many at a time as run side by side."""
    pairs = list(zip(folders, points, strict=True))
    for first in range(0, len(pairs), AT_ONCE):
        yield pairs[first : first + AT_ONCE]


def with_faults(record: Record, outcome: str, good: Reference, out: list[Path], faults: list[partial[None]]) -> None:
    """Run the command in each folder under its fault, which it has to tell in one line and by exit code 2, and again without."""
    jobs: list[child.Job] = [(fault, ["run", str(good.file), "--out", str(folder)]) for fault, folder in zip(faults, out, strict=True)]
    for folder, (code, printed) in zip(out, child.start(out[0].with_suffix(".txt"), jobs).results(), strict=True):
        wrong = one_line(printed) if code else None
        if wrong or code not in (0, 2):
            record.note("no clear line", f"{folder.name}: exit {code}: {wrong}")
    resumed(record, good, dict.fromkeys(out, outcome))


def _points(scratch: Path, good: Reference, tries: int) -> list[int]:
    """Numbers of operations, spread over all that a run does."""
    folder = scratch / "counted"
    numbers = scratch / "operations.txt"
    counted = child.train(scratch / "counted.txt", good.file, folder, inject=partial(injection.count, folder, numbers))
    assert counted.ended() == 0, counted.printed
    total = numbers.stat().st_size
    return [1 + number * total // tries for number in range(tries)]


def _command(file: Path, folder: Path) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "initbench", "run", str(file), "--out", str(folder)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
