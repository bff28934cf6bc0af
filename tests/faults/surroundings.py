"""Surroundings that fail a run: disks without room, read-only folders, other processes, clocks that jump, a damaged cache."""

import os
import random
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.faults import child, injection
from tests.faults.interruptions import with_faults
from tests.faults.record import Record, family
from tests.faults.rows import MANY, NAME, Reference, one_line, reference, same_as

SHARES = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9)
"""Sizes of the disks, as shares of what the whole run takes."""
READ_ONLY = ("", "run.json", "experiment.toml", "lanes", "curves", ".lock")


@family(tries=7, quick=3)
def full_disks(scratch: Path, tries: int) -> Record:
    """A disk takes so many bytes and no more; then there is room again."""
    record = Record("full disk", "writes end in ENOSPC once the folder holds 0 to 90% of what the run takes; then with room again")
    good = reference(scratch)
    size = sum(path.stat().st_size for path in good.folder.rglob("*") if path.is_file())
    shares = SHARES if tries == len(SHARES) else SHARES[:: len(SHARES) // tries][:tries]
    out = [scratch / f"full-{round(100 * share)}" for share in shares]
    faults = [partial(injection.fill, folder, int(share * size)) for share, folder in zip(shares, out, strict=True)]
    with_faults(record, "one line, then the same bytes", good, out, faults)
    return record


@family(tries=12, quick=3)
def read_only(scratch: Path, tries: int) -> Record:
    """A folder, or a part of it, that cannot be written."""
    record = Record(
        "read-only", "the folder, or one file or folder in it, is on a read-only file system, before and within a run; then writable"
    )
    good = reference(scratch)
    out, faults = [], []
    for number in range(tries):
        folder = scratch / f"read-only-{number}"
        if number >= len(READ_ONLY):
            _begun(folder, good)
        out.append(folder)
        faults.append(partial(injection.refuse, folder, READ_ONLY[number % len(READ_ONLY)]))
    with_faults(record, "one line, then the same bytes", good, out, faults)
    return record


@family(tries=4, quick=1)
def three_processes(scratch: Path, tries: int) -> Record:
    """Three processes on one folder at once."""
    record = Record("three processes", "started at once on one folder: one trains, the others say so in one line")
    good = reference(scratch, MANY)
    for number in range(tries):
        folder = scratch / f"three-{number}"
        children = [child.train(scratch / f"three-{number}-{place}.txt", good.file, folder) for place in range(3)]
        codes = sorted(one.ended() for one in children)
        faults = [wrong for one in children if "initbench: " in one.printed and (wrong := one_line(one.printed))]
        if codes[0] != 0 or codes[-1] not in (0, 2) or faults:
            record.breaks(f"exit codes {codes}", "; ".join(faults))
        else:
            same_as(record, "one trained, the others stopped with one line", folder / NAME, good)
    return record


@family(tries=4, quick=1)
def clocks(scratch: Path, tries: int) -> Record:
    """Clocks that jump."""
    record = Record("clocks", "the time of day leaps by up to a day either way at each look, the steady clock by up to an hour forward")
    good = reference(scratch)
    for seed in range(tries):
        folder = scratch / f"clock-{seed}"
        run = child.train(scratch / f"clock-{seed}.txt", good.file, folder, inject=partial(injection.jump, seed))
        if run.ended():
            record.breaks("failed", run.printed[-400:])
        else:
            same_as(record, "same bytes", folder / NAME, good)
    return record


@family(tries=4, quick=1)
def compile_cache(scratch: Path, tries: int) -> Record:
    """A compilation cache whose files are damaged."""
    record = Record("compile cache", "every file in JAX_COMPILATION_CACHE_DIR is emptied, cut in half, flipped in one byte, or noise")
    good = reference(scratch)
    cache = scratch / "cache"
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}

    def run(folder: Path) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-m", "initbench", "run", str(good.file), "--out", str(folder)]
        return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)

    assert run(scratch / "cache-first").returncode == 0
    kept = shutil.copytree(cache, scratch / "cache-kept")
    rng = random.Random(3)
    for number in range(tries):
        shutil.rmtree(cache)
        shutil.copytree(kept, cache)
        for path in sorted(cache.rglob("*")):
            content = path.read_bytes() if path.is_file() else b""
            if content:
                place = rng.randrange(len(content))
                flipped = content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]
                path.write_bytes((b"", content[: len(content) // 2], flipped, rng.randbytes(len(content)))[number % 4])
        folder = scratch / f"cache-{number}"
        done = run(folder)
        if done.returncode:
            record.breaks(f"exit {done.returncode}", done.stderr[-400:])
        else:
            same_as(record, "compiled anew, same bytes", folder / NAME, good)
    return record


def _begun(folder: Path, good: Reference) -> None:
    """Leave a run there that was cut off."""
    run = child.train(folder.with_suffix(".txt"), good.file, folder, inject=partial(injection.fail, folder, 24))
    assert run.ended() == 2, run.printed
