"""Linear and logistic regression."""

import numpy as np
from scipy.optimize import linprog, minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from analysis.laws.evidence import Evidence
from analysis.laws.law import SAMPLE, cells_of, law, starts
from analysis.rows.load import Run
from bench.runs.starts import Start
from bench.spec import Cell
from bench.tasks.floor import LEAST_SQUARES

VANISHING = 1e-6
"""Mean cross-entropy, in nats, below which it has no positive infimum."""
CONVERGED = 0.5
"""Least share of the sampled lanes whose gradient must have vanished, so that their ends can be compared with an optimum."""


def _counts_from(cell: Cell, losses: tuple[str, ...]) -> bool:
    """Whether a linear model's loss is one of these, counted from its minimum."""
    task = cell.settings.task
    return cell.settings.model.name == "linear" and task.options.get("excess", False) and task.options.get("loss") in losses


def _is_least_squares(cell: Cell) -> bool:
    return _counts_from(cell, LEAST_SQUARES)


def _design(start: Start) -> np.ndarray:
    """The inputs with a column of ones for the bias; axes (lane, example, input)."""
    x = start.data.x
    return np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2)


@law()
def least_squares_floor(run: Run, found: Evidence) -> None:
    """The loss that a least-squares task counts from is the residual that numpy.linalg.lstsq leaves."""
    for cell, rows in cells_of(run, _is_least_squares):
        lanes = found.lanes(rows)
        start = starts(run, cell, rows)
        design, y = _design(start), start.data.y
        optima = np.stack([np.linalg.lstsq(*one, rcond=None)[0] for one in zip(design, y, strict=True)])
        least = np.sum((y - design @ optima) ** 2, axis=(1, 2)) / (1 if cell.settings.task.options["loss"] == "rss" else y.shape[1])
        lanes.within("relative difference", np.abs(least - start.data.floor) / np.maximum(least, 1e-300), 1e-9)


@law()
def ols_steps(run: Run, found: Evidence) -> None:
    """Gradient descent on least squares takes exactly the predicted number of steps in every float64 training run: the excess loss after
    t steps is half the sum of lam_i (1 - lr lam_i)^(2t) c_i^2, with c the start seen from the optimum in the Hessian's eigenbasis."""
    for cell, rows in cells_of(run, lambda cell: _is_least_squares(cell) and cell.settings.training.dtype == "float64"):
        lanes = found.lanes(rows)
        lanes = lanes.where(lanes.known("learning_rate"), 1.0)
        start = starts(run, cell, lanes.rows)
        training = cell.settings.training
        rates, measured = lanes["learning_rate"], lanes["steps_to_solve"]
        predicted = np.zeros(len(lanes))
        design = _design(start)
        weights = np.concatenate([start.params["dense"]["kernel"][:, :, 0], start.params["dense"]["bias"]], axis=1)
        scale = 1.0 if cell.settings.task.options["loss"] == "rss" else 1.0 / design.shape[1]
        for i in range(len(lanes)):
            lam, basis = np.linalg.eigh(2 * scale * design[i].T @ design[i])
            optimum = np.linalg.lstsq(design[i], start.data.y[i, :, 0], rcond=None)[0]
            c = basis.T @ (weights[i] - optimum)
            predicted[i] = _first_below(lam, c, rates[i], training.solved_below or 0.0, training.steps)
        lanes.facts(predicted == measured)


def _first_below(lam: np.ndarray, c: np.ndarray, rate: float, threshold: float, budget: int) -> float:
    """The first step at which the excess loss is below the threshold; infinite if there is none within the budget."""

    def excess(t: int) -> float:
        with np.errstate(over="ignore"):
            return float(0.5 * np.sum(lam * np.abs(1 - rate * lam) ** (2 * t) * c**2))

    if excess(0) < threshold:
        return 0
    if np.any(np.abs(1 - rate * lam) > 1) or not excess(budget) < threshold:
        return np.inf
    low, high = 0, budget
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if excess(middle) < threshold else (middle, high)
    return high


def _is_logistic(cell: Cell) -> bool:
    settings = cell.settings
    two = settings.task.name in ("classification", "breast_cancer")
    return settings.model.name == "linear" and two and settings.task.options.get("loss") == "cross_entropy"


@law()
def logistic_floor(run: Run, found: Evidence) -> None:
    """The loss that a logistic task counts from is the least one that SciPy's trust-region method finds, within 1e-8 nats; where that is
    below 1e-6 a linear program separates the classes, and nowhere else."""
    for cell, rows in cells_of(run, lambda cell: _counts_from(cell, ("cross_entropy",))):
        few = found.lanes(rows).sample(SAMPLE)
        start = starts(run, cell, few.rows)
        pairs = list(zip(_design(start), start.data.y[:, :, 0], strict=True))
        floor = start.data.floor
        least = np.array([_least_cross_entropy(design, y) for design, y in pairs])
        few.within("difference of a loss", np.abs(least - floor), 1e-8)
        few.facts(np.array([_separable(design, y) for design, y in pairs]) == (floor < VANISHING))


def _least_cross_entropy(design: np.ndarray, y: np.ndarray) -> float:
    """The least mean cross-entropy of a linear model on one data set."""

    def loss(w: np.ndarray) -> float:
        z = design @ w
        return float(np.mean(np.logaddexp(0, z) - y * z))

    def slope(w: np.ndarray) -> np.ndarray:
        return design.T @ (expit(design @ w) - y) / len(y)

    def curvature(w: np.ndarray) -> np.ndarray:
        p = expit(design @ w)
        return (design.T * (p * (1 - p))) @ design / len(y)

    return float(minimize(loss, np.zeros(design.shape[1]), jac=slope, hess=curvature, method="trust-exact", options={"gtol": 1e-10}).fun)


def _has_logistic_optimum(cell: Cell) -> bool:
    return _is_logistic(cell) and (cell.settings.training.l2 > 0 or cell.settings.task.options.get("flip", 0) > 0)


@law()
def separability(run: Run, found: Evidence) -> None:
    """A linear program finds a separating plane for exactly those training data whose task is built to be separable."""
    for cell, rows in cells_of(run, lambda cell: _is_logistic(cell) and cell.settings.task.name == "classification"):
        few = found.lanes(rows).sample(SAMPLE)
        start = starts(run, cell, few.rows)
        separable = [_separable(design, y) for design, y in zip(_design(start), start.data.y[:, :, 0], strict=True)]
        few.facts(np.array(separable) == (cell.settings.task.options["flip"] == 0))


def _separable(design: np.ndarray, y: np.ndarray) -> bool:
    """Whether a plane separates the two classes of one data set."""
    signed = (2 * y - 1)[:, None] * design
    free = (None, None)
    return linprog(np.zeros(design.shape[1]), A_ub=-signed, b_ub=-np.ones(len(y)), bounds=free).status == 0


@law()
def logistic_optimum(run: Run, found: Evidence) -> None:
    """Where logistic regression has an optimum, gradient descent ends at scikit-learn's: same loss within 1e-6, same weight norm within
    1%, in every training run whose gradient norm has fallen below 1e-6."""
    for cell, rows in cells_of(run, _has_logistic_optimum):
        lanes = found.lanes(rows)
        ended = lanes.where(lanes["grad_norm_final"] < 1e-6, CONVERGED, SAMPLE)
        start = starts(run, cell, ended.rows)
        losses, norms = np.zeros((2, len(ended)))
        penalty = cell.settings.training.l2
        for i, (x, y) in enumerate(zip(start.data.x, start.data.y[:, :, 0], strict=True)):
            strength = 1 / (penalty * len(y)) if penalty else np.inf
            model = LogisticRegression(C=strength, tol=1e-10, max_iter=10_000).fit(x, y)
            z = model.decision_function(x)
            losses[i] = np.mean(np.logaddexp(0, z) - y * z) + penalty / 2 * np.sum(model.coef_**2) - start.data.floor[i]
            norms[i] = np.linalg.norm(model.coef_)
        ended.within("difference of a loss", np.abs(ended["loss_final"] - losses), 1e-6)
        ended.within("relative difference of a norm", np.abs(ended["weight_norm_final"] / norms - 1), 0.01)
