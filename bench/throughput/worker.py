"""One contender in a process of its own: `python -m bench.throughput.worker CONTENDER WORKLOAD LANES STEPS [WIDTH]`.

The process prints a line of JSON when it has compiled, and one for every line that it reads: seconds, median loss and memory of a whole
training, or, for the line `profile`, the share of its time in which no device works. With `ceilings` as contender it prints the rates that
the device reaches at best.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.hardware import hardware_here
from bench.runs.memory import peak_bytes, peak_process_bytes
from bench.throughput.contenders import contender, torch_memory_bytes
from bench.throughput.idle import idle_share
from bench.throughput.workloads import WORKLOADS


def main(name: str, workload: str, lanes: str, steps: str, *width: str) -> None:
    """Compile, say so, and train or profile once per line of the standard input."""
    experiment = WORKLOADS[workload].experiment(int(lanes), int(steps))
    started = time.perf_counter()
    train = contender[name].target(experiment, *map(int, width))
    say({"compile_seconds": time.perf_counter() - started})
    for line in sys.stdin:
        if line.strip() == "profile":
            say({"idle_share": idle_share(train)})
            continue
        started = time.perf_counter()
        losses = train()
        found = {"seconds": time.perf_counter() - started, "loss_median": float(np.median(losses))}
        say({**found, "peak_memory_bytes": memory(name)})


def say(content: dict[str, Any]) -> None:
    """Write one line of JSON to the standard output."""
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def memory(name: str) -> int:
    """Return the largest memory so far of a contender, in bytes: on the device, or of this process if there is no count of the device's."""
    if contender[name].traits.get("peer") == "torch":
        return torch_memory_bytes() or peak_process_bytes()
    return peak_process_bytes() if contender[name].traits.get("peer") else peak_bytes(jax.devices())


def ceilings() -> dict[str, float]:
    """Return GFLOP/s of a large matrix product in full float32, and GB/s of adding to an array that no cache holds."""
    size = 2048 if hardware_here().is_host else 4096
    matrix = jnp.ones((size, size))
    long = jnp.ones(1 << 26)
    product = best(jax.jit(lambda a: jnp.matmul(a, a, precision="highest") / size), matrix)
    # The sum is written over its argument: the operating system would take long to hand out new memory.
    addition = best(jax.jit(lambda a: a + 1.0, donate_argnums=0), long)
    return {"matrix_gflops": 2 * size**3 / product / 1e9, "memory_gbs": 2 * 4 * (1 << 26) / addition / 1e9}


def best(function: Callable[..., Any], argument: Any) -> float:
    """Return the shortest of ten times, in seconds, of a function that is given its last result."""
    seconds = []
    for _ in range(10):
        started = time.perf_counter()
        argument = jax.block_until_ready(function(argument))
        seconds.append(time.perf_counter() - started)
    return min(seconds)


if __name__ == "__main__":
    if sys.argv[1] == "ceilings":
        say(ceilings())
    else:
        main(*sys.argv[1:])
