"""The memory of a report on many training runs: `python -m bench.throughput.report_memory` prints it."""

import json
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from bench.spec import Experiment
from bench.throughput.workloads import WORKLOADS

CENSUS = WORKLOADS["census-2-4-1"]
SEEDS = (1 << 20, 1 << 22)
"""Numbers of training runs that are reported, one run after the other."""
LOOK_SECONDS = 0.01
"""Seconds between two looks at the memory of a command."""


def report_memory(seeds: tuple[int, int] = SEEDS) -> dict[str, Any]:
    """Return the numbers of training runs that were reported, with the standard probes, and the most memory of each report in bytes."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for count in seeds:
            settings = CENSUS.experiment(count, CENSUS.steps).model_dump(mode="json", exclude_unset=True, exclude={"probes"})
            experiment, runs = Experiment.model_validate(settings), Path(folder) / str(count)
            runs.mkdir()
            (runs / "census.toml").write_text(experiment.text, encoding="utf-8")
            _initbench("run", str(runs / "census.toml"), "--out", str(runs))
            peaks.append(_initbench("report", str(runs / experiment.name), "--out", str(runs / "reports")))
    return {"training_runs": list(seeds), "peak_bytes": [peak.own for peak in peaks], "peak_resident_bytes": [peak.all for peak in peaks]}


class Peak(NamedTuple):
    """Most memory that a command had, in bytes."""

    own: int
    """Without pages of files, which the system takes back where memory is short."""
    all: int


def _initbench(*arguments: str) -> Peak:
    """Run a command and return the most memory that it had; RuntimeError with its last words if it fails."""
    with tempfile.TemporaryFile() as said:
        process = psutil.Popen([sys.executable, "-m", "initbench", *arguments], stdout=said, stderr=said)
        own = whole = 0
        while (status := process.poll()) is None:
            with suppress(psutil.NoSuchProcess):
                memory = process.memory_info()
                own, whole = max(own, memory.rss - getattr(memory, "shared", 0)), max(whole, memory.rss)
            time.sleep(LOOK_SECONDS)
        if status:
            said.seek(0)
            raise RuntimeError(said.read().decode(errors="replace")[-500:])
    return Peak(own, whole)


if __name__ == "__main__":
    print(json.dumps(report_memory(), indent=2))
