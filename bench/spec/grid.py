"""The grid of an experiment file, expanded into cells: cases times the cross product of the axes."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

from bench.messages import one_line
from bench.spec.hashing import json_text, text_digest
from bench.spec.labels import check_case_label, check_labeled, content_of, label_of
from bench.spec.paths import assign, check_order, flat_paths
from bench.spec.seeds import Map
from bench.spec.settings import SECTIONS, Settings, section_identity, validated
from bench.spec.sizes import check_integers, check_sizes, extremes

MAX_CELLS = 20_000
"""Most cells of an experiment."""

Cases = Sequence[Mapping[str, Any]]
"""Settings that vary together, by their dotted paths, each case with a `label`."""
Grid = Mapping[str, Sequence[Any]]
"""The values of each axis, as they stand in the file, by the dotted path of the setting."""


@dataclass(frozen=True)
class Cell:
    """One point of the grid: its settings, its value on each axis as it stands in the rows, and a stable id."""

    id: str
    axes: dict[str, Any]
    settings: Settings
    map: Map | None = None


def check_grid(cases: Cases, grid: Grid) -> None:
    """Raise ValueError on a path that is no setting, a wrong label, or an axis that would take back what is set before it."""
    for key in (*grid, *(key for case in cases for key in case if key != "label")):
        section = key.partition(".")[0]
        if section not in SECTIONS or key.endswith(".") or ".." in key:
            raise ValueError(f"grid: '{one_line(key)}' is no setting; a dotted path that begins with {', '.join(SECTIONS)}")
    for case in cases:
        check_case_label(case.get("label"))
        check_order("grid", grid, before=flat_paths({key: value for key, value in case.items() if key != "label"}))
    if not cases:
        check_order("grid", grid)
    for axis, values in grid.items():
        for value in values:
            check_labeled(axis, value)


def axes_of(cases: Cases, grid: Grid) -> dict[str, list[Any]]:
    """The labels of each axis, as they stand in the rows; the cases are an axis of their own, `case`, which comes first."""
    found: dict[str, list[Any]] = {"case": [case["label"] for case in cases]} if cases else {}
    return found | {path: [label_of(value) for value in values] for path, values in grid.items()}


def expanded(base: Mapping[str, Any], cases: Cases, grid: Grid, places: Map | None) -> list[Cell]:
    """The cells of a grid, the last axis changing fastest; ValueError if one is wrong, or if two have the same settings.

    `base` are the sections as they stand in the file, without those that it leaves out.
    """
    count = max(len(cases), 1) * math.prod(map(len, grid.values()))
    if count > MAX_CELLS:
        raise ValueError(f"grid: {count:,} cells; at most {MAX_CELLS:,}")
    for section, raw in base.items():
        # Also what the grid replaces; it may be what completes a section without a name.
        if section in ("optimizer", "training") or not isinstance(raw, dict) or "name" in raw:
            validated(section, raw)
    sections = _Sections(base, cases or ({},), grid)
    labels = [[label_of(value) for value in values] for values in grid.values()]
    cells: list[Cell] = []
    for number, case in enumerate(cases or ({},)):
        for point in product(*(range(len(values)) for values in grid.values())):
            settings, identity = sections.settings(number, point)
            axes = {"case": case["label"]} if case else {}
            axes.update((path, labels[i][place]) for i, (path, place) in enumerate(zip(grid, point, strict=True)))
            cells.append(Cell(identity, axes, settings, places))
    twins = Counter(cell.id for cell in cells)
    if len(twins) < len(cells):
        twin = next(cell for cell in cells if twins[cell.id] > 1)
        raise ValueError(f"grid: two cells have the same settings: {twin.axes}")
    return cells


class _Sections:
    """The sections of every cell, each validated once for all cells in which it stands with the same values."""

    def __init__(self, base: Mapping[str, Any], cases: Cases, grid: Grid) -> None:
        self._base, self._cases = base, cases
        self._grid = {path: [content_of(value) for value in values] for path, values in grid.items()}
        self._axes = {section: [i for i, path in enumerate(grid) if path.partition(".")[0] == section] for section in SECTIONS}
        self._known: dict[tuple[Any, ...], tuple[Any, str, list[tuple[str, float]]]] = {}

    def settings(self, case: int, point: Sequence[int]) -> tuple[Settings, str]:
        """Settings of the cell of this case with the values at these places of the grid's axes, and the cell's id."""
        parts, texts, numbers = {}, [], []
        for section in SECTIONS:
            changed = tuple(point[i] for i in self._axes[section])
            key = (section, case, changed)
            if key not in self._known:
                self._known[key] = self._section(section, case, changed)
            parts[section], text, found = self._known[key]
            numbers += found
            if text:
                texts.append(f'"{section}":{text}')
        # Not validated: every section has been.
        settings = Settings.model_construct(**parts)
        check_sizes(numbers, settings.training.dtype)
        settings.optimizer.check_steps(settings.training.steps)
        settings.check_gain()
        return settings, text_digest(f"{{{','.join(sorted(texts))}}}", 12)

    def _section(self, section: str, case: int, places: Sequence[int]) -> tuple[Any, str, list[tuple[str, float]]]:
        """The section, its values that differ from the defaults as text, and its numbers that float32 cannot hold."""
        tree = {section: deepcopy(self._base[section])} if section in self._base else {}
        paths = [path for path in self._grid if path.partition(".")[0] == section]
        written = {path: value for path, value in self._cases[case].items() if path.partition(".")[0] == section}
        for path, value in (*written.items(), *((path, self._grid[path][place]) for path, place in zip(paths, places, strict=True))):
            assign(tree, path, value)
        if section not in tree:
            field = Settings.model_fields[section]
            if field.is_required():
                kept = ', or { name = "zeros", scheme = "as_built" } to keep what the model builds' if section == "initializer" else ""
                raise ValueError(f"{section}: missing; a name, or a table with a name{kept}; `initbench list {section}s` shows all")
            return field.default, "", []
        part = validated(section, tree[section])
        if section in ("task", "model"):
            check_integers(section, part)
        identity = section_identity(section, part)
        return part, json_text(identity) if identity is not None else "", extremes(section, part)
