"""Where gradient descent on least squares stops being stable."""

import numpy as np
import pandas as pd

from analysis.load import Run
from analysis.theory.law import cells_of, law, starts, within
from bench.spec import Cell

BARELY = 1e-6
"""Lanes whose learning rate is this close to the limit (relatively) are no test of it: rounding decides."""


def is_linear_map(cell: Cell) -> bool:
    """Whether a cell is a map of linear regression under plain gradient descent."""
    settings = cell.settings
    return (
        cell.map is not None
        and settings.model.name == "linear"
        and not settings.model.options["bias"]
        and settings.task.options.get("loss", "mse") == "mse"
        and (settings.optimizer.name, settings.optimizer.options) == ("sgd", {})
        and settings.training.l2 == 0
        and settings.training.dtype == "float64"
    )


def stability_limit(run: Run, cell: Cell, rows: pd.DataFrame) -> float:
    """2 / lam_max, with lam_max the largest eigenvalue of the Hessian 2 X^T X / n of the mean squared error."""
    x = starts(run, cell, rows.head(1))[0].data.x[0]
    return float(2 / np.linalg.eigvalsh(2 * x.T @ x / len(x))[-1])


def improved(rows: pd.DataFrame) -> np.ndarray:
    """Whether a lane ends with a smaller loss than it began with."""
    return ((rows["outcome"] != "diverged") & (rows["loss_final"] < rows["loss_initial"])).to_numpy()


@law
def trainability_boundary(run: Run) -> tuple[bool, str, int]:
    """Linear regression improves at exactly the learning rates below 2 / lam_max, whatever its start; and every finite loss is the one that
    linear algebra predicts, within 1e-6."""
    agree, worst, n = 0, 0.0, 0
    for cell, rows in cells_of(run, is_linear_map):
        rates = rows["learning_rate"].to_numpy()
        limit = stability_limit(run, cell, rows)
        decided = np.abs(rates / limit - 1) > BARELY
        agree += int(np.sum((improved(rows) == (rates < limit)) & decided))
        n += int(decided.sum())
        finite = rows[rows["outcome"] != "diverged"]
        predicted = _losses(run, cell, finite)
        worst = max(worst, float(np.max(np.abs(finite["loss_final"].to_numpy() / predicted - 1), initial=0.0)))
    close, difference = within(worst, 1e-6)
    return agree == n and close, f"{agree:,} of {n:,} lanes on their side; largest relative difference of a loss {difference}", n


def _losses(run: Run, cell: Cell, rows: pd.DataFrame) -> np.ndarray:
    """Loss after each lane's steps: the floor and sum lam / 2 (1 - lr lam)^(2 steps) c^2 over the eigenvectors, c from the start."""
    fixed, state = starts(run, cell, rows)
    x, y = fixed.data.x[0], fixed.data.y[0, :, 0]
    lam, basis = np.linalg.eigh(2 * x.T @ x / len(x))
    optimum = np.linalg.lstsq(x, y, rcond=None)[0]
    c = (state.params["dense"]["kernel"][:, :, 0] - optimum) @ basis
    rates, steps = rows["learning_rate"].to_numpy()[:, None], rows["steps_run"].to_numpy()[:, None]
    with np.errstate(over="ignore"):
        excess = 0.5 * np.sum(lam * np.abs(1 - rates * lam) ** (2 * steps) * c**2, axis=1)
    return np.mean((y - x @ optimum) ** 2) + excess
