"""Students that have to find a teacher: the population loss without its closed form, and what their ends are."""

import numpy as np
from jaxtyping import Float
from scipy import stats

from analysis.load import Run
from analysis.orbits import recorded
from analysis.theory.law import SAMPLE, cells_of, jointly, law, starts, within
from bench.spec import Cell

DRAWS = 4000
"""Monte Carlo inputs per lane."""
VANISHED = 1e-6
"""A gradient whose norm is below this has vanished; so has an eigenvalue that is smaller by this factor than the largest."""

Weights = Float[np.ndarray, "hidden input"]


def quadrature_loss(w: Weights) -> float:
    """E (sum_i relu(w_i.z) - sum_j relu(z_j))^2 / 2 over z ~ N(0, 1)."""
    v = np.eye(w.shape[1])
    return (_overlap(w, w).sum() + _overlap(v, v).sum()) / 2 - _overlap(w, v).sum()


def _overlap(w: Weights, v: Weights) -> Float[np.ndarray, "hidden hidden"]:
    """E relu(w.z) relu(v.z): in the plane of w and v z has a uniform direction f, independent of its length, whose mean square is 2.

    That leaves the integral of cos(f) cos(f - angle) over the directions in which both are positive, by Gauss and Legendre's rule.
    """
    sizes = np.linalg.norm(w, axis=1)[:, None] * np.linalg.norm(v, axis=1)
    one, other = (units / np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-300) for units in (w, v))
    # Kahan's formula, exact for small angles and for angles near pi.
    angle = 2 * np.arctan2(np.linalg.norm(one[:, None] - other, axis=2), np.linalg.norm(one[:, None] + other, axis=2))
    nodes, weights = np.polynomial.legendre.leggauss(24)
    half = (np.pi - angle) / 2
    f = np.pi / 2 - half[..., None] * (1 - nodes)
    integral = np.sum(weights * np.cos(f) * np.cos(f - angle[..., None]), axis=2) * half
    return sizes * integral / np.pi


def _has_a_teacher(cell: Cell) -> bool:
    return cell.settings.task.name == "student_teacher" and cell.settings.training.dtype == "float64"


@law
def student_teacher(run: Run) -> tuple[bool, str, int]:
    """The closed-form population loss of a ReLU student is what numerical integration gives for the regenerated starts (within 1e-10),
    and what Monte Carlo gives: z-tests of the mean over 4,000 inputs for each of 100 lanes, jointly over all cells at the 1% level."""
    rng = np.random.default_rng(0)
    worst, p_values, n = 0.0, [], 0
    for cell, rows in cells_of(run, _has_a_teacher):
        rows = rows.head(SAMPLE)
        _, state = starts(run, cell, rows)
        difference, variance = 0.0, 0.0
        for kernel, loss in zip(state.params["dense"]["kernel"], rows["loss_initial"], strict=True):
            worst = max(worst, abs(quadrature_loss(kernel.T) - loss))
            z = rng.standard_normal((DRAWS, len(kernel)))
            squares = (np.maximum(z @ kernel, 0).sum(axis=1) - np.maximum(z, 0).sum(axis=1)) ** 2 / 2
            difference += squares.mean() - loss
            variance += squares.var() / DRAWS
            n += 1
        p_values.append(2 * stats.norm.sf(abs(difference) / np.sqrt(variance)))
    holds, text = jointly(p_values)
    close, apart = within(worst, 1e-10)
    return holds and close, f"difference from the integral {apart}, {text}", n


@law
def recorded_units(run: Run) -> tuple[bool, str, int]:
    """The final loss of a student is that of the hidden units which its row keeps, by numerical integration, within 1e-6."""
    worst, n = 0.0, 0
    for cell, rows in cells_of(run, _has_a_teacher):
        for units, loss in zip(recorded(cell, rows), rows["loss_final"], strict=False):
            worst = max(worst, abs(quadrature_loss(units[:, :-1]) - loss))
            n += 1
    close, difference = within(worst, 1e-6)
    return close, f"largest difference {difference}", n


@law
def second_order_ends(run: Run) -> tuple[bool, str, int]:
    """At least 99% of the lanes that do not solve their task end at a strict local minimum: gradient norm below 1e-6, and every
    eigenvalue of the Hessian above 1e-6 of the largest."""
    failed = run.lanes[run.lanes["outcome"].isin(["unsolved", "stuck"])]
    vanished = failed["grad_norm_final"] < VANISHED
    curved = failed["hessian_min_final"] > VANISHED * failed["hessian_max_final"]
    strict = int((vanished & curved).sum())
    saddles = int((vanished & (failed["hessian_index_final"] > 0)).sum())
    number = f"{strict:,} of {len(failed):,} lanes (gradient not yet vanished: {int((~vanished).sum()):,}; saddles: {saddles:,})"
    return len(failed) > 0 and strict >= 0.99 * len(failed), number, len(failed)
