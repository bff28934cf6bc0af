"""Linear and logistic regression."""

import numpy as np
from scipy.optimize import linprog
from sklearn.linear_model import LogisticRegression

from analysis.load import Run
from analysis.theory.law import SAMPLE, cells_of, law, starts, within
from bench.engine.program import Fixed
from bench.spec import Cell


def _is_least_squares(cell: Cell) -> bool:
    settings = cell.settings
    return settings.model.name == "linear" and settings.task.options.get("excess", False)


def _design(fixed: Fixed) -> np.ndarray:
    x = fixed.data.x
    return np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2)


@law
def least_squares_floor(run: Run) -> tuple[bool, str, int]:
    """The loss that a least-squares task counts from is the residual that numpy.linalg.lstsq leaves."""
    worst, n = 0.0, 0
    for cell, rows in cells_of(run, _is_least_squares):
        fixed, _ = starts(run, cell, rows)
        for design, y, floor in zip(_design(fixed), fixed.data.y, fixed.data.floor, strict=True):
            residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
            least = np.sum(residual**2) / (1 if cell.settings.task.options["loss"] == "rss" else len(y))
            worst = max(worst, abs(least - floor) / max(least, 1e-300))
            n += 1
    close, difference = within(worst, 1e-9)
    return close, f"largest relative difference {difference}", n


@law
def ols_steps(run: Run) -> tuple[bool, str, int]:
    """Gradient descent on least squares takes exactly the predicted number of steps in every float64 lane: the excess loss after t
    steps is half the sum of lam_i (1 - lr lam_i)^(2t) c_i^2, with c the start seen from the optimum in the Hessian's eigenbasis."""
    agree, n = 0, 0
    for cell, rows in cells_of(run, lambda cell: _is_least_squares(cell) and cell.settings.training.dtype == "float64"):
        fixed, state = starts(run, cell, rows)
        training = cell.settings.training
        rates = rows["learning_rate"].to_numpy()
        measured = rows["steps_to_solve"].astype(float).to_numpy()
        design = _design(fixed)
        start = np.concatenate([state.params["dense"]["kernel"][:, :, 0], state.params["dense"]["bias"]], axis=1)
        scale = 1.0 if cell.settings.task.options["loss"] == "rss" else 1.0 / design.shape[1]
        for i in range(len(rows)):
            lam, basis = np.linalg.eigh(2 * scale * design[i].T @ design[i])
            optimum = np.linalg.lstsq(design[i], fixed.data.y[i, :, 0], rcond=None)[0]
            c = basis.T @ (start[i] - optimum)
            predicted = _first_below(lam, c, rates[i], training.solved_below or 0.0, training.steps)
            agree += bool(predicted == measured[i] or (np.isnan(predicted) and np.isnan(measured[i])))
            n += 1
    return agree == n, f"{agree:,} of {n:,} lanes agree", n


def _first_below(lam: np.ndarray, c: np.ndarray, rate: float, threshold: float, budget: int) -> float:
    """First step at which the excess loss is below the threshold; NaN if that is never within the budget."""

    def excess(t: int) -> float:
        with np.errstate(over="ignore"):
            return float(0.5 * np.sum(lam * np.abs(1 - rate * lam) ** (2 * t) * c**2))

    if excess(0) < threshold:
        return 0
    if np.any(np.abs(1 - rate * lam) > 1) or not excess(budget) < threshold:
        return np.nan
    low, high = 0, budget
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if excess(middle) < threshold else (middle, high)
    return high


def _is_logistic(cell: Cell) -> bool:
    settings = cell.settings
    return settings.model.name == "linear" and settings.task.options.get("loss") == "cross_entropy"


def _has_logistic_optimum(cell: Cell) -> bool:
    return _is_logistic(cell) and (cell.settings.training.l2 > 0 or cell.settings.task.options.get("flip", 0) > 0)


@law
def separability(run: Run) -> tuple[bool, str, int]:
    """A linear program finds a separating plane for the training data of exactly those lanes whose task is built to be separable."""
    agree, n = 0, 0
    for cell, rows in cells_of(run, lambda cell: _is_logistic(cell) and cell.settings.task.name == "classification"):
        fixed, _ = starts(run, cell, rows.head(SAMPLE))
        for design, y in zip(_design(fixed), fixed.data.y[:, :, 0], strict=True):
            agree += _separable(design, y) == (cell.settings.task.options["flip"] == 0)
            n += 1
    return agree == n, f"{agree:,} of {n:,} data sets", n


def _separable(design: np.ndarray, y: np.ndarray) -> bool:
    signed = (2 * y - 1)[:, None] * design
    free = (None, None)
    return linprog(np.zeros(design.shape[1]), A_ub=-signed, b_ub=-np.ones(len(y)), bounds=free).status == 0


@law
def logistic_optimum(run: Run) -> tuple[bool, str, int]:
    """Where logistic regression has an optimum, gradient descent ends at scikit-learn's: same loss within 1e-6, same weight norm within
    1%, in every lane whose gradient norm has fallen below 1e-6."""
    worst_loss, worst_norm, n = 0.0, 0.0, 0
    for cell, rows in cells_of(run, _has_logistic_optimum):
        rows = rows[rows["grad_norm_final"] < 1e-6].head(SAMPLE)
        if rows.empty:
            continue
        fixed, _ = starts(run, cell, rows)
        penalty = cell.settings.training.l2
        for i, (x, y) in enumerate(zip(fixed.data.x, fixed.data.y[:, :, 0], strict=True)):
            strength = 1 / (penalty * len(y)) if penalty else np.inf
            model = LogisticRegression(C=strength, tol=1e-10, max_iter=10_000).fit(x, y)
            z = model.decision_function(x)
            loss = np.mean(np.logaddexp(0, z) - y * z) + penalty / 2 * np.sum(model.coef_**2)
            norm = np.linalg.norm(model.coef_)
            worst_loss = max(worst_loss, abs(rows["loss_final"].iloc[i] - loss))
            worst_norm = max(worst_norm, abs(rows["weight_norm_final"].iloc[i] / norm - 1))
            n += 1
    (same_loss, of_loss), (same_norm, of_norm) = within(worst_loss, 1e-6), within(worst_norm, 0.01)
    return same_loss and same_norm, f"largest difference of a loss {of_loss}, relative one of a norm {of_norm}", n
