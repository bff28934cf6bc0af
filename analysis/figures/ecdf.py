"""Cumulative shares of lanes; lanes that never reach a value stay in the denominator."""

import numpy as np
from matplotlib.figure import Figure

from analysis.escape import math_text
from analysis.figures import figure_kind
from analysis.figures.palette import palette
from analysis.figures.style import (
    STEP_0,
    chosen,
    count_note,
    finish,
    integer_ticks,
    is_logarithmic,
    label,
    panels,
    step_axis,
    value_label,
)
from analysis.rows.load import Run
from analysis.stats.distribution import solved_by
from bench.spec import Figure as FigureSpec

DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))


@figure_kind(x="column", color="axis", panel="axis?", log=True, lines=True, marks="What a line lacks to 1: runs that never get there.")
def ecdf(run: Run, figure: FigureSpec) -> Figure:
    """Share of lanes whose `x` is at most the value on the axis."""
    assert figure.x is not None and figure.color is not None
    rows = chosen(run, figure, run.reading(figure.x, *figure.where))
    colors = palette(list(rows[figure.color].cat.categories))
    everything = rows[figure.x].to_numpy(float, na_value=np.nan)
    log = is_logarithmic(everything) if figure.log is None else figure.log
    drawing, each = panels(rows, figure)
    finite = everything[np.isfinite(everything)]
    right = finite.max() if len(finite) else 1.0
    of_steps = figure.x == "steps_to_solve"
    smallest = STEP_0 if of_steps else finite[finite > 0].min(initial=right)
    for axis, part in each:
        for index, (group, (color, _)) in enumerate(colors.items()):
            values = part.loc[part[figure.color] == group, figure.x].to_numpy(float, na_value=np.nan)
            if len(values) == 0:
                continue
            x, share = solved_by(values, right)
            if share[-1] == 0:
                x = np.full_like(x, finite.min(initial=right))
            x = np.maximum(x, smallest) if log else x
            axis.step(
                [x[0], *x, right],
                [0, *share, share[-1]],
                where="post",
                color=color,
                ls=DASHES[index % len(DASHES)],
                label=value_label(group),
            )
        for name, value in figure.lines.items():
            axis.axvline(value, color="0.6", lw=0.7, zorder=0)
            # Where most curves are not.
            above = np.mean(part[figure.x].to_numpy(float, na_value=np.inf) < value) < 0.5
            axis.annotate(
                math_text(name),
                (value, float(above)),
                xycoords=("data", "axes fraction"),
                rotation=90,
                fontsize=6.5,
                color="0.35",
                xytext=(-2, -4 if above else 4),
                textcoords="offset points",
                ha="right",
                va="top" if above else "bottom",
            )
        if log and of_steps:
            step_axis(axis, float(finite.min(initial=right)), float(right))
        elif log:
            axis.set_xscale("log")
        elif np.all(finite == np.round(finite)):
            integer_ticks(axis)
        axis.set_ylim(-0.03, 1.03)
    share_of = "share solved" if of_steps else "share of runs at or below"
    return finish(drawing, label(figure.x), share_of, count_note(rows, figure.color, figure.panel), label(figure.color))
