"""The dependence of a recurrent network's last state on its first one."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bench.linalg import singular_values
from bench.probes import probe

Jacobians = Float[Array, "example state state"]


def _per_step(recurrent_jacobian: Jacobians, time_steps: int) -> Float[Array, "example state"]:
    """Return the singular values s of each Jacobian, largest first, as s^(1/T): the factor per time step."""
    return jax.vmap(singular_values)(recurrent_jacobian) ** (1 / time_steps)


@probe(optional=True)
def recurrent_jacobian_max(recurrent_jacobian: Jacobians, time_steps: int) -> Float[Array, ""]:
    """Largest factor per time step by which a change of the first state grows until the last one, mean over the examples.

    s^(1/T) with s the largest singular value of d last state / d state before the first step, over T steps, at the data (Pascanu et al.,
    2013): below 1 all gradients vanish with time. For an Elman network, 0 with zero recurrent weights
    and 1 if the state is only rotated; the gates of others carry the state without weights.
    """
    return jnp.mean(_per_step(recurrent_jacobian, time_steps)[:, 0])


@probe(optional=True)
def recurrent_jacobian_min(recurrent_jacobian: Jacobians, time_steps: int) -> Float[Array, ""]:
    """`recurrent_jacobian_max` with the smallest singular value; one below the rounding of the largest is rounding."""
    return jnp.mean(_per_step(recurrent_jacobian, time_steps)[:, -1])
