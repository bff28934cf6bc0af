"""Memory of this machine: how much there is, and how much a process has taken."""

import os
import platform
from shutil import disk_usage
from tempfile import gettempdir

import jax

from bench.runs.at_rest import are_many

try:
    import resource
except ImportError:  # Windows has none.
    resource = None  # type: ignore[assignment]

HELD_COLUMNS = 10
"""Columns of many rows that are in memory at a time, with what is computed of them."""


def host_bytes() -> int | None:
    """Return the size of this machine's memory; None where the system does not say."""
    names = {"SC_PAGE_SIZE", "SC_PHYS_PAGES"}
    if not names <= set(getattr(os, "sysconf_names", {})):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def peak_bytes(devices: list[jax.Device]) -> int:
    """Return the most memory used until now: that of the devices if they tell, that of this process otherwise."""
    stats = [device.memory_stats() for device in devices]
    peaks = [found["peak_bytes_in_use"] for found in stats if found and "peak_bytes_in_use" in found]
    return sum(peaks) if peaks else peak_process_bytes()


def peak_process_bytes() -> int:
    """Return the most memory that this process has had resident; 0 where the system does not say."""
    if resource is None:
        return 0
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def check_rows(rows: int, columns: int) -> None:
    """Raise ValueError if a table of this size does not fit into the memory of this machine; if the rows are many, into temporary files."""
    held, there = columns, host_bytes()
    if are_many(rows):
        held, free = min(columns, HELD_COLUMNS), disk_usage(gettempdir()).free
        if 8 * rows * columns > free:
            room = f"{8 * rows * columns >> 30:,} GiB in temporary files, {gettempdir()} has {free >> 30:,} GiB"
            raise ValueError(f"{rows:,} rows of {columns} columns take {room}; the variable TMPDIR names another folder")
    if there is not None and 8 * rows * held > there:
        needed = 8 * rows * held >> 30
        raise ValueError(f"{rows:,} rows of {columns} columns take {needed:,} GiB of memory, this machine has {there >> 30:,} GiB")
