"""Chunks cover an experiment once, in the same way everywhere, and none is made before it is asked for."""

import tracemalloc
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bench.runs.chunks
from bench.engine.layouts.costs import power_of_two
from bench.lane.program import Program
from bench.runs.chunks import LAST_CHUNKS, SMALLER, chunks, lane_seconds
from bench.runs.plan import Plan, plan
from bench.runs.shards import Shard, lanes_of
from bench.runs.spans import Spans
from tests.conftest import experiment

GRID = {"initializer": ["zeros", "glorot_normal"], "training.steps": [600, 50], "model.widths": [[3], [40]]}


@pytest.fixture(scope="module")
def made() -> Plan:
    """A plan of two programs."""
    return plan(experiment(grid=GRID))


def planned(made: Plan, **seeds: object) -> Plan:
    """The same programs with other seeds."""
    return Plan(experiment(grid=GRID, seeds=seeds), made.programs)


@pytest.fixture(scope="module")
def costs(made: Plan) -> dict[Program, float]:
    """Seconds of a lane of each program, which take longer to find than all chunks."""
    return {program: lane_seconds(program) for program in made.programs}


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 150), st.sampled_from([1, 3, "paired"]), st.floats(1e-6, 1e-2), st.integers(1, 64), st.integers(1, 7))
def test_every_lane_is_in_one_chunk(
    made: Plan, costs: dict[Program, float], init: int, data: object, seconds: float, most: int, shards: int
) -> None:
    wanted, same = (planned(made, init=init, data=data) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.runs.chunks, "CHUNK_SECONDS", seconds)
        patch.setattr(bench.runs.chunks, "MOST_LANES", most)
        patch.setattr(bench.runs.chunks, "lane_seconds", costs.__getitem__)
        found, again = list(chunks(wanted)), list(chunks(same))
        shares = lanes_of([Shard(index, shards) for index in range(shards)], wanted)
    numbers = np.concatenate([chunk.lanes.numbers() for chunk in found])
    assert len(numbers) == wanted.experiment.lanes and np.array_equal(np.unique(numbers), np.arange(len(numbers)))
    keys = [chunk.key(wanted) for chunk in found]
    assert len(set(keys)) == len(keys) and keys == [chunk.key(same) for chunk in again]
    assert sum(map(len, shares.values())) == len(numbers) and Spans.joined(shares.values()) == wanted.lanes.numbering.all
    for place, program in enumerate(wanted.programs):
        own = [chunk for chunk in found if chunk.program == place]
        sizes = [len(chunk.lanes) for chunk in own]
        assert Spans.joined(chunk.lanes for chunk in own) == wanted.lanes.of_program(place)
        assert all(size == 1 or size <= most and size * costs[program] <= seconds for size in sizes)
        assert [chunk.seconds for chunk in own] == [size * costs[program] for size in sizes]
        whole = max(1, min(power_of_two(seconds / costs[program]), most))
        large = [size for size in sizes if size > max(1, whole // SMALLER)]
        if whole > 1:
            # The lanes of the last few chunks come last, in smaller chunks.
            assert sizes[: len(large)] == large == [whole] * max(0, sum(sizes) // whole - LAST_CHUNKS)
    # Programs with long lanes come first, among the large chunks and again among the small ones.
    order = [costs[wanted.programs[chunk.program]] for chunk in found]
    assert order[0] == max(costs.values()) and sum(after > before for before, after in pairwise(order)) <= 1


def test_ten_billion_seeds_take_no_memory(made: Plan) -> None:
    wanted = planned(made, init=10**5, data=10**5)
    assert wanted.lanes.numbering.all == Spans.between(0, 8 * 10**10)
    first = next(chunks(wanted))
    tracemalloc.start()
    try:
        several = {chunk.key(wanted) for chunk in islice(chunks(wanted), 100)}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert first.key(wanted) in several and len(several) == 100
    assert peak < 1 << 20
