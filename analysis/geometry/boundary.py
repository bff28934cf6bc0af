"""The edge of a region on a lattice, and its box-counting dimension."""

from typing import NamedTuple

import numpy as np
from scipy import stats

Array = np.ndarray


class Dimension(NamedTuple):
    """A box-counting dimension: the slope of ln(boxes) against ln(1 / size), and its standard error over the scales."""

    estimate: float
    error: float
    scales: int


def edges(inside: Array) -> Array:
    """Whether each 2 x 2 window of a boolean lattice has points inside and outside."""
    corners = np.stack([inside[1:, 1:], inside[1:, :-1], inside[:-1, 1:], inside[:-1, :-1]])
    return np.asarray(corners.any(axis=0) & ~corners.all(axis=0))


def box_counts(marked: Array) -> tuple[Array, Array]:
    """Sizes 1, 2, 4, ... and the number of boxes of each size that hold a mark; boxes that reach over the border count."""
    side = 1 << max(max(marked.shape) - 1, 1).bit_length()
    padded = np.zeros((side, side), bool)
    padded[: marked.shape[0], : marked.shape[1]] = marked
    sizes, counts = [], []
    size = 1
    while side // size >= 4:
        boxes = padded.reshape(side // size, size, side // size, size).any(axis=(1, 3))
        sizes.append(size)
        counts.append(int(boxes.sum()))
        size *= 2
    return np.array(sizes), np.array(counts)


def dimension(inside: Array) -> Dimension | None:
    """Box-counting dimension of the edge of a region: 1 for a smooth line, up to 2 for an edge that fills the plane.

    None if the lattice has fewer than four scales or the region no edge. The error is the distance of the counts from one power law over
    these scales, not from the limit of infinite resolution.
    """
    sizes, counts = box_counts(edges(inside))
    if len(sizes) < 4 or counts[0] == 0:
        return None
    fit = stats.linregress(-np.log(sizes), np.log(counts))
    return Dimension(float(fit.slope), float(fit.stderr), len(sizes))
