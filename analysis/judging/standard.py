"""Whose scale of weights is the standard one in front of an activation function: He's or Glorot's."""

import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from bench.models.activations import ACTIVATIONS, moment_gain


@cache
def standard_scale(name: str) -> str:
    """Return "He" or "Glorot" for an activation function by the name that it has in a traced program.

    He's scale makes up for the half of the signal that a rectifier takes away. So it is Glorot's for a function that treats both halves
    alike, f(x) + f(-x) = 2 f(0), as tanh does (Glorot and Bengio, 2010). Of any other function the gain decides that keeps the second
    moment of a wide layer: He's if it is nearer to sqrt(2) than to 1 on a logarithmic scale. Glorot's for a function that is not known, and
    for none.
    """
    function = ACTIVATIONS.get(name, getattr(jax.nn, name, None))
    # A softmax is no function of one number.
    if function is None or name == "softmax":
        return "Glorot"
    x = jnp.linspace(-4, 4, 17)
    if np.allclose(function(x) + function(-x), 2 * function(jnp.zeros(1)), atol=1e-5):
        return "Glorot"
    gain = math.log(moment_gain(function))
    return "He" if abs(gain - math.log(2) / 2) < abs(gain) else "Glorot"
