"""A run of many rows is read and reported within a stated memory for each row."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import initbench as ib
from bench import Experiment, run
from bench.runs.parquet import write_rows

ROOT = Path(__file__).parents[2]
ROWS, AT_ONCE = 300_000, 1 << 13
"""Rows of a run, and of each of its parts and row groups."""
MOST = {"in memory": (1 << 20, 330, 750), "at rest": (1, 110, 140)}
"""Least number of rows whose columns are at rest, and most bytes for each row with 34 columns that is read, and reported.

They are the most that Arrow held plus the most that NumPy and Python held. Measured: 260 and 580 in memory, 82 and 108 at rest; with all
real numbers as float64 and all columns copied, 1230 and 1910.
"""

CENSUS = """
name = "census"
task = "xor"
initializer = "glorot_normal"
model = { name = "mlp", widths = [4] }
optimizer = { learning_rate = 0.5 }
training = { steps = 2, solved_below = 0.05 }
[[claim]]
id = "finds-xor"
says = "Random starts find XOR."
measure = "solved"
at_least = 0.9
"""

PEAKS = """
import sys, tracemalloc
import pyarrow as pa
import bench.runs.at_rest
import bench.runs.parquet
import initbench as ib

few, many, out, at_once, least = sys.argv[1:]
bench.runs.parquet.ROW_GROUP = int(at_once)
bench.runs.at_rest.MANY = int(least)
ib.load(few).report(out)
for what in (lambda: ib.load(many), lambda: ib.load(many).report(out)):
    tracemalloc.start()
    what()
    print(tracemalloc.get_traced_memory()[1] + pa.default_memory_pool().max_memory())
    tracemalloc.stop()
"""


def trained(seeds: int, out: Path) -> Path:
    return run(Experiment.parse(CENSUS, overrides={"seeds.init": seeds}), out)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A run of few rows and one of many."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.runs.order.ROWS_PER_PART", AT_ONCE)
        return [trained(seeds, folder / str(seeds)) for seeds in (100, ROWS)]


@pytest.mark.parametrize("where", MOST)
def test_memory_for_each_row_is_bounded(where: str, runs: list[Path], tmp_path: Path) -> None:
    least, most_read, most_reported = MOST[where]
    command = [sys.executable, "-c", PEAKS, *map(str, runs), str(tmp_path / "reports"), str(AT_ONCE), str(least)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    read, reported = (int(line) / ROWS for line in done.stdout.split())
    frame = ib.load(runs[1]).lanes.memory_usage(deep=True).sum() / ROWS
    assert (frame < read) == (where == "in memory")
    assert read < most_read
    assert read < reported < most_reported


@pytest.mark.parametrize("where", MOST)
def test_columns_are_as_narrow_as_their_values_allow_and_can_be_changed(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.runs.at_rest.MANY", MOST[where][0])
    lanes = ib.load(trained(100, tmp_path)).lanes
    assert {name: str(dtype) for name, dtype in lanes.dtypes.items() if name in ("cell", "init_seed", "loss_final", "learning_rate")} == {
        "cell": "category",
        "init_seed": "int64",
        "loss_final": "float32",
        "learning_rate": "float32",
    }
    for name in lanes.columns:
        lanes.loc[0, name] = lanes.loc[1, name]
    assert (lanes.loc[0] == lanes.loc[1]).sum() >= lanes.loc[1].notna().sum()


def test_rows_of_several_groups_give_the_same_file_as_their_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.runs.parquet.ROW_GROUP", 7)
    rows = pd.DataFrame({"cell": pd.Categorical(list("abbca") * 4), "loss": np.arange(20.0), "params_digest": list("defgh") * 4})
    with (tmp_path / "rows.parquet").open("wb") as file:
        write_rows(rows, file)
    back = pd.read_parquet(tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(back, rows.astype({"cell": str}))
