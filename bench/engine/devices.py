"""Devices, and the settings that must be made before JAX starts."""

import os
from contextlib import AbstractContextManager

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "device"
SINGLE_THREADED = "--xla_cpu_multi_thread_eigen=false"


def configure() -> None:
    """Make every CPU core a JAX device of its own, without threads inside an operation.

    Does nothing where the user has set the number of CPU devices or the threading flag, nor once JAX has started.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_multi_thread_eigen" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {SINGLE_THREADED}".strip()
    if "xla_force_host_platform_device_count" in flags or "JAX_NUM_CPU_DEVICES" in os.environ:
        return
    try:
        jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)) if _has_affinity() else os.cpu_count())
    except RuntimeError:
        # JAX has started already: its devices stay as they are.
        pass


def _has_affinity() -> bool:
    return hasattr(os, "sched_getaffinity")


def lane_mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """All devices (or those given) on one axis, along which lanes are sharded."""
    return Mesh(np.array(devices or jax.devices()), (AXIS,))


def lane_sharding(mesh: Mesh) -> NamedSharding:
    """Leading axis over the devices."""
    return NamedSharding(mesh, PartitionSpec(AXIS))


def precision(dtype: str) -> AbstractContextManager[None]:
    """Context in which arrays of this dtype exist: JAX has no float64 unless it is asked for."""
    return jax.enable_x64(dtype == "float64")
