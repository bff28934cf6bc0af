"""`run.json`: what a run folder, or a report's copy of its rows, says about itself, as a validated schema."""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, FiniteFloat, NonNegativeFloat, NonNegativeInt, PositiveInt, field_validator, model_validator

from bench.registry import STRICT

SCHEMA_VERSION: Literal[3] = 3

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
CellId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
Time = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00$")]
FileName = Annotated[str, Field(pattern=r"^(lanes|curves)(/part-([0-9]{6}-)?[0-9a-f]{12})?\.parquet$")]
"""`lanes/part-...` in a run folder, `lanes.parquet` in a report: always relative, always inside the folder."""


class Record(BaseModel):
    """A node of the manifest: strict types, unknown keys are errors."""

    model_config = {**STRICT, "ser_json_inf_nan": "strings", "allow_inf_nan": False}


class Device(Record):
    """What lanes were sharded over."""

    platform: str
    kind: str
    count: PositiveInt


class Git(Record):
    """Commit of the checkout that trained, and whether it was changed since; None outside one."""

    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")] | None
    dirty: bool | None


class Provenance(Record):
    """Everything but the experiment that the bits of a row depend on, and where it was made. None: not recorded."""

    versions: dict[str, str]
    python: str
    platform: str
    device: Device
    cpu_features: str | None
    """Digest of the instruction set that XLA compiles for."""
    matmul_precision: str
    prng: str | None
    """Implementation of random keys, and what else of JAX's configuration changes draws."""
    xla_flags: str
    relu_gradient_at_zero: FiniteFloat
    git: Git
    source: Sha256 | None
    """Digest of the source code that trains."""
    own: dict[str, Sha256]
    """Digests of the source of the user's own modules, and of data files, by their names."""

    @model_validator(mode="after")
    def _names_what_trains(self) -> Self:
        for package in ("initbench", "jax", "jaxlib"):
            if package not in self.versions:
                raise ValueError(f"versions: '{package}' is missing")
        return self

    @property
    def id(self) -> str:
        """Names this provenance in the list of parts."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:12]


class Part(Record):
    """A file of rows."""

    file: FileName
    rows: NonNegativeInt
    sha256: Sha256
    provenance: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """Ids of the provenances under which its rows were made: one, but for a report's copy of a mixed run."""

    @property
    def kind(self) -> str:
        """`lanes` or `curves`."""
        return self.file.partition("/")[0].removesuffix(".parquet")


def _restored(content: Any) -> Any:
    """Content of a JSON file, in which an infinite number is a text."""
    if isinstance(content, dict):
        return {key: _restored(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_restored(value) for value in content]
    return float(content) if content in ("Infinity", "-Infinity") else content


class CellRecord(Record):
    """What a reader needs to know of a cell without importing anything that it names."""

    id: CellId
    label: str
    axes: dict[str, Any]
    draws: bool
    """Whether two init seeds give two different starts."""
    settings: dict[str, Any]
    """The settings that differ from the defaults; `id` is their digest."""

    @field_validator("axes", "settings")
    @classmethod
    def _as_numbers(cls, content: dict[str, Any]) -> dict[str, Any]:
        return _restored(content)


class Edit(Record):
    """A change of what judges (claims, laws) after rows existed."""

    when: Time
    judges_hash: Sha256


class Manifest(Record):
    """The manifest of one run."""

    schema_version: Literal[3]
    experiment: Name
    spec_hash: Sha256
    """Of what trains: cells, seeds, probes."""
    judges_hash: Sha256
    """Of what judged when the first row was made: claims and laws."""
    edits: Annotated[tuple[Edit, ...], Field(strict=False)] = ()
    provenance: Annotated[dict[CellId, Provenance], Field(min_length=1)]
    """By their ids, in the order in which they were met."""
    dtype: Annotated[str, Field(pattern=r"^float(32|64)(, float64)?$")]
    started: Time
    ended: Time | None
    complete: bool
    lanes: NonNegativeInt
    """Lanes of the whole experiment, trained or not yet."""
    curve_seeds: NonNegativeInt
    cells: Annotated[tuple[CellRecord, ...], Field(strict=False, min_length=1)]
    block_width: Annotated[tuple[NonNegativeInt, ...], Field(strict=False)]
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
            raise ValueError(f"parts: {rows} rows of lanes, but the experiment has {self.lanes}")
        if self.complete and self.ended is None:
            raise ValueError("ended: a complete run has an end")
        return self

    @property
    def of_report(self) -> bool:
        """Whether the rows are a report's copy, which may leave columns and curves out."""
        return any(part.file == "lanes.parquet" for part in self.parts)

    @property
    def latest(self) -> Provenance:
        """The provenance of the newest rows."""
        return list(self.provenance.values())[-1]

    @property
    def devices(self) -> list[Device]:
        """What its rows were made on."""
        return [made.device for made in self.provenance.values()]

    @property
    def text(self) -> str:
        """As it stands in `run.json`."""
        return self.model_dump_json(indent=2) + "\n"
