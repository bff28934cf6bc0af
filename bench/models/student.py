"""A sum of ReLU units that is compared with its teacher over all Gaussian inputs at once."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import NonNegativeInt

from bench.models import model
from bench.models.activations import Hidden

Pairs = Float[Array, "..."]


@jax.custom_jvp
def _sine(a: Pairs, b: Pairs, c: Pairs) -> Pairs:
    """Return |w||v| sin(angle) from a = |w|^2, b = |v|^2 and c = w.v."""
    return jnp.sqrt(jax.nn.relu(a * b - c**2))


@_sine.defjvp
def _sine_slope(primals: tuple[Pairs, Pairs, Pairs], tangents: tuple[Pairs, Pairs, Pairs]) -> tuple[Pairs, Pairs]:
    # Only second derivatives of the overlap need it. Its infinities cancel there where w and v are parallel; where rounding has left
    # nothing else of the sine it is 0, which gives their limit.
    a, b, c = primals
    s = _sine(a, b, c)
    known = s**2 > 1e3 * jnp.finfo(s.dtype).eps * a * b
    change = (b * tangents[0] + a * tangents[1]) / 2 - c * tangents[2]
    return s, jnp.where(known, change / jnp.where(known, s, 1), 0)


@jax.custom_jvp
def relu_overlap(a: Pairs, b: Pairs, c: Pairs) -> Pairs:
    """Return E relu(w.z) relu(v.z) over z ~ N(0, 1), from a = |w|^2, b = |v|^2 and c = w.v, elementwise.

    |w||v| (sin t + (pi - t) cos t) / 2 pi with t the angle between w and v: half the first arc-cosine kernel (Cho and Saul, 2009;
    Safran and Shamir, 2018). a / 2 if w = v, 0 if w = -v, |w||v| / 2 pi if they are orthogonal.
    """
    s = _sine(a, b, c)
    # Not arccos(c / |w||v|), whose rounding would not cancel that of the sine where the angle is small.
    return (s + (jnp.pi - jnp.arctan2(s, c)) * c) / (2 * jnp.pi)


@relu_overlap.defjvp
def _relu_overlap_slopes(primals: tuple[Pairs, Pairs, Pairs], tangents: tuple[Pairs, Pairs, Pairs]) -> tuple[Pairs, Pairs]:
    # The slopes s / 4 pi a, s / 4 pi b and (pi - t) / 2 pi are finite for every pair, those of s and t are not. A unit whose weights
    # are all zero has slope 0, as jax.nn.relu has at 0.
    a, b, c = primals
    s = _sine(a, b, c)
    alive = (a > 0) & (b > 0)
    by_c = jnp.where(alive, (jnp.pi - jnp.arctan2(s, jnp.where(alive, c, 1))) / (2 * jnp.pi), 0)
    by_a, by_b = (jnp.where(alive, s / (4 * jnp.pi * jnp.where(alive, square, 1)), 0) for square in (a, b))
    return relu_overlap(a, b, c), by_a * tangents[0] + by_b * tangents[1] + by_c * tangents[2]


@model
class Student(nnx.Module):
    """S(z) = sum_i relu(w_i.z) with as many units as inputs, and `surplus` more; its output is a population loss.

    On an example x it is E [S(z)^2 / 2 - S(z) relu(x.z)] over z ~ N(0, 1) in closed form: half the mean squared error against the unit
    x, counted from where S = 0. Over several examples the mean stands for the teacher that averages their units.
    """

    def __init__(self, inputs: int, outputs: int, surplus: NonNegativeInt = 0, *, rngs: nnx.Rngs) -> None:
        self.dense = nnx.Linear(inputs, inputs + surplus, use_bias=False, rngs=rngs)
        self.outputs = outputs

    def trace(self, x: Float[Array, " input"]) -> tuple[Float[Array, " output"], list[Hidden]]:
        """Return the population loss against the teacher, as each output; there are no hidden layers."""
        w = self.dense.kernel[...]
        gram = w.T @ w
        a = jnp.diag(gram)
        own = jnp.sum(relu_overlap(a[:, None], a, gram)) / 2
        loss = own - jnp.sum(relu_overlap(a, jnp.sum(x**2), x @ w))
        return jnp.full(self.outputs, loss), []

    def units(self) -> list[Float[Array, "hidden feature"]]:
        """Return each unit's incoming weights and its outgoing weight 1."""
        w = self.dense.kernel[...].T
        return [jnp.concatenate([w, jnp.ones((len(w), 1), w.dtype)], axis=1)]
