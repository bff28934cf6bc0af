"""Shards: shares of an experiment that are trained without any communication, each into a folder of its own inside the run folder."""

import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.runs.chunks import chunks
from bench.runs.manifest import MOST_SHARDS, Share
from bench.runs.plan import Plan
from bench.runs.spans import Spans

SHARDS = "shards"
"""Name of the folder, inside a run folder, in which the shards stand."""
NAME = re.compile(r"([0-9]{1,6})-of-([0-9]{1,6})")


@dataclass(frozen=True)
class Variables:
    """Environment variables of a kind of batch system that tell a process which of several it is, counted from 0."""

    index: str
    count: str
    last: str | None = None
    """Variable with the largest number, where the system tells only how many processes were asked for this time."""


SYSTEMS = (
    Variables("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MAX"),
    Variables("JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"),
    Variables("TPU_WORKER_ID", "TPU_WORKER_HOSTNAMES"),
)
"""Slurm arrays, indexed jobs of Kubernetes (whose number of completions the job itself has to pass on), hosts of a TPU slice."""


@dataclass(frozen=True, order=True)
class Shard:
    """Every `count`-th chunk of an experiment, from chunk number `index` on."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str], folder: Path) -> Self:
        """Read a shard from a text such as `3/8` (shards are counted from 0), or with `auto` from the variables of a batch system.

        An array that is submitted again for some of its numbers is one of as many shards as there are in the run folder already.
        ValueError if the text or a variable says no shard.
        """
        if text == "auto":
            return cls._of_system(environment, folder)
        found = re.fullmatch(r"([0-9]{1,7})/([0-9]{1,7})", text)
        if found is None:
            raise ValueError(f"--shard {text}: needs I/N, for example 0/8 (shards are counted from 0), or auto")
        return cls._checked(int(found[1]), int(found[2]), f"--shard {text}")

    @classmethod
    def _of_system(cls, environment: Mapping[str, str], folder: Path) -> Self:
        for system in SYSTEMS:
            if system.index not in environment:
                continue
            index = _number(environment, system.index)
            there = {shard.count for shard in shards_in(folder)}
            if system.last is not None and system.last in environment:
                count = max(_number(environment, system.last) + 1, _number(environment, system.count), *there, 1)
            elif system.count == "TPU_WORKER_HOSTNAMES":
                count = len(environment.get(system.count, "").split(","))
            else:
                count = _number(environment, system.count)
            return cls._checked(index, count, f"--shard auto: {system.index} = {index}, {system.count} = {environment.get(system.count)}")
        names = ", ".join(system.index for system in SYSTEMS)
        raise ValueError(f"--shard auto: none of {names} is set; give I/N, for example 0/8")

    @classmethod
    def _checked(cls, index: int, count: int, said: str) -> Self:
        if not 0 <= index < count <= MOST_SHARDS:
            raise ValueError(f"{said}: shards are counted from 0, so that the last of {count} is {max(count - 1, 0)}")
        return cls(index, count)

    def lanes(self, plan: Plan) -> Spans:
        """Return the numbers of the lanes of this shard."""
        return lanes_of([self], plan)[self]

    def share(self, lanes: int) -> Share:
        """Return what the manifest of a folder says of this shard, which has so many training runs and is about to be trained here."""
        return Share(index=self.index, count=self.count, lanes=lanes, whole=False, host=platform.node())

    def folder(self, run: Path) -> Path:
        """Return the folder of this shard inside a run folder."""
        return run / SHARDS / f"{self.index}-of-{self.count}"


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(f"--shard auto: {name} = '{text}' is no number; give I/N, for example 0/8")
    return int(text)


def lanes_of(shards: Iterable[Shard], plan: Plan) -> dict[Shard, Spans]:
    """Return the numbers of the lanes of several shards; the chunks are gone through once."""
    wanted = set(shards)
    found: dict[Shard, list[Spans]] = {shard: [] for shard in wanted}
    counts = {shard.count for shard in wanted}
    for number, chunk in enumerate(chunks(plan) if wanted else ()):
        for count in counts:
            if (shard := Shard(number % count, count)) in wanted:
                found[shard].append(chunk.lanes)
    return {shard: Spans.joined(lanes) for shard, lanes in found.items()}


def shards_in(run: Path) -> list[Shard]:
    """Return the shards that stand in a run folder, in order."""
    found = [NAME.fullmatch(path.name) for path in (run / SHARDS).glob("*-of-*") if not path.is_symlink()]
    return sorted(Shard(int(name[1]), int(name[2])) for name in found if name)
