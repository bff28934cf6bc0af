"""Models: flax.nnx modules written for one example, used as pure functions of their parameters.

`bench.models.protocol` describes what a model must be and what it may offer.
"""

import sys

from bench.models.bridges import adapted
from bench.registry import Registry, import_submodules

model = Registry(
    "model",
    supplied=("self", "inputs", "outputs", "rngs", "key"),
    adapted=adapted,
    contract="a model is a class or function that builds a flax.nnx module (or one of flax.linen or equinox, or a pair init, apply) from "
    "inputs, outputs, rngs and options; __call__(x) gives the outputs of one example, or trace(x) gives them and a list of what its hidden "
    "layers did",
)

import_submodules(sys.modules[__name__])
