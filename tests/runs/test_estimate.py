"""The cost of a run from trials: what is concluded from the seconds that trials take, which are made up here."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.engine.compiled import shifts
from bench.runs import estimate

SEEDS, ROOM = 64, 4
"""Training runs of the one cell, and those side by side: two devices with blocks of two."""


class Sample:
    """Training runs with equal budgets."""

    def __init__(self, count: int, budget: int) -> None:
        self.inputs = SimpleNamespace(budget=np.full(min(count, SEEDS), budget))

    def __len__(self) -> int:
        return len(self.inputs.budget)


@pytest.mark.parametrize(
    ("beside", "each", "budget", "trials"),
    # Measures of all of many examples, as many steps as an epoch or fewer; a network of a few units; one in between.
    [(3.0, 0.0034, 468, 2), (3.0, 0.0034, 40, 1), (0.001, 1e-5, 10**6, 6), (0.1, 1e-3, 468, 3)],
)
def test_few_trials_tell_what_a_whole_run_takes(
    beside: float, each: float, budget: int, trials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[float] = []

    def trained(pool: Any, lanes: Sample, limit: int) -> tuple[float, np.ndarray]:
        taken.append(-(-len(lanes) // ROOM) * (beside + limit * each))
        return taken[-1], np.full(len(lanes), limit)

    monkeypatch.setattr(estimate, "_trained", trained)
    monkeypatch.setattr(estimate, "_sample", lambda table, program, cells, count: Sample(count, budget))
    cell = SimpleNamespace(settings=SimpleNamespace(training=SimpleNamespace(steps=budget)))
    program: Any = SimpleNamespace(check_every=468, cells=[cell])
    pool: Any = SimpleNamespace(devices=2, width=2)
    found = estimate._trial(pool, SimpleNamespace(seeds=SEEDS), program, [0])  # type: ignore[arg-type]
    blocks = SEEDS // ROOM
    assert blocks * (found.most * found.each + found.beside) == pytest.approx(blocks * (beside + budget * each), rel=1e-6)
    assert len(taken) == trials
    assert sum(taken) < 10


@pytest.mark.parametrize("width", [2, 4, 64])
def test_each_move_of_a_block_is_another_one(width: int) -> None:
    moves = [move % width for move in shifts(width)]
    assert 0 not in moves and len(set(moves)) == len(moves) and {1, width // 2} == set(moves)
