"""Lanes are numbered cell by cell and planned in pieces."""

from pathlib import Path

import numpy as np
import pytest

import bench.runs.folder
import bench.runs.this_process
from bench.runs.plan import plan
from bench.runs.spans import Spans
from bench.runs.this_process import PIECE
from bench.spec import Seeds
from tests.conftest import experiment
from tests.runs.small import again, sums


def test_lanes_planned_in_pieces_are_the_same(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.runs.this_process, "PIECE", 16)
    assert again(tmp_path / finished.name) == []
    assert sums(tmp_path / finished.name) == sums(finished)


def test_two_thousand_million_seeds_take_no_memory_before_they_run() -> None:
    wanted = experiment(seeds={"init": 2_000_000_000}, grid={"initializer": ["zeros", "glorot_normal"]})
    planned = plan(wanted)
    table = planned.lanes
    done = Spans.of(np.arange(1_000, 3_000_000_000, 999_983))
    first = next((table.of_program(0) - done).pieces(PIECE))
    lanes = table.lanes(planned.programs[0], first.numbers())
    assert len(lanes) == PIECE and lanes.ids[0] == 0 and 1_000 not in lanes.ids
    far = table.lanes(planned.programs[0], np.array([1_999_999_999, 3_999_999_999]))
    assert far.inputs.init_seed.tolist() == [1_999_999_999] * 2 and far.variant.tolist() == [0, 1]
    rows = table.seeds_of(np.array([5, 3_999_999_999]))
    assert table.numbering.of(rows).tolist() == [5, 3_999_999_999]


def test_places_of_seeds_are_those_of_their_pairs() -> None:
    for seeds in (
        Seeds(init=7),
        Seeds(init=3, data=5),
        Seeds(init=6, data="paired"),
        Seeds(init=3, data=5, first=100),
        Seeds(init=6, data="paired", first=9),
    ):
        data, init = seeds.pairs()
        assert data.min() == init.min() == seeds.first
        assert seeds.places(data, init).tolist() == list(range(len(seeds)))
        assert (seeds.places(data, init + 7) == -1).all() and (seeds.places(data - 10, init) == -1).all()
    with pytest.raises(ValueError, match="at most"):
        Seeds(init=1 << 30, data=1 << 20)
