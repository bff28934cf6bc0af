"""Models without hidden layers: linear, logistic and softmax regression, and one neuron."""

from typing import Literal

from flax import nnx
from jaxtyping import Array, Float

from bench.models import model
from bench.models.activations import PLAIN, Activation, Forward, Hidden


@model
class Linear(nnx.Module):
    """An affine map: linear, logistic or softmax regression, depending on the task's loss."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True, *, rngs: nnx.Rngs) -> None:
        self.dense = nnx.Linear(inputs, outputs, use_bias=bias, rngs=rngs)

    def trace(self, x: Float[Array, " input"]) -> tuple[Float[Array, " output"], list[Hidden]]:
        """Return the outputs for one example; there are no hidden layers."""
        return self.dense(x), []

    def units(self) -> list[Float[Array, "hidden feature"]]:
        """Return no units, as there are no hidden layers."""
        return []


@model
class Neuron(nnx.Module):
    """One neuron, act(w.x + b).

    With `output = "logit"` it returns the logit of the probability that its activation stands for, which is what
    cross-entropy needs: w.x + b for a sigmoid, twice that for (1 + tanh) / 2, the activation itself otherwise.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: Activation = "sigmoid",
        output: Literal["value", "logit"] = "value",
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.dense = nnx.Linear(inputs, outputs, rngs=rngs)
        self.activation = activation
        self.output = output

    def trace(self, x: Float[Array, " input"], forward: Forward = PLAIN) -> tuple[Float[Array, " output"], list[Hidden]]:
        """Return the output for one example, and the neuron as its hidden layer."""
        hidden = forward.hidden(0, self.activation, self.dense(x))
        if self.output == "value":
            return hidden.activation, [hidden]
        slope = {"sigmoid": 1.0, "tanh": 2.0}.get(self.activation)
        return hidden.activation if slope is None else slope * hidden.pre_activation, [hidden]

    def units(self) -> list[Float[Array, "hidden feature"]]:
        """Return no units: the neuron is the output, so no weights lead out of it."""
        return []
