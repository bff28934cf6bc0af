"""Worker processes on this machine: one per device, each with its environment set before JAX is imported."""

import asyncio
import os
import signal
import subprocess

import dask
from distributed import Nanny

from bench.cluster.connect import SETTINGS, Tls, cores, worker_environment

MEMORY_SHARE = 0.9
"""Share of a GPU's memory that the processes on it take together."""


def work(scheduler: str, tls: Tls, processes: int | None) -> None:
    """Train chunks for a scheduler until a signal comes, or the scheduler ends; OSError if it does not answer."""
    with dask.config.set(SETTINGS):
        asyncio.run(_until_ended(scheduler, tls, environments(processes)))


def environments(processes: int | None, gpus: list[str] | None = None) -> list[dict[str, str]]:
    """Return the environment variables of each worker process on this machine.

    With GPUs (by default those that the driver lists, or that CUDA_VISIBLE_DEVICES names) there is a process for each, or `processes` that
    share them evenly. Without, `processes` (by default one) share the cores.
    """
    gpus = _gpus() if gpus is None else gpus
    if not gpus:
        count = processes or 1
        return [worker_environment(max(1, cores() // count)) for _ in range(count)]
    count = processes or len(gpus)
    sharing = -(-count // len(gpus))
    memory = {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{MEMORY_SHARE / sharing:.3f}"}
    return [{**worker_environment(1), **memory, "CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} for place in range(count)]


def _gpus() -> list[str]:
    """Return the names by which CUDA knows the GPUs of this machine; JAX may not start in this process, which would take their memory."""
    if os.environ.get("JAX_PLATFORMS", "").startswith("cpu"):
        return []
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name.strip()]
    try:
        listed = subprocess.run(["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return listed.stdout.split() if listed.returncode == 0 else []


async def _until_ended(scheduler: str, tls: Tls, each: list[dict[str, str]]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    nannies = [
        Nanny(scheduler, nthreads=1, memory_limit=0, resources={"DEVICE": 1}, env=environment, security=tls.security, death_timeout=60)
        for environment in each
    ]
    try:
        await asyncio.gather(*nannies)
        ends = [asyncio.ensure_future(one.finished()) for one in nannies]
        await asyncio.wait([asyncio.ensure_future(stopped.wait()), asyncio.ensure_future(asyncio.wait(ends))], return_when="FIRST_COMPLETED")
    except TimeoutError as error:
        raise OSError(f"{scheduler}: nobody answers") from error
    finally:
        await asyncio.gather(*(one.close() for one in nannies))
