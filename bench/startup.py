"""Settings of JAX and XLA that must be made before JAX starts, and options for single compilations."""

import logging
import os
import platform
import re
from pathlib import Path
from typing import Any

import jax

log = logging.getLogger("initbench")

PLAIN = "INITBENCH_PLAIN_JAX"
"""The environment variable that leaves JAX as it is, so that other software can be measured with its own defaults."""
XLA_FLAGS = {
    # Each device has one thread, because the cores are the devices.
    "xla_cpu_multi_thread_eigen": "false",
    # Operations of a program run one after another: concurrent operations gain nothing on one core.
    "xla_cpu_enable_concurrency_optimized_scheduler": "false",
    # This pass runs on two devices or more, but not on one. The compiler simplifies the operations that it merges in another way (a
    # division becomes a multiplication), so that Adam's last bits would depend on the number of devices.
    "xla_disable_hlo_passes": "spmd-cleanup",
    # Full vectors where the processor has AVX-512: an unrolled network takes less time.
    "xla_cpu_prefer_vector_width": "512",
    # Sums are loops of XLA's own. Its library for sums is slower on short rows, such as those of a minibatch step. JAX before 0.10 does not
    # know this flag.
    **({"xla_cpu_experimental_ynn_fusion_type": "-reduce"} if jax.__version_info__ >= (0, 10) else {}),
    # A loop whose data fit in a megabyte becomes one function instead of dozens of small calls per step, which take much of the time of an
    # unrolled XOR network. Larger loops would take long to compile.
    "xla_backend_extra_options": "xla_cpu_small_while_loop_byte_threshold=1048576",
    # A GPU then sums in a fixed order and does not choose its kernels by their measured time.
    "xla_gpu_deterministic_ops": "true",
}
"""Flags of XLA where the user has set no other value; `initbench throughput` measures its workloads with the values in `XLA_FLAGS`."""
HASTY: dict[str, Any] = {"xla_backend_optimization_level": 1}
"""Compiler options for code whose speed does not matter: initial values are drawn rarely, and many random draws are slow to optimize."""


def configure() -> None:
    """Make every CPU core a JAX device without threads of its own, and keep compiled programs for the next process.

    Flags, the number of CPU devices and the compilation cache stay as they are where the user has set them. JAX takes no flags after it
    has started: then they stay as they are, a warning is logged, and `flags_in_force` is false.
    """
    global _late
    if PLAIN in os.environ:
        return
    _keep_compiled()
    # The engine moves arrays between host and devices all the time.
    jax.config.update("jax_transfer_guard", "allow")
    _late = _started()
    if _late:
        log.warning("JAX had started before initbench was imported, so its flags stay as they were; import initbench first")
        return
    flags = given_flags()
    for name, value in XLA_FLAGS.items():
        if name not in flags:
            flags = f"{flags} --{name}={value}".strip()
    os.environ["XLA_FLAGS"] = flags
    if "xla_force_host_platform_device_count" in flags or "JAX_NUM_CPU_DEVICES" in os.environ:
        return
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)) if _has_affinity() else os.cpu_count())


def flags_in_force() -> bool:
    """Return whether XLA has read `XLA_FLAGS`: false if JAX had started before `configure` ran, with flags that cannot be known."""
    return not _late


_late = False


def _started() -> bool:
    """Return whether JAX has created its devices: it then refuses to change their number."""
    number = getattr(jax.config, "jax_num_cpu_devices", -1)
    try:
        jax.config.update("jax_num_cpu_devices", number + 2)
    except RuntimeError:
        return True
    jax.config.update("jax_num_cpu_devices", number)
    return False


def given_flags() -> str:
    """Return XLA's flags as the user has set them, from the variable or from the file that it names.

    Raises ValueError if the variable holds neither flags nor the path of a readable file.
    """
    flags = os.environ.get("XLA_FLAGS", "").strip()
    if not flags or flags.startswith("-"):
        return flags
    try:
        return " ".join(Path(flags).read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"XLA_FLAGS = '{flags}': no flags (they begin with --), and no file of flags that can be read: {error}") from error


def _keep_compiled() -> None:
    """Point JAX's persistent compilation cache to the user's cache folder, with one folder per host: hosts may have different CPUs.

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
        # There is no home folder, or it cannot be written.
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def one_thread_per_device() -> dict[str, str]:
    """Compiler options of a program that runs on all devices: XLA would split one device's large loops over the threads of the others.

    With them such networks as one of three layers of 64 units on 512 examples take less time, with the same bits. An option of one
    program replaces XLA's flag, so the value of the flag is repeated here.
    """
    disabled = re.search(r"xla_disable_hlo_passes=(\S+)", os.environ.get("XLA_FLAGS", ""))
    return {"xla_disable_hlo_passes": ",".join([*([disabled[1]] if disabled else []), "cpu-parallel-task-assigner"])}


def _has_affinity() -> bool:
    return hasattr(os, "sched_getaffinity")


def check_platforms() -> None:
    """Raise ValueError, in one line, if JAX finds no device of the platforms that the user asks for, as in `JAX_PLATFORMS`."""
    wanted = getattr(jax.config, "jax_platforms", None)
    if not wanted:
        return
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        said = str(error).partition("(set JAX_PLATFORMS")[0].strip(" .") or "nothing that JAX has installed drives such a device"
        raise ValueError(f"JAX_PLATFORMS = '{wanted}': {said}; without it JAX takes what there is") from error
