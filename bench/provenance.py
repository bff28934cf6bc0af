"""Where a result comes from: versions, device, flags, commit."""

import os
import platform
import resource
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import jax
import jax.numpy as jnp

from bench.engine.devices import matmul_precision
from bench.manifest import Device, Git, Provenance

PACKAGES = ("initbench", "jax", "jaxlib", "flax", "optax", "numpy", "pandas", "pyarrow", "scipy", "scikit-learn")


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of the packages that make the numbers."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def describe_device(devices: list[jax.Device]) -> Device:
    """Kind and count of the devices that lanes are sharded over."""
    return Device(platform=devices[0].platform, kind=devices[0].device_kind, count=len(devices))


def environment(devices: list[jax.Device]) -> Provenance:
    """Everything but the experiment that a row depends on."""
    return Provenance(
        versions=versions(),
        python=platform.python_version(),
        platform=platform.platform(),
        device=describe_device(devices),
        cpu_features=None,
        matmul_precision=matmul_precision(),
        prng=None,
        xla_flags=os.environ.get("XLA_FLAGS", ""),
        relu_gradient_at_zero=float(jax.grad(jax.nn.relu)(jnp.zeros(()))),
        git=git_state(),
        source=None,
        own={},
    )


def git_state() -> Git:
    """Commit of the checkout that this package runs from, and whether it was changed since; None outside one."""
    folder = Path(__file__).resolve().parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if git("ls-files", "--error-unmatch", "provenance.py") is None:
        return Git(commit=None, dirty=None)
    return Git(commit=git("rev-parse", "HEAD"), dirty=bool(git("status", "--porcelain", "--", ".", "../analysis")))


def peak_memory_bytes(devices: list[jax.Device]) -> int:
    """Largest memory so far: of the devices if they tell, of this process otherwise."""
    stats = [device.memory_stats() for device in devices]
    peaks = [found["peak_bytes_in_use"] for found in stats if found and "peak_bytes_in_use" in found]
    unit = 1 if sys.platform == "darwin" else 1024
    return sum(peaks) if peaks else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
