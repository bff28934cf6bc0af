"""Points that a generator has to imitate, each with a latent point beside it; the labels tell which Gaussian a point is from."""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from bench.tasks import task
from bench.tasks.definition import Data, Task, split


def _mixture(centers: Float[Array, "mode coordinate"], stddev: float, latent: int, n: int, n_test: int) -> Task:
    modes, coordinates = centers.shape

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        key_point, key_latent = (jax.random.fold_in(key, i) for i in range(2))
        mode = jnp.arange(n + n_test) % modes
        points = centers.astype(dtype)[mode] + stddev * jax.random.normal(key_point, (n + n_test, coordinates), dtype)
        return split(jnp.concatenate([points, jax.random.normal(key_latent, (n + n_test, latent), dtype)], axis=1), mode, n)

    return Task(coordinates + latent, coordinates, sample, "players", "classification")


@task
def ring(
    modes: Annotated[int, Field(ge=1, le=1_000_000)] = 8,
    radius: PositiveFloat = 1.0,
    stddev: PositiveFloat = 0.05,
    latent: PositiveInt = 4,
    n: PositiveInt = 256,
    n_test: NonNegativeInt = 256,
) -> Task:
    """Gaussians at equal distances on a circle, as many points from each, and latent ones from N(0, 1) (Metz et al., 2017).

    Formula: x ~ N(radius (cos a_k, sin a_k), stddev^2), a_k = 2 pi k / modes, k = 0 ... modes - 1 in turn; z ~ N(0, 1).
    Source: Metz et al., 2017, arXiv 1611.02163.
    Law: for three modes or more each coordinate has the mean 0 and the variance radius^2 / 2 + stddev^2.
    Limit: one Gaussian at (radius, 0) for modes = 1.
    """
    angle = 2 * jnp.pi * jnp.arange(modes) / modes
    return _mixture(radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1), stddev, latent, n, n_test)


@task
def gaussian(
    mean: float = 2.0,
    stddev: PositiveFloat = 0.5,
    latent: PositiveInt = 1,
    n: PositiveInt = 256,
    n_test: NonNegativeInt = 256,
) -> Task:
    """Points on a line from N(mean, stddev^2), and latent points from N(0, 1).

    Formula: x ~ N(mean, stddev^2), z ~ N(0, 1).
    Source: this suite, as the simplest distribution that a generator can miss.
    Law: x has the mean `mean` and the variance stddev^2.
    Limit: `ring` with modes = 1 has such points in its first coordinate, around `radius`.
    """
    return _mixture(jnp.full((1, 1), mean), stddev, latent, n, n_test)
