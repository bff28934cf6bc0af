"""Whether an experiment fits the machine, told before anything is built or trained."""

import os
from collections.abc import Sequence

from jax.sharding import Mesh

from bench.engine.layouts.costs import MIN_WIDTH, lane_bytes
from bench.hardware import Hardware
from bench.lane.program import Program

ROW_BYTES = 40
"""What the row of a training run takes on the host at the least, once all rows are put in order: cell, seeds, place in the order."""


def check_memory(plan: Sequence[Program], seeds: int, mesh: Mesh) -> None:
    """Raise ValueError if the smallest pool of a program is larger than the memory of the devices, or the rows of all training runs than
    that of the host. `seeds`: training runs per cell."""
    device = mesh.devices.flat[0]
    host = _host_bytes()
    is_host = Hardware.of(mesh).is_host
    there_is = host if is_host else (device.memory_stats() or {}).get("bytes_limit")
    for program in plan:
        needed = (mesh.size if is_host else 1) * MIN_WIDTH * lane_bytes(program)
        if there_is is not None and needed > there_is:
            raise ValueError(
                f"model '{program.cells[0].settings.model.name}' of {program.n_parameters:,} parameters: the fewest training runs that "
                f"stand side by side need {_gib(needed)} GiB, {'this machine' if is_host else device.device_kind} has {_gib(there_is)} GiB"
            )
    lanes = seeds * sum(len(program.cells) for program in plan)
    if host is not None and ROW_BYTES * lanes > host:
        raise ValueError(
            f"seeds: the rows of {lanes:,} training runs need at least {_gib(ROW_BYTES * lanes)} GiB, this machine has {_gib(host)} GiB"
        )


def _host_bytes() -> int | None:
    """The memory of this machine; None where the system does not say."""
    names = {"SC_PAGE_SIZE", "SC_PHYS_PAGES"}
    if not names <= set(getattr(os, "sysconf_names", {})):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _gib(size: float) -> str:
    return f"{size / 2**30:,.1f}"
