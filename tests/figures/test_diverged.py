"""Training runs that diverged are neither left out of a drawing nor drawn at their last good value."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.figures import figure_kind
from analysis.figures.curve import LANE, held
from analysis.figures.trend import medians
from analysis.rows.load import Run
from bench.spec import Figure as FigureSpec
from tests.judging.rows import run_of


def with_diverged(share: float) -> Run:
    """A hundred runs with losses 1, 2, ... and accuracies .01, .02, ..., of which the last ones diverged."""
    columns: Any = {"loss_final": lambda n: np.arange(1.0, n + 1), "test_metric_final": lambda n: np.arange(1.0, n + 1) / n}
    run = run_of({"he_normal": 1.0}, 100, [], **columns)
    gone = np.arange(100) >= 100 * (1 - share)
    values = {name: run.lanes[name].mask(gone) for name in ("loss_final", "test_metric_final")}
    return replace(run, lanes=run.lanes.assign(outcome=np.where(gone, "diverged", "solved"), **values))


def test_a_lane_that_diverged_has_the_worst_value_after_its_last_finite_one() -> None:
    points = pd.DataFrame(
        [("a", 0, 0, step, loss, 1.0) for step, loss in ((0, 1.0), (10, 0.5))]
        + [("a", 0, 1, step, loss, 1.0) for step, loss in ((0, 1.0), (5, 9.0), (10, np.nan))]
        + [("a", 0, 2, 0, np.nan, 1.0), ("a", 0, 3, 0, 2.0, 1.0)],
        columns=[*LANE, "step", "loss", "tie_spread"],
    )
    gone = pd.MultiIndex.from_tuples([("a", 0, 1), ("a", 0, 2)])
    found = held(points, "loss", gone)
    np.testing.assert_array_equal(found[("a", 0, 0)], [1.0, 1.0, 0.5])
    np.testing.assert_array_equal(found[("a", 0, 1)], [1.0, 9.0, np.inf])
    np.testing.assert_array_equal(found[("a", 0, 2)], [np.inf] * 3)
    # One that has ended well keeps what it had.
    np.testing.assert_array_equal(found[("a", 0, 3)], [2.0] * 3)


def test_a_median_counts_the_runs_that_diverged_and_its_interval_ends_where_runs_do() -> None:
    few, most = with_diverged(0.3), with_diverged(0.6)
    for run, middle in ((few, 50.0), (most, None)):
        found = medians(run, run.lanes, "initializer", "loss_final")
        assert found["middle"].tolist() == ([] if middle is None else [middle])
    found = medians(few, few.lanes, "initializer", "test_metric_final")
    assert found["middle"].iloc[0] == 0.2 and 0.01 <= found["low"].iloc[0] and np.isfinite(found.to_numpy()).all()


def test_a_spread_is_drawn_whatever_share_of_the_runs_diverged() -> None:
    figure = FigureSpec(name="f", kind="spread", caption="?", x="initializer", y="loss_final")
    for share, middle in ((0.0, 50.5), (0.3, 51.0), (0.6, np.inf), (1.0, None)):
        drawing = figure_kind["spread"].target(with_diverged(share), figure)
        marks = [line.get_ydata() for line in drawing.axes[0].lines if line.get_marker() == "o"]
        assert len(marks) == (middle is not None)
        if middle is not None:
            assert np.asarray(marks[0]).item() == middle
