"""Dropout of a unit, and outgoing weights of zero."""

from itertools import product

import jax
import numpy as np

from analysis.laws.evidence import Evidence
from analysis.laws.law import SAMPLE, cells_of, law, starts
from analysis.laws.oracle import forward
from analysis.rows.load import Run
from bench.runs.networks import NetworkView, network
from bench.spec import Cell

MASKS = 12
"""Largest width of a hidden layer of which all masks are tried."""


@law()
def dropout_is_zeroing(run: Run, found: Evidence) -> None:
    """To drop a hidden unit for an example is to set its outgoing weights to 0 for that example and to divide the others by 1 - p; the mean
    output over all masks is that without dropout. From each start, both within 1e-12 of the largest output, against NumPy."""
    for cell, rows in cells_of(run, _drops_units):
        few = found.lanes(rows).sample(SAMPLE)
        start = starts(run, cell, few.rows)
        apart = np.zeros(len(few))
        for i, seed in enumerate(few.rows["init_seed"]):
            params = jax.tree.map(lambda leaf, i=i: leaf[i], start.params)
            apart[i] = dropped_apart(network(cell), cell, params, start.data.x[i], int(seed))
        few.within("difference", apart, 1e-12)


def _drops_units(cell: Cell) -> bool:
    settings = cell.settings
    return (
        settings.model.name == "mlp"
        and len(settings.model.options["widths"]) == 1
        and settings.model.options["widths"][0] <= MASKS
        and settings.model.options["bias"]
        and settings.model.options["dropout"] > 0
        and settings.training.dtype == "float64"
    )


def dropped_apart(network: NetworkView, cell: Cell, params: dict, x: np.ndarray, seed: int) -> float:
    """The larger of two differences, relative to the largest output (or 1): of the model's own dropout from zeroed outgoing weights, and of
    the mean output over all masks from the output without dropout."""
    rate = cell.settings.model.options["dropout"]
    outputs, [hidden] = network.forward(params, x, drop_seed=seed)
    layers = [(np.asarray(layer["kernel"]), np.asarray(layer["bias"])) for layer in params["layers"].values()]
    unit, (v, c) = forward(layers, cell.settings.model.options["activation"], x).inputs[1], layers[1]
    return float(np.max([zeroed_apart(outputs, hidden != 0, unit, v, c, rate), mean_apart(unit, v, c, rate)]))


def zeroed_apart(outputs: np.ndarray, kept: np.ndarray, unit: np.ndarray, v: np.ndarray, c: np.ndarray, rate: float) -> float:
    """Largest relative difference of outputs with the units `kept` from those in which the outgoing weights of the others are zero."""
    zeroed = np.where(kept[:, :, None], v / (1 - rate), 0)
    return float(np.max(np.abs(outputs - (np.einsum("nh,nhc->nc", unit, zeroed) + c))) / max(np.max(np.abs(outputs)), 1))


def mean_apart(unit: np.ndarray, v: np.ndarray, c: np.ndarray, rate: float) -> float:
    """Largest relative difference of the mean output over all masks from the output without dropout."""
    masks = np.array(list(product((0.0, 1.0), repeat=len(v))))
    chances = np.prod(np.where(masks == 1, 1 - rate, rate), axis=1)
    each = np.einsum("nh,mh,hc->mnc", unit, masks, v / (1 - rate)) + c
    plain = unit @ v + c
    return float(np.max(np.abs(np.einsum("m,mnc->nc", chances, each) - plain)) / max(np.max(np.abs(plain)), 1))
