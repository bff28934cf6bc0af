"""`run.json`: what a run folder, or a report's copy of its rows, says about itself, as a validated schema."""

import json
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, ValidationError, field_validator, model_validator

from bench.messages import explain, one_line, shown
from bench.runs.files import read_inside
from bench.runs.provenance import Device, Provenance, differences
from bench.runs.record import CellId, FileName, Record, Sha256, Time
from bench.spec import Name

SCHEMA_VERSION: Literal[3] = 3
MOST_MANIFEST = 1 << 28
"""Largest size in bytes of a manifest that is read."""
MOST_SHARDS = 1_000_000
"""Most shards that an experiment is cut into."""


class Part(Record):
    """A file of rows."""

    file: FileName
    rows: NonNegativeInt
    sha256: Sha256
    provenance: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """Ids of the provenances under which its rows were made: one, except in a report's copy of a mixed run."""

    @property
    def kind(self) -> str:
        """The kind of its rows: `lanes` or `curves`."""
        return self.file.partition("/")[0].removesuffix(".parquet")


class CellRecord(Record):
    """The facts about a cell that a reader needs without importing anything that the cell names."""

    id: CellId
    label: str
    axes: dict[str, Any]
    draws: bool
    """Whether two init seeds give two different starts."""
    seeded: bool | None = None
    """Whether two data seeds give two different data sets; None in folders that were begun before this was recorded."""
    resamples: bool = False
    """Whether every data seed draws from one fixed data set."""
    classes: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """The labels of the task's classes, in the order of the classes; empty if they are plain numbers."""
    settings: dict[str, Any]
    """The settings that differ from the defaults; `id` is their digest."""

    @field_validator("axes", "settings")
    @classmethod
    def _as_numbers(cls, content: dict[str, Any]) -> dict[str, Any]:
        return _restored(content)


def _restored(content: Any) -> Any:
    """Replace the texts by which JSON stands for infinite numbers with these numbers."""
    if isinstance(content, dict):
        return {key: _restored(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_restored(value) for value in content]
    return float(content) if content in ("Infinity", "-Infinity") else content


class Edit(Record):
    """A change of the claims or laws after rows existed."""

    when: Time
    judges_hash: Sha256


class Share(Record):
    """The share of an experiment that a folder holds, where it is not the whole of it."""

    index: NonNegativeInt
    count: Annotated[int, Field(gt=0, le=MOST_SHARDS)]
    """Number of shards that the experiment was cut into; this is number `index`, counted from 0."""
    lanes: NonNegativeInt
    """Number of training runs of this share, trained or not."""
    whole: bool
    """Whether all of them are there, in order."""
    host: str
    """Name of the host that began, or went on with, the share last."""


class Manifest(Record):
    """The manifest of one run."""

    schema_version: Literal[3]
    experiment: Name
    spec_hash: Sha256
    """Hash of everything that trains: cells, seeds, probes."""
    judges_hash: Sha256
    """Hash of the claims and laws that judged when the first row was made."""
    criteria: dict[Name, Sha256] | None = None
    """Hash of each claim at that time, by its id; None in folders that were begun before this was recorded."""
    edits: Annotated[tuple[Edit, ...], Field(strict=False)] = ()
    provenance: Annotated[dict[CellId, Provenance], Field(min_length=1)]
    """Provenances by their ids, oldest first."""
    dtype: Annotated[str, Field(pattern=r"^float(32|64)(, float64)?$")]
    started: Time
    ended: Time | None
    complete: bool
    lanes: NonNegativeInt
    """Number of training runs of the whole experiment, trained or not."""
    share: Share | None = None
    """The share of them that this folder is to hold; None: all."""
    curve_seeds: NonNegativeInt
    """Curves are kept of training runs whose seeds are both among so many first ones."""
    cells: Annotated[tuple[CellRecord, ...], Field(strict=False, min_length=1)]
    block_width: Annotated[tuple[NonNegativeInt, ...], Field(strict=False)]
    """Width of the blocks of each program, 0 where none has been chosen."""
    programs: NonNegativeInt = 0
    compilations: NonNegativeInt = 0
    compile_seconds: NonNegativeFloat = 0.0
    run_seconds: NonNegativeFloat = 0.0
    seed_steps: NonNegativeInt = 0
    seed_steps_per_second: NonNegativeFloat = 0.0
    peak_memory_bytes: NonNegativeInt = 0
    parts: Annotated[tuple[Part, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        files = [part.file for part in self.parts]
        if len(set(files)) < len(files):
            raise ValueError(f"parts: {next(file for file in files if files.count(file) > 1)} is listed twice")
        if len({"/" in file for file in files}) > 1:
            raise ValueError("parts: those of a run and of a report stand side by side")
        for name, provenance in self.provenance.items():
            if name != provenance.id:
                raise ValueError(f"provenance: '{name}' is not the digest of its content")
        unknown = {name for part in self.parts for name in part.provenance} - set(self.provenance)
        if unknown:
            raise ValueError(f"parts: provenance '{min(unknown)}' is not listed")
        ids = [cell.id for cell in self.cells]
        if len(set(ids)) < len(ids):
            raise ValueError(f"cells: {next(one for one in ids if ids.count(one) > 1)} is listed twice")
        rows = sum(part.rows for part in self.parts if part.kind == "lanes")
        if rows > self.lanes or self.complete and rows != self.lanes:
            raise ValueError(f"parts: {rows} rows of training runs, but the experiment has {self.lanes}")
        share = self.share
        if share is not None and (share.index >= share.count or share.lanes > self.lanes or share.whole and rows != share.lanes):
            raise ValueError(f"share: {share.lanes} training runs of shard {share.index} of {share.count}, but {rows} of {self.lanes} rows")
        if self.complete and self.ended is None:
            raise ValueError("ended: a complete run has an end")
        return self

    def changed(self, **changes: object) -> "Manifest":
        """Return the manifest with these fields changed, and checked again."""
        return Manifest(**{**{name: getattr(self, name) for name in Manifest.model_fields}, **changes})

    @property
    def whole(self) -> bool:
        """Whether everything that the folder is to hold is there, in order."""
        return self.complete or self.share is not None and self.share.whole

    @property
    def under_way(self) -> dict[str, object]:
        """The fields that say that a run is whole, with the values of one that is not."""
        return {"complete": False, "share": self.share and self.share.model_copy(update={"whole": False})}

    @property
    def of_report(self) -> bool:
        """Whether the rows are a report's copy, which may leave out columns and curves."""
        return any(part.file == "lanes.parquet" for part in self.parts)

    @property
    def mixed(self) -> list[str]:
        """Differences between the provenances of its rows that can change bits; empty if there are none."""
        first, *others = self.in_use or [self.latest]
        return list(dict.fromkeys(difference for other in others for difference in differences(first, other)))

    def made_otherwise(self, other: "Manifest") -> list[str]:
        """List the differences that can change bits between the provenances of its rows and those of another run."""
        pairs = product(self.in_use or [self.latest], other.in_use or [other.latest])
        return list(dict.fromkeys(difference for ours, theirs in pairs for difference in differences(ours, theirs)))

    @property
    def in_use(self) -> list[Provenance]:
        """The provenances under which there are rows."""
        used = {name for part in self.parts for name in part.provenance}
        return [provenance for name, provenance in self.provenance.items() if name in used]

    @property
    def judged_by(self) -> str:
        """The hash of the claims and laws that judge now."""
        return self.edits[-1].judges_hash if self.edits else self.judges_hash

    @property
    def latest(self) -> Provenance:
        """The provenance of the newest rows."""
        return list(self.provenance.values())[-1]

    @property
    def devices(self) -> list[Device]:
        """The devices that its rows were made on."""
        return [made.device for made in self.provenance.values()]

    @property
    def text(self) -> str:
        """The manifest as it stands in `run.json`."""
        return self.model_dump_json(indent=2, exclude={"share"} if self.share is None else None) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read `run.json` of a run folder; ValueError with one line if it is missing or broken."""
    path = folder / "run.json"
    try:
        text = read_inside(folder, "run.json", MOST_MANIFEST).decode()
        content = json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_number)
    except FileNotFoundError as error:
        raise ValueError(f"{folder}: no run here (run.json is missing)") from error
    except OSError as error:
        raise ValueError(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(one_line(f"{path}: cannot be read: {error}")) from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise ValueError(f"{path}: schema_version = {shown(version)}; this version reads {SCHEMA_VERSION}")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{path}: {explain(error, Manifest)}") from error


def read_repairable(folder: Path) -> Manifest:
    """Read the manifest of a folder that is about to be written; ValueError with one line if it is broken.

    A manifest that is valid except that it calls a run, or a share, complete which is not is read as that of an incomplete one.
    """
    try:
        return read_manifest(folder)
    except ValueError:
        content = json.loads((folder / "run.json").read_text(encoding="utf-8")) if is_manifest(folder / "run.json") else {}
        try:
            share = {"share": {**content["share"], "whole": False}} if isinstance(content.get("share"), dict) else {}
            return Manifest.model_validate({**content, **share, "complete": False})
        except ValidationError:
            pass
        raise


def is_manifest(path: Path) -> bool:
    """Whether a file looks like a `run.json` that some version of this package wrote."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "schema_version" in content and "parts" in content


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object of its pairs; ValueError if a key stands in it twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {shown(next(name for name in names if names.count(name) > 1))} stands there twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
