"""A few faults of each family that is cheap; `python -m tests.faults` injects all of them."""

from pathlib import Path

import pytest

import bench.runs.chunks
import bench.runs.part_writer
from tests.faults import child, clusters, damage, interruptions, mutations, shards, surroundings
from tests.faults.record import families

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
