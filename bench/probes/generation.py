"""The quality of a generator's imitation of the real points, on the test examples if there are any."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from bench.probes import probe

Points = Float[Array, "example coordinate"]
KEPT_POINTS = 24
"""Number of generated points that a row keeps."""


@probe
def generator_loss(player_losses: Float[Array, " player"]) -> Float[Array, ""]:
    """The second player's loss on the training examples; the first one's, the discriminator's, is the training run's loss."""
    return player_losses[1]


@probe
def modes_covered(
    generated: Points, real: Points, mode: Int[Array, " example"], spreads: float = 3.0, share: float = 0.25
) -> Float[Array, ""]:
    """Number of modes near whose center the generator puts at least a quarter of the points that the real ones put there.

    Near is within 3 standard deviations (per coordinate) of the mode's real points from their mean.
    """
    own = (mode[:, None] == mode).astype(real.dtype)
    size = jnp.sum(own, axis=1)
    centers = own @ real / size[:, None]
    spread = jnp.sqrt(own @ jnp.mean((real - centers) ** 2, axis=1) / size)
    near = jnp.sum(_distances(centers, generated) <= spreads * spread[:, None], axis=1)
    # Every example counts as its share of its mode.
    return jnp.sum((near >= share * size) / size)


@probe
def energy_distance(generated: Points, real: Points) -> Float[Array, ""]:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| between generated and real points: 0 if and only if they are equally distributed, to sampling
    error (Szekely and Rizzo, 2013)."""
    return 2 * jnp.mean(_distances(generated, real)) - jnp.mean(_distances(generated, generated)) - jnp.mean(_distances(real, real))


@probe(optional=True)
def generated_points(generated: Points) -> Float[Array, " number"]:
    """The first generated points, coordinate by coordinate, to be drawn."""
    return jnp.ravel(generated[:KEPT_POINTS])


def _distances(a: Points, b: Points) -> Float[Array, "first second"]:
    return jnp.sqrt(jnp.sum((a[:, None] - b) ** 2, axis=-1))
