"""Devices, and the settings that must be made before JAX starts."""

import logging
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

log = logging.getLogger("initbench")

AXIS = "device"
PLAIN = "INITBENCH_PLAIN_JAX"
"""Set in the environment: leave JAX as it is, for measuring others at their own defaults."""
XLA_FLAGS = {
    # One thread per device: the cores are the devices.
    "xla_cpu_multi_thread_eigen": "false",
    # Operations of a program one after another: side by side they gain nothing on one core.
    "xla_cpu_enable_concurrency_optimized_scheduler": "false",
    # This pass runs on two devices or more, not on one; what it merges is then simplified otherwise (a division becomes a
    # multiplication), and Adam's last bits would depend on the number of devices.
    "xla_disable_hlo_passes": "spmd-cleanup",
    # Full vectors where the processor has AVX-512: a seventh off an unrolled network's time.
    "xla_cpu_prefer_vector_width": "512",
    # Sums as loops of XLA's own: its library for them is slower on short rows, 5% of a minibatch step. (Unknown to older versions.)
    **({"xla_cpu_experimental_ynn_fusion_type": "-reduce"} if jax.__version_info__ >= (0, 10) else {}),
    # A loop whose data fit in a megabyte becomes one function instead of dozens of small calls a step: half of the time of an
    # unrolled XOR network. (Larger loops take long to compile.)
    "xla_backend_extra_options": "xla_cpu_small_while_loop_byte_threshold=1048576",
    # On a GPU no sums in the order in which threads happen to come, and no kernels chosen by how long they took today.
    "xla_gpu_deterministic_ops": "true",
}
HASTY: dict[str, Any] = {"xla_backend_optimization_level": 1}
"""Compiler options where speed does not matter: drawing initial values is rare, and its many random draws are slow to optimize."""


def configure() -> None:
    """Make every CPU core a JAX device of its own, without threads inside a device, and keep compiled programs for the next run.

    Leaves every flag, the number of CPU devices and the cache as the user has set them. Once JAX has started it takes no more flags: then
    they stay as they are, with a warning, and `flags_in_force` is false.
    """
    global _late
    if PLAIN in os.environ:
        return
    _keep_compiled()
    # The suite sends arrays to devices and back all the time.
    jax.config.update("jax_transfer_guard", "allow")
    _late = _started()
    if _late:
        log.warning("JAX had started before initbench was imported, so its flags stay as they were; import initbench first")
        return
    flags = _given_flags()
    for name, value in XLA_FLAGS.items():
        if name not in flags:
            flags = f"{flags} --{name}={value}".strip()
    os.environ["XLA_FLAGS"] = flags
    if "xla_force_host_platform_device_count" in flags or "JAX_NUM_CPU_DEVICES" in os.environ:
        return
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)) if _has_affinity() else os.cpu_count())


def flags_in_force() -> bool:
    """Whether XLA has read what stands in `XLA_FLAGS`: false if JAX had started before `configure` looked, with flags that nobody knows."""
    return not _late


_late = False


def _started() -> bool:
    """Whether JAX has devices already: it then refuses to have their number changed."""
    number = getattr(jax.config, "jax_num_cpu_devices", -1)
    try:
        jax.config.update("jax_num_cpu_devices", number + 2)
    except RuntimeError:
        return True
    jax.config.update("jax_num_cpu_devices", number)
    return False


def _given_flags() -> str:
    """XLA's flags as the user has set them; JAX also takes the name of a file that holds them."""
    flags = os.environ.get("XLA_FLAGS", "").strip()
    if not flags or flags.startswith("-"):
        return flags
    try:
        return " ".join(Path(flags).read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"XLA_FLAGS = '{flags}': no flags (they begin with --), and no file of flags that can be read: {error}") from error


def _keep_compiled() -> None:
    """JAX's persistent compilation cache, in the user's cache folder, apart for each host: hosts that share it may have other CPUs.

    `JAX_COMPILATION_CACHE_DIR` puts it elsewhere, `JAX_ENABLE_COMPILATION_CACHE=0` switches it off.
    """
    set_already, wanted = (getattr(jax.config, name) for name in ("jax_compilation_cache_dir", "jax_enable_compilation_cache"))
    if set_already is not None or not wanted:
        return
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = cache / "initbench" / (platform.node() or "compiled")
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        # No home, or none that can be written.
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def alone() -> dict[str, str]:
    """Compiler options of what runs on all devices at once: XLA would split a device's large loops over the threads of the others.

    Without that a network of three layers of 64 units on 512 examples took 5% less time, with the same bits. An option for one program
    replaces XLA's flag, so what the flag says is kept.
    """
    disabled = re.search(r"xla_disable_hlo_passes=(\S+)", os.environ.get("XLA_FLAGS", ""))
    return {"xla_disable_hlo_passes": ",".join([*([disabled[1]] if disabled else []), "cpu-parallel-task-assigner"])}


def _has_affinity() -> bool:
    return hasattr(os, "sched_getaffinity")


def accelerated() -> bool:
    """Whether JAX has something else than a CPU."""
    return jax.default_backend() != "cpu"


def lane_mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """All devices (or those given) on one axis, along which lanes are sharded; ValueError if they are not of JAX's default backend."""
    if devices and devices[0].platform != jax.default_backend():
        raise ValueError(
            f"devices: '{devices[0].platform}', allowed: '{jax.default_backend()}', JAX's default, which JAX_PLATFORMS can change"
        )
    return Mesh(np.array(devices or jax.devices()), (AXIS,))


def lane_sharding(mesh: Mesh) -> NamedSharding:
    """Leading axis over the devices."""
    return NamedSharding(mesh, PartitionSpec(AXIS))


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Context in which arrays of this dtype exist, and matrix products have all its bits: JAX has neither unless it is asked for.

    In it keys draw the same whatever the user's settings of JAX's random numbers are.
    """
    with (
        jax.enable_x64(dtype == "float64"),
        jax.default_matmul_precision(_matmul_precision()),
        jax.default_prng_impl("threefry2x32"),
        jax.threefry_partitionable(True),
    ):
        yield


def _matmul_precision() -> str | None:
    """As the user has set it; otherwise the highest where it matters. Accelerators would drop bits of float32."""
    return getattr(jax.config, "jax_default_matmul_precision", None) or ("highest" if accelerated() else None)


def matmul_precision() -> str:
    """Of everything that is trained or measured."""
    return str(_matmul_precision() or "default")


def check_platforms() -> None:
    """ValueError with one line if JAX finds no device of the platforms that the user asks for, as in `JAX_PLATFORMS`."""
    wanted = getattr(jax.config, "jax_platforms", None)
    if not wanted:
        return
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        said = str(error).partition("(set JAX_PLATFORMS")[0].strip(" .") or "nothing that JAX has installed drives such a device"
        raise ValueError(f"JAX_PLATFORMS = '{wanted}': {said}; without it JAX takes what there is") from error
