"""Networks up to the symmetries of their hidden layer.

A layer is an array (hidden, feature): each unit's incoming weights and bias (the first `inside` features), then its outgoing weights. The
function that it computes stays the same if units change places, if a unit of an odd activation function changes all its signs, and if the
incoming weights and bias of a ReLU are multiplied by some c > 0 and its outgoing weights are divided by it. The orbit of a network is the
set of all networks that it becomes so.
"""

import math
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from bench.runs.networks import network, task_of
from bench.spec import Cell

Units = Float[np.ndarray, "hidden feature"]
Symmetry = Literal["order", "sign", "scale"]

SYMMETRIES: dict[str, Symmetry] = {"tanh": "sign", "relu": "scale", "leaky_relu": "scale"}
"""The symmetry of single units, besides their order, by activation function; other activation functions have none."""
TOLERANCE = 1e-6
"""Numbers that differ by no more than this count as equal."""


def oriented(units: Units, inside: int, symmetry: Symmetry) -> Units:
    """Each unit in its standard form: incoming weights of norm 1 for a ReLU, a positive first nonzero number for an odd function."""
    if symmetry == "scale":
        size = np.linalg.norm(units[:, :inside], axis=1, keepdims=True)
        safe = np.where(size > 0, size, 1)
        return np.concatenate([units[:, :inside] / safe, units[:, inside:] * size], axis=1)
    if symmetry == "sign":
        first = units[np.arange(len(units)), np.argmax(np.abs(units) > TOLERANCE, axis=1)]
        return units * np.where(first < 0, -1, 1)[:, None]
    return units


def canonical(units: Units, inside: int, symmetry: Symmetry = "order", tolerance: float = TOLERANCE) -> Float[np.ndarray, "fewer feature"]:
    """The standard form of a network: units in standard form, those with equal insides merged, those without effect removed, the rest
    sorted.

    A unit has no effect if its outgoing weights are 0, or if its incoming weights and bias are 0 and the activation function is 0 there.
    """
    units = oriented(units, inside, symmetry)
    merged: list[np.ndarray] = []
    for unit in units:
        twin = next((other for other in merged if np.all(np.abs(other[:inside] - unit[:inside]) <= tolerance)), None)
        if twin is None:
            merged.append(unit.copy())
        else:
            twin[inside:] += unit[inside:]
    kept = np.array(merged).reshape(-1, units.shape[1])
    effect = np.max(np.abs(kept[:, inside:]), axis=1) > tolerance
    if symmetry != "order":
        effect &= np.max(np.abs(kept[:, :inside]), axis=1) > tolerance
    kept = kept[effect]
    # Rounding keeps numbers that differ by less than the tolerance from deciding the order.
    return kept[np.lexsort(np.round(kept / (10 * tolerance)).T[::-1])]


def orbit_distance(a: Units, b: Float[np.ndarray, "other feature"], inside: int, symmetry: Symmetry = "order") -> float:
    """Largest difference of any number between two layers whose units are moved, turned and rescaled to match best; 0 on one orbit.

    The best match is the assignment with the least sum of squared distances. The smaller layer is filled up with units that are all zero.
    """
    a, b = oriented(a, inside, symmetry), oriented(b, inside, symmetry)
    n = max(len(a), len(b))
    a, b = (np.pad(units, ((0, n - len(units)), (0, 0))) for units in (a, b))
    difference = a[:, None] - b[None]
    if symmetry == "sign":
        turned = a[:, None] + b[None]
        closer = np.sum(turned**2, axis=2) < np.sum(difference**2, axis=2)
        difference = np.where(closer[:, :, None], turned, difference)
    rows, columns = linear_sum_assignment(np.sum(difference**2, axis=2))
    return float(np.max(np.abs(difference[rows, columns]), initial=0))


def ends(layers: Float[np.ndarray, "lane hidden feature"], inside: int, symmetry: Symmetry, tolerance: float) -> Int[np.ndarray, " lane"]:
    """A number for each lane's network, equal for lanes whose standard forms are connected by a chain of steps of at most `tolerance`.

    Standard forms with different numbers of units are never connected.
    """
    forms = [canonical(layer, inside, symmetry, tolerance) for layer in layers]
    labels = np.zeros(len(layers), int)
    found = 0
    for size in sorted({len(form) for form in forms}):
        members = [i for i, form in enumerate(forms) if len(form) == size]
        points = np.array([forms[i].ravel() for i in members])
        pairs = cKDTree(points).query_pairs(tolerance, p=np.inf, output_type="ndarray") if size else np.zeros((0, 2), int)
        linked = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(members), len(members)))
        count, own = connected_components(linked, directed=False) if size else (1, np.zeros(len(members), int))
        labels[members] = found + own
        found += count
    return labels


def apart_from_coordinates(cell: Cell, layers: Float[np.ndarray, "lane hidden feature"]) -> Float[np.ndarray, "lane hidden feature"]:
    """Layers without the order of the input coordinates, where the task does not depend on it: the numbers of each unit are sorted.

    A teacher of all unit vectors is the same in any order of the coordinates.
    """
    return np.sort(layers, axis=2) if cell.settings.task.name == "student_teacher" else layers


def distinct_minima(layers: Float[np.ndarray, "lane hidden feature"], inside: int, symmetry: Symmetry, tolerance: float = 1e-4) -> int:
    """Number of different networks that the lanes ended at, up to the symmetries of the hidden layer."""
    return len(np.unique(ends(layers, inside, symmetry, tolerance)))


def symmetry_of(cell: Cell) -> tuple[Symmetry, int]:
    """The symmetry of the hidden units of a cell besides their order, and the number of features inside their activation function."""
    model, inputs = cell.settings.model, task_of(cell).inputs
    activation = model.options.get("activation", "relu")
    biased = model.name != "student" and model.options.get("bias", True)
    return SYMMETRIES.get(activation, "order"), inputs + biased


def recorded(cell: Cell, rows: pd.DataFrame, when: Literal["initial", "final"] = "final") -> Float[np.ndarray, "lane hidden feature"]:
    """The hidden layers at the end (or start) of a cell's lanes, as the probe `hidden_units` kept them; no lanes if it kept none."""
    [shape] = network(cell).unit_shapes()
    names = [f"hidden_units_{number}_{when}" for number in range(math.prod(shape))]
    if not set(names) <= set(rows):
        return np.zeros((0, *shape))
    return rows[names].to_numpy(float).reshape(-1, *shape)
