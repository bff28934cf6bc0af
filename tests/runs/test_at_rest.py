"""Columns in a temporary file are the columns that they were."""

import mmap
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.report.write import write_experiment
from bench.runs import at_rest as module
from bench.runs.at_rest import at_rest, content_at_rest, tables_at_rest
from bench.runs.manifest import read_manifest
from bench.runs.memory import check_rows
from bench.runs.parquet import read_rows

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
COLUMNS = st.one_of(
    st.lists(st.floats(width=32), min_size=1).map(lambda values: np.array(values, np.float32)),
    st.lists(st.floats(), min_size=1).map(np.array),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1).map(lambda values: np.array(values, np.int64)),
    st.lists(st.booleans(), min_size=1).map(np.array),
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1).map(lambda values: pd.array(values, dtype="Int64")),
    st.lists(st.none() | TEXTS, min_size=1).map(lambda values: pd.Series(values, dtype="str").array),
    st.lists(st.none() | TEXTS, min_size=1).map(pd.Categorical),
)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are many."""
    monkeypatch.setattr(module, "MANY", 1)


def mapped(array: object) -> bool:
    """Whether the numbers of an array are those of a file."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


@given(column=COLUMNS)
def test_a_column_at_rest_is_equal(column: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MANY", 1)
        found = at_rest(column)
    assert type(found) is type(column)
    pd.testing.assert_series_equal(pd.Series(found), pd.Series(column))
    assert mapped(found) == isinstance(column, np.ndarray)


@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_tables_at_rest_are_equal(lengths: list[int]) -> None:
    made = [
        pa.table({"cell": pa.array(list("abcab")).dictionary_encode(), "loss": pa.array([1.0, None, 3.0, 4.0, 5.0])})[:n] for n in lengths
    ]
    for count in (0, module.MANY):
        assert tables_at_rest(made, count) == made


@given(content=st.binary(min_size=1, max_size=20), size=st.integers(1, 20))
def test_content_at_rest_is_equal(content: bytes, size: int) -> None:
    for large in (1, 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "LARGE", large)
            patch.setattr(module, "PIECE", 3)
            assert bytes(content_at_rest(BytesIO(content), size)) == content[:size]


def test_rows_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.runs.memory.host_bytes", lambda: 2**30)
    monkeypatch.setattr("bench.runs.memory.disk_usage", lambda folder: SimpleNamespace(free=2**31))
    check_rows(module.MANY - 1, 128)
    check_rows(2**23, 32)
    with pytest.raises(ValueError, match="8,388,608 rows of 33 columns take 2 GiB in temporary files, .* has 2 GiB; the variable TMPDIR"):
        check_rows(2**23, 33)
    with pytest.raises(ValueError, match="16,777,216 rows of 12 columns take 1 GiB of memory, this machine has 1 GiB"):
        check_rows(2**24, 12)
    with pytest.raises(ValueError, match="1,000,000 rows of 200 columns take 1 GiB of memory"):
        check_rows(10**6, 200)


@pytest.mark.usefixtures("few")
def test_a_column_at_rest_can_be_changed() -> None:
    rows = pd.DataFrame({"loss": at_rest(np.arange(3.0))}, copy=False)
    rows.loc[1, "loss"] = 7.0
    assert rows["loss"].tolist() == [0.0, 7.0, 2.0]


def test_a_report_of_rows_at_rest_has_the_same_files(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = read_manifest(original / "run")
    in_memory = read_rows(original / "run", manifest)
    write_experiment(original / "run", tmp_path / "memory")
    monkeypatch.setattr(module, "MANY", 1)
    monkeypatch.setattr(module, "LARGE", 1)
    on_disk = read_rows(original / "run", manifest)
    assert not mapped(in_memory["init_seed"].to_numpy()) and mapped(on_disk["init_seed"].to_numpy())
    pd.testing.assert_frame_equal(on_disk, in_memory)
    name = write_experiment(original / "run", tmp_path / "disk")
    files = {path.relative_to(tmp_path / "memory") for path in (tmp_path / "memory").rglob("*") if path.is_file()}
    assert Path(name, "lanes.parquet") in files
    for path in files:
        assert (tmp_path / "disk" / path).read_bytes() == (tmp_path / "memory" / path).read_bytes(), path
