"""What the check of a law finds in the rows, training run by training run, and whether that is enough."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from analysis.rows.load import Run
from analysis.stats.intervals import Interval, clustered_rate
from bench.runs.parts import STEPS_OR_NULL

JOINT_LEVEL = 0.01
"""Level at which the statistical tests of a law hold jointly."""
NEARLY_ALL = 0.99
"""Share of training runs that the interval of a claim about every run has to exclude from below: no sample shows a share of 1."""


@dataclass(frozen=True)
class Law:
    """The result of checking a law: whether it holds, and the numbers that say so."""

    name: str
    says: str
    holds: bool
    number: str
    n: int


@dataclass(frozen=True)
class Decision:
    """A number on which a claim that rests on a law is decided, under one condition and at any confidence level."""

    condition: dict[str, Any]
    rows: pd.DataFrame
    """The training runs that the number is computed from."""
    measure: str
    estimator: str
    """What the number is, and its interval."""
    interval: Callable[[float], Interval]
    decide: Callable[[Interval], bool | None]


class Comparison(NamedTuple):
    """A comparison of some training runs with a law, of how many it has to be, and how it came out."""

    index: pd.Index
    wanted: float
    right: Bool[np.ndarray, " lane"]
    each: bool
    """Whether it is about each training run by itself, not about a statistic of all of them."""
    worst: float = np.nan
    allowed: float = np.nan
    """NaN: there is no difference to speak of."""


FACTS, TESTS = "agreement", "statistical tests"
"""What comparisons without a difference are called; the others are called what the difference is."""


@dataclass
class Evidence:
    """All that a law's check finds. The law holds if every comparison holds, none was of too few training runs, and no value was null."""

    name: str
    says: str
    run: Run
    share: float = 1.0
    """Share of the training runs that have to agree with the law."""
    census: bool = False
    """Whether the cells are all that a claim speaks of, so that nothing is inferred from a sample."""
    columns: dict[str, None] = field(default_factory=dict)
    """The columns of the rows that were read, in order."""
    decided: list[Decision] = field(default_factory=list)
    """The law's own numbers for a claim; without any it is the share of training runs that agree."""
    missing: int = 0
    """Rows that the run should have and has not; nothing is tested then."""
    _looked: list[pd.Index] = field(default_factory=list)
    comparisons: dict[str, list[Comparison]] = field(default_factory=dict)
    p_values: list[float] = field(default_factory=list)
    _notes: list[str] = field(default_factory=list)
    _nulls: dict[str, set[int]] = field(default_factory=dict)

    def lanes(self, rows: pd.DataFrame) -> "Lanes":
        """Rows, usually all of a cell, that the law is about."""
        self._looked.append(rows.index)
        return Lanes(self, rows, len(rows), len(self._looked) - 1)

    def note(self, text: str) -> None:
        """Say something more with the law's number."""
        self._notes.append(text)

    @cached_property
    def right(self) -> pd.Series:
        """Of each training run that was tested, whether it agrees with the law in every comparison."""
        found = [pd.Series(one.right, one.index) for several in self.comparisons.values() for one in several]
        return pd.concat(found).groupby(level=0).all() if found else pd.Series([], dtype=bool)

    @property
    def tested(self) -> int:
        """Number of training runs that were tested."""
        return len(self.right)

    @property
    def complete(self) -> bool:
        """Whether enough training runs were tested, and none of them lacks a value that the law reads."""
        return self.tested > 0 and not self._nulls and not self._short

    @property
    def law(self) -> Law:
        """The result, as a report keeps it."""
        return Law(self.name, self.says, self.holds, self.number, self.tested)

    @property
    def holds(self) -> bool:
        """Whether the law holds in these rows."""
        return self.complete and int(self.right.sum()) >= self.share * self.tested and self.passes_tests

    @property
    def least_p_value(self) -> float:
        """Smallest p-value times their number, with which Holm's procedure begins; NaN if any is NaN, or if there is none."""
        return float(np.min(self.p_values)) * len(self.p_values) if self.p_values else np.nan

    @property
    def passes_tests(self) -> bool:
        """Whether no statistical test rejects the law, jointly at the 1% level; a law that is tested so needs at least one."""
        return TESTS not in self.comparisons or self.least_p_value > JOINT_LEVEL

    @property
    def number(self) -> str:
        """What was found, in words."""
        looked = len(set().union(*self._looked))
        parts = [f"{int(self.right.sum()):,} of {self.tested:,} training runs"] if FACTS in self.comparisons else []
        for what, several in self.comparisons.items():
            if not np.isnan(several[0].allowed):
                parts.append(f"largest {what} {_bound(float(np.max([one.worst for one in several])), several[0].allowed)}")
        if self.p_values:
            parts.append(f"smallest adjusted p-value {min(self.least_p_value, 1):.3f} of {len(self.p_values)} tests")
        parts += self._notes
        if FACTS not in self.comparisons or self.tested < looked:
            parts.append(f"tested {self.tested:,} of {looked:,} training runs")
        parts += [f"{what}: {tested:,} training runs tested where {wanted:,.10g} are needed" for what, tested, wanted in self._short]
        parts += [f"{self.missing:,} rows are missing"] if self.missing else []
        parts += [f"no value of {name} in {len(of):,} training runs" for name, of in self._nulls.items()]
        return "; ".join(parts)

    @property
    def decisions(self) -> list[Decision]:
        """The numbers that decide a claim; none of them can be decided where the evidence is not complete."""
        found = self.decided or [self._share()]
        return found if self.complete else [replace(decision, decide=lambda interval: None) for decision in found]

    def _share(self) -> Decision:
        rows = self.run.lanes.loc[self.right.index]
        right, clusters = self.right.to_numpy(), self.run.clusters.loc[self.right.index].to_numpy()

        def interval(level: float) -> Interval:
            if not len(right):
                return Interval(np.nan, 0.0, 1.0, 0)
            if self.census:
                share = float(right.mean())
                return Interval(share, share, share, rows["cell"].nunique())
            return clustered_rate(right, clusters, level)

        each = all(one.each for several in self.comparisons.values() for one in several)

        def decide(found: Interval) -> bool | None:
            if not each:
                # A test that does not reject shows nothing, and a statistic is one observation.
                return None
            if found.estimate >= self.share and found.low >= min(self.share, NEARLY_ALL):
                return True
            return False if found.high < self.share else None

        estimator = "share of training runs that agree with the law"
        return Decision({}, rows, "share that agrees", f"{estimator}, of all there are" if self.census else estimator, interval, decide)

    @property
    def _short(self) -> list[tuple[str, int, float]]:
        """Comparisons of too few training runs: which, of how many, and how many are needed."""
        sums = {what: (sum(len(one.index) for one in of), sum(one.wanted for one in of)) for what, of in self.comparisons.items()}
        return [(what, tested, wanted) for what, (tested, wanted) in sums.items() if tested < wanted]


@dataclass(frozen=True)
class Lanes:
    """Training runs of a cell, and how many of them a comparison has to be of. Reading a column checks that it has no nulls."""

    evidence: Evidence
    rows: pd.DataFrame
    wanted: float
    number: int
    """Of the cell, among those that the law is about."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        """A column: outcomes as text, all else as floats. A null stands for "never" (infinity) in a count of steps, and is expected (NaN)
        in a training run that diverged; any other is noted, and the law fails."""
        self.evidence.columns[name] = None
        column = self.rows[name] if name in self.rows else pd.Series(np.nan, self.rows.index)
        if name in STEPS_OR_NULL:
            return column.to_numpy(float, na_value=np.inf)
        excused = (self.rows["outcome"] == "diverged").to_numpy() & (name != "outcome")
        null = column.isna().to_numpy() & ~excused
        if null.any():
            self.evidence._nulls.setdefault(name, set()).update(self.rows.index[null])
        return column.to_numpy(object) if name == "outcome" else column.to_numpy(float, na_value=np.nan)

    def table(self, names: Sequence[str]) -> Float[np.ndarray, "lane column"]:
        """Several columns, side by side."""
        return np.stack([self[name] for name in names], axis=1) if names else np.zeros((len(self), 0))

    def known(self, *names: str) -> Bool[np.ndarray, " lane"]:
        """Which of them have a number in all of these columns."""
        return np.isfinite(self.table(names)).all(axis=1)

    def where(self, mask: ArrayLike, least: float, most: int | None = None) -> "Lanes":
        """Those for which the law can be tested, or a sample of `most` of them. The others count as left out: the share `least` of all
        (or of `most`) has to be tested. Samples of several cells are of different seeds, as far as there are any."""
        places = np.flatnonzero(np.asarray(mask))
        if most is not None and len(places) > most:
            places = np.sort(np.roll(places, -self.number * most % len(places))[:most])
        wanted = self.wanted if most is None else min(self.wanted, most)
        return replace(self, rows=self.rows.iloc[places], wanted=least * wanted)

    def sample(self, most: int) -> "Lanes":
        """At most so many of them."""
        return self.where(np.ones(len(self), bool), 1.0, most)

    def facts(self, right: ArrayLike) -> None:
        """Whether each training run agrees with the law."""
        self._add(FACTS, np.asarray(right, bool), True)

    def within(self, what: str, errors: ArrayLike, allowed: float) -> None:
        """How far each training run is from the law, and how far it may be; NaN is too far."""
        errors = np.asarray(errors, float)
        self._add(what, errors <= allowed, True, float(np.max(errors, initial=0.0)), allowed)

    def statistic(self, what: str, errors: ArrayLike, allowed: float) -> None:
        """How far statistics of all of these training runs are from the law, and how far they may be; NaN is too far."""
        errors = np.asarray(errors, float)
        self._add(what, np.full(len(self), bool(np.all(errors <= allowed))), False, float(np.max(errors)), allowed)

    def tests(self, p_values: Sequence[float]) -> None:
        """The p-values of statistical tests of these training runs against the law."""
        self.evidence.p_values.extend(map(float, p_values))
        self._add(TESTS, np.ones(len(self), bool), False)

    def _add(self, what: str, right: np.ndarray, each: bool, *difference: float) -> None:
        self.evidence.comparisons.setdefault(what, []).append(Comparison(self.rows.index, self.wanted, right, each, *difference))


def _bound(worst: float, allowed: float) -> str:
    """What is said of a difference: the allowed one. The true one is rounding, which every processor does in its own way, and a report
    should read the same on all of them."""
    bound = f"{allowed:g}".replace("e-0", "e-")
    return f"at most {bound}" if worst <= allowed else f"{worst:.1e}, more than {bound}"
