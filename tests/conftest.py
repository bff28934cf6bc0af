"""What all tests rest on: two devices, also on a machine with one core, and calls whose shapes and types are checked."""

import ctypes
import gc
import os
import resource
import sys

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")

from collections.abc import Callable, Iterator  # noqa: E402  (the devices come first)
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import jax  # noqa: E402
import pandas as pd  # noqa: E402
import pytest  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402

SHAPED = (
    *(f"bench.{name}" for name in ("keys", "linalg", "initializers", "models", "losses", "optimizers", "probes", "schemes", "tasks")),
    *("bench.lane", "analysis.stats", "analysis.geometry", "analysis.laws", "analysis.figures"),
    *(
        f"bench.engine.{name}"
        for name in ("compiled", "curves", "data_placement", "hashing", "pool", "rounds", "scheduler", "segments", "slots")
    ),
    # The others give no shapes, and are called for every element of an unrolled program: checking them takes as long as the tests.
    *(f"bench.engine.layouts.{name}" for name in ("fused", "kernel", "lanes_first", "lanes_last", "layout", "unrolled")),
)
"""Modules and packages whose annotations give shapes: tests check them in every call. An int is accepted as a float."""
install_import_hook(SHAPED, "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

from bench import Experiment, run  # noqa: E402
from bench.hardware import hardware_here  # noqa: E402
from bench.runs.manifest import read_manifest  # noqa: E402
from bench.runs.parquet import read_rows  # noqa: E402

if not hardware_here().is_host:
    # What tests compute beside the engine has all bits as well.
    jax.config.update("jax_default_matmul_precision", "highest")

XOR: dict[str, Any] = {
    "name": "xor-test",
    "task": "xor",
    "model": {"name": "mlp", "widths": [3]},
    "initializer": "glorot_normal",
    "optimizer": {"name": "sgd", "learning_rate": 0.5},
    "training": {"steps": 600, "solved_below": 0.05},
    "seeds": {"init": 64},
    "track": ["tie_spread"],
    "probes": [],
}

Rows = Callable[..., pd.DataFrame]
MOST_BYTES = 2 << 30
"""Of memory that a process of tests may take."""


def experiment(**changes: Any) -> Experiment:
    """The XOR experiment with some sections replaced."""
    return Experiment.model_validate({**XOR, **changes})


@pytest.fixture(scope="session", autouse=True)
def little_memory() -> Iterator[None]:
    """At no time do the tests of a process take more than `MOST_BYTES`."""
    yield
    if sys.platform == "linux":
        peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert peak <= MOST_BYTES, f"the tests of this process took {peak / 2**30:.1f} GiB"


@pytest.fixture(scope="session")
def most_kept() -> list[int]:
    """Bytes of memory above which JAX's caches are cleared."""
    return [3 * MOST_BYTES // 8]


@pytest.fixture(autouse=True)
def memory_given_back(most_kept: list[int]) -> Iterator[None]:
    """What compilations have freed goes back to the system: glibc keeps it, in an arena for each of many threads.

    Where a process has become large all the same, JAX's caches are cleared: a compilation may take half of what is allowed. They would be
    cleared after every test if what stays counted, so that a process has to grow before they are cleared again.
    """
    yield
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.malloc_trim(0)
        if resident() > most_kept[0]:
            jax.clear_caches()
            gc.collect()
            libc.malloc_trim(0)
            most_kept[0] = max(most_kept[0], resident() + MOST_BYTES // 16)


def resident() -> int:
    """Bytes of memory that this process has now, on Linux."""
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * resource.getpagesize()


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Runs an experiment in a folder of its own and returns its rows, in which texts are texts and not categories."""

    def trained(wanted: Experiment, folder: str = "runs", **options: Any) -> pd.DataFrame:
        out = run(wanted, tmp_path / folder, **options)
        found = read_rows(out, read_manifest(out))
        return found.astype(dict.fromkeys(found.select_dtypes("category"), str))

    return trained
