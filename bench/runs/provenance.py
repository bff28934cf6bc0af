"""Provenance of rows: what besides the experiment their bits depend on, and how two provenances differ."""

import hashlib
import json
from typing import Annotated, Self

from pydantic import Field, FiniteFloat, PositiveInt, model_validator

from bench.runs.record import Record, Sha256

TRAINING_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "scikit-learn")
"""Packages that compute what is trained, or its data."""
HARMLESS_FLAGS = ("--xla_force_host_platform_device_count", "--xla_dump_", "--xla_hlo_profile")
"""Beginnings of the names of XLA flags that change no bits."""


class Device(Record):
    """The devices over which training runs were distributed."""

    platform: str
    kind: str
    count: PositiveInt


class Git(Record):
    """The commit of the checkout that trained, and whether files were changed since; None outside of a checkout."""

    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")] | None
    dirty: bool | None


class Provenance(Record):
    """Everything but the experiment that the bits of a row depend on, and where the row was made. None stands for: not recorded."""

    versions: dict[str, str]
    python: str
    platform: str
    device: Device
    cpu_features: str | None
    """The processor's family and the vector instructions that XLA compiles for."""
    matmul_precision: str
    prng: str | None
    """The implementation of random keys, and whether it is partitionable."""
    xla_flags: str
    relu_gradient_at_zero: FiniteFloat
    git: Git
    source: Sha256 | None
    """Digest of the source code that trains."""
    own: dict[str, Sha256]
    """Digests of the user's own modules and data files, by their names."""
    configuration: dict[str, str] = {}
    """Settings of JAX and environment variables that can change bits and that the user has changed."""
    threads: dict[str, str] = {}
    """Environment variables that set the numbers of threads of numerical libraries, as far as there are any."""

    @model_validator(mode="after")
    def _names_what_trains(self) -> Self:
        for package in ("initbench", "jax", "jaxlib"):
            if package not in self.versions:
                raise ValueError(f"versions: '{package}' is missing")
        return self

    @property
    def id(self) -> str:
        """The digest that names this provenance in the list of parts; a field that was added later and has its default does not count."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True).encode()).hexdigest()[:12]


def differences(before: Provenance, now: Provenance) -> list[str]:
    """List in words what differs and can change bits, such as 'jax 0.7.0, now 0.7.1'.

    The place where rows were made does not count (commit, operating system, Python), nor do the numbers of devices and threads, nor do
    packages that only store or read rows. A field that only one of the two has recorded counts as different, except for own code and data
    that came later: the rows of before were made without them.
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
    for name in sorted(before.own):
        if before.own[name] != now.own.get(name):
            found.append(f"'{name}' " + ("changed" if name in now.own else "is not used any more"))
    return found


def _differs(name: str, before: object, now: object) -> str:
    old, new = ("not recorded" if value is None else value for value in (before, now))
    return f"{name} {old}, now {new}"


def _changed_words(name: str, before: list[str], now: list[str]) -> list[str]:
    """Describe the words that only one of two lists has, as one difference; the list is empty if both have the same words."""
    gone, come = ([word for word in one if word not in other] for one, other in ((before, now), (now, before)))
    if not gone and not come:
        return []
    if not before or not now:
        return [f"{name} {'not recorded' if not before else ' '.join(before)}, now {'not recorded' if not now else ' '.join(now)}"]
    return [f"{name}: " + ", ".join([*([f"without {' '.join(gone)}"] if gone else []), *([f"with {' '.join(come)}"] if come else [])])]


def _flags(text: str) -> list[str]:
    """XLA's flags that can change bits, sorted; the last one of each name counts."""
    last = {flag.partition("=")[0]: flag for flag in text.split()}
    return sorted(flag for name, flag in last.items() if not name.startswith(HARMLESS_FLAGS))
