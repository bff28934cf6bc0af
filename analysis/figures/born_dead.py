"""Share of dead networks by depth, and the law of dead networks."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.palette import palette
from analysis.figures.style import chosen, count_note, finish, label, panels, value_label
from analysis.laws.born_dead import dead_at_a_point, dead_on_the_line
from analysis.rows.load import Run
from analysis.stats.intervals import wilson
from bench.spec import Figure as FigureSpec


@figure_kind(
    y=("born_dead", "dead_at_first"),
    color="axis",
    panel="axis?",
    columns=("{y}_0_initial",),
    marks="Points: measured, with 95% intervals; lines and bands: the law.",
)
def born_dead(run: Run, figure: FigureSpec) -> Figure:
    """Share of networks that are dead after each layer by the probe `y` (points), and the law: lines at one input, bands on the line."""
    assert figure.color is not None and figure.y in ("born_dead", "dead_at_first")
    rows = chosen(run, figure, run.lanes)
    colors = palette(list(rows[figure.color].cat.categories))
    drawing, each = panels(rows, figure)
    for axis, part in each:
        for group, (color, mark) in colors.items():
            here = part[part[figure.color] == group]
            widths = list(run.cell(here["cell"].iloc[0]).settings.model.options["widths"])
            depths = np.arange(1, len(widths) + 1)
            _law(axis, figure.y, widths, color)
            for depth in depths:
                dead = here[f"{figure.y}_{depth - 1}_initial"]
                share, low, high, _ = wilson(int(dead.sum()), len(dead))
                axis.errorbar(
                    depth,
                    share,
                    [[max(share - low, 0)], [max(high - share, 0)]],
                    fmt=mark,
                    color=color,
                    ms=3.5,
                    capsize=1.5,
                    lw=0.8,
                    label=value_label(group) if depth == 1 else None,
                )
            axis.set_xticks(depths)
        axis.set_ylim(-0.03, 1.03)
    return finish(
        drawing, "hidden layers", "share dead before training", count_note(rows), None if figure.color == "case" else label(figure.color)
    )


def _law(axis: Axes, probe: str, widths: list[int], color: str) -> None:
    depths = range(1, len(widths) + 1)
    if probe == "dead_at_first":
        axis.plot(depths, [dead_at_a_point(widths[:depth]) for depth in depths], color=color, lw=0.8)
    else:
        low, high = np.transpose([dead_on_the_line(widths[0], depth) for depth in depths])
        axis.fill_between(depths, low, high, color=color, alpha=0.25, lw=0)
