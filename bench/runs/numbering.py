"""The numbers of the training runs of an experiment: cell by cell in the order of the grid, and in a cell data seed by data seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.runs.spans import Spans
from bench.spec import Seeds

FOREIGN, BEYOND = -1, -2
"""Stand for the number of a training run where its cell, or its seeds, are not of the experiment."""


@dataclass(frozen=True)
class Numbering:
    """Numbers of training runs by their cells and seeds; nothing that a cell names is needed."""

    cells: Sequence[str]
    """Ids of the cells."""
    seeds: Seeds

    def of(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the number of the training run of each row (columns LANE); FOREIGN or BEYOND where the experiment has no such run."""
        cell = pd.Index(self.cells).get_indexer(pd.Index(rows["cell"]))
        seed = self.seeds.places(rows["data_seed"].to_numpy(np.int64), rows["init_seed"].to_numpy(np.int64))
        return np.where(cell < 0, FOREIGN, np.where(seed < 0, BEYOND, cell * len(self.seeds) + seed))

    def below(self, numbers: np.ndarray, most: int) -> np.ndarray:
        """Return whether both seeds of each of the training runs with these numbers are among the first `most`."""
        return self.seeds.among_first(most, *self.seeds.at(numbers % len(self.seeds)))

    def first(self, most: int) -> Spans:
        """Return the numbers of all training runs with both seeds among the first `most`."""
        data_seed, init_seed = np.divmod(np.arange(most**2), most)
        places = self.seeds.places(data_seed + self.seeds.first, init_seed + self.seeds.first_init)
        cells = np.arange(len(self.cells))[:, None] * len(self.seeds)
        return Spans.of((cells + places[places >= 0]).ravel())

    @property
    def all(self) -> Spans:
        """The numbers of all training runs."""
        return Spans.between(0, len(self.cells) * len(self.seeds))
