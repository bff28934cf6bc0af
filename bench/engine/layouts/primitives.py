"""Primitives that act on each element by itself, and reductions."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

ELEMENTWISE_EXAMPLES = {
    "abs": "abs [-1, 2] -> [1, 2]",
    "add": "add [a, b], [c, d] -> [a + c, b + d]",
    "add_any": "add_any [a, b], [c, d] -> [a + c, b + d]",
    "and": "and [true, true], [true, false] -> [true, false]",
    "atan2": "atan2 [0, 1], [1, 0] -> [0, pi / 2]",
    "bitcast_convert_type": "bitcast_convert_type [0, 1] from float32 to int32 -> [0, 1065353216]",
    "cbrt": "cbrt [8, 27] -> [2, 3]",
    "ceil": "ceil [0.2, 1.5] -> [1, 2]",
    "clamp": "clamp 0, [-1, 0.5, 2], 1 -> [0, 0.5, 1]",
    "convert_element_type": "convert_element_type [1.7, 2.0] to int32 -> [1, 2]",
    "copy": "copy [a, b] -> [a, b]",
    "cos": "cos [0, pi] -> [1, -1]",
    "cosh": "cosh [0, a] -> [1, (e^a + e^-a) / 2]",
    "div": "div [a, b], [c, d] -> [a / c, b / d]",
    "eq": "eq [1, 2], [1, 3] -> [true, false]",
    "erf": "erf [0, infinity] -> [0, 1]",
    "erfc": "erfc [0, infinity] -> [1, 0]",
    "exp": "exp [0, a] -> [1, e^a]",
    "exp2": "exp2 [0, 3] -> [1, 8]",
    "expm1": "expm1 [0, a] -> [0, e^a - 1]",
    "floor": "floor [0.8, -0.2] -> [0, -1]",
    "ge": "ge [1, 2], [2, 2] -> [false, true]",
    "gt": "gt [3, 2], [2, 2] -> [true, false]",
    "integer_pow": "integer_pow [a, b] with y = 2 -> [a^2, b^2]",
    "is_finite": "is_finite [1, infinity] -> [true, false]",
    "le": "le [2, 3], [2, 2] -> [true, false]",
    "log": "log [1, e] -> [0, 1]",
    "log1p": "log1p [0, a] -> [0, ln(1 + a)]",
    "logistic": "logistic [0, a] -> [1 / 2, 1 / (1 + e^-a)]",
    "lt": "lt [1, 2], [2, 2] -> [true, false]",
    "max": "max [1, 4], [3, 2] -> [3, 4]",
    "min": "min [1, 4], [3, 2] -> [1, 2]",
    "mul": "mul [a, b], [c, d] -> [a c, b d]",
    "ne": "ne [1, 2], [1, 3] -> [false, true]",
    "neg": "neg [a, b] -> [-a, -b]",
    "nextafter": "nextafter [1], [2] in float32 -> [1 + 2^-23]",
    "not": "not [true, false] -> [false, true]",
    "one_minus_square": "one_minus_square [a, b] -> [1 - a^2, 1 - b^2]",
    "or": "or [true, false], [false, false] -> [true, false]",
    "pow": "pow [a, b], [c, d] -> [a^c, b^d]",
    "reduce_precision": "reduce_precision [1 + 2^-8, 1 + 2^-7] to 7 bits of mantissa -> [1, 1 + 2^-7]",
    "rem": "rem [5, -5], [3, 3] -> [2, -2]",
    "round": "round [0.4, 1.6] -> [0, 2]",
    "rsqrt": "rsqrt [1, 4] -> [1, 1 / 2]",
    "select_n": "select_n [false, true], [a, b], [c, d] -> [a, d]",
    "shift_left": "shift_left [1, 3], [2, 1] -> [4, 6]",
    "shift_right_arithmetic": "shift_right_arithmetic [-8, 8], [1, 1] -> [-4, 4]",
    "shift_right_logical": "shift_right_logical [8, 12], [1, 2] -> [4, 3]",
    "sign": "sign [-3, 0, 5] -> [-1, 0, 1]",
    "sin": "sin [0, pi / 2] -> [0, 1]",
    "sinh": "sinh [0, a] -> [0, (e^a - e^-a) / 2]",
    "sqrt": "sqrt [4, 9] -> [2, 3]",
    "square": "square [a, b] -> [a^2, b^2]",
    "stop_gradient": "stop_gradient [a, b] -> [a, b]",
    "sub": "sub [a, b], [c, d] -> [a - c, b - d]",
    "tan": "tan [0, pi / 4] -> [0, 1]",
    "tanh": "tanh [0, infinity] -> [0, 1]",
    "xor": "xor [true, true], [true, false] -> [false, true]",
}
"""An example of each primitive whose result at a place depends on the operands at that place alone."""
ELEMENTWISE = frozenset(ELEMENTWISE_EXAMPLES)
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


def reduction_example(name: str) -> str:
    """Return an example of a reduction, in terms of the primitive that combines two elements."""
    combine = REDUCTIONS[name].name
    return f"{name} [a, b, c] over axis 0 -> {combine}({combine}(a, b), c)"


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
