"""The costs of large runs: numbers from measurements, from the code that plans and cuts runs, and from simulated preemptions."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from analysis.report.throughput_tables import speeds
from analysis.stats.preemptions import expected_overhead, simulated_seconds
from bench.runs.chunks import LAST_CHUNKS, SMALLER, Chunk, chunks
from bench.runs.part_writer import MOST_ROWS
from bench.runs.plan import Plan, plan
from bench.spec import Experiment
from bench.throughput.workloads import WORKLOADS

MEASURED = Path("docs/large-runs.json")
THROUGHPUT = Path("reports/throughput")
CENSUS = WORKLOADS["census-2-4-1"]
SEEDS = 10**9
GRID = {
    "optimizer.learning_rate": {"from": 0.01, "to": 1.0, "count": 40, "log": True},
    "initializer.gain": {"from": 0.1, "to": 10.0, "count": 25, "log": True},
}
"""The grid of the larger plan."""
HOSTS = 64
LIVES = {"10 minutes": 600.0, "an hour": 3600.0, "6 hours": 21_600.0, "a day": 86_400.0}
"""Mean times after which a worker is lost."""
RESTART_SECONDS = 30.0
"""Time until a lost worker is back: to start, to import, to compile."""
WORK_SECONDS = 4 * 3600.0
"""Least work of a simulated run for each worker."""
REPEATS = 10


class Line(NamedTuple):
    """A cost that grows by `each` from `beside` on."""

    each: float
    beside: float

    @classmethod
    def through(cls, points: Sequence[tuple[float, float]]) -> Self:
        """Return the line through points by least squares."""
        counts, found = np.array(points, float).T
        return cls(*np.polyfit(counts, found, 1).tolist())

    def at(self, count: float) -> float:
        """Return the cost at a count."""
        return self.beside + self.each * count

    def sum(self, count: int, step: int = 1) -> float:
        """Return the costs at every `step`-th number up to `count`, summed."""
        times = count / step
        return self.beside * times + self.each * step * times * (times + 1) / 2


class Ratio(NamedTuple):
    """Seconds of one side over those of another, pair by pair."""

    seconds: float
    """The median of the other side."""
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, side: Sequence[float], other: Sequence[float]) -> Self:
        """Return the ratio of two sides that were measured in turn."""
        ratios = np.divide(side, other)
        return cls(float(np.median(other)), float(np.median(ratios)), float(ratios.min()), float(ratios.max()))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Costs:
    """Measured costs of runs beside their training; seconds are those of one core."""

    measured: dict[str, Any]

    @classmethod
    def read(cls) -> Self:
        """Return what was measured and committed."""
        return cls(json.loads(MEASURED.read_text(encoding="utf-8")))

    @property
    def row_bytes(self) -> float:
        """Bytes of a row on disk."""
        return float(self.measured["row_bytes"])

    @cached_property
    def training(self) -> Line:
        """Seconds of a training run, and of a chunk beside its training runs, by a line through the measured chunks."""
        return Line.through([(one["chunk_lanes"], one["seconds_per_chunk"]) for one in self.measured["training"]])

    @cached_property
    def append(self) -> Line:
        """Seconds to add a part, for each part that is there and beside."""
        return Line.through([(one["parts"], one["append_seconds"]) for one in self.measured["parts"]])

    @cached_property
    def manifest(self) -> Line:
        """Bytes of `run.json`, for each part and beside."""
        return Line.through([(one["parts"], one["manifest_bytes"]) for one in self.measured["parts"]])

    @cached_property
    def report(self) -> Line:
        """Most bytes of memory of a report without pages of files, for each training run and beside."""
        return self._reported("peak_bytes")

    @cached_property
    def resident(self) -> Line:
        """Most bytes of memory of a report with pages of files, for each training run and beside."""
        return self._reported("peak_resident_bytes")

    def _reported(self, name: str) -> Line:
        measured = self.measured["report"]
        return Line.through(list(zip(measured["training_runs"], measured[name], strict=True)))

    @property
    def fixed(self) -> float:
        """Seconds of a chunk at its worker beside its training runs: of the engine, and until the next chunk is there."""
        return self.training.beside + float(self.measured["task_wall_seconds"])

    def chunk(self, lanes: int, parts: float = 0) -> float:
        """Seconds that the client and scheduler of a cluster take for a chunk, if there are so many parts."""
        measured = self.measured
        return float(measured["task_seconds"] + measured["byte_seconds"] * self.row_bytes * lanes + self.append.at(parts))


@dataclass(frozen=True)
class Size:
    """A run on paper, of so many chunks that the first is a whole one."""

    plan: Plan

    @cached_property
    def first(self) -> Chunk:
        """The first chunk."""
        return next(chunks(self.plan))

    @property
    def lanes(self) -> int:
        """Number of training runs."""
        return self.plan.experiment.lanes

    @property
    def chunks(self) -> int:
        """Number of chunks, the smaller ones at the end included."""
        size = len(self.first.lanes)
        whole = max(0, self.lanes // size - LAST_CHUNKS)
        return whole + -(-(self.lanes - whole * size) // max(1, size // SMALLER))

    @property
    def chunks_at_once(self) -> int:
        """Number of chunks that are written and listed at once where they come fast."""
        return -(-MOST_ROWS // len(self.first.lanes))


def sizes() -> tuple[Size, Size]:
    """Return both plans of the page."""
    small = CENSUS.experiment(SEEDS, CENSUS.steps)
    large = Experiment.model_validate({**small.model_dump(exclude_unset=True), "grid": GRID})
    return Size(plan(small)), Size(plan(large))


class Host(NamedTuple):
    """A host that a committed throughput page measured."""

    units: int
    unit: str
    """The name of one of its `units`: a core, or a device."""
    kind: str
    rate: float
    """Training runs of the census per second."""

    @property
    def name(self) -> str:
        """The host in words."""
        return f"{self.units} {self.unit}{'s' if self.units > 1 else ''} ({self.kind})"


def hosts() -> list[Host]:
    """Return the hosts of the committed throughput pages."""
    found = []
    for file in sorted(THROUGHPUT.glob("*/measured.json")):
        measured = json.loads(file.read_text(encoding="utf-8"))
        device = measured["device"]
        unit, kind = ("core", measured["cpu"]) if device["platform"] == "cpu" else ("device", device["kind"])
        rate = speeds(measured).set_index(["workload", "contender"]).loc[(CENSUS.name, "engine"), "speed"]
        found.append(Host(device["count"], unit, kind, float(rate)))
    return found


def overhead_at(costs: Costs, life: float, seconds: float) -> float:
    """Return the expected overhead of chunks on workers that live for so long on average."""
    return expected_overhead(seconds, costs.fixed, life, RESTART_SECONDS)


def simulated_overheads(costs: Costs, life: float, seconds: float, repeats: int) -> np.ndarray:
    """Return workers times time over work, minus 1, of simulated runs, with the chunks that `chunks` cuts and the wait for the last one.

    The work differs by up to a chunk for each worker, so that it is not always a whole number of rounds.
    """
    rng, found = np.random.default_rng(0), []
    for repeat in range(repeats):
        lengths = cut(HOSTS * (WORK_SECONDS + seconds * repeat / repeats), seconds)
        found.append(HOSTS * simulated_seconds(lengths, HOSTS, costs.fixed, life, RESTART_SECONDS, rng) / sum(lengths) - 1)
    return np.array(found)


def cut(work: float, seconds: float) -> Sequence[float]:
    """Return the lengths of the chunks into which work is cut, in seconds."""
    whole, small = max(0, int(work // seconds) - LAST_CHUNKS), seconds / SMALLER
    left = work - whole * seconds
    count = math.ceil(left / small) - 1
    return [seconds] * whole + [small] * count + [left - count * small]
