"""Figures of measured throughput."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from analysis.figures.style import rc
from analysis.report.throughput_tables import LOOKS


def speed_figure(rows: pd.DataFrame) -> Figure:
    """Speed relative to plain `jit(vmap)`, one row per workload, on a logarithmic axis; bars span the repeats."""
    workloads = list(dict.fromkeys(rows["workload"]))
    with mpl.rc_context(rc()):
        drawing, axis = plt.subplots(figsize=(6.2, 0.34 * len(workloads) + 1.1), layout="constrained")
        for name, (text, color, mark) in LOOKS.items():
            part = rows[rows["contender"] == name]
            if part.empty:
                continue
            scale = part["ratio"] / part["speed"]
            error = [np.maximum(part["ratio"] - part["slowest"] * scale, 0), np.maximum(part["fastest"] * scale - part["ratio"], 0)]
            place = part["workload"].map(workloads.index)
            axis.errorbar(part["ratio"], place, xerr=error, fmt=mark, color=color, ms=4.5, lw=1, capsize=0, label=text)
        axis.axvline(1, color="0.8", lw=0.7, zorder=0)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_yticks(range(len(workloads)), workloads)
        axis.set_ylim(len(workloads) - 0.5, -0.5)
        axis.set_xlabel("speed relative to jit(vmap)")
        axis.grid(axis="x", color="0.92", lw=0.6)
        sns.despine(ax=axis, left=True)
        axis.tick_params(axis="y", length=0)
        drawing.legend(loc="outside upper center", ncols=5, frameon=False, handletextpad=0.2, columnspacing=1.2)
    return drawing


def growth_figure(growth: pd.DataFrame) -> Figure:
    """Seconds and peak memory against the number of lanes, and seconds against steps."""
    growth = growth.dropna(subset="seconds")
    lanes, steps = (growth[growth["along"] == along] for along in ("lanes", "steps"))
    with mpl.rc_context(rc()):
        drawing, axes = plt.subplots(1, 3, figsize=(7.4, 2.5), layout="constrained")
        for name, (text, color, mark) in LOOKS.items():
            part = lanes[lanes["contender"] == name]
            if len(part):
                axes[0].plot(part["value"], part["seconds"], marker=mark, color=color, ms=4, label=text)
                axes[1].plot(part["value"], part["peak_memory_bytes"] / 2**30, marker=mark, color=color, ms=4)
        axes[2].plot(steps["value"], steps["seconds"], marker="o", color="#000000", ms=4)
        for axis, label, quantity in zip(
            axes, ("training runs", "training runs", "steps"), ("seconds", "peak memory, GiB", "seconds"), strict=True
        ):
            axis.set_xscale("log")
            axis.set_xlabel(label)
            axis.set_ylabel(quantity)
            sns.despine(ax=axis)
        axes[0].set_yscale("log")
        axes[2].set_yscale("log")
        axes[1].set_ylim(bottom=0)
        axes[2].set_xticks(steps["value"], [f"{value:,}" for value in steps["value"]])
        axes[2].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes[2].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        for along in (axes[2].xaxis, axes[2].yaxis):
            along.set_minor_locator(NullLocator())
        drawing.legend(loc="outside upper center", ncols=5, frameon=False, handletextpad=0.4, columnspacing=1.2)
    return drawing
