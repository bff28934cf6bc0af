"""One side of a claim: its rows, the values of its measure, and the draws that the rows belong to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.rows.load import Run, drawn_pairs, matching
from analysis.rows.measures import RATES, at_edge, best_value, columns_of, lacks_values, lower_is_better, measured
from bench.runs.parquet import STEPS_OR_NULL
from bench.spec import Claim

SEEDS = ["data_seed", "init_seed"]
"""The columns that two rows share if they are the same draw under different settings."""


@dataclass(frozen=True)
class Side:
    """The rows on one side of a claim."""

    rows: pd.DataFrame
    measure: str
    values: np.ndarray
    """The measure of each row, with its worst value where it is missing; NaN where no worst value is declared."""
    clusters: np.ndarray
    """The draw of each row: rows of one draw are one observation."""
    note: str = ""
    """The value of the claim's `best` axis that these rows have, in words."""
    edge: bool = False
    """Whether that value is the first or the last of its sweep."""

    @property
    def better(self) -> int:
        """The direction in which a better value would move the measure: 1 up, -1 down."""
        return -1 if lower_is_better(self.measure) else 1

    @property
    def valued(self) -> np.ndarray:
        """Whether each row has a value of its own, not the worst value in its place."""
        return self.rows[columns_of(self.measure)[0]].notna().to_numpy()

    @property
    def silent(self) -> bool:
        """Whether there are rows but none has a value of its own, as when all training runs diverged."""
        never_null = self.measure in (*RATES, *STEPS_OR_NULL)
        return not never_null and len(self.rows) > 0 and not self.valued.any()

    @property
    def unknown(self) -> bool:
        """Whether no row has a value of its own and no worst value is declared."""
        return self.silent and bool(np.isnan(self.values).all())

    @property
    def uneven(self) -> bool:
        """Whether several cells are pooled that are not equally often in each draw, so that draws would weigh the cells differently."""
        if self.rows["cell"].nunique() < 2:
            return False
        rows_of_draw = pd.crosstab(self.clusters, self.rows["cell"].to_numpy())
        return bool((rows_of_draw != rows_of_draw.iloc[0]).to_numpy().any())

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of the rows."""
        return tuple(self.rows["cell"].unique())


class Pairs(NamedTuple):
    """The values of two sides at the seeds that both have; axis: pair."""

    a: np.ndarray
    b: np.ndarray
    clusters: np.ndarray
    """The draw of each pair."""
    rows: pd.DataFrame
    """The rows of the first side."""
    valued: np.ndarray
    """Whether both sides have a value of their own."""


def side_of(run: Run, claim: Claim, where: Mapping[str, Any], measure: str) -> Side:
    """The rows that `where` selects, with their values of `measure`.

    With `claim.best`, one half of the draws chooses the best value of that axis, and the rows of the other half with this value are the
    side. It is empty if one half has no rows or the choosing half has no values.
    """
    mask = matching(run.lanes, run.experiment, dict(where))
    rows, clusters = run.reading("params_digest", *columns_of(measure))[mask], run.clusters[mask].to_numpy()
    lacking = measure in rows and lacks_values(rows, measure)
    values = np.full(len(rows), np.nan) if lacking else measured(rows, measure)
    if claim.best is None or lacking:
        return Side(rows, measure, values, clusters)
    judges = run.judges[mask].to_numpy()
    if judges.all() or not judges.any() or lacks_values(rows[~judges], measure):
        return Side(rows[:0], measure, values[:0], clusters[:0])
    best = best_value(rows[~judges], claim.best, measure)
    kept = judges & (rows[claim.best] == best).to_numpy()
    note = f" at best {claim.best.rpartition('.')[2].replace('_', ' ')} {best}"
    return Side(rows[kept], measure, values[kept], clusters[kept], note, at_edge(rows, claim.best, best))


def paired(mine: Side, theirs: Side) -> Pairs | None:
    """Both sides at the seeds that they share; None if seeds occur more than once on a side."""
    ours, others = (pd.MultiIndex.from_frame(side.rows[SEEDS]) for side in (mine, theirs))
    if ours.has_duplicates or others.has_duplicates:
        return None
    place = others.get_indexer(ours)
    both = place >= 0
    clusters = drawn_pairs(mine.clusters[both], theirs.clusters[place[both]])
    valued = mine.valued[both] & theirs.valued[place[both]]
    return Pairs(mine.values[both], theirs.values[place[both]], clusters, mine.rows[both], valued)


def columns_read(claim: Claim, *sides: Side) -> tuple[str, ...]:
    """The columns of the rows that the sides are computed from."""
    best = () if claim.best is None else (claim.best,)
    return tuple(dict.fromkeys([*(column for side in sides for column in columns_of(side.measure)), *best, *SEEDS]))
