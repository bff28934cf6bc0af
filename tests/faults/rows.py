"""What a run left behind, held against the same run without any fault."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.rows.load import load
from bench.runs.manifest import read_manifest
from tests.faults import child
from tests.faults.record import Record

NAME = "faults"
EXPERIMENT = f"""
name = "{NAME}"
question = "What does a fault cost?"
task = "xor"
model = "linear"
probes = []
[grid]
"task.loss" = ["cross_entropy", "mse"]
initializer = ["zeros", "glorot_normal"]
[optimizer]
name = "sgd"
learning_rate = 0.5
[training]
steps = 400
[seeds]
init = {{lanes}}
"""
FEW, MANY = 300, 40_000
"""Init seeds for each of the four cells: of a run that is over at once, and of one that writes for some seconds."""
LANE = ["cell", "data_seed", "init_seed"]
POINT = [*LANE, "step"]
"""What names a row of lanes, and a point of a curve."""


@dataclass(frozen=True)
class Reference:
    """An experiment file and the folder of a run of it that nothing disturbed."""

    file: Path
    folder: Path


def reference(scratch: Path, lanes: int = FEW) -> Reference:
    """The uninterrupted run."""
    scratch.mkdir(parents=True, exist_ok=True)
    file = scratch / f"{NAME}-{lanes}.toml"
    whole = scratch / f"whole-{lanes}"
    if not (whole / NAME / "run.json").exists():
        file.write_text(EXPERIMENT.format(lanes=lanes), encoding="utf-8")
        run = child.train(scratch / "whole.txt", file, whole)
        if run.ended():
            raise RuntimeError(f"the run without faults failed: {run.printed[-2000:]}")
    return Reference(file, whole / NAME)


def copied(good: Reference, out: Path) -> Path:
    """A copy of the finished run below another `--out`."""
    return Path(shutil.copytree(good.folder, out / NAME))


def files_of(folder: Path) -> list[tuple[str, str]]:
    """Name and sha256 of each listed file of rows, as it is on the disk."""
    return [(part.file, hashlib.sha256((folder / part.file).read_bytes()).hexdigest()) for part in read_manifest(folder).parts]


def same_as(record: Record, outcome: str, folder: Path, good: Reference) -> None:
    """Count a fault whose run has gone to its end: what it left is to be that of the uninterrupted run, byte by byte."""
    try:
        found, wanted = load(folder), load(good.folder)
    except (ValueError, OSError) as error:
        record.lost += len(load(good.folder).lanes)
        return record.breaks("cannot be read", str(error))
    lanes = differences(found.lanes, wanted.lanes, LANE)
    curves = differences(found.curves, wanted.curves, POINT)
    record.add(lanes, curves)
    if any((*lanes, *curves)):
        record.breaks("other rows", f"{folder}")
    elif files_of(folder) != files_of(good.folder):
        record.breaks("other bytes", f"{folder}")
    else:
        record.keeps(outcome)


def differences(found: pd.DataFrame, wanted: pd.DataFrame, key: list[str]) -> tuple[int, int, int]:
    """Rows that are lost, doubled, and changed; a row that nobody wanted counts as changed."""
    if not set(key) <= set(found.columns):
        return len(wanted), 0, 0
    doubled = int(found.duplicated(key).sum())
    ours, theirs = found.drop_duplicates(key).set_index(key).sort_index(), wanted.set_index(key).sort_index()
    lost = len(theirs.index.difference(ours.index))
    extra = len(ours.index.difference(theirs.index))
    both = ours.index.intersection(theirs.index)
    ours, theirs = ours.loc[both].astype(object), theirs.loc[both].reindex(columns=ours.columns).astype(object)
    equal = (ours == theirs) | (ours.isna() & theirs.isna())
    return lost, doubled, extra + int((~equal.all(axis=1)).sum())


def one_line(printed: str) -> str | None:
    """What is wrong with what a failed command said: None if it is one line of at most 1,000 characters."""
    lines = [line for line in printed.splitlines() if line.startswith("initbench: ")]
    if "Traceback" in printed:
        return f"traceback: {printed[-300:]}"
    if len(lines) != 1:
        return f"{len(lines)} messages: {printed[-300:]}"
    return None if len(lines[0]) <= 1000 else f"{len(lines[0])} characters: {lines[0][:100]}"
