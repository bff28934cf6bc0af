"""`run.json`: what a run folder, or a report's copy of its rows, says about itself, as a validated schema."""

import hashlib
import json
from datetime import datetime
from itertools import product
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    field_validator,
    model_validator,
)

from bench.registry import STRICT
from bench.spec import Name

SCHEMA_VERSION: Literal[3] = 3

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
CellId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]


def _real_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Time = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00$"), AfterValidator(_real_time)]
FileName = Annotated[str, Field(pattern=r"^(lanes|curves)(/part-([0-9]{6}-)?[0-9a-f]{12})?\.parquet$")]
"""`lanes/part-...` in a run folder, `lanes.parquet` in a report: always relative, always inside the folder."""

TRAINING_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "scikit-learn")
"""Packages that compute what is trained, or its data."""
HARMLESS_FLAGS = ("--xla_force_host_platform_device_count", "--xla_dump_", "--xla_hlo_profile")
"""How the names of those XLA flags begin that change no bits."""


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
    """The processor's family and the vector instructions that XLA compiles for."""
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
    configuration: dict[str, str] = {}
    """What was changed of JAX's configuration, or of the environment, that can change bits."""

    @model_validator(mode="after")
    def _names_what_trains(self) -> Self:
        for package in ("initbench", "jax", "jaxlib"):
            if package not in self.versions:
                raise ValueError(f"versions: '{package}' is missing")
        return self

    @property
    def id(self) -> str:
        """Names this provenance in the list of parts; a field that was added later and has its default does not count."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True).encode()).hexdigest()[:12]


def differences(before: Provenance, now: Provenance) -> list[str]:
    """What can change bits and is not the same, in words: 'jax 0.7.0, now 0.7.1'.

    Where it was made does not count (commit, operating system, Python), nor the number of devices, nor packages that only store or
    read rows. What only one of the two has recorded counts as different.
    """
    found = [
        _differs(package, before.versions.get(package), now.versions.get(package))
        for package in TRAINING_PACKAGES
        if before.versions.get(package) != now.versions.get(package)
    ]
    for name, old, new in (
        ("platform", before.device.platform, now.device.platform),
        ("device", before.device.kind, now.device.kind),
        ("precision of matrix products", before.matmul_precision, now.matmul_precision),
        ("random keys", before.prng, now.prng),
        ("gradient of ReLU at 0", before.relu_gradient_at_zero, now.relu_gradient_at_zero),
    ):
        found += [_differs(name, old, new)] if old != new else []
    found += _changed_words("CPU", (before.cpu_features or "").split(), (now.cpu_features or "").split())
    found += _changed_words("XLA flags", _flags(before.xla_flags), _flags(now.xla_flags))
    for name in sorted(before.configuration.keys() | now.configuration.keys()):
        old_value, new_value = (one.configuration.get(name, "its default") for one in (before, now))
        found += [_differs(name, old_value, new_value)] if old_value != new_value else []
    if before.source != now.source:
        known = before.source is not None and now.source is not None
        found.append(f"source code of initbench {'changed' if known else 'is not recorded on one side'}")
    for name in sorted(before.own.keys() | now.own.keys()):
        if before.own.get(name) != now.own.get(name):
            found.append(f"'{name}' " + ("changed" if name in before.own and name in now.own else "is not recorded on one side"))
    return found


def _differs(name: str, before: object, now: object) -> str:
    old, new = ("not recorded" if value is None else value for value in (before, now))
    return f"{name} {old}, now {new}"


def _changed_words(name: str, before: list[str], now: list[str]) -> list[str]:
    """What went and what came, as one difference; nothing if they have the same words."""
    gone, come = ([word for word in one if word not in other] for one, other in ((before, now), (now, before)))
    if not gone and not come:
        return []
    if not before or not now:
        return [f"{name} {'not recorded' if not before else ' '.join(before)}, now {'not recorded' if not now else ' '.join(now)}"]
    return [f"{name}: " + ", ".join([*([f"without {' '.join(gone)}"] if gone else []), *([f"with {' '.join(come)}"] if come else [])])]


def _flags(text: str) -> list[str]:
    """XLA's flags, the last of each name, but those that change no bits."""
    last = {flag.partition("=")[0]: flag for flag in text.split()}
    return sorted(flag for name, flag in last.items() if not name.startswith(HARMLESS_FLAGS))


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
    seeded: bool | None = None
    """Whether two data seeds give two different data sets; None in folders that were begun before this was kept."""
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
    criteria: dict[Name, Sha256] | None = None
    """Of each claim then, by its id; None in folders that were begun before this was kept."""
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
    def mixed(self) -> list[str]:
        """How the provenances of its rows differ in what can change bits; nothing if the run is all of one kind."""
        first, *others = self.in_use or [self.latest]
        return list(dict.fromkeys(difference for other in others for difference in differences(first, other)))

    def made_otherwise(self, other: "Manifest") -> list[str]:
        """How the provenances of its rows and those of another run differ in what can change bits."""
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
        """What its rows were made on."""
        return [made.device for made in self.provenance.values()]

    @property
    def text(self) -> str:
        """As it stands in `run.json`."""
        return self.model_dump_json(indent=2) + "\n"
