"""Simulated preemptions against cases worked by hand and against the closed form."""

import math
from typing import Any

import numpy as np
import pytest

from analysis.stats.preemptions import cheapest_seconds, expected_overhead, simulated_seconds

CASES = [(1.0, 0.5, 100.0, 20.0), (20.0, 0.1, 100.0, 20.0), (60.0, 0.0, 60.0, 5.0), (5.0, 2.0, 1000.0, 0.0)]
"""Seconds of a chunk, seconds beside it, mean life, restart."""


class Lives(np.random.Generator):
    """Gives these lives, then endless ones."""

    def __init__(self, *lives: float) -> None:
        super().__init__(np.random.PCG64())
        self._left = list(lives)

    def exponential(self, scale: Any = 1.0, size: Any = None) -> Any:
        found = [self._left.pop(0) if self._left else math.inf for _ in range(size or 1)]
        return np.array(found) if size else found[0]


def seconds(chunks: list[float], workers: int, *lives: float, fixed: float = 0.0, restart: float = 0.0) -> float:
    return simulated_seconds(chunks, workers, fixed, 1.0, restart, Lives(*lives))


def test_cases_worked_by_hand() -> None:
    assert seconds([1.0] * 5, 2) == 3
    assert seconds([1.0] * 5, 2, fixed=0.5) == 4.5
    # Lost at 0.5, back at 2.5, when the other has trained the second chunk and begun the lost one.
    assert seconds([1.0, 1.0], 2, 0.5, restart=2.0) == 2
    # Alone, it trains the lost one itself: from 2.5 on.
    assert seconds([1.0], 1, 0.5, restart=2.0) == 3.5
    # The other has nothing to do until 0.5, and then trains what was lost.
    assert seconds([1.0], 2, 0.5, restart=2.0) == 1.5
    # It is lost while it waits, from 0.2 to 2.2; the other is back at 2.5.
    assert seconds([1.0], 2, 0.5, 0.2, restart=2.0) == 3.2
    # Lost twice.
    assert seconds([1.0], 1, 0.5, 0.25, restart=2.0) == 0.5 + 2 + 0.25 + 2 + 1


@pytest.mark.parametrize(("chunk", "fixed", "life", "restart"), CASES)
def test_a_long_run_costs_what_the_closed_form_says(chunk: float, fixed: float, life: float, restart: float) -> None:
    rng, count = np.random.default_rng(7), math.ceil(50 * life / chunk)
    found = np.array([simulated_seconds([chunk] * count, 1, fixed, life, restart, rng) for _ in range(100)]) / (count * chunk) - 1
    error = found.std(ddof=1) / math.sqrt(len(found))
    assert abs(found.mean() - expected_overhead(chunk, fixed, life, restart)) < 4 * error
    # Lives half as long again, or a chunk that would go on where it was lost, are told apart.
    wrong = (expected_overhead(chunk, fixed, 1.5 * life, restart), (chunk + fixed) / chunk * (1 + restart / life) - 1)
    assert max(abs(found.mean() - one) for one in wrong) > 4 * error


def test_the_end_of_a_run_costs_at_most_a_chunk_for_each_worker() -> None:
    rng = np.random.default_rng(1)
    for chunk in (1.0, 10.0):
        chunks = [chunk] * 1000
        whole = simulated_seconds(chunks, 64, 0.0, math.inf, 0.0, rng)
        assert sum(chunks) / 64 <= whole <= sum(chunks) / 64 + chunk


def test_limits() -> None:
    assert expected_overhead(20.0, 0.1, math.inf, 30.0) == pytest.approx(0.1 / 20)
    assert expected_overhead(20.0, 0.1, 1e9, 30.0) == pytest.approx(0.1 / 20, rel=1e-4)
    assert expected_overhead(1.0, 0.0, 1.0, 0.0) == pytest.approx(math.e - 2)


@pytest.mark.parametrize("life", [600.0, 3600.0, 86_400.0])
def test_no_other_length_is_much_cheaper(life: float) -> None:
    best = cheapest_seconds(0.025, life)
    lengths = np.geomspace(best / 100, best * 100, 2001)
    least = lengths[np.argmin([expected_overhead(float(one), 0.025, life, 30.0) for one in lengths])]
    assert least == pytest.approx(best, rel=0.03)
