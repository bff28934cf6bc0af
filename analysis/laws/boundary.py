"""The learning rate at which gradient descent on least squares stops being stable."""

import numpy as np
import pandas as pd

from analysis.laws.evidence import Evidence, Lanes
from analysis.laws.law import cells_of, law, starts
from analysis.rows.load import Run
from bench.spec import Cell

BARELY = 1e-6
"""Relative distance from the limit within which rounding decides, so that a lane does not test the law."""
DECIDED = 0.99
"""Least share of lanes whose learning rate must be further from the limit."""
FINITE = 0.25
"""Least share of lanes that must end with a finite loss, which the law predicts."""


def is_linear_map(cell: Cell) -> bool:
    """Whether a cell is a map of linear regression under plain gradient descent."""
    settings = cell.settings
    return (
        cell.map is not None
        and settings.model.name == "linear"
        and not settings.model.options["bias"]
        and settings.task.options.get("loss", "mse") == "mse"
        and settings.optimizer.is_gradient_descent
        and settings.training.l2 == 0
        and settings.training.dtype == "float64"
    )


def stability_limit(run: Run, cell: Cell, rows: pd.DataFrame) -> float:
    """2 / lam_max, with lam_max the largest eigenvalue of the Hessian 2 X^T X / n of the mean squared error."""
    x = starts(run, cell, rows.head(1)).data.x[0]
    return float(2 / np.linalg.eigvalsh(2 * x.T @ x / len(x))[-1])


def improved(rows: pd.DataFrame | Lanes) -> np.ndarray:
    """Whether a lane ends with a smaller loss than it began with."""
    return np.asarray((rows["outcome"] != "diverged") & (rows["loss_final"] < rows["loss_initial"]))


@law()
def trainability_boundary(run: Run, found: Evidence) -> None:
    """Linear regression improves at exactly the learning rates below 2 / lam_max, whatever its start; and every finite loss is the one that
    linear algebra predicts, within 1e-6."""
    for cell, rows in cells_of(run, is_linear_map):
        lanes = found.lanes(rows)
        limits = {draw: stability_limit(run, cell, part) for draw, part in rows.groupby("data_seed")}
        limit = rows["data_seed"].map(limits)
        decided = lanes.where(np.abs(lanes["learning_rate"] / limit.to_numpy() - 1) > BARELY, DECIDED)
        decided.facts(improved(decided) == (decided["learning_rate"] < limit.loc[decided.rows.index].to_numpy()))
        finite = lanes.where(lanes["outcome"] != "diverged", FINITE)
        finite.within("relative difference of a loss", np.abs(finite["loss_final"] / _losses(run, cell, finite) - 1), 1e-6)


def _losses(run: Run, cell: Cell, lanes: Lanes) -> np.ndarray:
    """Predicted final loss of each lane: the floor plus the sum of lam / 2 (1 - lr lam)^(2 steps) c^2 over the Hessian's eigenvectors.

    c is the start, seen from the optimum.
    """
    losses = np.zeros(len(lanes))
    draw = lanes.rows["data_seed"].to_numpy()
    for place in (np.flatnonzero(draw == one) for one in np.unique(draw)):
        start = starts(run, cell, lanes.rows.iloc[place])
        x, y = start.data.x[0], start.data.y[0, :, 0]
        lam, basis = np.linalg.eigh(2 * x.T @ x / len(x))
        optimum = np.linalg.lstsq(x, y, rcond=None)[0]
        c = (start.params["dense"]["kernel"][:, :, 0] - optimum) @ basis
        rates, steps = lanes["learning_rate"][place, None], lanes["steps_run"][place, None]
        with np.errstate(over="ignore"):
            excess = 0.5 * np.sum(lam * np.abs(1 - rates * lam) ** (2 * steps) * c**2, axis=1)
        losses[place] = np.mean((y - x @ optimum) ** 2) + excess
    return losses
