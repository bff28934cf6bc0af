"""Training runs repeated without the engine."""

import numpy as np

from analysis.laws.evidence import Evidence
from analysis.laws.law import cells_of, law, starts
from analysis.laws.oracle import cross_entropy, forward, layers_of, trained
from analysis.rows.load import Run
from bench.spec import Cell

LANES = 10
"""Number of lanes per network that are trained again."""


@law()
def momentum_descent(run: Run, found: Evidence) -> None:
    """Gradient descent with momentum is that of a NumPy loop with backpropagation by hand: the final loss of each of ten training
    runs of each network, from weights of gain 1 at the lowest learning rate, differs by at most 1e-4. (Rounding grows at the kinks of
    ReLU.)"""
    lowest = min(cell.settings.optimizer.rate for cell in run.experiment.cells)
    for cell, rows in cells_of(run, lambda cell: _is_plain(cell) and cell.settings.optimizer.rate == lowest):
        few = found.lanes(rows).sample(LANES)
        few = few.where(few.known("steps_run", "loss_final"), 1.0)
        start = starts(run, cell, few.rows)
        options, optimizer = cell.settings.model.options, cell.settings.optimizer
        losses = np.zeros(len(few))
        for lane, steps in enumerate(few["steps_run"]):
            x, y, layers = start.data.x[lane].astype(float), start.data.y[lane], layers_of(start.params, lane)
            layers = trained(layers, options["activation"], x, y, int(steps), optimizer.rate, optimizer.options["momentum"])
            losses[lane] = cross_entropy(forward(layers, options["activation"], x).sums[-1], y)[0]
        few.within("difference of a loss", np.abs(losses - few["loss_final"]), 1e-4)


def _is_plain(cell: Cell) -> bool:
    settings = cell.settings
    return (
        settings.model.name == "mlp"
        and settings.model.options["bias"]
        and settings.model.options["dropout"] == 0
        and settings.initializer.gain == 1
        and settings.optimizer.unadorned
        and settings.optimizer.name == "sgd"
        and set(settings.optimizer.options) == {"momentum"}
        and settings.training.batch_size == 0
        and settings.training.l2 == 0
        and settings.training.label_noise == settings.training.weight_noise == settings.training.dropconnect == 0
        and settings.task.options.get("loss") == "cross_entropy"
        and not settings.training.freeze_zeros
    )
