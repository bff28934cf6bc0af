"""The memory of a report on many training runs: `python -m bench.throughput.report_memory` prints it."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.spec import Experiment
from bench.throughput.workloads import WORKLOADS

CENSUS = WORKLOADS["census-2-4-1"]
SEEDS = (1 << 20, 1 << 22)
"""Numbers of training runs that are reported, one run after the other."""


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
    return {"training_runs": list(seeds), "peak_bytes": peaks}


def _initbench(*arguments: str) -> int:
    """Run a command and return the most memory that it had, in bytes; RuntimeError with its last words if it fails."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([sys.executable, "-m", "initbench", *arguments], stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            said.seek(0)
            raise RuntimeError(said.read().decode(errors="replace")[-500:])
    return usage.ru_maxrss * (1 if platform.system() == "Darwin" else 1024)


if __name__ == "__main__":
    print(json.dumps(report_memory(), indent=2))
