"""A figure says itself what its lines, bands and marks are, where step 0 stands, and where all runs of a line are solved."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.style import STEP_0
from analysis.report.compact import compact
from analysis.report.drawing import drawn
from analysis.rows.load import Run, load

REPORTS = Path(__file__).parents[2] / "reports"


@pytest.fixture(scope="module")
def networks() -> Run:
    return compact(load(REPORTS / "x05-zero-networks"))


def shown(run: Run, name: str) -> Figure:
    return drawn(run, next(figure for figure in run.experiment.figure or () if figure.name == name))


def points(line: Line2D) -> list[list[float]]:
    return np.asarray(line.get_data()).T.tolist()


def test_curves_have_a_step_0_and_end_in_a_mark_where_all_runs_are_solved(networks: Run) -> None:
    drawing = shown(networks, "digits")
    assert "Line: median; band: middle 80% of runs" in drawing.get_supxlabel().replace("\n", " ")
    for axis in drawing.axes:
        if not axis.lines:
            continue
        labels = [text.get_text() for text in axis.get_xticklabels()]
        assert axis.get_xticks()[0] == STEP_0 and labels[:1] in ([], ["0"])
        lines = {line.get_label(): line for line in axis.lines if line.get_marker() in ("None", "")}
        dots = [points(line)[0] for line in axis.lines if line.get_marker() == "o"]
        assert all(points(line)[0][0] == STEP_0 for line in lines.values())
        assert dots == [points(lines["Glorot"])[-1]]


def test_the_marks_of_a_league_name_the_axis_of_which_the_best_value_is_taken() -> None:
    text = shown(compact(load(REPORTS / "x25-defaults")), "league").get_supxlabel().replace("\n", " ")
    assert "median at the best learning rate" in text and "{" not in text
