"""Losses: how far a model's outputs are from their targets, example by example.

A loss is called as (outputs, targets), with the axes (example, output) and (example, output) or (example,), and returns one number per
example. It is minimized, so a training run that diverged has an infinite one. Its traits:

- `total`: the reduction over the examples, `jnp.mean` unless it says otherwise.
- `threshold`: output above which a single output stands for the second of two classes; None: the outputs are no predictions of the
  targets, and there is no metric. 1/2 unless it says otherwise.
- `kinds`: the kinds of tasks that it is for, regression and classification unless it says otherwise. With a loss of classifications
  alone, a single target is a probability.
- `players`: whether the outputs are the losses of several players. False unless it says otherwise.
- `metric`: a function of (outputs, targets) that returns one number, larger where the outputs are better. Accuracy or R^2 unless it says
  otherwise.
"""

import sys

import numpy as np
from jaxtyping import Array

from bench.registry import Registry, import_submodules

Targets = Array | np.ndarray
"""Targets of examples: an array of NumPy where the data are part of a program."""

loss = Registry(
    "loss",
    supplied=("outputs", "targets"),
    needs=("outputs", "targets"),
    contract="a loss is called as (outputs, targets), with a row for each example, and returns one number per example",
)
loss.__doc__ = """Declare a function of outputs and targets as a loss that has traits, such as a reduction or a metric of its own.

>>> import initbench as ib
>>> import jax.numpy as jnp
>>> @ib.loss(total=jnp.sum, metric=lambda outputs, targets: -jnp.max(jnp.abs(outputs - targets)))
... def cubes(outputs, targets):
...     return jnp.sum(jnp.abs(outputs - targets) ** 3, axis=-1)
>>> cubes(jnp.array([[1.0], [3.0]]), jnp.array([[0.0], [1.0]])).tolist()
[1.0, 8.0]
"""

import_submodules(sys.modules[__name__])
