"""Deep linear networks: each singular value of the target is learned by itself."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.load import Run
from analysis.theory.law import cells_of, law, starts, within
from bench.spec import Cell

Array = np.ndarray


def mode_strength(t: Array, s: Array, a0: Array | float) -> Array:
    """a(t) = s e^{2st} / (e^{2st} - 1 + s / a0): strength of a mode of singular value s that starts at a0 (Saxe et al., 2014)."""
    # Divided by e^{2st}, which overflows for long times.
    return s / (1 - np.exp(-2 * s * t) * (1 - s / a0))


def time_of(steps: Array, rate: Array | float, outputs: int) -> Array:
    """Saxe's time after so many gradient steps: 2 rate / outputs each, since our loss is a mean over outputs and not halved."""
    return 2 * rate / outputs * steps


def is_aligned(cell: Cell) -> bool:
    """Whether every mode evolves by itself: two linear layers that start as the same multiple of the identity."""
    settings = cell.settings
    return (
        settings.task.name == "modes"
        and settings.model.name == "mlp"
        and settings.model.options["activation"] == "identity"
        and not settings.model.options["bias"]
        and list(settings.model.options["widths"]) == [len(settings.task.options["strengths"])]
        and settings.initializer.name == "identity"
        and (settings.optimizer.name, settings.optimizer.options) == ("sgd", {})
        and settings.training.l2 == 0
        and settings.training.dtype == "float64"
    )


def strengths_of(run: Run, cell: Cell, rows: pd.DataFrame) -> Array:
    """Singular values of each lane's target (lane, mode), found from its data alone."""
    data = starts(run, cell, rows)[0].data
    return np.linalg.svd(np.linalg.pinv(data.x) @ data.y, compute_uv=False)


def _discrete_loss(s: Array, start: float, rate: Array, steps: Array) -> Array:
    """Loss after so many gradient steps of u <- u + 2 rate / outputs (s - u^2) u, mode by mode."""
    u = np.full_like(s, start)
    for step in range(int(steps.max())):
        moved = u + 2 * rate[:, None] / s.shape[1] * (s - u**2) * u
        u = np.where(step < steps[:, None], moved, u)
    return np.mean((s - u**2) ** 2, axis=1)


def halvings(run: Run) -> Iterator[list[tuple[Cell, pd.DataFrame]]]:
    """Aligned cells with a fixed budget that end at the same time with different learning rates, from the longest step down."""
    groups: dict[tuple[float, float], list[tuple[Cell, pd.DataFrame]]] = {}
    for cell, rows in cells_of(run, lambda cell: is_aligned(cell) and cell.settings.training.solved_below is None):
        key = (round(cell.settings.optimizer.rate * cell.settings.training.steps, 9), cell.settings.initializer.gain)
        groups.setdefault(key, []).append((cell, rows.sort_values("data_seed")))
    for group in groups.values():
        yield sorted(group, key=lambda pair: -pair[0].settings.optimizer.rate)


def distance_to_formula(run: Run, cell: Cell, rows: pd.DataFrame) -> Array:
    """Final loss minus that of the formula, per lane."""
    s = strengths_of(run, cell, rows)
    t = time_of(rows["steps_run"].to_numpy(float)[:, None], rows["learning_rate"].to_numpy(float)[:, None], s.shape[1])
    a = mode_strength(t, s, cell.settings.initializer.gain**2)
    return rows["loss_final"].to_numpy(float) - np.mean((s - a) ** 2, axis=1)


@law
def saxe_modes(run: Run) -> tuple[bool, str, int]:
    """A two-layer linear network that starts aligned learns each singular value by itself: the final loss is that of the recursion
    u <- u + 2 lr / outputs (s - u^2) u within 1e-9 of the initial loss, and its distance to Saxe's formula
    s e^{2st} / (e^{2st} - 1 + s / a0) halves when the learning rate does (order 0.9 to 1.1 at the smallest rates, in every lane)."""
    worst, n = 0.0, 0
    for cell, rows in cells_of(run, is_aligned):
        s = strengths_of(run, cell, rows)
        predicted = _discrete_loss(s, cell.settings.initializer.gain, rows["learning_rate"].to_numpy(), rows["steps_run"].to_numpy())
        difference = np.abs(rows["loss_final"] - predicted) / rows["loss_initial"]
        worst, n = max(worst, float(difference.max())), n + len(rows)
    orders = []
    for group in halvings(run):
        for (coarse, coarse_rows), (fine, fine_rows) in list(zip(group, group[1:], strict=False))[-1:]:
            ratio = distance_to_formula(run, coarse, coarse_rows) / distance_to_formula(run, fine, fine_rows)
            steps = coarse.settings.optimizer.rate / fine.settings.optimizer.rate
            orders.append(np.log(np.abs(ratio)) / np.log(steps))
    low, high = (np.min(orders), np.max(orders)) if orders else (np.nan, np.nan)
    close, difference = within(worst, 1e-9)
    return close and 0.9 < low and high < 1.1, f"difference from the recursion {difference}; order {low:.3f} to {high:.3f}", n
