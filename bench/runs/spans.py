"""Sets of whole numbers as spans of consecutive ones, so that a set takes no more memory the more numbers stand side by side."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Self

import numpy as np

Place = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Spans:
    """A set of whole numbers: the sorted, disjoint spans from `first[i]` up to, but without, `last[i]`; no two of them touch."""

    first: np.ndarray
    last: np.ndarray

    @classmethod
    def between(cls, first: int, last: int) -> Self:
        """Return the numbers from `first` up to, but without, `last`."""
        return cls(*(np.array([edge] if first < last else [], np.int64) for edge in (first, last)))

    @classmethod
    def of(cls, numbers: np.ndarray) -> Self:
        """Return these numbers, which may stand in any order and more than once."""
        numbers = np.unique(np.asarray(numbers, np.int64))
        gaps = np.flatnonzero(np.diff(numbers) > 1)
        return cls(numbers[np.append(0, gaps + 1)], numbers[np.append(gaps, -1)] + 1) if len(numbers) else cls.between(0, 0)

    @classmethod
    def joined(cls, sets: Iterable["Spans"]) -> "Spans":
        """Return the numbers that are in any of these sets."""
        found = list(sets)
        while len(found) > 1:
            # In pairs, so that the spans of many sets are gone through a few times only.
            found = [reduce(or_, found[place : place + 2]) for place in range(0, len(found), 2)]
        return found[0] if found else cls.between(0, 0)

    def __len__(self) -> int:
        return int(np.sum(self.last - self.first))

    def __bool__(self) -> bool:
        return len(self.first) > 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spans) and np.array_equal(self.first, other.first) and np.array_equal(self.last, other.last)

    __hash__ = None  # type: ignore[assignment]

    def __or__(self, other: "Spans") -> "Spans":
        return self._combined(other, np.logical_or)

    def __and__(self, other: "Spans") -> "Spans":
        return self._combined(other, np.logical_and)

    def __sub__(self, other: "Spans") -> "Spans":
        return self._combined(other, lambda here, there: here & ~there)

    def contains(self, numbers: np.ndarray) -> np.ndarray:
        """Return for each number whether it is in the set."""
        place = np.searchsorted(self.first, numbers, "right") - 1
        return (place >= 0) & (numbers < self.last[place]) if len(self.first) else np.zeros(np.shape(numbers), bool)

    def pieces(self, most: int) -> Iterator["Spans"]:
        """Yield the set in order, as sets of at most `most` numbers each."""
        place, within = 0, 0
        while place < len(self.first):
            ahead = np.cumsum(self.last[place:] - self.first[place:]) - within
            whole = int(np.searchsorted(ahead, most, "right"))
            first, last = self.first[place : place + whole + 1].copy(), self.last[place : place + whole + 1].copy()
            first[0] += within
            left = most - (int(ahead[whole - 1]) if whole else 0)
            within = left + (within if whole == 0 else 0)
            if whole == len(ahead) or left == 0:
                first, last, within = first[:whole], last[:whole], 0
            else:
                last[-1] = first[-1] + left
            yield Spans(first, last)
            place += whole

    def split(self, count: int) -> tuple["Spans", "Spans"]:
        """Return the first `count` numbers, and the others."""
        if count == 0 or count >= len(self):
            return (self, Spans.between(0, 0)) if count else (Spans.between(0, 0), self)
        head = next(self.pieces(count))
        return head, self - head

    def numbers(self) -> np.ndarray:
        """Return the numbers themselves, in ascending order."""
        sizes = self.last - self.first
        offsets = np.repeat(self.first - np.append(0, np.cumsum(sizes)[:-1]), sizes)
        return offsets + np.arange(len(self))

    def _combined(self, other: "Spans", kept: Place) -> "Spans":
        """Return the numbers for which `kept` says so, of whether they are in this set and in the other."""
        if not self or not other:
            keeps = bool(kept(np.array(bool(self)), np.array(bool(other))))
            return (self if self else other) if keeps else Spans.between(0, 0)
        edges = np.unique(np.concatenate([self.first, self.last, other.first, other.last]))
        inside = kept(self.contains(edges[:-1]), other.contains(edges[:-1]))
        turns = np.diff(np.concatenate([[0], inside.astype(np.int8), [0]]))
        return Spans(edges[turns == 1], edges[turns == -1])
