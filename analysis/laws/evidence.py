"""The evidence for a law in the rows, training run by training run, and whether it is enough."""

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
from bench.runs.parquet import STEPS_OR_NULL

JOINT_LEVEL = 0.01
"""Level at which the statistical tests of a law hold jointly."""
NEARLY_ALL = 0.99
"""Share of training runs that must be below the interval of a claim about every run, since no sample shows a share of 1."""


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
    """A number that decides a claim, under one condition and at any confidence level."""

    condition: dict[str, Any]
    rows: pd.DataFrame
    """The training runs that the number is computed from."""
    measure: str
    estimator: str
    """The number and its interval in words."""
    interval: Callable[[float], Interval]
    decide: Callable[[Interval], bool | None]


class Comparison(NamedTuple):
    """A comparison of training runs with a law."""

    index: pd.Index
    wanted: float
    """Number of training runs that it needs."""
    right: Bool[np.ndarray, " lane"]
    """Whether each training run agrees with the law."""
    each: bool
    """Whether it is about each training run, not about a statistic of all of them."""
    worst: float = np.nan
    """The largest difference."""
    allowed: float = np.nan
    """The largest difference that the law allows; NaN if the comparison has no difference."""


TEXTS = ("outcome", "end")
"""Columns of text that laws read."""
FACTS, TESTS = "agreement", "statistical tests"
"""Names of comparisons without a difference; the others have the name of their difference."""


@dataclass
class Evidence:
    """The evidence that the check of a law collects.

    The law holds if every comparison holds, none was of too few training runs, and no value was null.
    """

    name: str
    says: str
    run: Run
    share: float = 1.0
    """Share of the training runs that must agree with the law."""
    census: bool = False
    """Whether the cells are all that a claim is about, so that nothing is inferred from a sample."""
    columns: dict[str, None] = field(default_factory=dict)
    """The columns of the rows that were read, in this order."""
    decided: list[Decision] = field(default_factory=list)
    """The law's own numbers for a claim; without any, the share of training runs that agree decides it."""
    missing: int = 0
    """Number of rows that the run lacks; nothing is tested if there are any."""
    _considered: list[pd.Index] = field(default_factory=list)
    comparisons: dict[str, list[Comparison]] = field(default_factory=dict)
    p_values: list[float] = field(default_factory=list)
    _notes: list[str] = field(default_factory=list)
    _nulls: dict[str, set[int]] = field(default_factory=dict)

    def lanes(self, rows: pd.DataFrame) -> "Lanes":
        """Rows that the law is about, usually all of a cell."""
        self._considered.append(rows.index)
        return Lanes(self, rows, len(rows), len(self._considered) - 1)

    def note(self, text: str) -> None:
        """Add a text to the law's number."""
        self._notes.append(text)

    @cached_property
    def right(self) -> pd.Series:
        """Whether each training run that was tested agrees with the law in every comparison."""
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
        """The smallest p-value times the number of tests, with which Holm's procedure begins; NaN if one is NaN, or if there is none."""
        return float(np.min(self.p_values)) * len(self.p_values) if self.p_values else np.nan

    @property
    def passes_tests(self) -> bool:
        """Whether no statistical test rejects the law, jointly at the 1% level; NaN rejects it."""
        return TESTS not in self.comparisons or self.least_p_value > JOINT_LEVEL

    @property
    def number(self) -> str:
        """The evidence in words."""
        considered = len(set().union(*self._considered))
        parts = [f"{int(self.right.sum()):,} of {self.tested:,} training runs"] if FACTS in self.comparisons else []
        for what, several in self.comparisons.items():
            if not np.isnan(several[0].allowed):
                parts.append(f"largest {what} {_bound(float(np.max([one.worst for one in several])), several[0].allowed)}")
        if self.p_values:
            parts.append(f"smallest adjusted p-value {min(self.least_p_value, 1):.3f} of {len(self.p_values)} tests")
        parts += self._notes
        if FACTS not in self.comparisons or self.tested < considered:
            parts.append(f"tested {self.tested:,} of {considered:,} training runs")
        parts += [f"{what}: {tested:,} training runs tested where {wanted:,.10g} are needed" for what, tested, wanted in self._short]
        parts += [f"{self.missing:,} rows are missing"] if self.missing else []
        parts += [f"no value of {name} in {len(of):,} training runs" for name, of in self._nulls.items()]
        return "; ".join(parts)

    @property
    def decisions(self) -> list[Decision]:
        """The numbers that decide a claim; they decide nothing if the evidence is not complete."""
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
                # A test that does not reject shows nothing, and a statistic of all runs is one observation.
                return None
            if found.estimate >= self.share and found.low >= min(self.share, NEARLY_ALL):
                return True
            return False if found.high < self.share else None

        estimator = "share of training runs that agree with the law"
        return Decision({}, rows, "share that agrees", f"{estimator}, of all there are" if self.census else estimator, interval, decide)

    @property
    def _short(self) -> list[tuple[str, int, float]]:
        """Comparisons of too few training runs: the name, the number of runs, and the number that is needed."""
        sums = {what: (sum(len(one.index) for one in of), sum(one.wanted for one in of)) for what, of in self.comparisons.items()}
        return [(what, tested, wanted) for what, (tested, wanted) in sums.items() if tested < wanted]


@dataclass(frozen=True)
class Lanes:
    """Training runs of a cell, and the number of them that a comparison needs. Reading a column checks that it has no nulls."""

    evidence: Evidence
    rows: pd.DataFrame
    wanted: float
    number: int
    """Index of the cell among those that the law is about."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        """A column, with outcomes and ends as text and all else as floats.

        A null is infinite in a count of steps ("never"), and NaN in a training run that diverged. Any other null is noted, and the law
        fails.
        """
        self.evidence.columns[name] = None
        column = self.rows[name] if name in self.rows else pd.Series(np.nan, self.rows.index)
        if name in STEPS_OR_NULL:
            return column.to_numpy(float, na_value=np.inf)
        excused = (self.rows["outcome"] == "diverged").to_numpy() & (name != "outcome")
        null = column.isna().to_numpy() & ~excused
        if null.any():
            self.evidence._nulls.setdefault(name, set()).update(self.rows.index[null])
        return column.to_numpy(object) if name in TEXTS else column.to_numpy(float, na_value=np.nan)

    def table(self, names: Sequence[str]) -> Float[np.ndarray, "lane column"]:
        """Several columns side by side."""
        return np.stack([self[name] for name in names], axis=1) if names else np.zeros((len(self), 0))

    def known(self, *names: str) -> Bool[np.ndarray, " lane"]:
        """Whether each training run has finite numbers in all of these columns."""
        return np.isfinite(self.table(names)).all(axis=1)

    def where(self, mask: ArrayLike, least: float, most: int | None = None) -> "Lanes":
        """The training runs in which the law can be tested, or a sample of `most` of them.

        All others count as left out: the share `least` of all (or of `most`) must be tested. Samples of several cells have different seeds
        as far as possible.
        """
        places = np.flatnonzero(np.asarray(mask))
        if most is not None and len(places) > most:
            places = np.sort(np.roll(places, -self.number * most % len(places))[:most])
        wanted = self.wanted if most is None else min(self.wanted, most)
        return replace(self, rows=self.rows.iloc[places], wanted=least * wanted)

    def sample(self, most: int) -> "Lanes":
        """A sample of at most `most` of them."""
        return self.where(np.ones(len(self), bool), 1.0, most)

    def facts(self, right: ArrayLike) -> None:
        """Record whether each training run agrees with the law."""
        self._add(FACTS, np.asarray(right, bool), True)

    def within(self, what: str, errors: ArrayLike, allowed: float) -> None:
        """Record the difference of each training run from the law, and the largest one allowed; NaN is too large."""
        errors = np.asarray(errors, float)
        self._add(what, errors <= allowed, True, float(np.max(errors, initial=0.0)), allowed)

    def statistic(self, what: str, errors: ArrayLike, allowed: float) -> None:
        """Record differences of statistics of all of these training runs from the law, and the largest one allowed; NaN is too large."""
        errors = np.asarray(errors, float)
        self._add(what, np.full(len(self), bool(np.all(errors <= allowed))), False, float(np.max(errors)), allowed)

    def tests(self, p_values: Sequence[float]) -> None:
        """Record the p-values of statistical tests of these training runs against the law."""
        self.evidence.p_values.extend(map(float, p_values))
        self._add(TESTS, np.ones(len(self), bool), False)

    def _add(self, what: str, right: np.ndarray, each: bool, *difference: float) -> None:
        self.evidence.comparisons.setdefault(what, []).append(Comparison(self.rows.index, self.wanted, right, each, *difference))


def _bound(worst: float, allowed: float) -> str:
    """A difference in words, by its bound: the difference itself is rounding, which depends on the processor, and reports must not."""
    bound = f"{allowed:g}".replace("e-0", "e-")
    return f"at most {bound}" if worst <= allowed else f"{worst:.1e}, more than {bound}"
