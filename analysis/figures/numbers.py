"""The numbers that a drawing shows, as a table."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import FillBetweenPolyCollection, PathCollection
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

COLUMNS = ("panel", "series", "x", "y", "low", "high", "value")
Point = tuple[str, Any, Any, float, float, float]


def numbers_of(drawing: Figure) -> pd.DataFrame:
    """Return what the lines, marks, bands and heat maps of a figure show, one line per point.

    Columns: `panel` (the title above the point, or the number of the panel), `series` (the text of the key), `x`, `y`, the ends `low` and
    `high` of an interval or a band in y, and the `value` that a color stands for. Places on an axis of names are those names. Numbers that
    a drawing does not have are null.
    """
    rows = []
    for place, axes in enumerate(drawing.axes):
        name_x, name_y = _names(axes.xaxis), _names(axes.yaxis)
        for series, x, y, *others in _points(axes):
            rows.append((axes.get_title() or str(place + 1), series, name_x(x), name_y(y), *others))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _points(axes: Axes) -> Iterator[Point]:
    """Yield series, x, y, low, high and value of each point of a panel."""
    containers = [container for container in axes.containers if isinstance(container, ErrorbarContainer)]
    # The marks and the caps of error bars are lines too.
    inside = {id(line) for container in containers for line in (container.lines[0], *container.lines[1])}
    for container in containers:
        line, _, bars = container.lines
        ends = (
            [np.asarray(end).reshape(-1, 2)[:, 1] for end in bars[-1].get_segments()]
            if bars and container.has_yerr
            else repeat(np.full(2, np.nan))
        )
        for x, y, end in zip(*_floats(*line.get_data()), ends, strict=False):
            yield _text(container.get_label()), x, y, min(end, default=np.nan), max(end, default=np.nan), np.nan
    names = {}
    for line in axes.lines:
        names[to_rgb(line.get_color())] = _text(line.get_label())
        if id(line) not in inside and line.get_transform() == axes.transData:
            for x, y in zip(*_floats(*line.get_data()), strict=True):
                yield _text(line.get_label()), x, y, np.nan, np.nan, np.nan
    for image in axes.images:
        cells, (left, right, bottom, top) = np.asarray(image.get_array(), float), image.get_extent()
        for (row, column), value in np.ndenumerate(cells) if cells.ndim == 2 else ():
            x, y = left + (column + 0.5) * (right - left) / cells.shape[1], bottom + (row + 0.5) * (top - bottom) / cells.shape[0]
            yield "", x, y, np.nan, np.nan, value
    for marks in axes.collections:
        if isinstance(marks, FillBetweenPolyCollection):
            face: Any = marks.get_facecolor()
            series = names.get(to_rgb(face[0][:3]), "")
            for path in marks.get_paths():
                # There and back: a first point, the lower ends, a last point, the upper ends in reverse.
                corners = np.asarray(path.vertices)
                n = (len(corners) - 3) // 2
                for (x, low), (_, high) in zip(corners[1 : n + 1], corners[2 * n + 1 : n + 1 : -1], strict=True):
                    yield series, x, np.nan, low, high, np.nan
        elif isinstance(marks, PathCollection):
            shades = marks.get_array()
            for (x, y), shade in zip(np.asarray(marks.get_offsets(), float), repeat(np.nan) if shades is None else shades, strict=False):
                yield _text(marks.get_label()), x, y, np.nan, np.nan, float(shade)


def _floats(*arrays: Any) -> list[np.ndarray]:
    return [np.atleast_1d(np.asarray(array, float)) for array in arrays]


def _names(axis: Axis) -> Any:
    """Return a function that gives the name at a place of an axis of names, and a place of any other axis as it is."""
    formatter = axis.get_major_formatter()
    if not isinstance(axis.get_major_locator(), FixedLocator) or not isinstance(formatter, FuncFormatter):
        return lambda value: value
    names = {place: formatter(place) for place in axis.get_majorticklocs()}
    return lambda value: names.get(min(names, key=lambda place: abs(place - value), default=value), value)


def _text(label: object) -> str:
    """Return the text of a key; Matplotlib begins those that it does not show with an underscore."""
    text = str(label)
    return "" if text.startswith("_") else text
