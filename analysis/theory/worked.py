"""Products with zeros, against exact arithmetic."""

from fractions import Fraction

import numpy as np

from analysis.load import Run
from analysis.theory.law import cells_of, law
from analysis.theory.zeros import zeroed_layers
from bench.spec import Cell


@law
def worked_examples(run: Run) -> tuple[bool, str, int]:
    """A product x.W of finite numbers is the answer worked out by hand, and the sum in exact rational arithmetic, within one unit
    in the last place (so 0 times a finite number is 0)."""
    worst, n = 0.0, 0
    outputs: dict[str, None] = {}
    for cell, rows in cells_of(run, lambda cell: _is_product(cell) and _answer(cell) is not None):
        kind = np.dtype(cell.settings.training.dtype).type
        x, w = ([Fraction(float(kind(value))) for value in values] for values in _factors(cell))
        exact = float(sum((a * b for a, b in zip(x, w, strict=True)), Fraction(0)))
        for output in rows["loss_initial"]:
            for expected in (kind(exact), kind(_answer(cell))):
                worst = max(worst, abs(float(output) - float(expected)) / float(np.spacing(np.abs(expected))))
            outputs[f"{output:.8g}"] = None
            n += 1
    return worst <= 1, f"{', '.join(outputs)}: at most {worst:g} units in the last place", n


@law
def undefined_products(run: Run) -> tuple[bool, str, int]:
    """Infinity times 0, and a number over 0, are no numbers that training could go on with: the lane has diverged at its start, and
    its loss is null."""
    agree, n = 0, 0
    for _, rows in cells_of(run, lambda cell: _is_product(cell) and _answer(cell) is None):
        agree += int(((rows["outcome"] == "diverged") & rows["loss_initial"].isna() & rows["loss_final"].isna()).sum())
        n += len(rows)
    return agree == n, f"{agree:,} of {n:,} lanes", n


@law
def zero_tensor(run: Run) -> tuple[bool, str, int]:
    """A weight layer that is entirely zero disables everything before it: the gradient of every earlier layer is exactly 0."""
    agree, n = 0, 0
    for cell, rows in cells_of(run, _has_layers_before_a_zero_one):
        before = range(max(zeroed_layers(cell)))
        holds = (rows[[f"grad_share_{layer}_initial" for layer in before]] == 0).all(axis=1)
        agree, n = agree + int(holds.sum()), n + len(rows)
    return agree == n, f"{agree:,} of {n:,} lanes", n


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
