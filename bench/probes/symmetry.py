"""Differences between the hidden units of a layer; over several layers, the most symmetric one counts."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from bench.linalg import singular_values
from bench.probes import probe

BREAK = 1e-2
"""Tie spread above which a tie counts as broken."""


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


@probe(over_layers=jnp.min, optional=True)
def distinct_units_exact(units: Float[Array, "hidden feature"]) -> Int[Array, ""]:
    """`distinct_units` with tolerance 0: units count as equal if they agree in every bit."""
    return distinct_units(units, 0.0)


@probe(over_layers=jnp.min, optional=True)
def distinct_units_coarse(units: Float[Array, "hidden feature"]) -> Int[Array, ""]:
    """`distinct_units` with tolerance 1e-2: differences below a hundredth of the largest feature do not count."""
    return distinct_units(units, 1e-2)


@probe(over_layers=jnp.min, optional=True)
def distinct_heads(heads: Float[Array, "head feature"]) -> Int[Array, ""]:
    """`distinct_units` of the heads of attention: 1 if all heads of some block are equal, their number if no two are in any block."""
    return distinct_units(heads)


@probe(over_layers=jnp.sum, optional=True)
def untied_layers(units: Float[Array, "hidden feature"]) -> Int[Array, ""]:
    """Number of hidden layers that have two units which differ, by the measure of `distinct_units`: 0 if every layer is tied."""
    return (distinct_units(units) > 1).astype(jnp.int32)


@probe(over_layers=jnp.sum, optional=True)
def untied_heads(heads: Float[Array, "head feature"]) -> Int[Array, ""]:
    """`untied_layers` of the heads of attention: the number of blocks that have two heads which differ."""
    return untied_layers(heads)


@probe(over_layers=jnp.max, optional=True)
def unit_cosine_mean(units: Float[Array, "hidden feature"]) -> Float[Array, ""]:
    """Mean cosine between two different units: 1 if all units are equal; null if a unit is all zero or there is only one."""
    return jnp.mean(_cosines(units))


@probe(over_layers=jnp.max, optional=True)
def unit_cosine_max(units: Float[Array, "hidden feature"]) -> Float[Array, ""]:
    """Largest cosine between two different units: 1 if two units point the same way; null if a unit is all zero or there is only one."""
    cosines = _cosines(units)
    return jnp.max(cosines) if cosines.size else jnp.full((), jnp.nan, units.dtype)


@probe(over_layers=jnp.sum, optional=True)
def unit_cosine_undefined(units: Float[Array, "hidden feature"]) -> Int[Array, ""]:
    """Number of pairs of units without a cosine, because one of them is all zero."""
    zero = jnp.all(units == 0, axis=1)
    first, second = jnp.triu_indices(len(units), 1)
    return jnp.sum(zero[first] | zero[second])


def _cosines(units: Float[Array, "hidden feature"]) -> Float[Array, " pair"]:
    length = jnp.linalg.norm(units, axis=1)
    first, second = jnp.triu_indices(len(units), 1)
    return jnp.sum(units[first] * units[second], axis=1) / (length[first] * length[second])


@probe(over_layers=jnp.min, optional=True)
def stable_rank(incoming: Float[Array, "input hidden"]) -> Float[Array, ""]:
    """Squared Frobenius norm over squared largest singular value: 0 for a zero matrix, 1 for equal units, `hidden` for the identity."""
    largest = singular_values(incoming)[0]
    return jnp.where(largest > 0, jnp.sum(incoming**2) / jnp.where(largest > 0, largest, 1) ** 2, 0)


@probe(over_layers=jnp.min, optional=True)
def participation_ratio(activation: Float[Array, "example hidden"]) -> Float[Array, ""]:
    """(sum lam)^2 / sum lam^2 of the eigenvalues of the activations' covariance over the examples: how many directions they vary in.

    0 if they do not vary, 1 if all units vary together, `hidden` if they vary alike and independently.
    """
    centered = activation - jnp.mean(activation, axis=0)
    covariance = centered.T @ centered / len(activation)
    # The sum of squared eigenvalues is the sum of squared entries.
    squares = jnp.sum(covariance**2)
    return jnp.where(squares > 0, jnp.trace(covariance) ** 2 / jnp.where(squares > 0, squares, 1), 0)


@probe(over_layers=jnp.min, first_above=BREAK)
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
