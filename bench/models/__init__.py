"""Models: flax.nnx modules written for one example, used as pure functions of their parameters.

A model's `trace(x)` gives its output and what its hidden layers did; `units()` gives, per hidden layer,
one row per unit with everything that belongs to it (incoming weights, bias, outgoing weights).
"""

import sys

from bench.registry import Registry, import_submodules

model = Registry("model", supplied=("self", "inputs", "outputs", "rngs"))

import_submodules(sys.modules[__name__])
