"""Networks of equal units, and the one-unit network that each is in exact arithmetic."""

import numpy as np
from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.palette import palette
from analysis.figures.style import chosen, finish, label, panels, value_label
from analysis.laws.quotient import QUOTIENTS, quotient_loss
from analysis.laws.symmetry import is_tied
from analysis.rows.load import Run
from bench.spec import Figure as FigureSpec


@figure_kind(x="axis", color="axis", panel="axis?", marks="Points: single runs; gray line: equal losses.")
def quotient(run: Run, figure: FigureSpec) -> Figure:
    """Ratio of the final loss to that of the one-unit network after as many steps, one point per lane, by the values of `x`."""
    assert figure.x is not None and figure.color is not None
    rows = chosen(run, figure, run.lanes)
    across, colors = list(rows[figure.x].cat.categories), palette(list(rows[figure.color].cat.categories))
    drawing, each = panels(rows, figure)
    for axis, part in each:
        for identity, lanes in part.groupby("cell", sort=False):
            cell, lanes = run.cell(str(identity)), lanes[lanes["outcome"] != "diverged"].head(QUOTIENTS)
            if not is_tied(cell) or lanes.empty:
                continue
            ratio = lanes["loss_final"].to_numpy() / quotient_loss(run, cell, lanes)
            group = lanes[figure.color].iloc[0]
            (color, mark), side = colors[group], list(colors).index(group) - (len(colors) - 1) / 2
            # Lanes of one cell stand side by side and do not hide one another.
            places = across.index(lanes[figure.x].iloc[0]) + 0.36 * side + np.linspace(-0.13, 0.13, len(ratio))
            axis.plot(places, ratio, mark, color=color, ms=2.5, alpha=0.7, mew=0, ls="", label=value_label(group))
        axis.axhline(1, color="0.6", lw=0.7, zorder=0)
        axis.set_ylim(bottom=0)
        axis.set_xticks(range(len(across)), [value_label(value) for value in across])
    note = f"first {QUOTIENTS} runs each"
    return finish(drawing, label(figure.x), "final loss / one-unit network's", note, label(figure.color))
