"""Students of a teacher: their population loss without its closed form."""

import numpy as np
from jaxtyping import Float
from scipy import stats

from analysis.geometry.orbits import recorded
from analysis.laws.evidence import Evidence
from analysis.laws.law import SAMPLE, cells_of, law, starts
from analysis.laws.oracle import ACTIVATIONS
from analysis.rows.load import Run
from bench.spec import Cell

DRAWS = 4000
"""Number of Monte Carlo inputs per lane."""

Weights = Float[np.ndarray, "hidden input"]


def quadrature_loss(w: Weights) -> float:
    """E (sum_i relu(w_i.z) - sum_j relu(z_j))^2 / 2 over z ~ N(0, 1)."""
    v = np.eye(w.shape[1])
    return (_overlap(w, w).sum() + _overlap(v, v).sum()) / 2 - _overlap(w, v).sum()


def _overlap(w: Weights, v: Float[np.ndarray, "unit input"]) -> Float[np.ndarray, "hidden unit"]:
    """E relu(w.z) relu(v.z) of every pair of units.

    In the plane of w and v, z has a uniform direction f, independent of its length, whose mean square is 2. That leaves the integral of
    cos(f) cos(f - angle) over the directions in which both are positive, by the rule of Gauss and Legendre.
    """
    sizes = np.linalg.norm(w, axis=1)[:, None] * np.linalg.norm(v, axis=1)
    one, other = (units / np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-300) for units in (w, v))
    # Kahan's formula is exact for small angles and for angles near pi.
    angle = 2 * np.arctan2(np.linalg.norm(one[:, None] - other, axis=2), np.linalg.norm(one[:, None] + other, axis=2))
    nodes, weights = np.polynomial.legendre.leggauss(24)
    half = (np.pi - angle) / 2
    f = np.pi / 2 - half[..., None] * (1 - nodes)
    integral = np.sum(weights * np.cos(f) * np.cos(f - angle[..., None]), axis=2) * half
    return sizes * integral / np.pi


def _has_a_teacher(cell: Cell) -> bool:
    return cell.settings.task.name == "student_teacher" and cell.settings.training.dtype == "float64"


@law()
def student_teacher(run: Run, found: Evidence) -> None:
    """The closed-form population loss of a ReLU student is what numerical integration gives for the regenerated starts (within 1e-10),
    and what Monte Carlo gives: z-tests of the mean over 4,000 inputs for each of 100 training runs, jointly over all cells (1%)."""
    rng, relu = np.random.default_rng(0), ACTIVATIONS["relu"].value
    for cell, rows in cells_of(run, _has_a_teacher):
        few = found.lanes(rows).sample(SAMPLE)
        kernels = starts(run, cell, few.rows).params["dense"]["kernel"]
        losses = few["loss_initial"]
        integrals = np.array([quadrature_loss(kernel.T) for kernel in kernels])
        few.within("difference from the integral", np.abs(integrals - losses), 1e-10)
        difference, variance = 0.0, 0.0
        for kernel, loss in zip(kernels, losses, strict=True):
            z = rng.standard_normal((DRAWS, len(kernel)))
            squares = (relu(z @ kernel).sum(axis=1) - relu(z).sum(axis=1)) ** 2 / 2
            difference += squares.mean() - loss
            variance += squares.var() / DRAWS
        few.tests([2 * stats.norm.sf(abs(difference) / np.sqrt(variance))])


@law()
def recorded_units(run: Run, found: Evidence) -> None:
    """The final loss of a student is that of the hidden units which its row keeps, by numerical integration, within 1e-6."""
    for cell, rows in cells_of(run, _has_a_teacher):
        lanes = found.lanes(rows)
        hidden, features = recorded(cell, rows.head(0)).shape[1:]
        units = lanes.table([f"hidden_units_{number}_final" for number in range(hidden * features)]).reshape(-1, hidden, features)
        losses = np.array([quadrature_loss(one[:, :-1]) for one in units])
        lanes.within("difference", np.abs(losses - lanes["loss_final"]), 1e-6)
