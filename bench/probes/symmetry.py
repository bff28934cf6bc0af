"""How different the hidden units of a layer are. Over several layers, the most symmetric one counts."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from bench.linalg import singular_values
from bench.probes import probe


def _largest(units: Float[Array, "hidden feature"]) -> Float[Array, ""]:
    return jnp.max(jnp.abs(units))


@probe(over_layers=jnp.min)
def distinct_units(units: Float[Array, "hidden feature"], tolerance: float = 1e-6) -> Int[Array, ""]:
    """Number of hidden units that differ from one another: 1 if all are equal, `hidden` if no two are.

    Single-linkage classes at max-norm distance <= tolerance x largest feature.
    """
    distance = jax.lax.map(lambda unit: jnp.max(jnp.abs(units - unit), axis=1), units)
    linked: Bool[Array, "hidden hidden"] = distance <= tolerance * _largest(units)
    for _ in range(math.ceil(math.log2(max(len(units), 2)))):
        linked = (linked.astype(jnp.float32) @ linked.astype(jnp.float32)) > 0
    first_of_its_class = jnp.argmax(linked, axis=1) == jnp.arange(len(units))
    return jnp.sum(first_of_its_class)


@probe(over_layers=jnp.min)
def tie_spread(units: Float[Array, "hidden feature"]) -> Float[Array, ""]:
    """Largest max-norm distance of a unit to the mean unit: 0 if all units are equal (to rounding of the mean)."""
    return jnp.max(jnp.abs(units - jnp.mean(units, axis=0)))


@probe(over_layers=jnp.min)
def effective_rank(incoming: Float[Array, "input hidden"]) -> Float[Array, ""]:
    """exp(entropy of s / sum s) of the singular values s of the incoming weights (Roy and Vetterli, 2007).

    0 for a zero matrix, 1 for equal units, `hidden` for the identity.
    """
    s = singular_values(incoming)
    total = jnp.sum(s)
    p = s / jnp.where(total > 0, total, 1)
    entropy = -jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1)), 0))
    return jnp.where(total > 0, jnp.exp(entropy), 0)
