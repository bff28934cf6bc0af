"""Models: flax.nnx modules written for one example, used as pure functions of their parameters.

A model's `trace(x)` gives its output and what its hidden layers did; `units()` gives, per hidden layer,
one row per unit with everything that belongs to it (incoming weights, bias, outgoing weights). A parameter is named by its
path, like `layers.0.kernel`. Parameters called `bias` are biases, others with two axes or more are weights; what is neither
starts as the model builds it. Weight layers stand in the order in which an example meets them in the traced program (`bench.lane.order`).

A `trace` that takes `forward` and draws from its key makes training noisy. A model may name in `frozen` parameters that it does not train,
by names or patterns as in `training.frozen`.
A model with `players`, names of parts of its parameters, has an output for each of them: the loss that this part is trained on.
"""

import sys

from bench.registry import Registry, import_submodules

model = Registry(
    "model",
    supplied=("self", "inputs", "outputs", "rngs"),
    needs=("inputs", "outputs", "rngs"),
    contract="a model is a flax.nnx module built with (inputs, outputs, rngs); trace(x) of one example gives its outputs and a list of "
    "what its hidden layers did, units() the units of each hidden layer",
)

import_submodules(sys.modules[__name__])
