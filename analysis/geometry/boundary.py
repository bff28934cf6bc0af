"""The edge of a region on a lattice, and how its length depends on the scale at which it is looked at."""

from typing import NamedTuple

import numpy as np
from scipy import stats

Array = np.ndarray


class Dimension(NamedTuple):
    """A box-counting dimension: slope of ln(boxes) against ln(1 / size), and the slope's standard error over the scales."""

    estimate: float
    error: float
    scales: int


def edges(inside: Array) -> Array:
    """Which 2 x 2 windows of a boolean lattice hold both kinds of points."""
    corners = np.stack([inside[1:, 1:], inside[1:, :-1], inside[:-1, 1:], inside[:-1, :-1]])
    return np.asarray(corners.any(axis=0) & ~corners.all(axis=0))


def box_counts(marked: Array) -> tuple[Array, Array]:
    """Sizes 1, 2, 4, .. and how many boxes of that size hold a mark; boxes that reach over the border count as others do."""
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

    None where the lattice has fewer than four scales or the region no edge. A finite lattice sees few scales; the error says how far the
    counts are from one power law, not how far from the limit of infinite resolution.
    """
    sizes, counts = box_counts(edges(inside))
    if len(sizes) < 4 or counts[0] == 0:
        return None
    fit = stats.linregress(-np.log(sizes), np.log(counts))
    return Dimension(float(fit.slope), float(fit.stderr), len(sizes))
