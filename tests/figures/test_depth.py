"""Accuracy against depth: each point is the median at the best learning rate, chosen on the runs that are not shown."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from analysis.figures import figure_kind
from analysis.figures.depth import hidden_layers, middle
from analysis.rows.load import Run
from bench.spec import Figure as FigureSpec
from bench.spec import catalog
from tests.conftest import experiment
from tests.judging.rows import run_with

LEVELS = {("he_normal", 1, 0.1): 0.9, ("he_normal", 3, 0.1): 0.7, ("zeros", 1, 0.1): 0.4, ("zeros", 3, 0.1): 0.1}
"""Accuracy by initializer, hidden layers and learning rate; 0.05 elsewhere."""
SPEC = FigureSpec(
    name="f", kind="depth", caption="?", x="optimizer.learning_rate", y="test_metric_final", color="initializer", lines={"a guess": 0.1}
)


def accuracies(**diverged: Any) -> Run:
    """Forty runs in each cell, whose accuracies spread by 0.01 around that of the cell."""
    wanted = experiment(
        initializer=None,
        grid={"model.widths": [[4], [4, 4, 4]], "initializer": ["zeros", "he_normal"], "optimizer.learning_rate": [0.01, 0.1, 1.0]},
        seeds={"init": 40, "data": "paired"},
        track=[],
    )
    frames = []
    for cell in wanted.cells:
        place = cell.axes["initializer"], hidden_layers(cell), cell.axes["optimizer.learning_rate"]
        values = LEVELS.get(place, 0.05) + np.linspace(-0.01, 0.01, 40)
        outcome = np.where(np.arange(40) < diverged.get(cell.axes["initializer"], 0), "diverged", "unsolved")
        frame = {"cell": cell.id, **cell.axes, "data_seed": np.arange(40), "init_seed": np.arange(40), "outcome": outcome}
        frames.append(pd.DataFrame({**frame, "test_metric_final": np.where(outcome == "diverged", np.nan, values)}))
    return run_with(wanted, frames)


def points(drawn: Any) -> dict[str, np.ndarray]:
    """Hidden layers and medians of each line by its name."""
    handles, texts = drawn.axes[0].get_legend_handles_labels()
    return {text: np.array(handle.lines[0].get_data()) for text, handle in zip(texts, handles, strict=True)}


def test_a_point_is_the_median_at_the_best_learning_rate() -> None:
    drawing = figure_kind["depth"].target(accuracies(), SPEC)
    found = points(drawing)
    assert list(found) == ["zero", "He"]
    for name, medians in {"He": [0.9, 0.7], "zero": [0.4, 0.1]}.items():
        layers, shown = found[name]
        # Beside one another, at their depths on a logarithmic axis.
        np.testing.assert_array_equal(np.round(layers), [1, 3])
        np.testing.assert_allclose(shown, medians, atol=0.002)
    assert drawing.axes[0].get_xscale() == "log" and [text.get_text() for text in drawing.axes[0].get_xticklabels()] == ["1", "3"]
    assert "at the best learning rate, n = 20 runs each" in drawing.get_supxlabel()
    plt.close(drawing)


def test_without_an_axis_to_choose_from_all_runs_count() -> None:
    run = accuracies()
    rows = run.lanes[(run.lanes["initializer"] == "he_normal") & (run.lanes["optimizer.learning_rate"] == 0.1)]
    estimate, low, high = middle(run, rows[rows["model.widths"] == "[4]"], "test_metric_final", None)
    assert low < estimate < high and estimate == pytest.approx(0.9, abs=0.001)
    # Negative control: both depths together have no median at either.
    assert middle(run, rows, "test_metric_final", None)[0] < 0.88


def test_runs_that_diverged_count_as_the_worst() -> None:
    run = accuracies(zeros=30)
    rows = run.lanes[run.lanes["initializer"] == "zeros"]
    assert np.isnan(middle(run, rows, "test_metric_final", "optimizer.learning_rate")).all()
    few = accuracies(zeros=4)
    rows = few.lanes[(few.lanes["initializer"] == "zeros") & (few.lanes["model.widths"] == "[4]")]
    estimate, low, high = middle(few, rows, "test_metric_final", "optimizer.learning_rate")
    assert estimate == pytest.approx(0.4, abs=0.01) and np.isfinite([low, high]).all()


def test_a_model_without_hidden_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="model 'linear' has no widths"):
        hidden_layers(catalog.read("x03-logistic").cells[0])


def test_the_league_draws_accuracy_against_depth_from_the_rows_that_there_are() -> None:
    [figure] = [figure for figure in catalog.read("x10-league").figure or () if figure.kind_name == "depth"]
    assert (figure.y, figure.color) == ("test_metric_final", "initializer")
    stored = Path(__file__).parents[2] / "reports" / "x10-league" / "run.json"
    assert catalog.read("x10-league").training_hash in stored.read_text()
