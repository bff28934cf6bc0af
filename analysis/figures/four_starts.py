"""One training run from each of four starts, step by step: zero, a constant, a constant with noise, and random weights."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float

from analysis.figures.palette import palette
from analysis.words import NAMES, value_words
from bench.runs.networks import Params, network
from bench.runs.paths import Path, paths
from bench.spec import Cell, Experiment

POINTS = 200
"""Number of steps at which a run is known, before those that fall on the same step are left out: as many in each decade of steps."""
SAME = 1e-9
"""Largest difference of two hidden units that counts as rounding, which may be another one on another processor."""


@dataclass(frozen=True)
class Start:
    """The training run from one start, step by step."""

    cell: Cell
    path: Path
    color: str
    mark: str

    @property
    def name(self) -> str:
        """The start in plain words."""
        return start_name(self.cell)

    @property
    def hidden_weights(self) -> Float[np.ndarray, "step unit input"]:
        """Incoming weights of the hidden units."""
        return np.swapaxes(self.path.params["layers"][0]["kernel"], 1, 2)

    @property
    def difference(self) -> Float[np.ndarray, " step"]:
        """Largest difference of two hidden units in any of their weights and biases."""
        first, last = self.path.params["layers"][0], self.path.params["layers"][1]
        units = np.concatenate([self.hidden_weights, first["bias"][:, :, None], last["kernel"]], axis=2)
        return np.max(np.ptp(units, axis=1), axis=1)

    def outputs(self, x: Float[np.ndarray, "example input"], point: int = -1) -> Float[np.ndarray, " example"]:
        """Compute the log odds of the second class at one point of the path; examples with positive ones are assigned to it."""
        return network(self.cell).forward(_at(self.path.params, point), x)[0][:, 0]

    @property
    def accuracy(self) -> float:
        """Share of the training examples that the trained network classifies correctly."""
        data = self.path.data
        return float(np.mean((self.outputs(np.asarray(data.x)) > 0) == (np.asarray(data.y)[:, 0] > 0.5)))


def _at(params: Params, point: int) -> Params:
    """Return the parameters at one point of a path."""
    return {name: _at(part, point) if isinstance(part, dict) else part[point] for name, part in params.items()}


def start_name(cell: Cell) -> str:
    """Name the start of a cell in plain words."""
    words = value_words(cell.axes["initializer"])
    return f"random ({words})" if cell.settings.initializer.name in NAMES else words


def experiment() -> Experiment:
    """Read the experiment of the four starts."""
    return Experiment.parse((files("analysis.figures") / "four_starts.toml").read_text(encoding="utf-8"))


def shown_steps(budget: int) -> list[int]:
    """Return the steps at which a run is known: 0, and further ones up to the budget at about equal ratios."""
    return [0, *np.unique(np.round(np.geomspace(1, budget, POINTS)).astype(int)).tolist()]


@cache
def four_starts() -> tuple[Start, ...]:
    """Train the four runs, once in each process."""
    trained = experiment()
    cells, seed = trained.cells, trained.seeds.first
    found = paths(cells, seed, shown_steps(cells[0].settings.training.steps))
    colors = palette([cell.axes["initializer"] for cell in cells])
    return tuple(Start(cell, found[cell.id], *colors[cell.axes["initializer"]]) for cell in cells)


def setting() -> str:
    """Describe in words what the four runs trained."""
    trained = experiment()
    settings = trained.cells[0].settings
    options, task = settings.model.options, settings.task
    return (
        f"{options['activation']} network of 2-{options['widths'][0]}-1 units on `{task.name}` ({task.options['n']} examples). "
        f"It takes {settings.training.steps:,} steps of gradient descent at learning rate {settings.optimizer.rate:g}"
    )
