"""The page on large runs says what its measurements and the code say."""

from dataclasses import replace

import numpy as np

from analysis.report.large_runs import FIGURE, PAGE, page
from analysis.report.large_runs_numbers import CENSUS, Costs, Line, Size, cut, sizes
from bench.runs.chunks import chunks
from bench.runs.plan import Plan


def test_the_page_is_up_to_date() -> None:
    """`python -m analysis.report.large_runs` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == page()
    assert 0 < FIGURE.stat().st_size < 1_000_000


def test_chunks_are_counted_as_they_are_cut() -> None:
    programs, whole = sizes()[0].plan.programs, len(sizes()[0].first.lanes)
    for lanes in (whole * 9, whole * 10 - 1, 10**6 + 1, 10**7):
        made = Plan(CENSUS.experiment(lanes, CENSUS.steps), programs)
        assert Size(made).chunks == sum(1 for _ in chunks(made))


def test_work_is_cut_as_chunks_are() -> None:
    made = Plan(CENSUS.experiment(10**7, CENSUS.steps), sizes()[0].plan.programs)
    lanes = [len(chunk.lanes) for chunk in chunks(made)]
    assert cut(10**7, lanes[0]) == lanes


def test_lines() -> None:
    line = Line.through([(0, 3.0), (10, 8.0), (20, 13.0)])
    assert np.allclose(line, (0.5, 3.0)) and np.isclose(line.at(4), 5)
    assert np.isclose(line.sum(4), sum(line.at(count) for count in range(1, 5)))


def test_measured_costs_are_whole() -> None:
    """Every cost is there, and grows with what it is the cost of."""
    costs = Costs.read()
    assert costs.row_bytes > 1 and costs.fixed > 0
    assert min(*costs.training, *costs.append, *costs.manifest) > 0
    assert costs.chunk(1000) < costs.chunk(2000) and costs.chunk(1000) < costs.chunk(1000, parts=1000)
    assert replace(costs, measured={**costs.measured, "task_seconds": 1.0}).chunk(1) > 1
