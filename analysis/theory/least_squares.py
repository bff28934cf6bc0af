"""Least squares with fewer examples than weights: where gradient descent ends."""

import numpy as np

from analysis.load import Run
from analysis.theory.law import cells_of, law, starts, within
from bench.spec import Cell


def _is_interpolating(cell: Cell) -> bool:
    settings = cell.settings
    return (
        settings.model.name == "linear"
        and settings.task.options.get("loss", "mse") in ("mse", "rss")
        and (settings.optimizer.name, settings.optimizer.options) == ("sgd", {})
        and settings.training.l2 == 0
        and settings.training.dtype == "float64"
        and settings.training.solved_below is not None
    )


@law
def minimum_norm(run: Run) -> tuple[bool, str, int]:
    """With fewer examples than weights, gradient descent on least squares ends at X^+ y + (I - X^+ X) w_0: of the start it keeps what the
    data do not see. Norm of the weights and test loss of every solved lane are the predicted ones, within 1e-5."""
    worst, n = 0.0, 0
    for cell, rows in cells_of(run, _is_interpolating):
        rows = rows[rows["outcome"] == "solved"]
        if rows.empty:
            continue
        fixed, state = starts(run, cell, rows)
        start = state.params["dense"]["kernel"]
        if "bias" in state.params["dense"] or fixed.data.x.shape[1] >= start.shape[1]:
            continue
        x, y = fixed.data.x, fixed.data.y
        inverse = np.linalg.pinv(x)
        limit = start + inverse @ (y - x @ start)
        norm = np.linalg.norm(limit, axis=(1, 2))
        worst = max(worst, float(np.max(np.abs(rows["weight_norm_final"] / norm - 1))))
        if fixed.data.test_x is not None:
            error = np.sum((fixed.data.test_x @ limit - fixed.data.test_y) ** 2, axis=(1, 2))
            loss = error if cell.settings.task.options.get("loss") == "rss" else error / fixed.data.test_y[0].size
            worst = max(worst, float(np.max(np.abs(rows["test_loss_final"] / loss - 1))))
        n += len(rows)
    close, difference = within(worst, 1e-5)
    return close, f"largest relative difference {difference}", n
