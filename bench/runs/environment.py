"""The provenance of rows that are made here and now: versions, device, flags, commit, source code."""

import hashlib
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import jax
import jax.numpy as jnp

from bench.hardware import matmul_precision, precision
from bench.keys import data_key
from bench.runs.own import own_digests
from bench.runs.provenance import Device, Git, Provenance
from bench.spec import Experiment
from bench.startup import flags_in_force

PACKAGES = ("initbench", "jax", "jaxlib", "flax", "optax", "numpy", "pandas", "pyarrow", "scipy", "scikit-learn")
ARITHMETIC = re.compile(r"sse|ssse|avx|fma|f16c|amx|asimd|fphp|sve|sme\d*$|neon|bf16|i8mm")
"""Beginnings of the names of CPU features that change how numbers are computed."""
JAX_DEFAULTS = {
    "jax_allow_f16_reductions": True,
    "jax_compiler_enable_remat_pass": True,
    "jax_disable_jit": False,
    "jax_disable_most_optimizations": False,
    "jax_enable_pgle": False,
    "jax_exec_time_optimization_effort": 0.0,
    "jax_high_dynamic_range_gumbel": False,
    "jax_memory_fitting_effort": 0.0,
    "jax_memory_fitting_level": "O2",
    "jax_numpy_dtype_promotion": "standard",
    "jax_optimization_level": "UNKNOWN",
    "jax_random_seed_offset": 0,
    "jax_softmax_custom_jvp": False,
    "jax_threefry_gpu_kernel_lowering": False,
    "jax_use_direct_linearize": True,
    "jax_use_shardy_partitioner": True,
}
"""Settings of JAX that can change bits and that the engine does not pin, with their usual values."""
VARIABLES = ("LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE", "XLA_PYTHON_CLIENT_PREFER_F32")
"""Environment variables that can change bits."""
THREADS = ("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Environment variables that set the numbers of threads of numerical libraries."""


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions of the packages that make the numbers."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def describe_device(devices: list[jax.Device]) -> Device:
    """Describe the devices that lanes are sharded over."""
    return Device(platform=devices[0].platform, kind=devices[0].device_kind, count=len(devices))


def current_provenance(devices: list[jax.Device], experiment: Experiment | None = None) -> Provenance:
    """Return the provenance of rows made here, with the digests of the user's own code that the experiment names."""
    return Provenance(
        versions=versions(),
        python=platform.python_version(),
        platform=platform.platform(),
        device=describe_device(devices),
        cpu_features=cpu_features(),
        matmul_precision=matmul_precision(),
        prng=random_keys(),
        xla_flags=os.environ.get("XLA_FLAGS", "") if flags_in_force() else "unknown",
        relu_gradient_at_zero=float(jax.grad(jax.nn.relu)(jnp.zeros(()))),
        git=git_state(),
        source=source_digest(),
        own=own_digests(experiment) if experiment else {},
        configuration=configuration(),
        threads={name: os.environ[name] for name in THREADS if name in os.environ},
    )


def cpu_features(cpuinfo: str | None = None) -> str:
    """Return the processor's family and the vector instructions that XLA compiles for.

    Both are read from the text of Linux's `/proc/cpuinfo`; on other systems the processor's name stands for them.
    """
    if cpuinfo is None:
        try:
            cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        except OSError:
            return f"{platform.machine()} {platform.processor()}".strip()
    found: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    family = [found[name] for name in ("vendor_id", "cpu family", "model", "CPU implementer", "CPU part") if name in found]
    features = (found.get("flags") or found.get("Features") or "").split()
    return f"{platform.machine()} {'-'.join(family)} {' '.join(sorted(filter(ARITHMETIC.match, features)))}"


def random_keys() -> str:
    """Describe the implementation of the keys that the engine draws from."""
    with precision("float32"):
        partitionable = getattr(jax.config, "jax_threefry_partitionable", True)
        return f"{jax.random.key_impl(data_key(0))}, {'partitionable' if partitionable else 'not partitionable'}"


def configuration() -> dict[str, str]:
    """Return the settings of JAX and the environment variables that can change bits and that the user has changed."""
    values = {name: getattr(jax.config, name, usual) for name, usual in JAX_DEFAULTS.items()}
    changed = {name: str(getattr(value, "value", value)) for name, value in values.items()}
    changed = {name: value for name, value in changed.items() if value != str(JAX_DEFAULTS[name])}
    return changed | {name: os.environ[name] for name in VARIABLES if name in os.environ}


@cache
def source_digest() -> str:
    """Return the SHA-256 over the source files that train; a change of documentation or of an experiment does not change it."""
    folder = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        place = path.relative_to(folder)
        if place.parts[0] != "throughput" and place.name != "estimate.py":
            digest.update(f"{place.as_posix()}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def git_state() -> Git:
    """Return the commit of the checkout that this package runs from, and whether files were changed since; None outside of a checkout."""
    folder = Path(__file__).resolve().parents[1]

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if git("ls-files", "--error-unmatch", "runs/environment.py") is None:
        return Git(commit=None, dirty=None)
    return Git(commit=git("rev-parse", "HEAD"), dirty=bool(git("status", "--porcelain", "--", ".", "../analysis")))
