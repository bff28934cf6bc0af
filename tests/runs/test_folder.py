"""The run folder: nothing is written or removed through a link."""

import os
import shutil
from pathlib import Path

import pytest

from tests.runs.small import CLAIM, again


def test_nothing_is_written_or_removed_through_a_link(folder: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    (folder / ".lock").unlink()
    (folder / ".lock").symlink_to(notes)
    with pytest.raises(ValueError, match=r"\.lock: is a link"):
        again(folder)
    assert notes.read_text() == "mine"
    (folder / ".lock").unlink()
    (folder / f".run.json.{os.getpid()}").symlink_to(notes)
    again(folder, {"claim": [CLAIM]})
    assert notes.read_text() == "mine"
    mine = tmp_path / "my_folder"
    shutil.move(folder / "curves", mine)
    (mine / "part-0123456789ab.parquet").write_text("mine")
    (folder / "curves").symlink_to(mine)
    with pytest.raises(ValueError, match="curves: is a link"):
        again(folder)
    assert (mine / "part-0123456789ab.parquet").read_text() == "mine"
