"""The summary of a run: one line per cell."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.rows.summary import ESTIMATORS, summarize
from tests.judging.rows import run_of


@pytest.mark.parametrize(("diverged", "median"), [(0, 0.51), (40, 0.11), (60, -np.inf), (100, -np.inf)])
def test_the_median_of_a_metric_counts_runs_that_diverged_as_the_worst(diverged: int, median: float) -> None:
    run = run_of({"he_normal": 1.0}, 101, [], loss_final=lambda n: np.ones(n), test_metric_final=lambda n: np.arange(1, n + 1) / 100)
    gone = np.arange(101) >= 101 - diverged
    lanes = run.lanes.assign(outcome=np.where(gone, "diverged", "solved"), test_metric_final=run.lanes["test_metric_final"].mask(gone))
    [(_, line)] = summarize(replace(run, lanes=lanes.assign(steps_to_solve=1.0, params_digest="x"))).iterrows()
    assert line["test_metric_median"] == median and line["test_metric_low"] <= median <= line["test_metric_high"]
    assert "metric_median" not in line and {name for name in line.index if "metric" in name} < set(ESTIMATORS)
