"""The answer at a glance: shares solved from a zero start and from a random start, problem by problem."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from analysis.figures.style import TWO_COLUMNS, rc, value_label
from analysis.rows.load import Run
from analysis.rows.summary import rate_interval

USUAL = ("glorot_normal", "normal", "normal(gain=1.0)")
GROUPS = {"linear": "Linear models", "neuron": "One neuron", "mlp": "Networks"}


def comparisons(runs: list[Run]) -> pd.DataFrame:
    """Shares solved from zero and from a common random start, for every problem that was trained from both on the same data."""
    lines = []
    for run in runs:
        if "initializer" not in run.experiment.axes:
            continue
        random = next((name for name in USUAL if name in run.experiment.axes["initializer"]), None)
        others = [axis for axis in run.experiment.axes if axis != "initializer"]
        lanes = run.reading()
        groups = lanes.groupby(others, observed=True, sort=False) if others else [((run.experiment.name,), lanes)]
        for values, rows in groups:
            settings = run.cell(rows["cell"].iloc[0]).settings
            zero, drawn = (rows[rows["initializer"] == name] for name in ("zeros", random))
            # There is nothing to compare if nothing counts as solved, or if all lanes diverged.
            if zero.empty or drawn.empty or settings.training.solved_below is None or (rows["outcome"] == "diverged").all():
                continue
            name = ", ".join(value_label(value) for value in values)
            line = {"group": GROUPS.get(settings.model.name, settings.model.name), "problem": name, "n": len(zero)}
            for start, part in (("zero", zero), ("random", drawn)):
                line |= dict(zip((start, f"{start}_low", f"{start}_high"), rate_interval(run, part), strict=True))
            lines.append(line)
    return pd.DataFrame(lines)


def headline(table: pd.DataFrame) -> Figure:
    """One row per problem: share solved from zero (black) and from random weights (blue), with 95% intervals."""
    with mpl.rc_context(rc()):
        drawing = plt.figure(figsize=(TWO_COLUMNS, 0.17 * sum(_heights(table)) + 0.9), layout="constrained")
        draw_headline(drawing, table)
    return drawing


def _heights(table: pd.DataFrame) -> list[int]:
    """Rows that each group of problems takes."""
    return [max(int((table["group"] == group).sum()), 2) for group in dict.fromkeys(table["group"])]


def draw_headline(drawing: Figure, table: pd.DataFrame) -> None:
    """Draw it on a figure whose layout is constrained."""
    groups = list(dict.fromkeys(table["group"]))
    with mpl.rc_context(rc()):
        axes = drawing.subplots(len(groups), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": _heights(table)})
        for axis, group in zip(axes.flat, groups, strict=True):
            part = table[table["group"] == group].reset_index(drop=True)
            for start, color, mark in (("random", "#0072B2", "s"), ("zero", "#000000", "o")):
                error = [(part[start] - part[f"{start}_low"]).clip(0), (part[f"{start}_high"] - part[start]).clip(0)]
                axis.errorbar(
                    part[start],
                    part.index,
                    xerr=error,
                    fmt=mark,
                    color=color,
                    ms=6 if start == "random" else 3.5,
                    mfc="white" if start == "random" else color,
                    capsize=0,
                    lw=1,
                    label=f"{start} weights",
                )
            axis.set_yticks(part.index, part["problem"])
            axis.set_ylim(len(part) - 0.4, -0.6)
            axis.set_xlim(-0.03, 1.03)
            axis.grid(axis="x", color="0.9", lw=0.6)
            axis.set_title(value_label(group), loc="left", fontweight="bold")
            sns.despine(ax=axis, left=True)
            axis.tick_params(axis="y", length=0)
        axes.flat[-1].set_xlabel(f"share of runs that learn the task (n = {table['n'].min():,} each)")
        handles, texts = axes.flat[0].get_legend_handles_labels()
        axes.flat[0].legend(handles[::-1], texts[::-1], loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, borderaxespad=0)
