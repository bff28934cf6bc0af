"""Multilayer perceptrons in NumPy: an oracle for the laws, which shares no code with the engine that it checks.

Any leading axes, such as a lane axis, are batched. Kernels have axes (..., input, output), biases (..., output), and examples
(..., example, input). The precision is that of the arrays.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.integrate import quad
from scipy.special import expit, log_softmax, softmax

Array = np.ndarray
Function = Callable[[Array], Array]
Layers = Sequence[tuple[Array, Array]]
"""Kernel and bias of each weight layer."""

GELU_CUBIC = 0.044715
"""Coefficient of the cubic term in the tanh approximation of GELU (Hendrycks and Gimpel, 2016)."""
LEAK = 0.01
"""Slope of the leaky ReLU below 0, if its name does not say another."""
SELU_SCALE, SELU_FLOOR = 1.0507009873554804934193349852946, 1.7580993408473766
"""Slope of SELU above 0, and the depth to which it falls (Klambauer et al., 2017)."""


class Activation(NamedTuple):
    """An activation function with its derivatives; at 0 the slope of a ReLU is 0, that of a leaky ReLU 1."""

    value: Function
    slope: Function
    curvature: Function | None = None
    """The second derivative; None where no law needs it, or where it does not exist."""


def _logistic(z: Array) -> Array:
    return expit(z) * (1 - expit(z))


def _gelu_tanh(z: Array) -> Array:
    return np.tanh(np.sqrt(2 / np.pi) * (z + GELU_CUBIC * z**3))


def _gelu_slope(z: Array) -> Array:
    t = _gelu_tanh(z)
    return (1 + t) / 2 + z / 2 * (1 - t**2) * np.sqrt(2 / np.pi) * (1 + 3 * GELU_CUBIC * z**2)


def _exponential(scale: float, floor: float) -> Activation:
    """A line of slope `scale` above 0, and below it an exponential that falls to -`floor`; at 0 the slope is that from below."""

    def below(z: Array) -> Array:
        return np.exp(np.minimum(z, 0))

    return Activation(
        lambda z: np.where(z > 0, scale * z, floor * np.expm1(np.minimum(z, 0))), lambda z: np.where(z > 0, scale, floor * below(z))
    )


def _leaky(leak: float) -> Activation:
    return Activation(lambda z: np.where(z >= 0, z, leak * z), lambda z: np.where(z >= 0, 1.0, leak))


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(lambda z: z, np.ones_like),
    "tanh": Activation(np.tanh, lambda z: 1 - np.tanh(z) ** 2, lambda z: -2 * np.tanh(z) * (1 - np.tanh(z) ** 2)),
    "sigmoid": Activation(expit, _logistic, lambda z: _logistic(z) * (1 - 2 * expit(z))),
    "softplus": Activation(lambda z: np.logaddexp(0, z), expit, _logistic),
    "relu": Activation(lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
    "leaky_relu": _leaky(LEAK),
    "gelu": Activation(lambda z: z / 2 * (1 + _gelu_tanh(z)), _gelu_slope),
    "silu": Activation(lambda z: z * expit(z), lambda z: expit(z) * (1 + z * (1 - expit(z)))),
    "sine": Activation(np.sin, np.cos, lambda z: -np.sin(z)),
    "elu": _exponential(1.0, 1.0),
    "selu": _exponential(SELU_SCALE, SELU_FLOOR),
    "relu_squared": Activation(lambda z: np.maximum(z, 0) ** 2, lambda z: 2 * np.maximum(z, 0)),
}
"""Activation functions by name."""
ZERO_AT_ZERO = frozenset(name for name, activation in ACTIVATIONS.items() if activation.value(np.zeros(1))[0] == 0)
"""Activation functions with act(0) = 0."""
FLAT_AT_ZERO = frozenset(name for name, activation in ACTIVATIONS.items() if activation.slope(np.zeros(1))[0] == 0)
"""Activation functions whose slope at 0 is 0."""


def function_of(name: str) -> Activation:
    """The activation function of a name, or of `leaky_relu(SLOPE)`; KeyError if there is none."""
    leaky = name.removeprefix("leaky_relu(").removesuffix(")")
    return ACTIVATIONS[name] if leaky == name else _leaky(float(leaky))


def gain(name: str) -> float:
    """1 / sqrt(E f(z)^2) for z from N(0, 1), by adaptive quadrature."""
    f = function_of(name).value
    parts = [quad(lambda z: f(np.array([z]))[0] ** 2 * np.exp(-(z**2) / 2), *ends)[0] for ends in ((-np.inf, 0), (0, np.inf))]
    return float((sum(parts) / np.sqrt(2 * np.pi)) ** -0.5)


class Forward(NamedTuple):
    """One pass through a network; each array has axes (..., example, unit)."""

    inputs: list[Array]
    """The inputs of each weight layer."""
    sums: list[Array]
    """The pre-activations of each weight layer; the last ones are the network's outputs."""


def forward(layers: Layers, activation: str, x: Array) -> Forward:
    """Pass examples through the layers; the last one is linear."""
    inputs, sums, function = [x], [], function_of(activation)
    for kernel, bias in layers:
        sums.append(inputs[-1] @ kernel + bias[..., None, :])
        inputs.append(function.value(sums[-1]))
    return Forward(inputs[:-1], sums)


def cross_entropy(outputs: Array, y: Array) -> tuple[Array | np.floating, Array]:
    """Mean cross-entropy (...), and its slope along each output (..., example, output).

    Integer classes (..., example) are those of a softmax; probabilities (..., example, output) are those of a sigmoid at each output.
    """
    n = outputs.shape[-2]
    if y.ndim == outputs.ndim:
        loss = np.mean(np.logaddexp(0, outputs) - y * outputs, axis=(-2, -1))
        return loss, (expit(outputs) - y) / (n * outputs.shape[-1])
    chosen = y[..., None] == np.arange(outputs.shape[-1])
    return -np.sum(log_softmax(outputs, axis=-1) * chosen, axis=(-2, -1)) / n, (softmax(outputs, axis=-1) - chosen) / n


def backward(layers: Layers, activation: str, passed: Forward, errors: Array) -> list[Array]:
    """The slope of the loss along the pre-activations of each layer, given that along the outputs (`errors`)."""
    slopes = [errors]
    for (kernel, _), sums in zip(layers[:0:-1], passed.sums[-2::-1], strict=True):
        slopes.append(slopes[-1] @ kernel.swapaxes(-1, -2) * function_of(activation).slope(sums))
    return slopes[::-1]


def gradients(layers: Layers, activation: str, passed: Forward, errors: Array) -> list[tuple[Array, Array]]:
    """The gradient of the loss along each layer's kernel and bias, given the slope of the loss along the outputs (`errors`)."""
    slopes = backward(layers, activation, passed, errors)
    return [(inputs.swapaxes(-1, -2) @ slope, slope.sum(axis=-2)) for inputs, slope in zip(passed.inputs, slopes, strict=True)]


def trained(layers: Layers, activation: str, x: Array, y: Array, steps: int, rate: float, momentum: float = 0.0) -> Layers:
    """The layers after gradient descent (with heavy-ball momentum) on the mean cross-entropy of all examples."""
    speeds = [(np.zeros_like(kernel), np.zeros_like(bias)) for kernel, bias in layers]
    for _ in range(steps):
        passed = forward(layers, activation, x)
        slopes = gradients(layers, activation, passed, cross_entropy(passed.sums[-1], y)[1])
        speeds = [(momentum * u + g, momentum * v + h) for (u, v), (g, h) in zip(speeds, slopes, strict=True)]
        layers = [(kernel - rate * u, bias - rate * v) for (kernel, bias), (u, v) in zip(layers, speeds, strict=True)]
    return layers


def layers_of(params: dict, lane: int) -> Layers:
    """Kernel and bias of each layer of one lane of a multilayer perceptron, in float64, from its parameters (leading axis: lane)."""
    return [(layer["kernel"][lane].astype(float), layer["bias"][lane].astype(float)) for _, layer in sorted(params["layers"].items())]
