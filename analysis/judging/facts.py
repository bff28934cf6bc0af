"""Conditions as facts: the words that hold for each, and its numbers; rules are made of both."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from analysis.judging.verdict import Verdict
from analysis.words import ARCHITECTURES, NAMES, column_words, named_options, quantity, value_words
from bench.initializers import initializer
from bench.spec import Cell, Experiment, wanted_labels

NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?(e[+-]?\d{1,2})?")
"""A number that is surely finite."""
WIDTHS = re.compile(r"\[\d{1,20}(, \d{1,20})*\]")
COUNTED = re.compile(r"(\d{1,20}(?:\.\d{1,20})?) ([a-z][a-z ]*)")
"""A part of a label like `10 examples`."""
EQUATED = re.compile(r"([A-Za-z]\w*) = (-?\d{1,20}(?:\.\d{1,20})?)")
"""A part of a label like `N = 2`."""
MODEL = "kind of model"
"""The group of the names of models; that of an axis `model` has the words of its values."""
CASE, LABEL, CRITERION, EXPERIMENT = "case", "label", "criterion", "experiment"
"""Groups of words that say less than a setting does, in this order."""

REACHED = "zeroed_grad_share_initial"
"""The share of the first gradient that falls on layers of zeros."""

Word = tuple[str, str]
"""A group of words, of which those of a setting exclude each other, and a word."""


@dataclass(frozen=True)
class Condition:
    """One condition of a claim."""

    name: str
    """The experiment, the criterion and the values of its axes."""
    holds: bool | None
    """None: undecided or withheld."""
    words: frozenset[Word]
    numbers: frozenset[tuple[str, float]]
    """Numbers with their places in a sentence: `a gain of {}`."""

    @cached_property
    def said(self) -> frozenset[str]:
        """The words, whatever their groups: what one experiment says by a setting, another says by a label."""
        return frozenset(word for _, word in self.words)

    def number(self, place: str) -> float | None:
        """The number at this place, if the condition has one."""
        return dict(self.numbers).get(place)


def zeros_reached(rows: pd.DataFrame) -> dict[str, bool]:
    """Whether the first gradient reaches the layers that start at zero, by cell; empty if these rows do not tell."""
    if REACHED not in rows:
        return {}
    shares = rows[REACHED].groupby(rows["cell"].astype(str)).median().dropna()
    return {str(cell): bool(share > 0) for cell, share in shares.items()}


def condition_of(verdict: Verdict, experiment: Experiment, reached: Mapping[str, bool] | None = None) -> Condition:
    """The facts of a verdict: its criterion, its experiment, its values on the axes, and those that its claim fixes by `where`.

    `reached`: what `zeros_reached` says of the rows of its experiment.
    """
    words: set[Word] = {(CRITERION, verdict.id.replace("-", " ")), (EXPERIMENT, experiment.name)}
    numbers: dict[str, float] = {}
    for axis, value in asked_values(verdict, experiment).items():
        for fact in _of_case(value) if axis == CASE else _of_value(axis, value):
            _add(fact, words, numbers)
    for fact in _of_cells([cell for cell in experiment.cells if cell.id in verdict.cells]):
        _add(fact, words, numbers)
    if len(arrives := {(reached or {}).get(cell) for cell in verdict.cells}) == 1 and (does := arrives.pop()) is not None:
        words.add(("gradient", f"zeros that {'a' if does else 'no'} gradient reaches at the start"))
    holds = {"supported": True, "refuted": False}.get(verdict.verdict)
    name = ", ".join([experiment.name, verdict.id, *verdict.condition.values()])
    return Condition(name, holds, frozenset(words), frozenset(numbers.items()))


def _add(fact: tuple[str, str | float], words: set[Word], numbers: dict[str, float]) -> None:
    place, value = fact
    if isinstance(value, str):
        words.add((place, value))
    else:
        numbers[place] = value


def asked_values(verdict: Verdict, experiment: Experiment) -> dict[str, str]:
    """The values of the axes that a verdict is about, in the order of the grid: those of its condition, and those that its claim fixes.

    The axes that a claim compares (`greater_than` other values of an axis, say) are none of them.
    """
    found = dict(verdict.condition)
    for claim in experiment.claim:
        if claim.id == verdict.id:
            compared = {axis for other in claim.compared.values() for axis in other.where}
            for axis, value in claim.where.items():
                labels = wanted_labels(value, experiment.axes[axis]) if axis in experiment.axes and axis not in compared else []
                if len(labels) == 1:
                    found[axis] = str(labels[0])
    return {axis: found.pop(axis) for axis in experiment.axes if axis in found} | found


def _of_case(label: str) -> Iterator[tuple[str, Any]]:
    """The facts of a case's label: `architecture, activation: start` says three things, `10 examples, L2` two."""
    head, _, tail = label.partition(": ")
    parts = head.split(", ")
    if tail or len(parts) > 1:
        yield LABEL, label
    if tail:
        yield "start", tail
        if len(parts) > 1:
            yield "architecture", head
    for part in parts:
        if counted := COUNTED.fullmatch(part):
            number, thing = float(counted[1]), counted[2]
            yield f"{{}} {thing}s" if number == 1 and not thing.endswith("s") else f"{{}} {thing}", number
        elif equated := EQUATED.fullmatch(part):
            yield f"{equated[1]} = {{}}", float(equated[2])
        elif part.isdigit():
            # A pattern or a number of something: a name, which says nothing by itself.
            yield LABEL, label
        else:
            yield CASE, value_words(part)


def _of_value(axis: str, value: str) -> Iterator[tuple[str, Any]]:
    """The facts of a value of an axis: a number, a list of widths, a piece with options, or a word."""
    if NUMBER.fullmatch(value):
        yield quantity(axis), float(value)
    elif value in ("True", "False"):
        yield axis, f"{column_words(axis)} {value.lower()}"
    elif WIDTHS.fullmatch(value):
        sizes = [int(size) for size in value[1:-1].split(", ")]
        yield quantity("model.depth"), float(len(sizes))
        if len(set(sizes)) == 1:
            yield quantity("model.widths"), float(sizes[0])
        else:
            yield axis, f"{column_words(axis)} {value_words(value)}"
    else:
        yield axis, value_words(value)
        yield from _of_piece(axis, *named_options(value))


def _of_piece(axis: str, name: str, options: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """The facts of a piece: its name, if it has options, and those of them that are numbers."""
    numbers = {key: float(option) for key, option in options.items() if NUMBER.fullmatch(option)}
    if numbers:
        yield axis, f"{NAMES.get(name, name.replace('_', ' '))} of any size"
    # A label of the file's own says nothing about gain and spread.
    if axis == "initializer" and name in initializer:
        gain = 0.0 if name == "zeros" else numbers.pop("gain", 1.0)
        if name in ("normal", "zeros"):
            yield quantity("initializer.spread"), gain * numbers.pop("stddev", 1.0)
        if name != "normal":
            yield quantity("initializer.gain"), gain
    for key, number in numbers.items():
        yield quantity(f"{axis}.{key}"), number


def _of_cells(cells: list[Cell]) -> Iterator[tuple[str, Any]]:
    """Yield facts that all cells of a verdict share, whatever their labels say: model, activation function, depth, layers of zeros."""
    models = {cell.settings.model.name for cell in cells}
    if len(models) == 1 and (model := models.pop()) in ARCHITECTURES:
        yield MODEL, ARCHITECTURES[model]
    activations = {str(cell.settings.model.options.get("activation", "")) for cell in cells}
    if len(activations) == 1 and (activation := activations.pop()):
        yield "model.activation", value_words(activation)
    known = {(_hidden_layers(cell), cell.settings.initializer.zero_layers) for cell in cells}
    if len(known) == 1 and (one := known.pop())[0]:
        hidden, zero = one
        yield quantity("model.depth"), float(hidden)
        if zero and all(isinstance(layer, int) for layer in zero):
            yield quantity("initializer.zero_layers"), float(len(zero))
            if hidden not in zero:
                yield "output", "random output"
            elif len(zero) == 1:
                yield "start", "zero output"


def _hidden_layers(cell: Cell) -> int:
    """The number of hidden layers of a model that is made of a list of widths; 0 for any other."""
    widths = cell.settings.model.options.get("widths")
    return len(widths) if isinstance(widths, list | tuple) else 0
