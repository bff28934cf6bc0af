"""Best of k random starts, and independent draws."""

import numpy as np
from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.palette import palette
from analysis.figures.style import chosen, count_note, finish, label, panels, value_label
from analysis.laws.chance import best_of
from analysis.rows.load import Run
from analysis.stats.intervals import wilson
from bench.spec import Figure as FigureSpec

STARTS = (1, 2, 3, 4, 5, 7, 10)


@figure_kind(color="axis", panel="axis?", marks="Points: measured; lines: 1 - (1 - p)^k.")
def restarts(run: Run, figure: FigureSpec) -> Figure:
    """Share of groups of k starts with a success (points) and 1 - (1 - p)^k (lines)."""
    assert figure.color is not None
    rows = chosen(run, figure, run.lanes)
    colors = palette(list(rows[figure.color].cat.categories))
    drawing, each = panels(rows, figure)
    for axis, part in each:
        for group, (color, mark) in colors.items():
            solved = (part.loc[part[figure.color] == group].sort_values("init_seed")["outcome"] == "solved").to_numpy()
            k = np.linspace(1, STARTS[-1], 50)
            axis.plot(k, 1 - (1 - solved.mean()) ** k, color=color, lw=0.8)
            for starts in STARTS:
                share, low, high, _ = wilson(*best_of(solved, starts))
                axis.errorbar(
                    starts,
                    share,
                    [[max(share - low, 0)], [max(high - share, 0)]],
                    fmt=mark,
                    color=color,
                    ms=3.5,
                    capsize=1.5,
                    lw=0.8,
                    label=value_label(group) if starts == 1 else None,
                )
        axis.set_xticks(STARTS)
    return finish(drawing, "random starts", "share with a success", count_note(rows), label(figure.color))
