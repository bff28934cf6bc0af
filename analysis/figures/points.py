"""Points that generators make, beside the real ones."""

import numpy as np
from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.palette import COLORS
from analysis.figures.style import chosen, count_note, finish, label, panels
from analysis.rows.load import Run
from analysis.rows.measures import with_worst
from bench.probes.generation import KEPT_POINTS
from bench.runs.starts import data_sets
from bench.spec import Figure as FigureSpec

SHOWN = 20
"""Number of training runs whose points are drawn: those around the median of `x`."""
MOST_BYTES = 1 << 22


@figure_kind(x="measure", panel="axis", columns=("generated_points_0_final",))
def points(run: Run, figure: FigureSpec) -> Figure:
    """Points that generators make at the end, in color, on the real ones in gray: of the runs around the median of `x`.

    Cells need points of two coordinates and the probe `generated_points`.
    """
    assert figure.x is not None
    rows = chosen(run, figure, run.lanes)
    drawing, each = panels(rows, figure)
    for axis, part in each:
        ordered = part.assign(_key=with_worst(part, figure.x)).sort_values("_key", kind="stable")
        first = max((len(ordered) - SHOWN) // 2, 0)
        shown = ordered.iloc[first : first + SHOWN]
        [data] = data_sets(run.cell(shown["cell"].iloc[0]), [int(shown["data_seed"].iloc[0])], MOST_BYTES)
        real = np.asarray(data.x)[:, :2]
        axis.plot(*real.T, ".", color="0.75", ms=3, zorder=0)
        made = shown[[f"generated_points_{number}_final" for number in range(2 * KEPT_POINTS)]].to_numpy(float).reshape(-1, 2)
        axis.plot(*made[np.isfinite(made).all(axis=1)].T, ".", color=COLORS[1], ms=1.6, alpha=0.6, rasterized=True)
        axis.plot([], [], ".", color="0.75", ms=8, label="real points")
        axis.plot([], [], ".", color=COLORS[1], ms=6, label="generated points")
        reach = 1.8 * np.abs(real).max()
        axis.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
    return finish(
        drawing, "first coordinate", "second coordinate", f"the {SHOWN} runs around the median {label(figure.x)}, of {count_note(rows)}"
    )
