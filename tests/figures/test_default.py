"""Figures of an experiment that declares none."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.figures import figure_kind
from analysis.figures.check import check_figures
from analysis.figures.default import figures_of
from bench.spec import catalog
from tests.conftest import experiment
from tests.judging.rows import run_with

INITIALIZERS, ACTIVATIONS, RATES = ["zeros", "he_normal"], ["tanh", "relu", "sigmoid"], {"from": 0.01, "to": 1.0, "count": 12, "log": True}
GRIDS: dict[str, tuple[dict[str, Any], list[tuple[Any, ...]]]] = {
    "nothing varies": ({"initializer": ["zeros"]}, []),
    "one axis": (
        {"initializer": INITIALIZERS},
        [("rate", "initializer", None, None), ("ecdf", "steps_to_solve", "initializer", None), ("ecdf", "loss_final", "initializer", None),
         ("curve", None, "initializer", None)],
    ),
    "an axis that is too long for colors": ({"optimizer.learning_rate": RATES}, [("rate", "optimizer.learning_rate", None, None)]),
    "three axes": (
        {"model.activation": ACTIVATIONS, "initializer": INITIALIZERS, "optimizer.learning_rate": RATES},
        [("phase", "optimizer.learning_rate", "solved", "initializer"),
         ("ecdf", "steps_to_solve", "initializer", "model.activation"), ("ecdf", "loss_final", "initializer", "model.activation"),
         ("curve", None, "initializer", "model.activation")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GRIDS)
def test_the_figures_follow_from_the_grid(name: str) -> None:
    grid, wanted = GRIDS[name]
    found = figures_of(experiment(grid=grid))
    assert [(figure.kind, figure.x, figure.color, figure.panel) for figure in found] == wanted
    assert figures_of(experiment(grid=grid, figure=[])) == ()


def test_what_is_pooled_stands_in_the_caption() -> None:
    grid = {**GRIDS["three axes"][0], "model.widths": [[2], [4]]}
    shares, steps, *_ = figures_of(experiment(grid=grid))
    assert "at the best hidden units" in shares.caption
    assert "over all values of learning rate and hidden units" in steps.caption


@pytest.mark.parametrize("name", catalog.names())
def test_they_fit_every_experiment(name: str) -> None:
    bare = catalog.read(name).model_copy(update={"figure": None})
    check_figures(bare.model_copy(update={"figure": figures_of(bare)}))


def test_runs_that_are_stuck_are_drawn_up_to_the_budget_of_their_cell() -> None:
    wanted = experiment(grid={"initializer": INITIALIZERS}, seeds={"init": 2})
    frames, curves = [], []
    for cell, outcome, steps in zip(wanted.cells, ("stuck", "solved"), ([0], [0, 10, 600]), strict=True):
        keys = {"cell": cell.id, "data_seed": 0, "init_seed": [0, 1]}
        frames.append(pd.DataFrame({**keys, "initializer": cell.axes["initializer"], "outcome": outcome}))
        curves += [pd.DataFrame({**keys, "step": step, "loss": 0.7}) for step in steps]
    run = run_with(wanted, frames)
    run.__dict__["curves"] = pd.concat(curves)
    drawing = figure_kind["curve"].target(run, figures_of(wanted)[-1])
    ends = {line.get_label(): line.get_xdata()[-1] for line in drawing.axes[0].lines if line.get_marker() != "o"}
    assert ends == {"zero": 600, "He": 600}
    assert np.isfinite(drawing.axes[0].lines[0].get_ydata()).all()
