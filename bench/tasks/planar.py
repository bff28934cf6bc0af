"""Two classes in the plane that no straight line separates."""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from bench.losses.definition import OwnLoss
from bench.tasks import task
from bench.tasks.definition import Data, Positives, Task, second_class, split

PlanarLoss = Literal["cross_entropy", "mse"] | OwnLoss
Curve = Callable[[Float[Array, " example"]], Float[Array, "example 2"]]


def _two_curves(first: Curve, second: Curve, n: int, n_test: int, noise: float, loss: PlanarLoss, positives: float | None) -> Task:
    """Points of two curves, at uniform places t in [0, 1], moved by N(0, noise^2); the classes take turns unless a share is given."""
    chosen = None if positives is None else second_class(n, n_test, positives)[:, None]

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        key_t, key_noise = (jax.random.fold_in(key, i) for i in range(2))
        t = jax.random.uniform(key_t, (n + n_test,), dtype)
        label = (jnp.arange(n + n_test) % 2)[:, None] if chosen is None else jnp.asarray(chosen)
        x = jnp.where(label == 0, first(t), second(t)) + noise * jax.random.normal(key_noise, (n + n_test, 2), dtype)
        return split(x, label.astype(dtype), n)

    return Task(2, 1, sample, loss, "classification")


@task
def moons(
    n: PositiveInt = 100,
    noise: NonNegativeFloat = 0.1,
    n_test: NonNegativeInt = 100,
    loss: PlanarLoss = "cross_entropy",
    positives: Positives = None,
) -> Task:
    """Two interleaving half circles, as scikit-learn's `make_moons` has them, at random places along the curves.

    `positives`: the share of the second class.

    Formula: x = (cos pi t, sin pi t) or (1 - cos pi t, 1/2 - sin pi t), plus N(0, noise^2), t ~ U(0, 1).
    Source: scikit-learn (Pedregosa et al., 2011), `make_moons`.
    Law: a point is sqrt(1 + 2 noise^2) from its center, (0, 0) or (1, 1/2), in the square mean.
    Limit: half circles of radius 1 for noise = 0.
    """

    def upper(t: Float[Array, " example"]) -> Float[Array, "example 2"]:
        return jnp.stack([jnp.cos(jnp.pi * t), jnp.sin(jnp.pi * t)], axis=1)

    return _two_curves(upper, lambda t: jnp.array([1, 0.5], t.dtype) - upper(t), n, n_test, noise, loss, positives)


@task
def spirals(
    n: PositiveInt = 100,
    turns: PositiveFloat = 1.0,
    radius: PositiveFloat = 1.0,
    noise: NonNegativeFloat = 0.02,
    n_test: NonNegativeInt = 100,
    loss: PlanarLoss = "cross_entropy",
    positives: Positives = None,
) -> Task:
    """Two Archimedean spirals that wind `turns` times around the origin out to `radius`, one turned by half a circle.

    `positives`: the share of the second class.

    Formula: x = +-radius t (cos 2 pi turns t, sin 2 pi turns t) + N(0, noise^2), t ~ U(0, 1).
    Source: Lang and Witbrock, 1988; there the spirals wind three times.
    Law: the mean of |x|^2 is radius^2 / 3 + 2 noise^2.
    Limit: two half lines, which a straight line parts, as `turns` falls to 0.
    """

    def arm(t: Float[Array, " example"]) -> Float[Array, "example 2"]:
        angle = 2 * jnp.pi * turns * t
        return radius * t[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)

    return _two_curves(arm, lambda t: -arm(t), n, n_test, noise, loss, positives)
