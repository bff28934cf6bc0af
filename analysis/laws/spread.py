"""The spread of final losses over random starts."""

import warnings
from functools import partial

import numpy as np
from jaxtyping import Float
from scipy import stats

from analysis.laws.evidence import JOINT_LEVEL, Decision, Evidence, Lanes
from analysis.laws.law import cells_of, law
from analysis.rows.load import Run
from analysis.stats.intervals import Interval

Losses = Float[np.ndarray, "*samples lane"]
Ratios = Float[np.ndarray, "*samples"]
RESAMPLES = 2000
"""Number of bootstrap samples."""
IN_MEMORY = 1 << 24
"""Most losses of bootstrap samples that are in memory at once."""
ENDED = 0.95
"""Least share of training runs that must have a final loss of their own."""


@law()
def spread_shrinks(run: Run, found: Evidence) -> None:
    """From the narrowest to the widest hidden layer the middle 90% of the final losses gets shorter in every setting: the ratio of the
    two lengths is at most 1, by bootstrap intervals that hold jointly at the 99% level. Training runs that diverged count as the largest
    loss."""
    settings: dict[tuple[tuple[str, object], ...], list] = {}
    for cell, rows in cells_of(run, lambda cell: "widths" in cell.settings.model.options):
        setting = tuple((axis, value) for axis, value in cell.axes.items() if axis != "model.widths")
        settings.setdefault(setting, []).append((sum(cell.settings.model.options["widths"]), rows))
    for setting, cells in settings.items():
        lanes = [found.lanes(rows) for _, rows in (choose(cells, key=lambda cell: cell[0]) for choose in (min, max))]
        narrow, wide = map(_losses, lanes)
        ratio = float(_ratio(narrow, wide))
        again = _resampled(narrow, wide)
        upper = float(np.quantile(again, 1 - JOINT_LEVEL / len(settings)))
        for side in lanes:
            side.where(side["outcome"] != "diverged", ENDED).statistic("upper bound of a ratio", upper, 1.0)
        place = ", ".join(str(value) for _, value in setting)
        found.note(f"ratio {place} {ratio:.2g} (at most {upper:.2g})".replace("  ", " "))
        found.decided.append(
            Decision(
                dict(setting),
                run.lanes.loc[lanes[0].rows.index.union(lanes[1].rows.index)],
                "length of the middle 90% of final losses, widest over narrowest",
                f"ratio, interval of the quantiles of {RESAMPLES:,} bootstrap samples",
                partial(_interval, ratio, again, len(narrow)),
                lambda interval: True if interval.high < 1 else False if interval.low >= 1 else None,
            )
        )


def _interval(ratio: float, again: np.ndarray, n: int, level: float) -> Interval:
    low, high = np.quantile(again, [(1 - level) / 2, (1 + level) / 2])
    return Interval(ratio, float(low), float(high), n)


def _resampled(narrow: Losses, wide: Losses) -> Float[np.ndarray, " sample"]:
    """Return the ratios of bootstrap samples; infinity if a side has too few losses to draw from."""
    if min(len(narrow), len(wide)) < 2:
        return np.array([np.inf])
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        # The interval of one level, which is not read, has no number if a ratio has none.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        batch = max(1, IN_MEMORY // (len(narrow) + len(wide)))
        found = stats.bootstrap((narrow, wide), _ratio, n_resamples=RESAMPLES, batch=batch, method="percentile", rng=0)
    return found.bootstrap_distribution


def _losses(lanes: Lanes) -> Losses:
    """Final losses, with the largest one in place of those that diverged; all NaN if all diverged."""
    losses = lanes["loss_final"]
    known = ~np.isnan(losses)
    return np.where(known, losses, losses[known].max()) if known.any() else losses


def _ratio(narrow: Losses, wide: Losses, axis: int = -1) -> Ratios:
    """Length of the middle 90% of the wide over that of the narrow network; infinite if the latter is 0."""
    short, long = _length(wide, axis), _length(narrow, axis)
    return np.divide(short, long, out=np.full_like(short, np.inf), where=long != 0)


def _length(losses: Losses, axis: int) -> Ratios:
    low, high = np.quantile(losses, [0.05, 0.95], axis=axis)
    return np.asarray(high - low)
