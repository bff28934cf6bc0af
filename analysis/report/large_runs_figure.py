"""The figure of the page on large runs: what preemptions cost against the length of chunks."""

from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from analysis.figures.palette import COLORS, MARKS
from analysis.figures.style import TWO_COLUMNS, rc
from analysis.report.large_runs_numbers import HOSTS, LIVES, RESTART_SECONDS, Costs, overhead_at, simulated_overheads
from analysis.stats.preemptions import cheapest_seconds
from bench.runs.chunks import CHUNK_SECONDS

LENGTHS = 0.5 * 2.0 ** np.arange(0, 11.5, 0.25)
SIMULATED = 2.0 ** np.arange(0, 10)
"""Lengths of chunks that are simulated, in seconds."""
REPEATS = 6


def figure(costs: Costs) -> Figure:
    """Draw expected and simulated overheads against the length of chunks, a color for each mean life of a worker."""
    with mpl.rc_context(rc()):
        drawing, axes = plt.subplots(figsize=(TWO_COLUMNS, 3.6), layout="constrained")
        for (name, life), color, mark in zip(LIVES.items(), COLORS, MARKS, strict=False):
            axes.plot(LENGTHS, [100 * overhead_at(costs, life, float(c)) for c in LENGTHS], color=color)
            found = [100 * simulated_overheads(costs, life, float(c), REPEATS).mean() for c in SIMULATED]
            axes.plot(SIMULATED, found, mark, color=color, ms=4, label=name)
            best = cheapest_seconds(costs.fixed, life)
            axes.plot(best, 100 * overhead_at(costs, life, best), "o", ms=9, mfc="none", mec=color, mew=1)
        axes.axvline(CHUNK_SECONDS, color="0.6", lw=0.8, ls="--")
        axes.set(xscale="log", yscale="log", ylim=(0.07, 100), xlim=(LENGTHS[0], LENGTHS[-1]))
        axes.set_xlabel("length of a chunk in seconds")
        axes.set_ylabel("time of all workers\nbeyond their work")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:g}%"))
        ten, hour = (overhead_at(costs, LIVES[name], CHUNK_SECONDS) - RESTART_SECONDS / LIVES[name] for name in ("10 minutes", "an hour"))
        axes.set_title(
            f"Chunks of {CHUNK_SECONDS:.0f} s cost {100 * ten:.1f}% beside restarts where a worker lives\n10 minutes, "
            f"and {100 * hour:.1f}% where it lives an hour",
            loc="left",
        )
        _add_keys(drawing)
        sns.despine(drawing)
    return drawing


def _add_keys(drawing: Figure) -> None:
    """Add the keys of colors and marks."""
    handles, labels = drawing.axes[0].get_legend_handles_labels()
    others = [
        Line2D([], [], color="0.3"),
        Line2D([], [], color="0.3", ls="", marker="s", ms=4),
        Line2D([], [], color="0.3", ls="", marker="o", ms=9, mfc="none"),
        Line2D([], [], color="0.6", ls="--", lw=0.8),
    ]
    says = ["expected, without an end", f"simulated, {HOSTS} workers, to the end", "cheapest length", f"default, {CHUNK_SECONDS:.0f} s"]
    style: dict[str, Any] = {"frameon": False, "fontsize": 8, "title_fontsize": 8, "alignment": "left"}
    drawing.legend(handles, labels, title="a worker lives, on average", loc="outside right upper", **style)
    drawing.legend(others, says, loc="outside right lower", **style)
