"""Activation functions by name, and the values of a hidden layer that probes look at."""

import re
from collections.abc import Callable
from functools import cache, partial
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from bench.messages import nearest
from bench.registry import Registry, is_opaque

Function = Callable[..., Array]
own_activation = Registry(
    "activation function",
    supplied=("x",),
    needs=("x",),
    contract="an activation function is called as (x) and returns an array of the shape and dtype of x",
)
"""Activation functions of users' own, `module:name`."""


def identity(x: Array) -> Array:
    """No activation function at all: layers of it are one linear map.

    Formula: x.
    Source: linear algebra.
    Law: E f(z)^2 = 1.
    Limit: `leaky_relu(1)`.
    """
    return x


def tanh(x: Array) -> Array:
    """The hyperbolic tangent.

    Formula: tanh(x).
    Source: LeCun et al., 1998 ("Efficient BackProp").
    Law: f(-x) = -f(x), |f| < 1.
    Limit: `identity` for small x.
    """
    return jnp.tanh(x)


def sigmoid(x: Array) -> Array:
    """The logistic function, which is 1/2 at 0.

    Formula: 1 / (1 + exp(-x)).
    Source: Rumelhart et al., 1986.
    Law: f(x) + f(-x) = 1.
    Limit: (1 + tanh(x / 2)) / 2, so 1/2 + x / 4 for small x.
    """
    return jax.nn.sigmoid(x)


def softplus(x: Array) -> Array:
    """A smooth ReLU, which is ln 2 at 0.

    Formula: ln(1 + exp(x)).
    Source: Dugas et al., 2001.
    Law: f(x) - f(-x) = x.
    Limit: `relu` for large x.
    """
    return jax.nn.softplus(x)


def relu(x: Array) -> Array:
    """The rectified linear unit; its slope at 0 is 0.

    Formula: max(x, 0).
    Source: Nair and Hinton, 2010.
    Law: E f(z)^2 = 1/2.
    Limit: `leaky_relu(0)`.
    """
    # jax.nn.relu has gradient 0 at 0; jnp.maximum(x, 0) would have 0.5.
    return jax.nn.relu(x)


def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    """A ReLU with a slope below 0, which is 0.01 or, as in `leaky_relu(0.2)`, another number; its slope at 0 is 1.

    Formula: x if x >= 0, else slope x.
    Source: Maas et al., 2013.
    Law: E f(z)^2 = (1 + slope^2) / 2.
    Limit: `relu` for slope = 0, `identity` for slope = 1.
    """
    return jax.nn.leaky_relu(x, slope)


def gelu(x: Array) -> Array:
    """The Gaussian error linear unit in its approximation by tanh.

    Formula: x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
    Source: Hendrycks and Gimpel, 2016, arXiv 1606.08415.
    Law: f(x) - f(-x) = x.
    Limit: `relu` for large x.
    """
    return jax.nn.gelu(x)


def silu(x: Array) -> Array:
    """The sigmoid linear unit, also called swish.

    Formula: x / (1 + exp(-x)).
    Source: Elfwing et al., 2018, arXiv 1702.03118.
    Law: f(x) - f(-x) = x.
    Limit: `relu` for large x.
    """
    return jax.nn.silu(x)


def sine(x: Array) -> Array:
    """The sine, for which the scheme `siren` is made.

    Formula: sin(x).
    Source: Sitzmann et al., 2020, arXiv 2006.09661.
    Law: E f(z)^2 = (1 - exp(-2)) / 2.
    Limit: `identity` for small x.
    """
    return jnp.sin(x)


def elu(x: Array) -> Array:
    """The exponential linear unit, which ends at -1 below.

    Formula: x if x > 0, else exp(x) - 1.
    Source: Clevert et al., 2016, arXiv 1511.07289.
    Law: f > -1, and below 0 the slope is 1 + f(x).
    Limit: `identity` for x > 0, -1 for x far below.
    """
    return jax.nn.elu(x)


def selu(x: Array) -> Array:
    """The scaled exponential linear unit: it keeps mean 0 and variance 1 of a normal signal.

    Formula: 1.0507 x if x > 0, else 1.7581 (exp(x) - 1).
    Source: Klambauer et al., 2017, arXiv 1706.02515.
    Law: E f(z) = 0, E f(z)^2 = 1.
    Limit: 1.0507 x for x > 0, -1.7581 for x far below.
    """
    return jax.nn.selu(x)


def relu_squared(x: Array) -> Array:
    """The square of a ReLU.

    Formula: max(x, 0)^2.
    Source: So et al., 2021, arXiv 2109.08668.
    Law: E f(z)^2 = 3/2.
    Limit: x^2 for x > 0.
    """
    return jnp.square(jax.nn.relu(x))


ACTIVATIONS: dict[str, Function] = {
    function.__name__: function
    for function in (identity, tanh, sigmoid, softplus, relu, leaky_relu, gelu, silu, sine, elu, selu, relu_squared)
}
"""Activation functions by name; `leaky_relu` also has a slope, see `activation_function`."""
_SLOPED = re.compile(r"leaky_relu\(([0-9]*\.?[0-9]+(?:e-?[0-9]+)?)\)")


def activation_function(name: str) -> Function:
    """Return the activation function of a name, of `leaky_relu(SLOPE)`, or of a user's own, `module:name`; KeyError if there is none."""
    if ":" in name:
        return _checked(name)
    sloped = _SLOPED.fullmatch(name)
    return partial(leaky_relu, slope=float(sloped[1])) if sloped else ACTIVATIONS[name]


def _checked(name: str) -> Function:
    """Return a user's own activation function; `PieceError` if it needs options, or where its values have another shape or dtype than x."""
    entry = own_activation[name]
    required = [option for option, field in entry.options.model_fields.items() if field.is_required()]
    if required:
        raise entry.fault(f"its argument '{required[0]}' has no value", fix=f"give {required[0]} a default")
    function = entry.bind({})

    def called(x: Array) -> Array:
        value = function(x)
        shape, dtype = getattr(value, "shape", ()), getattr(value, "dtype", type(value).__name__)
        if (shape, dtype) != (x.shape, x.dtype):
            what = f"for an array {x.dtype} of shape {x.shape} it returns {dtype} of shape {shape}"
            raise entry.fault(what, fix="compute with x alone and functions of jax.numpy, or end with .astype(x.dtype)")
        return value

    return called


def _check_own(name: str) -> None:
    """Check what a user's own activation function gives for some numbers; `PieceError` if it breaks its contract."""
    function = activation_function(name)
    for dtype in ("float32", "float64"):
        with jax.enable_x64(dtype == "float64"), jax.ensure_compile_time_eval():
            values = np.asarray(function(jnp.linspace(-3, 3, 7, dtype=dtype)))
        if not np.all(np.isfinite(values)):
            what = f"for x from -3 to 3 its values are not finite, {values[~np.isfinite(values)][0]} among them"
            raise own_activation[name].fault(what, fix="keep zero and what is below it out of divisions, logarithms and roots")


def _known(name: str) -> str:
    if ":" in name:
        if not is_opaque(name):
            _check_own(name)
    elif name not in ACTIVATIONS and not _SLOPED.fullmatch(name):
        # The error that pydantic reports with the option and its value.
        hint = f"{nearest(name, [*ACTIVATIONS, 'leaky_relu(SLOPE)'])}, or package.module:name of your own"
        raise PydanticCustomError("unknown_activation", "{hint}", {"hint": hint})
    return name


Activation = Annotated[str, AfterValidator(_known), WithJsonSchema({"enum": [*ACTIVATIONS, "package.module:name"]})]
"""The name of an activation function, of the package or a user's own, as an option of a model."""

_EDGE, _NODES = 12, 200
"""Where the quadrature of `moment_gain` ends, and the number of its nodes on either side of 0."""


def second_moment_gain(name: str) -> float:
    """Return the `moment_gain` of a named activation function."""
    return _gain_of(name, own_activation[name].target if ":" in name else None)


@cache
def _gain_of(name: str, own: Function | None) -> float:
    return moment_gain(activation_function(name))


def moment_gain(function: Function) -> float:
    """Return 1 / sqrt(E f(z)^2) for z from N(0, 1): with weights of this gain over sqrt(fan_in), a wide layer keeps the second moment 1.

    It is computed in float64 by Gauss-Legendre quadrature on both sides of 0, where some functions have a kink; beyond 12 standard
    deviations a normal has less than 1e-32 of its mass.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    z = np.concatenate([_EDGE / 2 * (nodes - 1), _EDGE / 2 * (nodes + 1)])
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        values = np.asarray(function(jnp.asarray(z)))
    return float((_EDGE / 2 * np.sum(np.tile(weights, 2) * density * values**2)) ** -0.5)


BOUNDS: dict[str, tuple[float, float]] = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
"""Lower and upper bound of the activation functions that level off on both sides."""

ZERO_AT_ZERO = frozenset(name for name in ACTIVATIONS if name not in ("sigmoid", "softplus"))
"""Activation functions that are 0 at 0."""


class Hidden(NamedTuple):
    """The values of one hidden layer for one example.

    >>> import initbench as ib
    >>> import jax
    >>> z = jax.numpy.array([-1.0, 2.0])
    >>> ib.Hidden(z, jax.nn.relu(z), saturation=None).activation.tolist()
    [0.0, 2.0]
    """

    pre_activation: Float[Array, " hidden *example"]
    activation: Float[Array, " hidden *example"]
    saturation: Float[Array, " hidden *example"] | None
    """The activation, moved linearly from the bounds of its function to (-1, 1); None if the function is unbounded."""


def activate(name: str, pre_activation: Float[Array, " hidden *example"]) -> Hidden:
    """Apply a named activation function, and return the values that probes look at.

    >>> import initbench as ib
    >>> import jax.numpy as jnp
    >>> ib.activate("relu", jnp.array([-1.0, 2.0])).activation.tolist()
    [0.0, 2.0]
    """
    value = activation_function(name)(pre_activation)
    saturation = None
    if name in BOUNDS:
        low, high = BOUNDS[name]
        saturation = (2 * value - low - high) / (high - low)
    return Hidden(pre_activation, value, saturation)


class Forward(NamedTuple):
    """The inputs of one pass of an example through the hidden layers, besides parameters and example; by default there are none."""

    key: Key[Array, ""] | None = None
    """Key of the units that are dropped; None: no unit is dropped."""
    shifts: list[Float[Array, " hidden *example"]] | None = None
    """Arrays that are added to each layer's pre-activations: the gradient of the loss in them is the gradient that is propagated back."""

    def hidden(self, layer: int, activation: str, pre_activation: Float[Array, " hidden *example"], dropout: float = 0.0) -> Hidden:
        """Return the values of a hidden layer; with a key, its units are dropped with probability `dropout` (see `dropped`)."""
        if self.shifts is not None:
            pre_activation = pre_activation + self.shifts[layer]
        found = activate(activation, pre_activation)
        if self.key is None or dropout == 0:
            return found
        return found._replace(activation=dropped(jax.random.fold_in(self.key, layer), found.activation, dropout))


PLAIN = Forward()


def dropped(key: Key[Array, ""], values: Float[Array, "..."], rate: float) -> Float[Array, "..."]:
    """Set each value to 0 with probability `rate`, else divide it by 1 - rate, so that its mean stays (Srivastava et al., 2014)."""
    return jnp.where(jax.random.bernoulli(key, rate, values.shape), 0, values / (1 - rate)).astype(values.dtype)
