"""Deep linear networks: each singular value of the target is learned by itself."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.laws.evidence import Evidence
from analysis.laws.law import cells_of, law, starts
from analysis.rows.load import Run
from bench.spec import Cell

Array = np.ndarray


def mode_strength(t: Array, s: Array, a0: Array | float) -> Array:
    """a(t) = s e^{2st} / (e^{2st} - 1 + s / a0): strength of a mode of singular value s that starts at a0 (Saxe et al., 2014)."""
    # The fraction is divided by e^{2st}, which overflows for long times.
    return s / (1 - np.exp(-2 * s * t) * (1 - s / a0))


def time_of(steps: Array, rate: Array | float, outputs: int) -> Array:
    """Saxe's time after gradient steps: 2 rate / outputs for each, since the loss is a mean over outputs and not halved."""
    return 2 * rate / outputs * steps


def is_aligned(cell: Cell) -> bool:
    """Whether each mode evolves by itself: two linear layers that start as the same multiple of the identity."""
    settings = cell.settings
    return (
        settings.task.name == "modes"
        and settings.model.name == "mlp"
        and settings.model.options["activation"] == "identity"
        and not settings.model.options["bias"]
        and list(settings.model.options["widths"]) == [len(settings.task.options["strengths"])]
        and settings.initializer.name == "identity"
        and settings.optimizer.is_gradient_descent
        and settings.training.l2 == 0
        and settings.training.dtype == "float64"
    )


def strengths_of(run: Run, cell: Cell, rows: pd.DataFrame) -> Array:
    """Singular values (lane, mode) of the target of each lane, from its data alone."""
    data = starts(run, cell, rows).data
    return np.linalg.svd(np.linalg.pinv(data.x) @ data.y, compute_uv=False)


def _discrete_loss(s: Array, start: float, rate: Array, steps: Array) -> Array:
    """Loss after the steps of u <- u + 2 rate / outputs (s - u^2) u of each mode."""
    u = np.full_like(s, start)
    for step in range(int(steps.max())):
        moved = u + 2 * rate[:, None] / s.shape[1] * (s - u**2) * u
        u = np.where(step < steps[:, None], moved, u)
    return np.mean((s - u**2) ** 2, axis=1)


def halvings(run: Run) -> Iterator[list[tuple[Cell, pd.DataFrame]]]:
    """Groups of aligned cells with a fixed budget that end at the same time; in each, learning rates fall."""
    groups: dict[tuple[float, float], list[tuple[Cell, pd.DataFrame]]] = {}
    for cell, rows in cells_of(run, lambda cell: is_aligned(cell) and cell.settings.training.solved_below is None):
        key = (round(cell.settings.optimizer.rate * cell.settings.training.steps, 9), cell.settings.gain)
        groups.setdefault(key, []).append((cell, rows.sort_values("data_seed")))
    for group in groups.values():
        yield sorted(group, key=lambda pair: -pair[0].settings.optimizer.rate)


def distance_to_formula(run: Run, cell: Cell, rows: pd.DataFrame) -> Array:
    """Final loss minus that of the formula, by lane."""
    s = strengths_of(run, cell, rows)
    t = time_of(rows["steps_run"].to_numpy(float)[:, None], rows["learning_rate"].to_numpy(float)[:, None], s.shape[1])
    a = mode_strength(t, s, cell.settings.gain**2)
    return rows["loss_final"].to_numpy(float) - np.mean((s - a) ** 2, axis=1)


@law()
def saxe_modes(run: Run, found: Evidence) -> None:
    """A two-layer linear network that starts aligned learns each singular value by itself: the final loss is that of the recursion
    u <- u + 2 lr / outputs (s - u^2) u within 1e-9 of the initial loss, and its distance to Saxe's formula
    s e^{2st} / (e^{2st} - 1 + s / a0) halves when the learning rate does (order 0.9 to 1.1 at the smallest rates, in every run)."""
    lanes_of = {cell.id: found.lanes(rows.sort_values("data_seed")) for cell, rows in cells_of(run, is_aligned)}
    for cell, _ in cells_of(run, is_aligned):
        lanes = lanes_of[cell.id]
        s = strengths_of(run, cell, lanes.rows)
        steps = np.nan_to_num(lanes["steps_run"])
        predicted = _discrete_loss(s, cell.settings.gain, lanes["learning_rate"], steps)
        lanes.within("difference from the recursion", np.abs(lanes["loss_final"] - predicted) / lanes["loss_initial"], 1e-9)
    orders = []
    for group in halvings(run):
        for (coarse, coarse_rows), (fine, fine_rows) in list(zip(group, group[1:], strict=False))[-1:]:
            ratio = distance_to_formula(run, coarse, coarse_rows) / distance_to_formula(run, fine, fine_rows)
            steps = coarse.settings.optimizer.rate / fine.settings.optimizer.rate
            order = np.log(np.abs(ratio)) / np.log(steps)
            lanes_of[fine.id].within("distance of the order from 1", np.abs(order - 1), 0.1)
            orders.append(order)
    low, high = (np.min(orders), np.max(orders)) if orders else (np.nan, np.nan)
    for lanes in lanes_of.values() if not orders else ():
        lanes.statistic("distance of the order from 1", np.nan, 0.1)
    found.note(f"order {low:.3f} to {high:.3f}")
