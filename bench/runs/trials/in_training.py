"""The trials of a piece that is tried in a small training run: an optimizer, a probe, a loss, a scheme, an activation function."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tomlkit

from bench.hardware import precision
from bench.lane.grouping import programs
from bench.lane.program import Program
from bench.lane.state import Inputs
from bench.losses import loss
from bench.models.activations import own_activation
from bench.optimizers import optimizer
from bench.probes import probe
from bench.registry import PieceError, Registry
from bench.runs.trials.trial import Trial, Untried
from bench.schemes import scheme
from bench.spec import Experiment

REGISTRIES: dict[str, Registry] = {"optimizer": optimizer, "probe": probe, "loss": loss, "scheme": scheme, "activation": own_activation}
"""The kinds of pieces that are tried so."""
BASE: dict[str, Any] = {
    "name": "check",
    "task": {"name": "blobs"},
    "model": {"name": "mlp", "widths": [4]},
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
    "training": {"steps": 3},
    "initializer": {"name": "lecun_normal"},
    "seeds": {"init": 2},
}
"""The experiment in which it is tried."""
SEGMENTS = 2
"""Segments of training that it is tried for."""
WRITE = {
    "optimizer": "write def make(learning_rate, **options) that returns an optax.GradientTransformation, such as optax.sgd(learning_rate)",
    "probe": "write def my_probe(units), or another view for its argument, that returns one number",
    "loss": "write def my_loss(outputs, targets) that returns a number for each example, such as jnp.sum((outputs - targets) ** 2, axis=1)",
    "scheme": "write def my_scheme(params, network, x) that returns parameters of the same names and shapes",
    "activation": "write def my_activation(x) that returns an array of the shape and dtype of x, such as x * jax.nn.sigmoid(x)",
}
"""Advice on a piece that no experiment can name, by its kind."""


class _Tried:
    """A piece with its options, in the experiment in which it is tried."""

    def __init__(self, kind: str, name: str, options: dict[str, Any]) -> None:
        self._kind, self._name, self._options = kind, name, options
        self._program: Program | None = None

    def planned(self) -> str | None:
        try:
            self._program = self._planned("blobs")
        except PieceError:
            if self._kind != "loss":
                raise
            self._program = self._planned("xor")
            return "with targets (example, output), not with integer classes (example,)"
        return None

    def _planned(self, task: str) -> Program:
        named = {"name": self._name, **self._options}
        changed: dict[str, dict[str, Any]] = {
            "probe": {"probes": [named]},
            "loss": {"task": {"name": task, "loss": named}},
            "scheme": {"initializer": {**BASE["initializer"], "scheme": named}},
            "optimizer": {"optimizer": {"learning_rate": 0.1, **named}},
            "activation": {"model": {**BASE["model"], "activation": self._name}},
        }
        raw = {**BASE, **changed[self._kind]}
        experiment = Experiment.parse(tomlkit.dumps(raw), "check")
        [program] = programs(experiment.cells, experiment.probes, experiment.track)
        return program

    def finite(self) -> None:
        if self._program is None:
            raise Untried("no experiment can name it")
        program, seeds = self._program, np.zeros(1, np.int64)
        with precision(program.dtype):
            inputs = Inputs(*(leaf[0] for leaf in program.inputs_of(program.cells[0], seeds, seeds)))

            def run(inputs: Inputs) -> Any:
                fixed, state = program.start(program.variants[0], inputs)
                for _ in range(SEGMENTS):
                    state, _ = program.advance_alone(fixed, state)
                return state.params, program.measure(fixed, state)

            params, measured = jax.jit(run)(inputs)
        parameters = jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(params)])
        seen = {what: value for what, value in measured.items() if self._name.rpartition(":")[2] in what}
        for what, value in (seen if self._kind == "probe" else {"parameters": parameters}).items():
            if not np.all(np.isfinite(np.asarray(value))):
                raise REGISTRIES[self._kind][self._name].fault(f"after {SEGMENTS} segments of training {what} is not finite")


def in_training(kind: str, name: str, options: dict[str, Any]) -> Iterator[Trial]:
    """Yield the trials of a piece of one of these kinds."""
    tried = _Tried(kind, name, options)
    yield Trial(
        f"an experiment can name it as its {REGISTRIES[kind].kind}, and it passes all checks before training", tried.planned, WRITE[kind]
    )
    finite = "keep zero out of divisions, logarithms and roots, whose slopes count as well: jnp.sqrt(x + 1e-6)"
    yield Trial("a multilayer perceptron on a small task trains with it, inside of jax.jit, and stays finite", tried.finite, finite)
