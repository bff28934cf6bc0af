"""The networks of cells, to be checked from outside: names of their weights, and results of a forward pass. Nothing here trains."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.hardware import precision
from bench.lane import initial
from bench.lane.data import data_shapes, is_of_symbols, problem
from bench.lane.network import Network, Noise
from bench.lane.objective import NOISE
from bench.probes.symmetry import BREAK
from bench.spec import Cell, InitializerSpec, ModelSpec, TaskSpec
from bench.tasks.definition import Task

__all__ = ["BREAK", "NOISE", "NetworkView", "network", "task_of"]

Params = dict[Any, Any]


class NetworkView:
    """The network of a model, read only."""

    def __init__(self, model: ModelSpec, task: TaskSpec) -> None:
        sizes = problem(task)
        self._network = Network(model, sizes.inputs, sizes.outputs, symbols=is_of_symbols(data_shapes(task, "float32")))

    @property
    def weight_names(self) -> list[str]:
        """Dotted names of the weight layers, in the order in which an example meets them."""
        return self._network.weight_names

    def zeroed_layers(self, initializer: InitializerSpec) -> list[int]:
        """Return the indices of the weight layers that an initializer's `zero_layers` set to zero."""
        return initial.zeroed_layers(self._network, initializer)

    def unit_shapes(self) -> list[tuple[int, ...]]:
        """Return for each hidden layer the number of its units and the number of weights of each (hidden, feature)."""
        return [layer.shape for layer in jax.eval_shape(self._network.units, self._network.shapes)]

    def forward(self, params: Params, x: np.ndarray, drop_seed: int | None = None) -> tuple[np.ndarray, list[np.ndarray]]:
        """Compute the outputs (example, output) and the activations of each hidden layer (example, hidden), in the precision of `x`.

        `params` are those of one training run. With `drop_seed` hidden units are dropped as in training.
        """
        with precision(str(x.dtype)):
            key = None if drop_seed is None else jax.random.key(drop_seed, impl="threefry2x32")
            outputs, hidden = self._network.trace(params, jnp.asarray(x), Noise(key))
            return np.asarray(outputs), [np.asarray(layer.activation) for layer in hidden]


def network(cell: Cell) -> NetworkView:
    """Return the network of a cell; cells of the same model share it."""
    model, sizes = cell.settings.model, task_of(cell)
    key = model.model_dump_json(), sizes.inputs, sizes.outputs
    if key not in _networks:
        _networks[key] = NetworkView(model, cell.settings.task)
    return _networks[key]


_networks: dict[tuple[str, int, int], NetworkView] = {}


def task_of(cell: Cell) -> Task:
    """Return the task of a cell, with its number of inputs and outputs; `PieceError` if a user's own is none."""
    return problem(cell.settings.task)
