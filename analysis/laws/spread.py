"""The spread of final losses over random starts."""

from functools import partial

import numpy as np
from jaxtyping import Float

from analysis.laws.evidence import JOINT_LEVEL, Decision, Evidence, Lanes
from analysis.laws.law import cells_of, law
from analysis.rows.load import Run
from analysis.stats.intervals import Interval

Losses = Float[np.ndarray, " lane"]
RESAMPLES = 2000
"""Number of bootstrap samples."""
ENDED = 0.95
"""Least share of training runs that must have a final loss of their own."""


@law()
def spread_shrinks(run: Run, found: Evidence) -> None:
    """From the narrowest to the widest hidden layer the middle 90% of the final losses gets shorter in every setting: the ratio of the
    two lengths is at most 1, by bootstrap intervals that hold jointly at the 99% level. Training runs that diverged count as the largest
    loss."""
    rng = np.random.default_rng(0)
    settings: dict[tuple[tuple[str, object], ...], list] = {}
    for cell, rows in cells_of(run, lambda cell: "widths" in cell.settings.model.options):
        setting = tuple((axis, value) for axis, value in cell.axes.items() if axis != "model.widths")
        settings.setdefault(setting, []).append((sum(cell.settings.model.options["widths"]), rows))
    for setting, cells in settings.items():
        lanes = [found.lanes(rows) for _, rows in (choose(cells, key=lambda cell: cell[0]) for choose in (min, max))]
        narrow, wide = map(_losses, lanes)
        ratio = _ratio(narrow, wide)
        # Not by scipy.stats.bootstrap, which gives the interval of one level: here one set of samples serves several levels, and all
        # settings draw from one random stream, so that committed reports keep their bytes.
        again = np.array([_ratio(rng.choice(narrow, len(narrow)), rng.choice(wide, len(wide))) for _ in range(RESAMPLES)])
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


def _losses(lanes: Lanes) -> Losses:
    """Final losses, with the largest one in place of those that diverged; all NaN if all diverged."""
    losses = lanes["loss_final"]
    known = ~np.isnan(losses)
    return np.where(known, losses, losses[known].max()) if known.any() else losses


def _ratio(narrow: Losses, wide: Losses) -> float:
    """Length of the middle 90% of the wide over that of the narrow network; infinite if the latter is 0."""
    return _length(wide) / _length(narrow) if _length(narrow) != 0 else np.inf


def _length(losses: Losses) -> float:
    low, high = np.quantile(losses, [0.05, 0.95])
    return float(high - low)
