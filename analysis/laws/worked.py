"""Products with zeros, in exact arithmetic."""

from fractions import Fraction

import numpy as np

from analysis.laws.evidence import Evidence
from analysis.laws.law import cells_of, law
from analysis.laws.zeros import zeroed_layers
from analysis.rows.load import Run
from bench.spec import Cell


@law(census=True)
def worked_examples(run: Run, found: Evidence) -> None:
    """A product x.W of finite numbers is the answer worked out by hand, and the sum in exact rational arithmetic, within one unit
    in the last place (so 0 times a finite number is 0)."""
    outputs: dict[str, None] = {}
    for cell, rows in cells_of(run, lambda cell: _is_product(cell) and _answer(cell) is not None):
        lanes = found.lanes(rows)
        kind = np.dtype(cell.settings.training.dtype).type
        x, w = ([Fraction(float(kind(value))) for value in values] for values in _factors(cell))
        exact = float(sum((a * b for a, b in zip(x, w, strict=True)), Fraction(0)))
        outputs |= {f"{output:.8g}": None for output in lanes["loss_initial"]}
        for expected in (kind(exact), kind(_answer(cell))):
            errors = np.abs(lanes["loss_initial"] - float(expected)) / float(np.spacing(np.abs(expected)))
            lanes.within("difference in units in the last place", errors, 1.0)
    found.note(", ".join(outputs))


@law(census=True)
def undefined_products(run: Run, found: Evidence) -> None:
    """Infinity times 0, and a number over 0, are no numbers that training could go on with: the training run has diverged at its start,
    and its loss is null."""
    for _, rows in cells_of(run, lambda cell: _is_product(cell) and _answer(cell) is None):
        lanes = found.lanes(rows)
        lanes.facts((lanes["outcome"] == "diverged") & np.isnan(lanes["loss_initial"]) & np.isnan(lanes["loss_final"]))


@law()
def zero_tensor(run: Run, found: Evidence) -> None:
    """A weight layer that is entirely zero disables everything before it: the gradient of every earlier layer is exactly 0."""
    for cell, rows in cells_of(run, _has_layers_before_a_zero_one):
        lanes = found.lanes(rows)
        lanes.facts((lanes.table([f"grad_share_{layer}_initial" for layer in range(max(zeroed_layers(cell)))]) == 0).all(axis=1))


def _is_product(cell: Cell) -> bool:
    settings = cell.settings
    return settings.task.name == "worked_example" and settings.model.name == "linear" and settings.initializer.name == "listed"


def _answer(cell: Cell) -> float | None:
    return cell.settings.task.options["answer"]


def _factors(cell: Cell) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return cell.settings.task.options["x"], cell.settings.initializer.options["values"]


def _has_layers_before_a_zero_one(cell: Cell) -> bool:
    settings = cell.settings
    return settings.model.name == "mlp" and bool(settings.initializer.zero_layers) and max(zeroed_layers(cell)) > 0
