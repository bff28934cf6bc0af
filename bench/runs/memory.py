"""Memory of this machine: how much there is, and how much a process has taken."""

import os
import platform

import jax

try:
    import resource
except ImportError:  # Windows has none.
    resource = None  # type: ignore[assignment]


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
    """Raise ValueError if the numbers of a table of this size do not fit into the memory of this machine."""
    needed, there = 8 * rows * columns, host_bytes()
    if there is not None and needed > there:
        raise ValueError(f"{rows:,} rows of {columns} columns take {needed >> 30:,} GiB of memory, this machine has {there >> 30:,} GiB")
