"""Sums of weights that softmax regression conserves."""

import numpy as np

from analysis.laws.evidence import Evidence
from analysis.laws.law import cells_of, law
from analysis.rows.load import Run
from bench.runs.networks import task_of
from bench.spec import Cell


def _is_softmax(cell: Cell) -> bool:
    settings, training = cell.settings, cell.settings.training
    described = task_of(cell)
    return (
        described.loss.name == "cross_entropy"
        and described.outputs > 1
        and settings.optimizer.is_gradient_descent
        and training.dtype == "float64"
        and training.dropconnect == 0
        and not training.freeze_zeros
    )


@law()
def conserved_sums(run: Run, found: Evidence) -> None:
    """Softmax's gradients sum to 0 over the classes, so gradient descent keeps each sum of an input's weights over the classes: 0 stays 0
    (to 1e-9), any other start keeps its own (to 1e-6 of it); an L2 penalty shrinks them by exactly 1 - lr l2 a step."""
    for cell, rows in cells_of(run, _is_softmax):
        lanes = found.lanes(rows)
        start = lanes["output_sum_initial"]
        kept = (1 - lanes["learning_rate"] * cell.settings.training.l2) ** lanes["steps_run"]
        moved = np.abs(lanes["output_sum_final"] - start * kept) / (1e-9 + 1e-6 * start)
        lanes.within("change, relative to the allowed one,", moved, 1.0)
