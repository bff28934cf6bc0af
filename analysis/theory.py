"""Exact laws: predictions that the rows must meet before a verdict that rests on them is printed.

A law regenerates what a lane started from (its data and initial weights are functions of its seeds) and predicts the outcome
without the training code: by linear algebra, by scikit-learn or SciPy, or by a plain NumPy loop.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import linprog
from scipy.special import expit, log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from analysis.load import Run
from bench.engine.program import Fixed, State, programs
from bench.messages import nearest
from bench.models.activations import ZERO_AT_ZERO
from bench.spec import Cell

SAMPLE = 100
"""Lanes per cell on which laws that solve an optimization problem per lane are checked."""


@dataclass(frozen=True)
class Law:
    """The result of checking a law: whether it holds, and the numbers that say so."""

    name: str
    says: str
    holds: bool
    number: str
    n: int


_LAWS: dict[str, Callable[[Run], Law]] = {}


def _law(check: Callable[[Run], tuple[bool, str, int]]) -> Callable[[Run], Law]:
    name = check.__name__
    says = " ".join((check.__doc__ or "").split())

    def checked(run: Run) -> Law:
        holds, number, n = check(run)
        # A law that nothing was held against has not held.
        return Law(name, says, bool(holds) and n > 0, number, n)

    checked.__doc__ = says
    _LAWS[name] = checked
    return checked


def laws() -> list[str]:
    """Names of all laws."""
    return sorted(_LAWS)


def law_text(name: str) -> str:
    """What a law says."""
    return _LAWS[name].__doc__ or ""


def check_law(name: str, run: Run) -> Law:
    """Check one law against a run; ValueError if there is no such law."""
    if name not in _LAWS:
        raise ValueError(f"unknown law '{name}'; {nearest(name, _LAWS)}")
    return _LAWS[name](run)


def starts(run: Run, cell: Cell, rows: pd.DataFrame) -> tuple[Fixed, State]:
    """Data and initial parameters of these lanes of a cell, regenerated from their seeds (leading axis: lane)."""
    [program] = programs([cell], (), ())
    inputs = program.inputs_of(cell, rows["data_seed"].to_numpy(), rows["init_seed"].to_numpy())
    with jax.enable_x64(cell.settings.training.dtype == "float64"):
        lanes = jax.jit(jax.vmap(lambda one: program.start(program.variants[0], one)))(inputs)
        return jax.tree.map(np.asarray, lanes)


def _cells(run: Run, wanted: Callable[[Cell], bool]) -> list[tuple[Cell, pd.DataFrame]]:
    return [(cell, run.lanes[run.lanes["cell"] == cell.id]) for cell in run.experiment.cells if wanted(cell)]


def _is_least_squares(cell: Cell) -> bool:
    settings = cell.settings
    return settings.model.name == "linear" and settings.task.options.get("excess", False)


def _design(fixed: Fixed) -> np.ndarray:
    x = fixed.data.x
    return np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2)


@_law
def least_squares_floor(run: Run) -> tuple[bool, str, int]:
    """The loss that a least-squares task counts from is the residual that numpy.linalg.lstsq leaves."""
    worst, n = 0.0, 0
    for cell, rows in _cells(run, _is_least_squares):
        fixed, _ = starts(run, cell, rows)
        for design, y, floor in zip(_design(fixed), fixed.data.y, fixed.data.floor, strict=True):
            residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
            least = np.sum(residual**2) / (1 if cell.settings.task.options["loss"] == "rss" else len(y))
            worst = max(worst, abs(least - floor) / max(least, 1e-300))
            n += 1
    return worst < 1e-9, f"largest relative difference {worst:.1e}", n


@_law
def ols_steps(run: Run) -> tuple[bool, str, int]:
    """Gradient descent on least squares takes exactly the predicted number of steps in every float64 lane: the excess loss after t
    steps is half the sum of lam_i (1 - lr lam_i)^(2t) c_i^2, with c the start seen from the optimum in the Hessian's eigenbasis."""
    agree, n = 0, 0
    for cell, rows in _cells(run, lambda cell: _is_least_squares(cell) and cell.settings.training.dtype == "float64"):
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


@_law
def separability(run: Run) -> tuple[bool, str, int]:
    """A linear program finds a separating plane for the training data of exactly those lanes whose task is built to be separable."""
    agree, n = 0, 0
    for cell, rows in _cells(run, lambda cell: _is_logistic(cell) and cell.settings.task.name == "classification"):
        fixed, _ = starts(run, cell, rows.head(SAMPLE))
        for design, y in zip(_design(fixed), fixed.data.y[:, :, 0], strict=True):
            agree += _separable(design, y) == (cell.settings.task.options["flip"] == 0)
            n += 1
    return agree == n, f"{agree:,} of {n:,} data sets", n


def _separable(design: np.ndarray, y: np.ndarray) -> bool:
    signed = (2 * y - 1)[:, None] * design
    free = (None, None)
    return linprog(np.zeros(design.shape[1]), A_ub=-signed, b_ub=-np.ones(len(y)), bounds=free).status == 0


@_law
def logistic_optimum(run: Run) -> tuple[bool, str, int]:
    """Where logistic regression has an optimum, gradient descent ends at scikit-learn's: same loss within 1e-6, same weight norm within
    1%, in every lane whose gradient norm has fallen below 1e-6."""
    worst_loss, worst_norm, n = 0.0, 0.0, 0
    for cell, rows in _cells(run, _has_logistic_optimum):
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
    return worst_loss < 1e-6 and worst_norm < 0.01, f"loss within {worst_loss:.1e}, norm within {worst_norm:.1e}", n


@_law
def stuck_set(run: Run) -> tuple[bool, str, int]:
    """From all-zero weights and biases, an activation function with act(0) = 0 (for a single neuron: a ReLU, whose slope at 0
    is 0) gives hidden weights a gradient of exactly 0: at the start, at the end, and their values stay 0."""
    agree, n = 0, 0
    for cell, rows in _cells(run, _starts_in_the_stuck_set):
        if cell.settings.model.name == "neuron":
            holds = (rows["steps_run"] == 0) & (rows["grad_norm_initial"] == 0)
        else:
            zeros = ("hidden_grad_max_initial", "hidden_grad_max_final", "weight_norm_final", "tie_spread_final")
            holds = (rows[list(zeros)] == 0).all(axis=1)
        agree, n = agree + int(holds.sum()), n + len(rows)
    return agree == n, f"{agree:,} of {n:,} lanes", n


def _starts_in_the_stuck_set(cell: Cell) -> bool:
    initializer, model = cell.settings.initializer, cell.settings.model
    if initializer.name != "zeros" or initializer.bias_law != "zeros":
        return False
    activation = model.options.get("activation")
    return activation == "relu" if model.name == "neuron" else activation in ZERO_AT_ZERO - {"identity"}


@_law
def tied_units(run: Run) -> tuple[bool, str, int]:
    """A network that starts with equal units trains as the network with one unit per layer and multiplied outgoing weights: final
    losses equal within 1e-9 in float64, against a NumPy loop."""
    worst, n = 0.0, 0
    for cell, rows in _cells(run, _is_tied_and_exact):
        rows = rows[rows["outcome"] != "diverged"].head(SAMPLE // 4)
        fixed, state = starts(run, cell, rows)
        for i in range(len(rows)):
            quotient = _Quotient(cell, jax.tree.map(lambda leaf, i=i: leaf[i], state.params))
            data = jax.tree.map(lambda leaf, i=i: leaf[i], fixed.data)
            loss = quotient.train(data.x, data.y, rows["learning_rate"].iloc[i], int(rows["steps_run"].iloc[i]))
            worst = max(worst, abs(loss - rows["loss_final"].iloc[i]))
            n += 1
    return worst < 1e-9, f"largest difference {worst:.1e}", n


def _is_tied_and_exact(cell: Cell) -> bool:
    settings = cell.settings
    return (
        settings.model.name == "mlp"
        and len(settings.model.options["widths"]) == 1
        and not settings.initializer.random
        and settings.training.dtype == "float64"
        and settings.optimizer.name == "sgd"
        and settings.task.options["loss"] == "cross_entropy"
        and settings.model.options["activation"] in _SLOPES
    )


_SLOPES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "sigmoid": (expit, lambda z: expit(z) * (1 - expit(z))),
    "softplus": (lambda z: np.logaddexp(0, z), expit),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
}


class _Quotient:
    """One hidden unit that stands for `copies` equal ones, trained by gradient descent on the copies' own gradients."""

    def __init__(self, cell: Cell, params: dict) -> None:
        first, last = params["layers"][0], params["layers"][1]
        self.copies = first["kernel"].shape[1]
        self.w, self.b = first["kernel"][:, 0], first["bias"][0]
        self.v, self.c = last["kernel"][0], last["bias"]
        self.act, self.slope = _SLOPES[cell.settings.model.options["activation"]]

    def train(self, x: np.ndarray, y: np.ndarray, rate: float, steps: int) -> float:
        """Cross-entropy after so many steps; y are integer classes, or probabilities for one output."""
        n = len(x)
        for step in range(steps + 1):
            z = x @ self.w + self.b
            unit = self.act(z)
            out = self.copies * unit[:, None] * self.v + self.c
            if y.ndim == 1:
                loss = -np.mean(log_softmax(out, axis=1)[np.arange(n), y])
                error = (softmax(out, axis=1) - np.eye(out.shape[1])[y]) / n
            else:
                loss = np.mean(np.logaddexp(0, out) - y * out)
                error = (expit(out) - y) / n
            if step == steps:
                break
            back = (error @ self.v) * self.slope(z)
            self.w = self.w - rate * x.T @ back
            self.b = self.b - rate * back.sum()
            self.v, self.c = self.v - rate * unit @ error, self.c - rate * error.sum(axis=0)
        return float(loss)


RESTARTS = (2, 3, 5, 10)


def best_of(solved: np.ndarray, k: int) -> tuple[int, int]:
    """(groups with a success, groups) of k consecutive starts."""
    groups = np.asarray(solved)[: len(solved) // k * k].reshape(-1, k)
    return int(groups.any(axis=1).sum()), len(groups)


@_law
def restarts(run: Run) -> tuple[bool, str, int]:
    """The best of k independent random starts succeeds with probability 1 - (1 - p)^k, p being the share of single starts: exact
    binomial tests over all cells and k = 2, 3, 5, 10, jointly at the 1% level (Holm)."""
    p_values, n = [], 0
    for _, rows in _cells(run, lambda cell: cell.settings.initializer.random):
        solved = (rows.sort_values("init_seed")["outcome"] == "solved").to_numpy()
        for k in RESTARTS:
            successes, groups = best_of(solved, k)
            if groups:
                p_values.append(stats.binomtest(successes, groups, 1 - (1 - solved.mean()) ** k).pvalue)
        n += len(solved)
    least = min(p_values) * len(p_values) if p_values else 0.0
    return least > 0.01, f"smallest adjusted p-value {min(least, 1):.3f} of {len(p_values)} tests", n
