"""One contender in a process of its own: `python -m bench.throughput.worker CONTENDER WORKLOAD LANES STEPS [WIDTH]`.

Prints a line of JSON when it has compiled, then one for every line that it reads: the seconds of a whole training.
"""

import json
import resource
import sys
import time
from typing import Any

import jax
import numpy as np

from bench.provenance import peak_memory_bytes
from bench.throughput.contenders import contender, timed
from bench.throughput.workloads import WORKLOADS


def main(name: str, workload: str, lanes: str, steps: str, *width: str) -> None:
    """Compile, say so, and train as often as asked to."""
    experiment = WORKLOADS[workload].experiment(int(lanes), int(steps))
    started = time.perf_counter()
    train = contender[name].target(experiment, *map(int, width))
    said: dict[str, Any] = {"compile_seconds": time.perf_counter() - started}
    print(json.dumps(said), flush=True)
    for _ in sys.stdin:
        seconds, losses = timed(train)
        memory = peak_memory_bytes(jax.devices()) if not name.startswith("torch") else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"seconds": seconds, "loss_median": float(np.median(losses)), "peak_memory_bytes": memory}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
