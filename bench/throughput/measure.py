"""The measurement: all contenders on all workloads in turn, then the growth of time and memory."""

import json
import math
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax

from bench.hardware import Hardware, hardware_here
from bench.runs.environment import current_provenance, now
from bench.runs.plan import bare_programs
from bench.startup import PLAIN
from bench.throughput.cold import cold
from bench.throughput.contenders import MAP_LANES, contender, step_costs
from bench.throughput.hand_written import compiler
from bench.throughput.process import Worker, working
from bench.throughput.workloads import WORKLOADS, Workload

REPEATS = 3
LADDER = (100, 1000, 10_000, 100_000, 1_000_000)
LADDER_STEPS = 200
CENSUS_LANES = 1 << 18
"""Lanes of a larger census. A profile of a million lanes of the network 2-2-1 takes more than 24 GB of memory."""
STEPS = (500, 1000, 2000, 4000, 8000)
PEER_WIDTHS = (256, 1024, 4096, 16_384)
PROFILES = 9
"""Profiles of one training: two profiles of a twentieth of a second differ by a factor of up to three."""
PEER_SECONDS = 4.0
"""Seconds of work on which a peer is timed that is too slow for all lanes and steps."""
PEER_LADDER_SECONDS = 60.0
"""Longest training, in seconds, up to which a peer is timed with more and more lanes."""

Say = Callable[[str], None]
Row = dict[str, Any]


def measure(peers: bool, processes: bool, say: Say, repeats: int = REPEATS, shrink: int = 1) -> dict[str, Any]:
    """Measure the device's ceilings, all workloads, and the growth with lanes, steps, width and devices.

    With `processes` also whole processes, from their start to rows on disk. `say` is told what is being measured, each workload is timed
    `repeats` times, `shrink` divides numbers of lanes and steps. ValueError if peers are wanted and PyTorch is not installed.
    """
    hardware = hardware_here()
    if peers and find_spec("torch") is None:
        raise ValueError("--peers: torch is not installed; pip install 'initbench[peers]', or leave --peers out")
    # Several processes share an accelerator's memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    environment = {**os.environ, PLAIN: "1"}
    command = [sys.executable, "-m", "bench.throughput.worker", "ceilings"]
    say("ceilings of the device")
    ceilings = json.loads(subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout)
    side_by_side = [workload for workload in WORKLOADS.values() if workload.name != "grid"]
    # On an accelerator, workers compile while others train; on a CPU they would slow one another down.
    groups = [[workload] for workload in side_by_side] if hardware.is_host else [side_by_side]
    rows = [row for group in groups for row in _side_by_side(group, peers, hardware, say, repeats, shrink)]
    rows += _grid(WORKLOADS["grid"], hardware, say, repeats if hardware.is_host else 1, shrink)
    return {
        **current_provenance(jax.devices()).model_dump(mode="json"),
        "cpu": processor_name(),
        "measured": now(),
        "repeats": repeats,
        "ceilings": ceilings,
        "workloads": rows,
        "growth": list(_growth(rows, hardware, say, shrink)),
        **({"processes": list(cold(say, repeats, shrink))} if processes else {}),
    }


def processor_name() -> str:
    """Return the name of the processor."""
    found = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return found[0] if found else platform.processor() or platform.machine()


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _side_by_side(workloads: list[Workload], peers: bool, hardware: Hardware, say: Say, repeats: int, shrink: int) -> Iterator[Row]:
    """Yield a row for each contender of each workload; the contenders train in turn, `repeats` times."""
    planned = [(workload, _sizes(workload, peers, hardware, say, shrink)) for workload in workloads]
    wanted = [(name, workload.name, size) for workload, sizes in planned for name, size in sizes.items()]
    say(f"{', '.join(workload.name for workload in workloads)}: compilation")
    with working(wanted, hardware) as started:
        waiting = iter(started)
        for workload, sizes in planned:
            workers = {name: next(waiting) for name in sizes}
            for worker in workers.values():
                worker.train()  # The first training also pays for memory and for loading libraries.
            found: dict[str, list[dict[str, Any] | None]] = {name: [] for name in workers}
            for repeat in range(repeats):
                for name, worker in workers.items():
                    say(f"{workload.name}: {name}, {repeat + 1} of {repeats}")
                    found[name].append(worker.train())
            cost = _cost(workload)
            for name, worker in workers.items():
                # The profile of another workload may have a million events.
                profiled = name == "engine" and workload.solved_below is not None
                idle = _idle_shares(worker, PROFILES) if profiled else None
                yield {**_row(workload, name, sizes[name], worker.compile_seconds, found[name]), "idle_shares": idle, **cost}
                worker.stop()


def _sizes(workload: Workload, peers: bool, hardware: Hardware, say: Say, shrink: int) -> dict[str, tuple[int, ...]]:
    """Return lanes, steps and, for a contender that has one, width of each contender."""
    lanes = max(workload.lanes * (1 if hardware.is_host else workload.wider) // shrink, 16)
    steps = max(workload.steps // shrink, 1)
    sizes: dict[str, tuple[int, ...]] = {"engine": (lanes, steps), "jit_vmap": (lanes, steps)}
    if workload.solved_below is None:
        # On an accelerator one batch tells enough: further batches take as long as the first.
        sizes["lax_map"] = lanes if hardware.is_host else min(lanes, MAP_LANES), steps
        for name in _peers(workload) if peers else []:
            if contender[name].traits["peer"] == "c":
                sizes |= {name: (lanes, steps)} if hardware.is_host and compiler() else {}
                continue
            say(f"{workload.name}: size for {name}")
            sizes[name] = _peer_size(name, workload, hardware, lanes, steps)
    return sizes


def _row(workload: Workload, name: str, size: tuple[int, ...], compile_seconds: float | None, found: list[dict[str, Any] | None]) -> Row:
    """Return the row of a contender; without any seconds if its process has died."""
    lanes, steps, *width = size
    runs = [run for run in found if run] if all(found) else []
    return {
        "workload": workload.name,
        "says": workload.says,
        "contender": name,
        "lanes": lanes,
        "steps": steps,
        "width": width[0] if width else None,
        "seconds": [run["seconds"] for run in runs],
        "compile_seconds": compile_seconds,
        "peak_memory_bytes": max((run["peak_memory_bytes"] for run in runs), default=None),
        "loss_median": runs[-1]["loss_median"] if runs else None,
    }


def _idle_shares(worker: Worker, times: int) -> list[float]:
    shares = [worker.idle_share() for _ in range(times)]
    return [share for share in shares if share is not None]


def _cost(workload: Workload) -> dict[str, float]:
    experiment = workload.experiment(1, 1)
    try:
        device = jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # JAX was told to leave the CPU alone.
        device = None
    with jax.default_device(device):
        [program] = bare_programs(experiment.cells)
        return step_costs(program, experiment.cells[0])


def _peers(workload: Workload) -> list[str]:
    """Return the contenders without JAX that can train the model of a workload."""
    model = workload.settings["model"]
    model = model if isinstance(model, str) else model["name"]
    peers = {name: contender[name].traits for name in contender if contender[name].traits.get("peer")}
    able = [name for name, traits in peers.items() if model in traits.get("models", (model,))]
    return [name for name in able if workload.name in peers[name].get("workloads", (workload.name,))]


def _peer_size(name: str, workload: Workload, hardware: Hardware, lanes: int, steps: int) -> tuple[int, ...]:
    """Return lanes, steps and width at which a peer is timed: its fastest width, and about `PEER_SECONDS` of work."""
    tried = [(1, 50)] if name == "torch_loop" else [(width, 5, width) for width in sorted({min(width, lanes) for width in PEER_WIDTHS})]
    rates = {}
    with working(((name, workload.name, size) for size in tried), hardware) as workers:
        for size, worker in zip(tried, workers, strict=True):
            worker.train()
            found = worker.train()
            rates[size] = size[0] * size[1] / found["seconds"] if found else 0.0
    (width, _, *given), rate = max(rates.items(), key=lambda item: item[1])
    possible = int(rate * PEER_SECONDS / width)
    epoch = 21 if workload.settings.get("training", {}).get("batch_size") else 1
    size = width, max(epoch, min(possible, steps) // epoch * epoch)
    return *size, *given


def _grid(workload: Workload, hardware: Hardware, say: Say, repeats: int, shrink: int) -> Iterator[Row]:
    """Yield the rows of the grid from a cold start: compilation counts, so every repeat is a new process."""
    lanes, steps = max(workload.lanes // shrink, 2), max(workload.steps // shrink, 1)
    found: dict[str, list[dict[str, Any] | None]] = {"engine": [], "jit_vmap": []}
    compiling: dict[str, list[float]] = {name: [] for name in found}
    for repeat in range(repeats):
        for name, runs in found.items():
            say(f"{workload.name}: {name}, {repeat + 1} of {repeats}")
            with working([(name, workload.name, (lanes, steps))], hardware) as [worker]:
                run, seconds = worker.train(), worker.compile_seconds
            if seconds is not None:
                compiling[name].append(seconds)
            runs.append({**run, "seconds": seconds + run["seconds"]} if run and seconds is not None else None)
    for name, runs in found.items():
        compile_seconds = statistics.median(compiling[name]) if compiling[name] else None
        yield _row(workload, name, (50 * lanes, steps), compile_seconds, runs)


def _growth(rows: list[Row], hardware: Hardware, say: Say, shrink: int) -> Iterator[Row]:
    """Yield seconds and memory against lanes (all contenders in `rows`), and against steps, width and devices (the engine)."""
    xor = WORKLOADS["xor-2-4-1"]
    rung = {"along": "lanes", "workload": xor.name, "steps": LADDER_STEPS}
    points: list[Row] = [
        {**rung, "value": count, "lanes": count, "contender": row["contender"], "width": row["width"] and min(row["width"], count)}
        for count in LADDER
        for row in rows
        if row["workload"] == xor.name and _climbs(row, count, hardware)
    ]
    lanes = xor.lanes * (1 if hardware.is_host else xor.wider)
    engine = {"contender": "engine", "lanes": lanes}
    points += [{"along": "steps", "value": steps, "workload": xor.name, "steps": steps, **engine} for steps in STEPS]
    points += [{"along": "width", "value": width, "workload": f"census-2-{width}-1", "steps": 5000, **engine} for width in (2, 4, 8)]
    census = {"along": "census", "value": CENSUS_LANES, "lanes": CENSUS_LANES, "steps": 5000, "contender": "engine"}
    points += [{**census, "workload": f"census-2-{width}-1"} for width in (2, 4, 8)]
    if hardware.is_host:
        counts = range(1, jax.device_count() + 1)
        points += [{"along": "devices", "value": count, "workload": xor.name, "steps": 2000, **engine} for count in counts]
    for group in [[point] for point in points] if hardware.is_host else [points]:
        wanted = []
        for point in group:
            width = [point["width"]] if point.get("width") else []
            size = max(point["lanes"] // shrink, 8), max(point["steps"] // shrink, 1), *width
            wanted.append((point["contender"], point["workload"], size))
        devices = group[0]["value"] if group[0]["along"] == "devices" else None
        with working(wanted, hardware, devices) as workers:
            for point, worker in zip(group, workers, strict=True):
                say(f"growth with {point['along']}: {point['contender']}, {point['value']:,}")
                worker.train()
                found = worker.train() or {"seconds": None, "peak_memory_bytes": None}
                found.pop("loss_median", None)
                if point["along"] == "census":
                    found["idle_shares"] = _idle_shares(worker, 1)
                worker.stop()
                yield {**point, "compile_seconds": worker.compile_seconds, **found}


def _climbs(row: Row, lanes: int, hardware: Hardware) -> bool:
    """Tell whether a contender, at the speed that it had, is to be timed with this number of lanes."""
    if contender[row["contender"]].traits.get("peer"):
        seconds = statistics.median(row["seconds"] or [math.inf])
        return lanes * LADDER_STEPS / (row["lanes"] * row["steps"]) * seconds <= PEER_LADDER_SECONDS
    # On an accelerator `lax.map` trains one batch after another, so its time follows from that of one batch.
    return hardware.is_host or row["contender"] != "lax_map"
