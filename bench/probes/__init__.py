"""Probes: numbers that are computed on the device from one training run, at its start, at its end or along its curve.

The array arguments of a probe are the views that it looks at (`bench.lane.views`). Views with one array per hidden layer, or per block
for `heads`: `units` (hidden, feature), `incoming` (input, hidden), `pre_activation`, `activation`, `saturation` and
`pre_activation_gradient` (example, hidden; the gradient of each example's loss), `heads` (head, feature).
Views with one value per training run: `inputs` (example, input; the training examples, for networks of layers that follow one another),
`weights` and `gradients` (lists over the weight layers), `hidden_gradients` (the same without the last layer), `curvatures` (the
eigenvalues of the training loss's Hessian in all trained parameters, smallest first; small models only), `recurrent_jacobian` (example,
state, state; the last state by the one before the first step, on the first training examples) and `time_steps`, the number of steps
between them; for a generator `generated`, `real` (example, coordinate) and `mode` (example,), and `player_losses` (player,).

A model that lacks a view has no column for the probes that look at it. Traits of a probe:

- `over_layers`: the reduction of its values over the hidden layers, `jnp.mean` unless it says otherwise; with `list` there is a column per
  layer.
- `optional`: whether it is measured only if an experiment asks for it. False unless it says otherwise.
- `first_above`, of the package's own probes: if the probe is tracked, the first step at which it exceeds this number is the column
  `break_step`.
"""

import sys
from collections.abc import Iterable

from bench.registry import Registry, import_submodules

PER_LAYER = ("units", "incoming", "pre_activation", "activation", "saturation", "pre_activation_gradient", "heads")
OF_GENERATORS = ("player_losses", "generated", "real", "mode")
PER_LANE = ("inputs", "weights", "gradients", "hidden_gradients", "curvatures", "recurrent_jacobian", "time_steps", *OF_GENERATORS)

probe = Registry(
    "probe",
    supplied=PER_LAYER + PER_LANE,
    contract="a probe names as its arguments what it looks at, such as units or gradients, and returns a number",
)

import_submodules(sys.modules[__name__])


def breaking(track: Iterable[str]) -> str | None:
    """Return the tracked probe whose `first_above` gives the column `break_step`; None if no tracked probe has that trait.

    ValueError if several have it, as there is one such column.
    """
    found = [name for name in track if name in probe and "first_above" in probe[name].traits]
    if len(found) > 1:
        raise ValueError(f"track: {' and '.join(found)} would both fill the column break_step; at most one of them")
    return found[0] if found else None
