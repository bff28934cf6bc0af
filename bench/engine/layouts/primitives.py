"""Primitives that act on each element by itself, and reductions."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

ELEMENTWISE = frozenset(
    "abs add add_any and atan2 cbrt ceil clamp convert_element_type copy cos cosh div eq erf erfc exp exp2 expm1 floor ge gt integer_pow "
    "is_finite le log log1p logistic lt max min mul ne neg nextafter not one_minus_square or pow reduce_precision rem round rsqrt select_n "
    "shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt square stop_gradient sub tan tanh xor "
    "bitcast_convert_type".split()
)
"""Primitives whose result at a place depends on the operands at that place alone."""
EXPENSIVE = frozenset("atan2 cbrt cos cosh div erf erfc exp exp2 expm1 log log1p logistic pow rsqrt sin sinh sqrt tan tanh".split())
"""Primitives that XLA never computes twice: it stores their results."""
REDUCTIONS = {
    "reduce_sum": lax.add_p,
    "reduce_prod": lax.mul_p,
    "reduce_max": lax.max_p,
    "reduce_min": lax.min_p,
    "reduce_and": lax.and_p,
    "reduce_or": lax.or_p,
}
"""Reductions, and the primitive that combines two elements."""


def halved(name: str, values: Array) -> Array:
    """Reduce the first axis, half with half: XLA's own reduction goes through a lane's examples one by one, without vectors."""
    primitive = REDUCTIONS[name]
    while len(values) > 1:
        half = len(values) // 2
        rest = values[2 * half :]
        values = primitive.bind(values[:half], values[half : 2 * half])
        values = jnp.concatenate([values, rest]) if len(rest) else values
    return values[0]


def whole(name: str, values: Array) -> Array:
    """Reduce the first axis by one operation."""
    return getattr(jnp, name.removeprefix("reduce_"))(values, axis=0)


def stored(array: Array, one: Array) -> Array:
    """Divide an array of floats by `one`, so that XLA computes it once and stores it in memory; no bit changes.

    XLA fuses a cheap operation into each of its consumers: a value that many operations use would be computed again in each of them,
    with all that leads to it. XLA does not do so with a division, which it takes for expensive. `one` must hold ones that the compiler
    cannot know to be ones, and must not be one broadcast number: XLA would take its inverse once and multiply.
    """
    return array / one
