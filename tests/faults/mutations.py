"""Experiment files and result folders that are changed at random: each is refused in one line, or read as it was."""

import copy
import hashlib
import io
import json
import random
import shutil
import signal
import tomllib
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import tomlkit

from analysis.rows.load import Run, load
from bench.runs.plan import plan
from initbench.cli.run import read_experiment
from tests.faults.record import Record, family
from tests.faults.rows import LANE, POINT, copied, differences, reference

SECONDS = 5
CHARACTERS = 1000
MOST_CELLS, BUILT = 20, 0.05
"""Of the files that are accepted, this share is built if they have no more cells."""
NASTY: tuple[Any, ...] = (
    float("nan"), float("inf"), -float("inf"), -1, 0, 1, 2, 0.5, 1e30, 2**31, 2**63 - 1, 10**30, True, False, "", " ", "x", "x" * 3000,
    "../../etc/passwd", "/dev/zero", "\x1b[31m", "[/bold]", "$x_{$", "=1+1", "<script>", "json:loads", ".x:y",
    "nowhere:nothing", "1/curvature", "zeros", "relu",
    [], [[]], {}, [1], ["zeros"], [float("nan")], {"name": "zeros"}, {"name": 5}, {"x": {"x": {"x": 1}}}, [[[[1]]]], [1, "a"],
)  # fmt: skip
"""Values that stand in for others."""


@family(tries=10_000, quick=200)
def mutated_files(scratch: Path, tries: int) -> Record:
    """Experiment files with random changes."""
    record = Record(
        "mutated experiment file", "1 to 3 keys or values of a file of the package are removed, renamed, replaced, moved; or bytes of it"
    )
    scratch.mkdir(parents=True, exist_ok=True)
    rng = random.Random(5)
    texts = [path.read_text() for path in sorted((Path(str(files("bench"))) / "experiments").glob("*.toml"))]
    texts = [text for text in texts if len(text) < 3000]
    file = scratch / "mutated.toml"
    for _ in range(tries):
        file.write_bytes(mutated_file(rng.choice(texts), rng))
        _judge(record, refused(lambda: _accept(file, rng)), "accepted", file.read_text(errors="replace"))
    return record


@family(tries=2_000, quick=40)
def mutated_folders(scratch: Path, tries: int) -> Record:
    """Result folders with random changes."""
    record = Record(
        "mutated result folder", "one change of run.json, of the experiment file or of a file of rows, in its bytes or in its values"
    )
    good = reference(scratch, 20)
    wanted = load(good.folder)
    rng = random.Random(6)
    for number in range(tries):
        folder = copied(good, scratch / f"mutated-{number}")
        what = mutate_folder(folder, rng)
        _read_as(record, folder, wanted, what)
    return record


@family(tries=200, quick=16)
def forged_folders(scratch: Path, tries: int) -> Record:
    """Result folders whose rows cannot be, with checksums that are right."""
    record = Record("forged rows", f"rows that cannot be, with the right checksum: {', '.join((*LANES, *CURVES))}")
    good = reference(scratch, 20)
    wanted = load(good.folder)
    rng = random.Random(7)
    ways = [(kind, name, forge) for kind, forges in (("lanes", LANES), ("curves", CURVES)) for name, forge in forges.items()]
    for number in range(tries):
        folder = copied(good, scratch / f"forged-{number}")
        kind, name, forge = ways[number % len(ways)]
        _rewrite(folder, kind, forge, rng)
        _read_as(record, folder, wanted, name)
    return record


def _read_as(record: Record, folder: Path, wanted: Run, what: str) -> None:
    """Count a changed folder, which has to be refused or to be read as it was before, and remove it."""
    found: list[Run] = []
    said = refused(lambda: found.append(load(folder)))
    shutil.rmtree(folder.parent)
    if found:
        [run] = found
        lanes = differences(run.lanes, wanted.lanes, LANE)
        curves = differences(run.curves, wanted.curves, POINT)
        if any((*lanes, *curves)):
            record.add(lanes, curves)
            return record.breaks("read, with other rows", what)
    _judge(record, said, "read, with the same rows", what)


def _accept(file: Path, rng: random.Random) -> None:
    """Read an experiment as the command line does; a few of those that it accepts are built, which takes longer."""
    experiment = read_experiment(str(file), None, [])
    if len(experiment.cells) <= MOST_CELLS and rng.random() < BUILT:
        plan(experiment)


def _judge(record: Record, said: str | None, outcome: str, what: str) -> None:
    if said is None:
        record.keeps(outcome)
    elif said.startswith("! "):
        record.breaks(said[2:].partition(":")[0], f"{said} {what}")
    elif len(said) > CHARACTERS or "\n" in said.strip():
        record.breaks("a long message", f"{len(said)} characters: {said[:100]}")
    else:
        record.keeps("refused in one line")


class TooSlow(BaseException):
    """More than `SECONDS` have passed."""


def refused(read: Callable[[], object]) -> str | None:
    """What reading says that refuses; `! ...` if it ends in anything but one of the errors that the command line tells; None: it reads."""
    try:
        with _in_time():
            read()
    except (ValueError, OSError, MemoryError) as error:
        return str(error)
    except TooSlow:
        return f"! more than {SECONDS} s:"
    except Exception as error:
        return f"! traceback: {type(error).__name__}: {str(error)[:200]}"
    return None


@contextmanager
def _in_time() -> Iterator[None]:
    """Processor time, which other processes take nothing from."""

    def stop(number: int, frame: types.FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


# Mutations -----------------------------------------------------------------------------------------------------------


def mutated_file(text: str, rng: random.Random) -> bytes:
    """An experiment file with some changes."""
    if rng.random() < 0.2:
        return mutated_bytes(text.encode(), rng)
    content = tomllib.loads(text)
    for _ in range(rng.randint(1, 3)):
        mutate(content, rng)
    try:
        return tomlkit.dumps(content).encode()
    except Exception:  # Values that TOML cannot hold.
        return mutated_bytes(text.encode(), rng)


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """A few bytes removed, replaced or put in, or the end cut off."""
    if not content or rng.random() < 0.1:
        return content[: rng.randrange(len(content) + 1)]
    place, length = rng.randrange(len(content)), rng.choice((0, 1, 1, 2, 20))
    return content[:place] + rng.choice((b"", rng.randbytes(1), b'"', b"[", b"=", b"9", b"\x00", b"\xff")) + content[place + length :]


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a tree of dicts and lists."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
    return [place for key in keys for place in ((node, key), *places(node[key]))]


def mutate(content: Any, rng: random.Random) -> None:
    """Change a tree at one place."""
    found = places(content)
    if not found:
        return
    node, key = rng.choice(found)
    kind = rng.randrange(6)
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, dict):
        name = rng.choice((key[:-1], key + "s", key.swapcase(), "", "name", "x.y", rng.choice(found)[1]))
        node[str(name)] = node.pop(key)
    elif kind == 2:
        other, place = rng.choice(found)
        node[key] = json.loads(json.dumps(other[place], default=str)) if isinstance(place, str) or place < len(other) else 0
    elif kind == 3 and isinstance(node, list):
        node.insert(rng.randrange(len(node) + 1), node[key])
    elif kind == 4 and isinstance(node[key], int | float) and not isinstance(node[key], bool):
        node[key] = rng.choice((-node[key], node[key] + 1, node[key] * 1000, node[key] / 3, str(node[key])))
    else:
        # A copy: what is changed later must not be changed in the list, nor become a part of itself.
        node[key] = copy.deepcopy(rng.choice(NASTY))


def mutate_folder(folder: Path, rng: random.Random) -> str:
    """Change one thing in a run folder; what was done."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    path = rng.choice(paths)
    kind = rng.randrange(4)
    if kind == 0:
        path.unlink()
        return f"{path.name} removed"
    if kind == 1:
        other = rng.choice(paths)
        shutil.copyfile(other, folder / "copy")
        (folder / "copy").replace(path)
        return f"{path.name} is now {other.name}"
    if kind == 2:
        path.write_bytes(mutated_bytes(path.read_bytes(), rng))
        return f"bytes of {path.name} changed"
    return _mutate_manifest(folder, rng)


def _mutate_manifest(folder: Path, rng: random.Random) -> str:
    file = folder / "run.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    before = json.dumps(content, sort_keys=True)
    # Half of the changes where it says which rows there are.
    mutate(content["parts"] if rng.random() < 0.5 else content, rng)
    after = json.dumps(content, sort_keys=True)
    file.write_text(after, encoding="utf-8")
    place = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    return f"run.json: {before[place - 40 : place + 40]} -> {after[place - 40 : place + 60]}"


# Rows that cannot be -------------------------------------------------------------------------------------------------

Forge = Callable[[pd.DataFrame, random.Random], pd.DataFrame]


def _at(name: str, value: Any) -> Forge:
    """One row with another value in a column; a function is applied to the value that is there."""

    def forge(rows: pd.DataFrame, rng: random.Random) -> pd.DataFrame:
        place = rng.randrange(len(rows))
        changed = rows[name].tolist()
        changed[place] = value(changed[place]) if callable(value) else value
        return rows.assign(**{name: pd.array(changed, dtype=rows[name].dtype)})

    return forge


def _twice(rows: pd.DataFrame, rng: random.Random) -> pd.DataFrame:
    """One row in the place of another."""
    one, other = rng.sample(range(len(rows)), 2)
    return rows.take([one if place == other else place for place in range(len(rows))])


def _without_a_curve(points: pd.DataFrame, rng: random.Random) -> pd.DataFrame:
    one = points.iloc[rng.randrange(len(points))]
    return points[(points["cell"] != one["cell"]) | (points["init_seed"] != one["init_seed"])]


LANES: dict[str, Forge] = {
    "a training run twice": _twice,
    "a seed that the experiment lacks": _at("init_seed", lambda seed: seed + 1000),
    "a cell that it lacks": _at("cell", "0123456789ab"),
    "an unknown outcome": _at("outcome", "great"),
    "more steps than the budget": _at("steps_run", lambda steps: steps + 10**6),
    "a column less": lambda rows, rng: rows.drop(columns=rng.choice(["outcome", "loss_final", "steps_run", "init_seed"])),
    "a label of another cell": lambda rows, rng: _at("initializer", "zeros" if rows["initializer"].iloc[0] != "zeros" else "he_normal")(
        rows, rng
    ),
}
CURVES: dict[str, Forge] = {
    "a point twice": _twice,
    "a training run without its curve": _without_a_curve,
    "a curve of a training run that the experiment lacks": _at("init_seed", lambda seed: seed + 1000),
}


def _rewrite(folder: Path, kind: str, forge: Forge, rng: random.Random) -> None:
    """Forge the rows of a file, and have the manifest say that they are right."""
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    part = next(part for part in manifest["parts"] if part["file"].startswith(kind))
    file = folder / part["file"]
    table = pq.read_table(file)
    rows = forge(table.to_pandas(types_mapper=pd.ArrowDtype), rng)
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None), content, compression="zstd")
    file.unlink()
    part["sha256"] = hashlib.sha256(content.getvalue()).hexdigest()
    part["file"], part["rows"] = f"{kind}/part-{part['sha256'][:12]}.parquet", len(rows)
    (folder / part["file"]).write_bytes(content.getvalue())
    (folder / "run.json").write_text(json.dumps(manifest), encoding="utf-8")
