"""Two devices in every test, also on a machine with one core."""

import os

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")

from collections.abc import Callable  # noqa: E402  (the devices come first)
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import jax  # noqa: E402
import pandas as pd  # noqa: E402
import pytest  # noqa: E402

from bench import Experiment, run  # noqa: E402
from bench.engine.devices import accelerated  # noqa: E402
from bench.records import read_manifest, read_rows  # noqa: E402

if accelerated():
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
}

Rows = Callable[..., pd.DataFrame]


def experiment(**changes: Any) -> Experiment:
    """The XOR experiment with some sections replaced."""
    return Experiment.model_validate({**XOR, **changes})


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Runs an experiment in a folder of its own and returns its rows."""

    def trained(wanted: Experiment, folder: str = "runs", **options: Any) -> pd.DataFrame:
        out = run(wanted, tmp_path / folder, **options)
        return read_rows(out, read_manifest(out))

    return trained
