"""Probes: one lane in, scalars out, measured on the device at the start and at the end of a run.

A probe's array arguments say what it looks at. Per hidden layer (the trait `over_layers` reduces them to one number):
`units` (hidden, feature), `incoming` (input, hidden), `pre_activation`, `activation`, `squashed` and `pre_activation_gradient`
(example, hidden; the slope of each example's loss), `heads` (head, feature; of attention); with `over_layers=list` there is a column
per layer.
Once per lane: `weights` and `gradients` (lists over the weight layers), `hidden_gradients` (the same without the last
layer), `curvatures` (the eigenvalues of the training loss's Hessian in what is trained, smallest first; small models only),
`recurrent_jacobian` (example, state, state; the last state by the one before the first step, on the first training examples) and
`time_steps`, how many lie between them; of a generator `generated`, `real` (example, coordinate) and `mode` (example,), and
`player_losses` (player,).
A model without what a probe looks at has no column for it.
"""

import sys

from bench.registry import Registry, import_submodules

PER_LAYER = ("units", "incoming", "pre_activation", "activation", "squashed", "pre_activation_gradient", "heads")
OF_GENERATORS = ("player_losses", "generated", "real", "mode")
PER_LANE = ("weights", "gradients", "hidden_gradients", "curvatures", "recurrent_jacobian", "time_steps", *OF_GENERATORS)

probe = Registry(
    "probe",
    supplied=PER_LAYER + PER_LANE,
    contract="a probe names as its arguments what it looks at, such as units or gradients, and returns a number",
)

import_submodules(sys.modules[__name__])
