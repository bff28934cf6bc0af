"""Shares with their intervals."""

from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.palette import palette
from analysis.figures.style import chosen, count_note, finish, label, panels, value_label
from analysis.rows.load import Run
from analysis.rows.summary import rate_interval
from bench.spec import Figure as FigureSpec


@figure_kind(x="axis", color="axis?", panel="axis?", marks="Marks: share of runs, with 95% intervals.")
def rate(run: Run, figure: FigureSpec) -> Figure:
    """Share of lanes that solve the task, by the values of `x`, with 95% intervals."""
    assert figure.x is not None
    rows = chosen(run, figure, run.reading(*figure.where))
    across = list(rows[figure.x].cat.categories)
    colors = palette(list(rows[figure.color].cat.categories)) if figure.color else {}
    groups = [None] if figure.color in (None, figure.x) else list(colors)
    drawing, each = panels(rows, figure)
    for axis, part in each:
        for offset, group in enumerate(groups):
            inside = part if group is None else part[part[figure.color] == group]
            shift = (offset - (len(groups) - 1) / 2) * 0.15
            for position, value in enumerate(across):
                here = inside[inside[figure.x] == value]
                share, low, high = rate_interval(run, here)
                color, mark = colors.get(value if group is None else group, ("#0072B2", "o"))
                axis.errorbar(
                    position + shift,
                    share,
                    [[max(share - low, 0)], [max(high - share, 0)]],
                    fmt=mark,
                    color=color,
                    ms=4,
                    capsize=2,
                    lw=1,
                    label=value_label(group) if group is not None and position == 0 else None,
                )
        axis.set_xticks(range(len(across)), [value_label(value) for value in across], rotation=35 if len(across) > 5 else 0)
        axis.set_ylim(-0.05, 1.05)
        axis.axhline(1, color="0.85", lw=0.6, zorder=0)
        axis.axhline(0, color="0.85", lw=0.6, zorder=0)
    return finish(drawing, label(figure.x), "share solved", count_note(rows))
