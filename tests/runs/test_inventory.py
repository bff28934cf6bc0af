"""Rows and curves that are missing or damaged are made again, byte by byte."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bench.runs.folder
import bench.runs.rows
from bench.runs.folder import RunFolder
from bench.runs.manifest import read_manifest
from tests.runs.small import again, damaged, lost_curves, parts, removed_lanes, rewritten, shortened_curves, sums, unlisted


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lost_curves, "curves/part-000000-"),
        (damaged("curves"), "corrupt"),
        (damaged("lanes"), "corrupt"),
        (removed_lanes, "lanes/part-000000-"),
        (shortened_curves, "curves of 2 training runs"),
        (unlisted("curves"), "curves of 80 training runs"),
        (unlisted("lanes"), ""),
    ],
)
def test_whatever_is_missing_is_made_again_byte_by_byte(harm: Callable[[Path], None], said: str, finished: Path, folder: Path) -> None:
    harm(folder)
    notes = again(folder)
    assert said in " ".join(notes)
    assert sums(folder) == sums(finished)
    assert [path.name for path in parts(folder, "curves")] == [path.name for path in parts(finished, "curves")]
    assert read_manifest(folder).complete
    assert again(folder) == []


def test_curves_that_go_while_it_runs_are_made_again(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = RunFolder.append

    def append_and_lose(store: RunFolder, *arguments: Any, **changes: Any) -> None:
        append(store, *arguments, **changes)
        shutil.rmtree(store.folder / "curves", ignore_errors=True)
        monkeypatch.setattr(RunFolder, "append", append)

    monkeypatch.setattr(RunFolder, "append", append_and_lose)
    notes = again(tmp_path / finished.name)
    assert "went while the run was under way" in " ".join(notes)
    assert sums(tmp_path / finished.name) == sums(finished)


def test_what_cannot_be_read_now_is_not_given_up(finished: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = bench.runs.folder.read_table

    def failing(folder: Path, part: Any) -> pa.Table:
        raise OSError(f"{folder / part.file}: cannot be read: Input/output error")

    before = (folder / "run.json").read_bytes()
    monkeypatch.setattr(bench.runs.folder, "read_table", failing)
    with pytest.raises(OSError, match="cannot be read"):
        again(folder)
    assert (folder / "run.json").read_bytes() == before
    assert parts(folder, "curves")
    failed: list[str] = []

    def wrong_once(folder: Path, part: Any) -> pa.Table:
        if part.file not in failed:
            failed.append(part.file)
            raise ValueError(f"{part.file}: corrupt")
        return read(folder, part)

    monkeypatch.setattr(bench.runs.folder, "read_table", wrong_once)
    assert again(folder) == []
    assert sums(folder) == sums(finished)


def test_training_runs_that_stand_there_twice_are_kept_once(finished: Path, folder: Path) -> None:
    [path] = parts(folder, "lanes")
    rows = pq.read_table(path)
    with RunFolder.locked(folder) as store:
        store.known = store.manifest.model_copy(update={"complete": False})
        kept = [part for part in store.manifest.parts if part.kind == "curves"]
        made = store.manifest.parts[0].provenance
        store.change(parts=[*kept, store._write("lanes", rows.slice(0, 30), made), store._write("lanes", rows.slice(20, 40), made)])
    assert "twice" in " ".join(again(folder))
    assert sums(folder) == sums(finished)


def test_rows_of_other_experiments_are_given_up(finished: Path, folder: Path) -> None:
    [path] = parts(folder, "lanes")
    rows = pq.read_table(path)
    rewritten(folder, "lanes", rows.set_column(1, "cell", pa.array(["0" * 12] * len(rows), pa.large_string())))
    assert "not of this experiment" in " ".join(again(folder))
    assert sums(folder) == sums(finished)


def test_a_run_that_does_not_repeat_is_an_error(folder: Path) -> None:
    [path] = parts(folder, "lanes")
    rows = pq.read_table(path)
    losses = rows["loss_final"].to_numpy().copy()
    losses[45] *= 2
    rewritten(folder, "lanes", rows.set_column(rows.column_names.index("loss_final"), "loss_final", pa.array(losses)))
    lost_curves(folder)
    with pytest.raises(ValueError, match=r"training run [0-9a-f]{12}:0:5 ran again .* differs from its row: loss_final is"):
        again(folder)
