"""The list of columns is that of the rows and curves that a run leaves."""

from pathlib import Path

import pandas as pd

from bench import run
from bench.runs.manifest import read_manifest
from bench.runs.parquet import read_rows
from bench.spec import COMMON, CURVE_COLUMNS, NEEDED, ROW_COLUMNS
from tests.conftest import experiment

DTYPES = {"text": pd.api.types.is_string_dtype, "integer": pd.api.types.is_integer_dtype, "real": pd.api.types.is_float_dtype}


def test_a_run_has_the_listed_columns_in_their_order(tmp_path: Path) -> None:
    wanted = experiment(grid={"initializer": ["zeros", "glorot_normal"]}, training={"steps": 20, "solved_below": 0.05}, seeds={"init": 4})
    folder = run(wanted, tmp_path / "run")
    of_rows = [column for column in ROW_COLUMNS if column.source != "ends"]
    for kind, columns in (("lanes", of_rows), ("curves", CURVE_COLUMNS)):
        found = read_rows(folder, read_manifest(folder), kind)
        names = [column.name for column in columns]
        assert [name for name in found if name in names] == names
        for column in columns:
            assert DTYPES[column.type](found[column.name]) or found[column.name].dtype == object
            assert column.null != "never" or found[column.name].notna().all()


def test_what_a_report_needs_and_what_it_may_leave_out() -> None:
    assert NEEDED == (
        "experiment", "cell", "data_seed", "init_seed", "outcome", "steps_to_solve", "steps_run", "learning_rate", "loss_final",
        "params_digest",
    )  # fmt: skip
    assert COMMON == ("curves", "loss_initial", "metric", "test_loss", "test_metric", "grad_norm")
