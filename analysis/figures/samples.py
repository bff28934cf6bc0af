"""The runs of each setting of a foreign table, with the interval of their mean, median or share."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.escape import math_text
from analysis.figures.palette import COLORS
from analysis.figures.style import ONE_COLUMN, TWO_COLUMNS, is_logarithmic, rc
from analysis.rows.samples import Sample, Samples
from analysis.stats.intervals import Interval

LINE = 0.34
"""Height of a setting in inches."""
MOST_POINTS = 2_000
"""Number of runs of a setting that are drawn; of more, every second, third and so on in the order of their values."""
LONGEST_NAME = 28


def sample_figure(samples: Samples, level: float) -> Figure:
    """One row for each setting: its runs as points, and their mean with its interval, or their median where any run failed.

    Where a share is judged, a second panel has the share with its interval; the runs are left out if they are only zeros and ones.
    """
    values = np.concatenate([sample.values for sample in samples.samples])
    finite = values[np.isfinite(values)]
    drawn = not (samples.share and np.isin(finite, (0, 1)).all())
    columns = drawn + bool(samples.share)
    size = (TWO_COLUMNS if columns > 1 else ONE_COLUMN, LINE * len(samples.samples) + 0.9)
    with mpl.rc_context(rc()):
        drawing, axes = plt.subplots(1, columns, figsize=size, sharey=True, squeeze=False, layout="constrained")
    panels = list(axes.flat)
    if drawn:
        _runs(panels[0], samples, finite, level)
    if samples.share:
        _shares(panels[-1], samples, level)
    panels[0].set_yticks(range(len(samples.samples)), [_name(sample) for sample in samples.samples])
    panels[0].set_ylim(len(samples.samples) - 0.4, -0.6)
    for axis in panels:
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="x", color="0.92", lw=0.6)
        sns.despine(ax=axis)
    return drawing


def _runs(axis: Axes, samples: Samples, finite: np.ndarray, level: float) -> None:
    """Draw the values of all runs, and the interval of each setting; runs that failed are crosses at the worse end."""
    log = bool((finite > 0).all()) and is_logarithmic(finite)
    low, high = float(finite.min()), float(finite.max())
    room = (high / low) ** 0.08 if log else (high - low) * 0.08 or max(abs(high), 1.0) * 0.08
    edge = (low / room if samples.higher else high * room) if log else (low - room if samples.higher else high + room)
    failing = any(sample.failed for sample in samples.samples)
    for place, sample in enumerate(samples.samples):
        color = COLORS[place % len(COLORS)]
        points = np.sort(sample.values[np.isfinite(sample.values)])
        points = points[:: max(-(-len(points) // MOST_POINTS), 1)]
        # The same places in every drawing, spread evenly.
        spread = 0.22 * (2 * ((np.arange(len(points)) * 0.6180339887) % 1) - 1)
        axis.plot(points, place + spread, "o", color=color, ms=2.6, mew=0, alpha=0.55, zorder=1)
        if sample.failed:
            axis.plot([edge], [place], "x", color=color, ms=5, mew=1.2, zorder=3)
        found = sample.median(level) if failing else sample.mean(level)
        if found is not None and np.isfinite(found.estimate):
            _bar(axis, found, place, (low, high))
    if log:
        axis.set_xscale("log")
    what, note = ("medians", "; x: failed") if failing else ("means", "")
    axis.set_xlabel(f"{math_text(samples.metric)}\n(runs, {what} with {100 * level:g}% intervals{note})", fontsize=8)


def _shares(axis: Axes, samples: Samples, level: float) -> None:
    """Draw the share of each setting with its interval."""
    for place, sample in enumerate(samples.samples):
        found = sample.share(level)
        assert found is not None
        _bar(axis, found, place, (0.0, 1.0))
    axis.set_xlim(-0.04, 1.04)
    axis.set_xlabel(f"{math_text(samples.share)}\n(with {100 * level:g}% intervals)", fontsize=8)


def _bar(axis: Axes, found: Interval, place: int, ends: tuple[float, float]) -> None:
    """Draw an estimate with its interval; a bound that is infinite reaches to the end of the values."""
    low, high = (
        max(found.low, ends[0]) if np.isinf(found.low) else found.low,
        min(found.high, ends[1]) if np.isinf(found.high) else found.high,
    )
    error = [[max(found.estimate - low, 0)], [max(high - found.estimate, 0)]]
    axis.errorbar([found.estimate], [place], xerr=error, fmt="|", color="#000000", ms=8, mew=1.4, lw=1.2, capsize=2.5, zorder=2)


def _name(sample: Sample) -> str:
    """Name and number of runs of a setting."""
    name = sample.name if len(sample.name) <= LONGEST_NAME else f"{sample.name[: LONGEST_NAME - 1]}…"
    failed = f", {sample.failed:,} failed" if sample.failed else ""
    return f"{math_text(name)}\n(n = {len(sample.values):,}{failed})"
