"""Files of rows that are damaged on the disk; the same command again repairs them."""

import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.runs.manifest import read_manifest
from tests.faults import child, injection
from tests.faults.interruptions import resumed
from tests.faults.record import Record, family
from tests.faults.rows import NAME, Reference, copied, reference

Damage = Callable[[Path, random.Random], object]
"""What is done to a file of rows."""


def _flipped(file: Path, rng: random.Random) -> None:
    content = bytearray(file.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(content)


def _truncated(file: Path, rng: random.Random) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: rng.randrange(len(content))])


def _swapped(file: Path, rng: random.Random) -> None:
    """With another file of the run, of the same kind where there is one."""
    others = [path for path in file.parents[1].rglob("*.parquet") if path != file]
    other = rng.choice([path for path in others if path.parent == file.parent] or others)
    ours, theirs = file.read_bytes(), other.read_bytes()
    file.write_bytes(theirs)
    other.write_bytes(ours)


def _duplicated(file: Path, rng: random.Random) -> None:
    """As a file that the manifest does not list, and over another one that it lists."""
    shutil.copyfile(file, file.with_name(f"part-{rng.randrange(16**12):012x}.parquet"))
    others = [path for path in file.parent.glob("*.parquet") if path != file]
    if others:
        shutil.copyfile(file, rng.choice(others))


DAMAGES: dict[str, Damage] = {
    "one bit flipped": _flipped,
    "truncated": _truncated,
    "emptied": lambda file, rng: file.write_bytes(b""),
    "removed": lambda file, rng: file.unlink(),
    "its folder removed": lambda file, rng: shutil.rmtree(file.parent),
    "swapped": _swapped,
    "duplicated": _duplicated,
}


@family(tries=56, quick=7)
def damaged_rows(scratch: Path, tries: int) -> Record:
    """Files of rows of training runs that are damaged."""
    return _damaged(scratch, "lanes", "rows", tries)


@family(tries=56, quick=7)
def damaged_curves(scratch: Path, tries: int) -> Record:
    """Files of curves that are damaged."""
    return _damaged(scratch, "curves", "curves", tries)


def _damaged(scratch: Path, kind: str, name: str, tries: int) -> Record:
    """Damage a file of a kind, which the page calls `name`, in a finished run or in one that was cut off, in turns."""
    record = Record(f"damaged {name}", f"one file of {name}, of a finished run or one cut off: {', '.join(DAMAGES)}; then the same command")
    good = reference(scratch)
    begun = _cut_off(scratch, good, kind)
    rng = random.Random(4)
    out = []
    for number in range(tries):
        folder = scratch / f"damaged-{number}"
        out.append(folder)
        run = copied(begun if number // len(DAMAGES) % 2 else good, folder)
        files = sorted((run / kind).glob("*.parquet"))
        list(DAMAGES.values())[number % len(DAMAGES)](rng.choice(files), rng)
    resumed(record, good, dict.fromkeys(out, "repaired to the same bytes"))
    return record


def _cut_off(scratch: Path, good: Reference, kind: str) -> Reference:
    """A run that has several files of this kind, and not yet all."""
    for at in range(60, 10, -4):
        folder = scratch / f"cut-off-{at}"
        run = child.train(folder.with_suffix(".txt"), good.file, folder, inject=partial(injection.fail, folder, at))
        if run.ended() == 2 and any(part.kind == kind for part in read_manifest(folder / NAME).parts):
            return Reference(good.file, folder / NAME)
    raise RuntimeError("no run could be cut off")
