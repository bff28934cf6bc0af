"""Seeds of an experiment file: how many training runs each cell has, ranges of numbers, and maps over two settings."""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from bench.spec.part import Part

MAX_SEEDS = 1 << 32
"""Most seeds of one kind: seeds are 32 bits wide, more would begin again at 0."""
MAX_RANGE = 10_000
"""Most values of a grid's range."""
MOST_LANES = 1 << 44
"""Most training runs of one cell: no number of a run overflows 64 bits, whatever the number of cells."""


class Range(Part):
    """Numbers at equal distances, or at equal ratios if `log`, from `from` to `to`."""

    start: float = Field(alias="from")
    stop: float = Field(alias="to")
    log: bool = False

    @model_validator(mode="after")
    def _has_values_between(self) -> Self:
        if self.start == self.stop:
            raise ValueError(f"from and to are both {self.start:g}")
        if self.log and min(self.start, self.stop) <= 0:
            raise ValueError("log needs positive numbers")
        if not 0 < abs(self.stop / self.start if self.log else self.stop - self.start) < np.inf:
            raise ValueError(f"from {self.start:g} to {self.stop:g}: too far apart for the numbers between them")
        return self

    def at(self, share: np.ndarray) -> np.ndarray:
        """The numbers at these shares (0 to 1) of the way."""
        if self.log:
            return self.start * (self.stop / self.start) ** share
        return self.start + (self.stop - self.start) * share


class GridRange(Range):
    """A range as the values of a grid's axis, rounded to six digits."""

    count: Annotated[int, Field(ge=2, le=MAX_RANGE)]

    def values(self) -> list[float]:
        """The values of the axis, both ends included."""
        return [float(f"{value:.6g}") for value in self.at(np.linspace(0, 1, self.count))]


class Span(Part):
    """A part of a map's axis, both ends included."""

    at_least: float = -np.inf
    at_most: float = np.inf


class MapAxis(Range):
    """One axis of a map: the setting that changes along it, and from where to where."""

    path: Literal["optimizer.learning_rate", "initializer.gain", "initializer.first_layer_offset", "training.l2"]


class Map(Part):
    """Training runs as the points of a lattice over two settings, all with the same initial weights.

    The point of init seed i is given by the bits of i in reverse order: the first 4^k seeds are a regular lattice of 2^k x 2^k points.
    More seeds therefore refine the map, and no point moves.
    """

    x: MapAxis
    y: MapAxis

    @model_validator(mode="after")
    def _two_axes(self) -> Self:
        if self.x.path == self.y.path:
            raise ValueError(f"x and y are the same setting, {self.x.path}")
        return self

    def places(self, lane: np.ndarray) -> dict[str, np.ndarray]:
        """The value of each axis for these init seeds, by the path of its setting."""
        lane = np.asarray(lane, np.int64)
        bits = [(lane[..., None] >> np.arange(first, 62, 2)) & 1 for first in (0, 1)]
        shares = [bit @ 0.5 ** np.arange(1, bit.shape[-1] + 1) for bit in bits]
        return {axis.path: axis.at(share) for axis, share in zip((self.x, self.y), shares, strict=True)}


class Seeds(Part):
    """The seeds of the training runs of each cell, which are numbered data seed by data seed."""

    init: Annotated[int, Field(gt=0, le=MAX_SEEDS)] = 1000
    data: Annotated[int, Field(gt=0, le=MAX_SEEDS)] | Literal["paired"] = 1
    """Number of data seeds, crossed with the init seeds; "paired": init seed i meets data seed i."""
    first: Annotated[int, Field(ge=0, lt=MAX_SEEDS)] = 0
    """The first seed, of data and of starts: reports are made anew on seeds that no earlier one used."""
    map: Map | None = None
    """Init seeds are then the points of a map, and each data seed is one draw of data and initial weights, which all its points share."""

    @model_validator(mode="after")
    def _crossed_with_points(self) -> Self:
        if self.map is not None and self.data == "paired":
            raise ValueError("map: each draw of data has all points; data = the number of draws")
        return self

    @model_validator(mode="after")
    def _below_the_most(self) -> Self:
        for kind, count in (("init", self.init), ("data", self.data)):
            if isinstance(count, int) and self.first + count > MAX_SEEDS:
                raise ValueError(f"first = {self.first} and {kind} = {count}: no seed is above {MAX_SEEDS - 1:,}")
        return self

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if self.data != "paired" and self.data * self.init > MOST_LANES:
            raise ValueError(f"init = {self.init} crossed with data = {self.data}: at most {MOST_LANES:,} training runs of one cell")
        return self

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Data seed and init seed of every training run of a cell."""
        return self.at(np.arange(len(self)))

    @property
    def first_init(self) -> int:
        """The first init seed: 0 with a map, whose points are the bits of these numbers."""
        return 0 if self.map is not None else self.first

    def at(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Data seed and init seed of the training runs with these numbers in their cell."""
        data, init = (place, place) if self.data == "paired" else np.divmod(place, self.init)
        return data + self.first, init + self.first_init

    def places(self, data_seed: np.ndarray, init_seed: np.ndarray) -> np.ndarray:
        """Numbers, in their cell, of the training runs with these seeds; -1 where the experiment has no such run."""
        data, init = data_seed - self.first, init_seed - self.first_init
        known = (init >= 0) & (init < self.init)
        if self.data == "paired":
            return np.where(known & (data == init), init, -1)
        known &= (data >= 0) & (data < self.data)
        return np.where(known, data * self.init + init, -1)

    def among_first(self, most: int, data_seed: np.ndarray, init_seed: np.ndarray) -> np.ndarray:
        """Whether both seeds of each training run are among the first `most` of their kind."""
        return (data_seed < self.first + most) & (init_seed < self.first_init + most)

    def __len__(self) -> int:
        """Number of training runs of a cell."""
        return self.init if self.data == "paired" else self.data * self.init
