"""Trials of the contracts of a piece: the piece is called as training calls it, and each trial checks one contract.

A trial goes on behind a broken contract as far as it can, so that all that is wrong with a piece is told at once.
"""

from collections.abc import Iterator
from typing import Any

from bench.initializers import initializer
from bench.models import model
from bench.registry import Registry
from bench.runs.trials.in_training import REGISTRIES, in_training
from bench.runs.trials.initializers import of_initializer
from bench.runs.trials.models import lacking, of_model
from bench.runs.trials.tasks import of_task
from bench.runs.trials.trial import Trial, Untried, refuse_options
from bench.tasks import task

__all__ = ["KINDS", "Trial", "Untried", "lacking", "refuse_options", "trials"]

KINDS: dict[str, Registry] = {"initializer": initializer, "model": model, "task": task, **REGISTRIES}
"""The kinds of pieces that can be tried."""


def trials(kind: str, name: str, options: dict[str, Any], inputs: int, outputs: int) -> Iterator[Trial]:
    """Return the trials of a piece of one of these kinds; `inputs` and `outputs` are those of a model."""
    if kind == "model":
        return of_model(name, options, inputs, outputs)
    if kind == "initializer":
        return of_initializer(name, options)
    if kind == "activation":
        refuse_options("activation function", name, options)
    return of_task(name, options) if kind == "task" else in_training(kind, name, options)
