"""Phase maps: a share over two settings."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.style import PANEL, chosen, finish, label, panels, value_label
from analysis.rows.load import Run
from analysis.rows.measures import best_value, columns_of, measured
from bench.spec import Figure as FigureSpec

SHADES = "cividis"
"""A color map whose lightness rises evenly, so that it reads the same in gray and to the color-blind."""


@figure_kind(x="axis", y="axis", color="measure", panel="axis?", marks="Numbers: percent of runs; a triangle marks the value 1.")
def phase(run: Run, figure: FigureSpec) -> Figure:
    """Share of lanes with the outcome `color`, over `x` and `y`.

    Where several cells fall on one point, the best of them is shown: it is chosen on one half of the draws and counted on the other.
    """
    assert figure.x is not None and figure.y is not None and figure.color is not None
    rows = chosen(run, figure, run.reading(*columns_of(figure.color), *figure.where))
    across, up = (list(rows[axis].cat.categories) for axis in (figure.x, figure.y))
    drawing, each = panels(rows, figure)
    drawn = list(each)
    drawing.set_size_inches(max(len(drawn) * PANEL[0], 3.5) + 0.9, 0.32 * len(up) + 1.0)
    counts = []
    for axis, part in drawn:
        groups = part.groupby([figure.x, figure.y], observed=True)
        table = {place: best_share(cells, run.judges.loc[cells.index], figure.color) for place, cells in groups}
        counts += [n for _, n in table.values()]
        shares = np.array([[table.get((x, y), (np.nan, 0))[0] for x in across] for y in up])
        _draw(axis, shares)
        axis.set_xticks(range(len(across)), [_fraction(value) for value in across])
        axis.set_yticks(range(len(up)), [depth_label(value) if only_depth(up) else value_label(value) for value in up])
        if 1.0 in across:
            axis.plot(across.index(1.0), -0.5, "v", color="black", ms=4, clip_on=False, zorder=5)
    shades = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, 1), SHADES)
    bar = drawing.colorbar(shades, ax=[axis for axis, _ in drawn], aspect=12, pad=0.015, fraction=0.05)
    bar.set_label(f"share {value_label(figure.color)}", fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
    few, most = min(counts), max(counts)
    note = f"n = {few:,} runs each" if few == most else f"n = {few:,} to {most:,} runs each"
    return finish(drawing, _axis_label(figure.x, across), _axis_label(figure.y, up), note)


def best_share(rows: pd.DataFrame, judges: pd.Series, rate: str) -> tuple[float, int]:
    """The share of the best of these cells, and the lanes that it was counted on; a single cell is counted on all its lanes."""
    if rows["cell"].nunique() > 1:
        rows = rows[judges & (rows["cell"] == best_value(rows[~judges], "cell", rate))]
    return float(measured(rows, rate).mean()), len(rows)


def _draw(axis: Axes, shares: np.ndarray) -> None:
    axis.imshow(shares, SHADES, vmin=0, vmax=1, origin="lower", aspect="auto")
    for (line, column), share in np.ndenumerate(shares):
        if np.isfinite(share):
            axis.text(column, line, _percent(share), ha="center", va="center", fontsize=6, color="black" if share > 0.5 else "white")


def _percent(share: float) -> str:
    """Whole percent; only exact shares read 0 or 100."""
    percent = 100 * share
    return f"{percent:.0f}" if share in (0, 1) or 0.5 <= percent < 99.5 else "<1" if percent < 1 else ">99"


def _fraction(value: object) -> str:
    """Powers of 1/2 below 1 as fractions, hidden widths of one size as their number of layers, other values in plain words."""
    if not isinstance(value, int | float):
        return depth_label(value)
    inverse = 1 / value if 0 < value < 1 else 0.5
    return f"1/{inverse:g}" if inverse == round(inverse) else f"{value:.3g}"


def depth_label(value: object) -> str:
    """Hidden widths of one size as their number of layers, other values in plain words."""
    sizes = str(value).strip("[]").split(", ")
    return str(len(sizes)) if str(value).startswith("[") and len(set(sizes)) == 1 else value_label(value)


def only_depth(values: Sequence[object]) -> bool:
    """Whether values are hidden widths, of one size each, that differ in the number of layers alone."""
    sizes = [str(value).strip("[]").split(", ") for value in values]
    alike = all(str(value).startswith("[") and len(set(one)) == 1 for value, one in zip(values, sizes, strict=True))
    return alike and len({len(one) for one in sizes}) == len(sizes)


def _axis_label(name: str, values: Sequence[object]) -> str:
    return "hidden layers" if only_depth(values) else label(name)
