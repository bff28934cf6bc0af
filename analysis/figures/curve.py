"""A quantity over the steps of training: median and middle 80% of lanes."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import figure_kind
from analysis.figures.ecdf import DASHES
from analysis.figures.palette import palette
from analysis.figures.style import STEP_0, chosen, count_note, finish, is_logarithmic, label, panels, step_axis, value_label
from analysis.rows.load import Run
from analysis.rows.measures import worst_value
from bench.spec import Figure as FigureSpec

SEEDS = ["data_seed", "init_seed"]
LANE = ["cell", *SEEDS]


@figure_kind(
    y="curve",
    color="axis",
    panel="axis?",
    log=True,
    marks="Line: median; band: middle 80% of runs; dot: from here on every run is solved.",
)
def curve(run: Run, figure: FigureSpec) -> Figure:
    """`y` over training steps. A lane that has ended keeps its last value; one that diverged has the worst value."""
    assert figure.y is not None and figure.color is not None
    axes = run.lanes[["cell", *run.experiment.axes]].drop_duplicates("cell")
    rows = chosen(run, figure, run.curves.merge(axes, on="cell"))
    colors = palette(list(rows[figure.color].cat.categories))
    log = is_logarithmic(rows[figure.y].to_numpy(float)) if figure.log is None else figure.log
    logged = run.reading()[(run.lanes[SEEDS] <= run.curves[SEEDS].max()).all(axis=1)]
    diverged = pd.MultiIndex.from_frame(logged.loc[logged["outcome"] == "diverged", LANE])
    drawing, each = panels(rows, figure, share_y=False)
    kept = rows.drop_duplicates(LANE)
    solved, stuck = (set(logged.loc[logged["outcome"] == name, LANE].itertuples(index=False, name=None)) for name in ("solved", "stuck"))
    budgets = {identity: run.cell(identity).settings.training.steps for identity in rows["cell"].unique()}
    steps_logged = np.unique(rows["step"])
    for axis, part in each:
        for index, (group, (color, _)) in enumerate(colors.items()):
            lanes = held(part[part[figure.color] == group], figure.y, diverged)
            if lanes.empty:
                continue
            if stuck.issuperset(lanes.columns):
                # No later step of these training runs would change a bit.
                budget = max(budgets[cell] for cell in lanes.columns.get_level_values(0).unique())
                lanes = lanes.reindex(steps_logged[steps_logged <= budget]).ffill()
            # There is no value between a finite one and infinity.
            between = "nearest" if np.isinf(lanes).any(axis=None) else "linear"
            low, middle, high = lanes.quantile([0.1, 0.5, 0.9], axis=1, interpolation=between).to_numpy()
            steps = np.maximum(lanes.index.to_numpy(float), STEP_0)
            axis.fill_between(steps, low, high, color=color, alpha=0.15, lw=0)
            axis.plot(steps, middle, color=color, ls=DASHES[index % len(DASHES)], label=value_label(group))
            if solved.issuperset(lanes.columns):
                axis.plot(steps[-1], middle[-1], "o", color=color, ms=4)
        step_axis(axis, float(steps_logged[0]), float(steps_logged[-1]))
        if log:
            axis.set_yscale("log")
    return finish(drawing, "gradient steps", label(figure.y), count_note(kept, figure.color, figure.panel), label(figure.color))


def held(points: pd.DataFrame, name: str, diverged: pd.MultiIndex) -> pd.DataFrame:
    """The values as a table (step, lane); a lane keeps its last value between its logged points and after its end.

    A lane that diverged has the worst value after its last finite one, or NaN if no worst value is declared.
    """
    table = points.pivot_table(index="step", columns=LANE, values=name, observed=True)
    table = table.reindex(columns=pd.MultiIndex.from_frame(points[LANE].drop_duplicates()))
    finite = table.where(np.isfinite(table))
    gone = finite.bfill().isna() & table.columns.isin(diverged)
    return finite.ffill().mask(gone, worst_value(name))
