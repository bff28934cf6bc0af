"""The training problems on which the engine is measured, as experiments."""

from dataclasses import dataclass, field
from typing import Any

from bench.spec import Experiment

XOR = {"task": "xor", "optimizer": {"name": "sgd", "learning_rate": 0.5}, "initializer": "glorot_normal"}
DIGITS = {"task": "digits", "initializer": "glorot_normal", "model": {"name": "mlp", "widths": [32], "activation": "tanh"}}
GRID = {
    "initializer": [
        "zeros", "normal", "uniform", "lecun_normal", "lecun_uniform", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform",
        "orthogonal",
    ],
    "optimizer.learning_rate": [0.03, 0.1, 0.3, 0.5, 1.0],
}  # fmt: skip


@dataclass(frozen=True)
class Workload:
    """A training problem, and the numbers of lanes and steps with which it is timed."""

    name: str
    says: str
    lanes: int
    steps: int
    settings: dict[str, Any] = field(hash=False)
    solved_below: float | None = None
    """If set, a census: the engine ends a lane that is solved; the others cannot and train it to the end."""
    wider: int = 16
    """Factor by which an accelerator gets more lanes than a CPU."""

    def experiment(self, lanes: int, steps: int) -> Experiment:
        """Return the experiment with this number of lanes, on one data set, with nothing measured but the loss."""
        training = {**self.settings.get("training", {}), "steps": steps, "solved_below": self.solved_below}
        settings = {**self.settings, "training": {key: value for key, value in training.items() if value is not None}}
        return Experiment.model_validate({"name": self.name, "probes": [], "seeds": {"init": lanes}, **settings})


def _xor(width: int) -> dict[str, Any]:
    return {**XOR, "model": {"name": "mlp", "widths": [width], "activation": "tanh"}}


NEURON = {"task": "teacher_neuron", "model": "neuron", "initializer": "normal", "optimizer": {"name": "sgd", "learning_rate": 0.3}}
DEEP = {
    "task": {"name": "digits", "n_train": 512},
    "model": {"name": "mlp", "widths": [64, 64, 64], "activation": "relu"},
    "initializer": "he_normal",
    "optimizer": {"name": "sgd", "learning_rate": 0.05},
}
MINIBATCH = {**DIGITS, "training": {"batch_size": 64}}
ADAM = {"training": {"batch_size": 64}, "optimizer": {"name": "adam", "learning_rate": 0.003}}
CONVOLUTIONAL = {"task": "digits", "initializer": "glorot_normal", "model": {"name": "cnn", "channels": [8, 16], "activation": "relu"}}
RECURRENT = {"task": "digits", "initializer": "glorot_normal", "model": {"name": "lstm", "width": 32}}

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("xor-2-4-1", "XOR, 2-4-1 tanh, full batch, SGD", 16_384, 2000, _xor(4)),
        Workload(
            "digits-64-32-10-sgd",
            "digits, 64-32-10 tanh, batches of 64, SGD",
            256,
            1050,
            {**MINIBATCH, "optimizer": {"name": "sgd", "learning_rate": 0.1}},
        ),
        Workload(
            "digits-64-32-10-adam",
            "digits, 64-32-10 tanh, batches of 64, Adam",
            256,
            1050,
            {**MINIBATCH, "optimizer": {"name": "adam", "learning_rate": 0.001}},
        ),
        Workload("neuron-64", "one sigmoid neuron, 64 examples, full batch, SGD", 16_384, 2000, NEURON),
        Workload("digits-64-64-64-64-10", "digits, 64-64-64-64-10 ReLU, full batch of 512, SGD", 64, 100, DEEP),
        Workload(
            "digits-cnn",
            "digits, convolutions of 8 and 16 channels, ReLU, batches of 64, Adam",
            128,
            1050,
            {**CONVOLUTIONAL, **ADAM},
            wider=8,
        ),
        Workload("digits-lstm", "digits row by row, LSTM of 32 units, batches of 64, Adam", 128, 1050, {**RECURRENT, **ADAM}, wider=8),
        *(
            Workload(f"census-2-{width}-1", f"XOR, 2-{width}-1 tanh, until solved or 5,000 steps", 16_384, 5000, _xor(width), 0.05)
            for width in (2, 4, 8)
        ),
        Workload("grid", "XOR, 2-4-1: 10 initializers x 5 learning rates, from a cold start", 200, 1000, {**_xor(4), "grid": GRID}),
    )
}
