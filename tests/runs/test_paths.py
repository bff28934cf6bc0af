"""A run that is trained step by step has, after each number of steps, the bits of the run with that budget."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from bench import run
from bench.engine.hashing import digest
from bench.hardware import precision
from bench.runs.manifest import read_manifest
from bench.runs.parquet import read_rows
from bench.runs.paths import paths
from bench.runs.starts import Starts
from tests.conftest import experiment

STEPS = [0, 1, 3, 40]
WANTED: dict[str, Any] = {
    "initializer": None,
    "seeds": {"init": 2, "data": "paired", "first": 5},
    "task": {"name": "moons", "n": 16},
    "grid": {"initializer": ["zeros", "glorot_normal"]},
    "track": [],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_number_of_steps_has_the_bits_of_a_run_with_that_budget(dtype: str, tmp_path: Path) -> None:
    grid = {**WANTED["grid"], "training.steps": STEPS[1:]}
    wanted = experiment(**{**WANTED, "grid": grid}, training={"stop": "budget", "dtype": dtype})
    folder = run(wanted, tmp_path)
    rows = read_rows(folder, read_manifest(folder)).set_index(["initializer", "training.steps", "init_seed"])
    cells = experiment(**WANTED, training={"stop": "budget", "dtype": dtype}).cells
    found = {cell.axes["initializer"]: path for cell, path in zip(cells, paths(cells, 5, STEPS).values(), strict=True)}
    for name, path in found.items():
        assert path.steps.tolist() == STEPS
        for place, step in enumerate(STEPS[1:], 1):
            with precision(dtype):
                words = np.asarray(digest(jax.tree.map(lambda leaf, place=place: leaf[place], path.params)))
            assert "".join(f"{word:08x}" for word in words) == rows.loc[(name, step, 5), "params_digest"]
            # Negative control: another seed has other weights.
            assert name == "zeros" or rows.loc[(name, step, 6), "params_digest"] != rows.loc[(name, step, 5), "params_digest"]


def test_the_first_step_is_the_start_on_its_data() -> None:
    cells = experiment(**WANTED).cells
    row = pd.DataFrame({"data_seed": [5], "init_seed": [5]})
    for cell, path in zip(cells, paths(cells, 5, STEPS).values(), strict=True):
        start = Starts(list(cells)).of(cell, row)
        np.testing.assert_array_equal(path.data.x, start.data.x[0])
        for name in ("kernel", "bias"):
            first = path.params["layers"][0][name]
            assert len(first) == len(STEPS)
            np.testing.assert_array_equal(first[0], start.params["layers"][0][name][0])
