"""The data of the explorer against the rows that they are made of."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.report.write import write_report
from analysis.rows.load import load
from analysis.site.explorer import CURVES, RUNS, write_data
from bench import run
from tests.conftest import experiment


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small run with one cell that has a goal and one that has none."""
    folder = tmp_path_factory.mktemp("explorer")
    case = [
        {"label": "goal", "training.solved_below": 0.05},
        {"label": "large", "optimizer.learning_rate": 1e30},
    ]
    given = experiment(case=case, training={"steps": 200}, seeds={"init": RUNS + 5})
    run(given, folder / "runs")
    write_report([folder / "runs" / given.name], folder / "reports")
    return folder / "reports" / given.name


@pytest.fixture(scope="module")
def data(report: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The list of cells, and the details of the report's cells."""
    target = tmp_path_factory.mktemp("data") / "data"
    write_data([report], target)
    scripts = [(target / f"{name}.js").read_text(encoding="utf-8") for name in ("cells", "xor-test")]
    cells, details = (json.loads(script.removeprefix("explorer.take(").removesuffix(");\n")) for script in scripts)
    return cells["index"], details["cells"]


def test_cells_have_the_numbers_of_the_report(report: Path, data: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    """Share and interval are those of the summary; a cell without a goal has none."""
    goal, large = data[0]
    rows = load(report).lanes
    solved = (rows["outcome"][rows["case"] == "goal"] == "solved").mean()
    assert goal["solved"][0] == pytest.approx(solved, rel=1e-3) and goal["solved"][1] < solved < goal["solved"][2]
    assert (goal["runs"], goal["activation"], goal["architecture"], goal["depth"]) == (RUNS + 5, "tanh", "MLP", 1)
    assert (goal["initializer"], goal["rate"], goal["task"]) == ("Glorot", 0.5, "xor")
    assert large["solved"] is None and large["rate"] == 1e30


def test_runs_are_the_first_rows(report: Path, data: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    """Each run has its seeds, outcome, steps and final loss; a loss that is not finite is null."""
    rows = load(report).lanes
    for cell, label in zip(data[0], ("goal", "large"), strict=True):
        shown, own = data[1][cell["cell"]]["runs"], rows[rows["case"] == label].head(RUNS)
        assert len(shown) == RUNS
        assert [one[1] for one in shown] == own["init_seed"].tolist()
        assert [one[2] for one in shown] == own["outcome"].astype(str).tolist()
        losses = np.array([np.nan if one[4] is None else one[4] for one in shown])
        expected = own["loss_final"].where(np.isfinite(own["loss_final"])).to_numpy(float)
        np.testing.assert_allclose(losses, expected, rtol=1e-3)


def test_curves_end_where_runs_end(report: Path, data: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    """A single curve holds the logged losses up to the end of its run, and the median lies between the outer quantiles."""
    found = load(report)
    cell = data[0][0]["cell"]
    curves = data[1][cell]["curves"]
    assert len(curves["single"]) == CURVES
    for one in curves["single"]:
        own = found.curves[(found.curves["cell"].astype(str) == cell) & (found.curves["init_seed"] == one["seeds"][1])]
        steps = curves["steps"][: len(one["loss"])]
        # A run is not logged at the steps at which others ended.
        latest = own["loss"].to_numpy()[np.searchsorted(own["step"], steps, side="right") - 1]
        np.testing.assert_allclose(one["loss"], latest, rtol=1e-3)
        assert steps[-1] <= own["step"].max() and (steps == curves["steps"] or curves["steps"][len(steps)] > own["step"].max())
    low, median, high = (np.array(line, float) for line in curves["quantiles"])
    assert (low <= median).all() and (median <= high).all() and (low < high).any()
