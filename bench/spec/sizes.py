"""Sizes that a number of the settings may have, so that nothing overflows or vanishes where it is used."""

import math
from collections.abc import Iterable

import numpy as np

from bench.spec.document import walk
from bench.spec.part import Part

LARGEST = {"float32": float(np.finfo(np.float32).max), "float64": 1e150}
SMALLEST = {"float32": float(np.finfo(np.float32).tiny), "float64": 1e-150}
"""Sizes of numbers that do not overflow or vanish as such, or in float64 when they are squared."""
MOST_SIZE = 2**31 - 1
"""Largest number of examples, units or layers: products of a few of them do not overflow 64 bits."""


def extremes(section: str, part: Part) -> list[tuple[str, float]]:
    """Finite numbers of a section that float32 cannot hold, with their paths."""
    found = [(".".join((section, *path)), value) for path, value in walk(part.model_dump()) if isinstance(value, float)]
    return [(path, number) for path, number in found if math.isfinite(number) and not _fits(number, "float32")]


def check_sizes(numbers: Iterable[tuple[str, float]], dtype: str) -> None:
    """Raise ValueError on a number that overflows or vanishes in the arithmetic that the cell is trained in."""
    for path, number in numbers:
        if not _fits(number, dtype):
            raise ValueError(f"{path} = {number:g}: in {dtype} a number is 0 or of size {SMALLEST[dtype]:.2g} to {LARGEST[dtype]:.2g}")


def check_integers(section: str, part: Part) -> None:
    """Raise ValueError on a number of examples, units or layers that overflows the sizes of arrays."""
    for path, value in walk(part.model_dump()):
        if isinstance(value, int) and abs(value) > MOST_SIZE:
            raise ValueError(f"{'.'.join((section, *path))} = {value}: at most {MOST_SIZE:,}")


def _fits(number: float, dtype: str) -> bool:
    return number == 0 or SMALLEST[dtype] <= abs(number) <= LARGEST[dtype]
