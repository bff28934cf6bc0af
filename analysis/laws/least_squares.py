"""Ends of gradient descent on least squares with fewer examples than weights."""

import numpy as np

from analysis.laws.evidence import Evidence
from analysis.laws.law import cells_of, law, starts
from analysis.rows.load import Run
from bench.runs.networks import task_of
from bench.spec import Cell

SOLVED = 0.9
"""Least share of lanes that must solve their task, so that their ends can be compared with the limit."""


def _is_interpolating(cell: Cell) -> bool:
    settings = cell.settings
    return (
        settings.model.name == "linear"
        and settings.task.options.get("loss", "mse") in ("mse", "rss")
        and settings.optimizer.is_gradient_descent
        and settings.training.l2 == 0
        and settings.training.dtype == "float64"
        and settings.training.solved_below is not None
        and not settings.model.options["bias"]
    )


@law()
def minimum_norm(run: Run, found: Evidence) -> None:
    """With fewer examples than weights, gradient descent on least squares ends at X^+ y + (I - X^+ X) w_0: of the start it keeps what the
    data do not see. Norm of the weights and test loss of every training run that solves its task are the predicted ones, within 1e-5."""
    for cell, rows in cells_of(run, _is_interpolating):
        run.check_trusted([cell])
        if run.starts.n_examples(cell) >= task_of(cell).inputs:
            continue
        lanes = found.lanes(rows)
        solved = lanes.where(lanes["outcome"] == "solved", SOLVED)
        start = starts(run, cell, solved.rows)
        before = start.params["dense"]["kernel"]
        x, y = start.data.x, start.data.y
        inverse = np.linalg.pinv(x)
        limit = before + inverse @ (y - x @ before)
        norm = np.linalg.norm(limit, axis=(1, 2))
        solved.within("relative difference", np.abs(solved["weight_norm_final"] / norm - 1), 1e-5)
        if start.data.test_x is not None:
            error = np.sum((start.data.test_x @ limit - start.data.test_y) ** 2, axis=(1, 2))
            loss = error if cell.settings.task.options.get("loss") == "rss" else error / np.prod(start.data.test_y.shape[1:])
            solved.within("relative difference", np.abs(solved["test_loss_final"] / loss - 1), 1e-5)
