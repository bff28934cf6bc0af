"""A few faults of each family that is cheap; `python -m tests.faults` injects all of them."""

import json
from pathlib import Path

import pytest

import bench.runs.chunks
import bench.runs.part_writer
from tests.faults import child, clusters, damage, interruptions, mutations, shards, surroundings
from tests.faults.page import FOLDER, page, write_page
from tests.faults.record import Record, families

__all__ = ["clusters", "damage", "interruptions", "mutations", "shards", "surroundings"]

CHEAP = {
    "failing_operations": 4,
    "full_disks": 2,
    "read_only": 2,
    "damaged_rows": 7,
    "damaged_curves": 7,
    "mutated_files": 100,
    "mutated_folders": 40,
    "forged_folders": 10,
}
"""How many faults of a family are injected here."""


@pytest.mark.parametrize("name", CHEAP)
def test_nothing_is_lost_doubled_or_changed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.runs.part_writer, "FLUSH_SECONDS", bench.runs.part_writer.FLUSH_SECONDS)
    monkeypatch.setattr(bench.runs.chunks, "MOST_LANES", bench.runs.chunks.MOST_LANES)
    monkeypatch.setattr(child, "start", child.Here.start)
    record = families[name].inject(tmp_path, CHEAP[name])
    assert record.tried == CHEAP[name]
    assert not record.broken
    assert (record.lost, record.doubled, record.changed) == (0, 0, 0)


def test_the_page_is_that_of_its_records(tmp_path: Path) -> None:
    measured = json.loads((FOLDER / "faults.json").read_text())
    assert page(measured) == (FOLDER / "faults.md").read_text()
    assert not any(one["broken"] or one["lost"] or one["doubled"] or one["changed"] for one in measured.values())


def test_a_family_that_is_measured_anew_changes_its_row_alone(tmp_path: Path) -> None:
    first, second = Record("first", "so"), Record("second", "thus")
    first.keeps("kept")
    write_page({"kills": first, "clocks": second}, tmp_path)
    before = (tmp_path / "faults.md").read_text().splitlines()
    second.breaks("other rows", "one")
    write_page({"clocks": second}, tmp_path)
    after = (tmp_path / "faults.md").read_text().splitlines()
    assert [line for line in before if line.startswith("| first")] == [line for line in after if line.startswith("| first")]
    assert "1 promises were broken" in after[-3] and after[-1] == "- `second: other rows: one`"
