"""Descriptions of a sample against published and hand-computed values."""

import numpy as np
import pytest

from analysis.stats.distribution import iqm, solved_by


def test_time_to_solve_matches_freireich_1963() -> None:
    remission = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    steps = np.array([*remission, *[np.nan] * len(censored)], float)
    budget = np.array([*remission, *censored], float)
    at, share = solved_by(steps, budget)
    survival = {int(step): 1 - value for step, value in zip(at, share, strict=True)}
    assert [survival[step] for step in (6, 10, 23)] == pytest.approx([0.8571, 0.7529, 0.4482], abs=5e-5)


def test_with_one_budget_never_keeps_its_mass() -> None:
    at, share = solved_by(np.array([5, 10, np.nan, np.nan]), 100)
    assert dict(zip(at, share, strict=True)) == {5: 0.25, 10: 0.5, 100: 0.5}


def test_interquartile_mean() -> None:
    assert iqm(np.arange(1, 9)) == 4.5
