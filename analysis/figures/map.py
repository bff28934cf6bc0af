"""Maps with one lane per point: where training succeeds, and the edge of that region."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

from analysis.figures import figure_kind
from analysis.figures.style import chosen, count_note, finish, label, panels, value_label
from analysis.geometry.boundary import dimension
from analysis.laws.boundary import improved, is_linear_map, stability_limit
from analysis.rows.load import Run
from bench.spec import Figure as FigureSpec
from bench.spec import Map, MapAxis

SIZE = (3.1, 3.0)
FACTORS = (
    (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
    (1.0001, 1.001, 1.01, 1.1, 2.0, 10.0, 1e3, 1e6),
)
"""Ticks of the two color scales."""
SLOWEST = 1e-4
OVERFLOW = np.log(np.finfo(float).max)
"""Natural logarithm of the loss that a diverged lane at least reached."""


def _between(name: str, low: float, high: float) -> Colormap:
    """A part of a color map, which keeps both scales away from white and black."""
    return LinearSegmentedColormap.from_list(f"{name} part", colormaps[name](np.linspace(low, high, 256)))


FELL, GREW = _between("GnBu", 0.15, 1.0), _between("OrRd", 0.15, 1.0)


@figure_kind(panel="axis?", map=True)
def map(run: Run, figure: FigureSpec) -> Figure:
    """One point per lane of the first draw: the fall of the loss (blue) or its growth (orange), with the border between the two."""
    place = run.experiment.seeds.map
    assert place is not None
    rows = chosen(run, figure, run.lanes)
    rows = rows[rows["data_seed"] == rows["data_seed"].min()]
    drawing, each = panels(rows, figure)
    drawn = list(each)
    drawing.set_size_inches(SIZE[0] * len(drawn) + 1.1, SIZE[1] + 0.6)
    fell, grew = _fall(rows[improved(rows)]), _growth(rows[~improved(rows)])
    # Growth spans decades, from barely unstable to an overflow within a few steps.
    scales = (
        ScalarMappable(Normalize(*_span(fell)), FELL.reversed()),
        ScalarMappable(LogNorm(*np.maximum(_span(grew), SLOWEST)), GREW),
    )
    for axis, part in drawn:
        _draw(axis, part, place, scales)
        cell = run.cell(part["cell"].iloc[0])
        if is_linear_map(cell):
            axis.axhline(stability_limit(run, cell, part), color="black", lw=1, ls=(0, (4, 3)))
        edge = dimension(lattice(place, part, improved(part).astype(float)) > 0.5)
        if edge is not None:
            dimensions = f"edge: box dimension\n{edge.estimate:.2f} ± {edge.error:.2f} over {edge.scales} scales"
            name = value_label(part[figure.panel].iloc[0]) if figure.panel else ""
            axis.set_title(f"{name}\n{dimensions}".strip())
    for scale, text, factors in zip(scales, ("loss fell: end / start", "loss grew: factor per step"), FACTORS, strict=True):
        shown = [factor for factor in factors if scale.norm.vmin <= np.log(factor) <= scale.norm.vmax]
        bar = drawing.colorbar(scale, ax=[axis for axis, _ in drawn], aspect=30, pad=0.015, fraction=0.05, ticks=np.log(shown))
        bar.minorticks_off()
        bar.ax.set_yticklabels([f"{factor:g}" for factor in shown], fontsize=7)
        bar.set_label(text, fontsize=7.5)
    return finish(drawing, label(place.x.path), label(place.y.path), count_note(rows))


def _fall(rows: pd.DataFrame) -> np.ndarray:
    """ln(last loss / first loss)."""
    return np.log(rows["loss_final"].to_numpy(float) / rows["loss_initial"].to_numpy(float))


def _growth(rows: pd.DataFrame) -> np.ndarray:
    """Natural logarithm of the growth of the loss per step; that of a diverged lane grew to the largest number."""
    last = np.where(rows["outcome"] == "diverged", OVERFLOW, np.log(rows["loss_final"].to_numpy(float)))
    return (last - np.log(rows["loss_initial"].to_numpy(float))) / np.maximum(rows["steps_run"].to_numpy(float), 1)


def _span(values: np.ndarray) -> tuple[float, float]:
    """The ends of a color scale: all values but the outermost hundredths lie between them."""
    low, high = np.quantile(values, [0.01, 0.99]) if len(values) else (-1.0, 0.0)
    return float(low), float(max(high, low + 1e-9))


def _draw(axis: Axes, rows: pd.DataFrame, place: Map, scales: tuple[ScalarMappable, ScalarMappable]) -> None:
    good = improved(rows)
    pictures = []
    for scale, chosen_rows, values in ((scales[0], good, _fall), (scales[1], ~good, _growth)):
        seen = np.full(len(rows), np.nan)
        seen[chosen_rows] = values(rows[chosen_rows])
        pictures.append(scale.to_rgba(lattice(place, rows, seen)))
    inside = lattice(place, rows, good.astype(float))
    picture = np.where(inside[..., None] > 0.5, pictures[0], pictures[1])
    x, y = (_edges(one, len(picture)) for one in (place.x, place.y))
    axis.pcolormesh(x, y, picture, rasterized=True)
    centers = [_middle(one, edge) for one, edge in ((place.x, x), (place.y, y))]
    if 0 < inside.mean() < 1:
        axis.contour(*centers, inside, levels=[0.5], colors="black", linewidths=0.7)
    for one, scale_of, ticks in ((place.x, axis.set_xscale, axis.xaxis), (place.y, axis.set_yscale, axis.yaxis)):
        scale_of("log" if one.log else "linear")
        if one.log and one.stop < 10 * one.start:
            ticks.set_major_locator(MaxNLocator(5))
            ticks.set_major_formatter(ScalarFormatter())
            ticks.set_minor_locator(NullLocator())
    axis.set_xlim(x[0], x[-1])
    axis.set_ylim(y[0], y[-1])


def lattice(place: Map, rows: pd.DataFrame, values: np.ndarray) -> np.ndarray:
    """Values (y, x) on the lattice that the lanes refine; a coarser point stands for its cell where the finest lattice is not filled."""
    lane = rows["init_seed"].to_numpy()
    levels = int(np.ceil(np.log2(len(rows)) / 2)) if len(rows) > 1 else 0
    shares = [_share(axis, place.places(lane)[axis.path]) for axis in (place.x, place.y)]
    picture = np.full((1, 1), np.nan)
    for level in range(levels + 1):
        side = 1 << level
        if level:
            picture = picture.repeat(2, axis=0).repeat(2, axis=1)
        here = lane < 4**level
        column, line = (np.round(share[here] * side).astype(int) for share in shares)
        picture[line, column] = values[here]
    return picture


def _share(axis: MapAxis, values: np.ndarray) -> np.ndarray:
    """The positions of values along the axis, from 0 to 1."""
    if axis.log:
        return np.log(values / axis.start) / np.log(axis.stop / axis.start)
    return (values - axis.start) / (axis.stop - axis.start)


def _edges(axis: MapAxis, side: int) -> np.ndarray:
    """Borders of the cells around `side` points."""
    return axis.at((np.arange(side + 1) - 0.5) / side)


def _middle(axis: MapAxis, edges: np.ndarray) -> np.ndarray:
    return np.sqrt(edges[1:] * edges[:-1]) if axis.log else (edges[1:] + edges[:-1]) / 2
