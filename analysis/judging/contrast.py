"""Two samples held against each other: by their means, their shares, or the order of their values, pair by pair where they share seeds."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from analysis.rows.samples import Sample
from analysis.stats.intervals import Interval, clopper_pearson, equivalent, paired_difference, unpaired_difference
from analysis.stats.means import mean_difference, mean_interval, varies
from analysis.stats.order import p_improvement, paired_improvement
from analysis.stats.power import MOST, all_succeed, seeds_needed

Array = np.ndarray
Answer = Literal["better", "worse", "no difference larger than the margin", "undecided"]
SAME: Answer = "no difference larger than the margin"
SHARED = 0.5
"""Share of the runs on each side that must have a partner with the same seed for the comparison to be one of pairs."""


@dataclass(frozen=True)
class Contrast:
    """The values of two sides, turned so that larger ones are better; the two arrays are pairs if `paired`."""

    a: Array
    b: Array
    paired: bool
    kind: Literal["means", "shares", "order"]
    measure: str
    """The number that decides, with its interval, in words."""
    margin: float

    def difference(self, level: float) -> Interval:
        """The difference of the means or shares, a - b."""
        if self.kind == "shares":
            if self.paired:
                return paired_difference(self.a, self.b, np.arange(len(self.a)), level)
            return unpaired_difference(*(clopper_pearson(int(side.sum()), len(side), level) for side in (self.a, self.b)))
        return mean_interval(self.a - self.b, level) if self.paired else mean_difference(self.a, self.b, level)

    def improvement(self, level: float, shift: float = 0.0) -> Interval:
        """P(a > b + shift) + P(a = b + shift) / 2."""
        if self.paired:
            return paired_improvement(self.a, self.b + shift, np.arange(len(self.a)), level)
        return p_improvement(self.a, self.b + shift, level=level)

    def answer(self, level: float) -> Answer:
        """Whether a is better by more than the margin, worse by more than the margin, neither of the two, or none of these for sure."""
        if self.kind == "order":
            above, below = (self.improvement(level, shift) for shift in (self.margin, -self.margin))
            better, worse, same = above.low > 0.5, below.high < 0.5, above.high < 0.5 < below.low
        else:
            found = self.difference(level)
            better, worse = found.low > self.margin, found.high < -self.margin
            same = self.margin > 0 and bool(equivalent(found, 0.0, self.margin))
        return "better" if better else "worse" if worse else SAME if same else "undecided"

    def seeds_needed(self, alpha: float) -> int | None:
        """The number of seeds of each setting that would decide at this level if the effect is as measured; None if it is too large."""
        n = min(len(self.a), len(self.b))
        plan = self._order_plan(alpha) if self.kind == "order" else self._difference_plan(alpha)
        found = seeds_needed(plan.distances, alpha, plan.freedom, max(plan.least, n + 1))
        return None if found is None else found + plan.further

    def _order_plan(self, alpha: float) -> "_Plan":
        """Distances of the two probabilities from 1/2 in their standard deviations, of which one decides, or both where it is the same."""
        n = min(len(self.a), len(self.b))
        above, below = (self.improvement(0.5, shift).estimate for shift in (self.margin, -self.margin))
        deciding = [above] if above > 0.5 else [below] if below < 0.5 else [above, below]
        # One success and one failure more: a share of 0 or 1 in few trials is none without spread.
        guessed = [(chance * n + 1) / (n + 2) for chance in deciding]
        distances = [abs(chance - 0.5) / math.sqrt(near * (1 - near)) for chance, near in zip(deciding, guessed, strict=True)]
        return _Plan(distances, lambda _: math.inf, all_succeed(alpha, 0.5), _further(deciding))

    def _difference_plan(self, alpha: float) -> "_Plan":
        """Distances of the difference from the margin, in standard deviations of one seed's difference."""
        unit = max(float(np.abs([*self.a, *self.b]).max()), np.finfo(float).tiny) if self.kind == "means" else 1.0
        a, b = self.a / unit, self.b / unit
        # As above, one success and one failure more.
        more = (1.0, -1.0) if self.paired else (1.0, 0.0)
        added = () if self.kind == "means" else more
        variances = [float(np.var([*side, *added], ddof=1)) for side in ((a - b,) if self.paired else (a, b))]
        weights = [variance / sum(variances) for variance in variances]
        effect, spread, margin = float(np.mean(a) - np.mean(b)), math.sqrt(sum(variances)), self.margin / unit
        over = abs(effect) - margin
        distances = [over / spread] if over > 0 else [(margin - effect) / spread, (margin + effect) / spread]
        if self.kind == "shares":
            further = _further([(1 + abs(effect) - margin) / 2]) if self.paired else 0
            return _Plan(distances, lambda _: math.inf, all_succeed(alpha, (1 + margin) / 2), further)
        return _Plan(distances, lambda n: (n - 1) / sum(weight**2 for weight in weights), 2, 0)


class _Plan(NamedTuple):
    """The quantities from which the number of seeds that are needed is computed."""

    distances: Sequence[float]
    freedom: Callable[[int], float]
    """Distances and degrees of freedom as `seeds_needed` takes them."""
    least: int
    """The least number of seeds that can decide at all."""
    further: int
    """Seeds that an exact interval needs in addition to a normal one."""


def _further(chances: Sequence[float]) -> int:
    """The correction for continuity of a comparison of probabilities with 1/2: 1 / |p - 1/2| (as Fleiss, Tytun and Ury, 1980)."""
    gaps = [abs(chance - 0.5) for chance in chances if 0 < chance < 1 and chance != 0.5]
    return math.ceil(min(1 / min(gaps), MOST)) if gaps else 0


def contrast(setting: Sample, against: Sample, higher: bool, margin: float) -> Contrast:
    """Hold one setting against another.

    Shares are compared where it is known which runs solved their task. Values are compared by their means, or by their order where a run
    failed (then there is no mean) or where nothing varies (then there is no interval of a mean).
    """
    mine, theirs, paired = _partners(setting, against)
    pairs = " over pairs with the same seed" if paired else ""
    if setting.solved is not None and against.solved is not None:
        measure = f"difference of shares{pairs}, {'Gaffke' if paired else 'Newcombe'}'s interval"
        return Contrast(setting.solved[mine].astype(float), against.solved[theirs].astype(float), paired, "shares", measure, margin)
    sign = 1.0 if higher else -1.0
    a, b = sign * setting.values[mine], sign * against.values[theirs]
    failed = not np.isfinite([*a, *b]).all()
    if failed or not _vary(a, b, paired):
        why = "a run failed" if failed else "nothing varies"
        measure = f"P(better){pairs} against 1/2, as {why}; {'Gaffke' if paired else 'Clopper and Pearson'}'s interval"
        return Contrast(a, b, paired, "order", measure, margin)
    return Contrast(a, b, paired, "means", f"difference of means{pairs}, {'Student' if paired else 'Welch'}'s interval", margin)


def _vary(a: Array, b: Array, paired: bool) -> bool:
    """Whether the differences of pairs, or the values of either side, differ by more than rounding."""
    if paired:
        return varies(a - b, max(float(np.abs(a).max()), float(np.abs(b).max())))
    return any(varies(side, float(np.abs(side).max())) for side in (a, b))


def _partners(setting: Sample, against: Sample) -> tuple[Array, Array, bool]:
    """The places of the runs that are compared on both sides, and whether they are pairs.

    They are those with a seed that both sides have, or all if fewer than `SHARED` of either side have one.
    """
    places = {seed: place for place, seed in enumerate(against.seeds)}
    found = [(place, places[seed]) for place, seed in enumerate(setting.seeds) if seed in places]
    most = max(len(setting.values), len(against.values))
    if len(found) < 2 or len(found) < SHARED * most:
        return np.arange(len(setting.values)), np.arange(len(against.values)), False
    mine, theirs = np.array(found).T
    return mine, theirs, True
