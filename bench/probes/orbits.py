"""Hidden units as they are, for comparisons between training runs."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from bench.probes import probe

MOST_NUMBERS = 96
"""Largest number of numbers in a layer that is kept; larger layers would be most of every row."""


@probe(optional=True, over_layers=jnp.ravel)
def hidden_units(units: Float[Array, "hidden feature"]) -> Float[Array, " number"]:
    """All numbers of a small hidden layer, unit by unit: incoming weights, bias, outgoing weights.

    `analysis.geometry.orbits` compares networks by them, up to the symmetries of their layer. Nothing for a large layer; several hidden
    layers must have equal widths.
    """
    return jnp.ravel(units) if units.size <= MOST_NUMBERS else jnp.zeros(0, units.dtype)
