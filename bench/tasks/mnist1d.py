"""MNIST-1D: ten signals in the manner of digits, moved, scaled, sheared and noisy; every data seed draws new examples."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key
from pydantic import NonNegativeInt, PositiveInt
from scipy.ndimage import gaussian_filter1d

from bench.keys import shuffled
from bench.losses.definition import OwnLoss
from bench.tasks import task
from bench.tasks.definition import Data, Task, split

HEIGHTS = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)
"""The ten templates, which begin and end at the same height."""
AMPLITUDE = 1 / 6
"""The standard deviation of a template."""
NEVER_ZERO = 1e-8
"""Added to the templates, so that a signal is exactly 0 beside its template alone."""
LEAST_PADDING, MOST_PADDING = 36, 60
PLACES, SEEN_PLACES = 72, 40
"""Numbers of a signal while it is transformed, and in the end."""
SHIFTS = 48
"""Number of places by which a signal may be moved, 0 among them."""
SCALE_RANGE, SHEAR_RANGE = 0.4, 0.75
"""Widths of the uniform laws of a signal's factor, around 1, and of its slope, around 0."""
CORRELATED_NOISE, SMOOTHING = 0.25, 2
"""Standard deviation of the noise beside a template before a Gaussian filter of this standard deviation smooths it, in places."""
WHITE_NOISE = 0.02


@task(benchmark=True)
def mnist1d(
    n: PositiveInt = 4000,
    n_test: NonNegativeInt = 1000,
    shuffle: bool = False,
    loss: Literal["cross_entropy", "mse"] | OwnLoss = "cross_entropy",
) -> Task:
    """MNIST-1D: 40 numbers, ten classes; new examples for each data seed (Greydanus, 2020; Greydanus and Kobak, 2024, arXiv 2011.14439).

    A signal is one of ten templates of 12 numbers, with 36 to 60 zeros behind it, stretched to 72 numbers, multiplied by 0.8 to 1.2 and
    moved by up to 47 places around the end. Beside the template it gets smooth noise, everywhere white noise and a random slope; 40 of its
    places are kept, all by linear interpolation. Training and test examples are standardized together. Classes are equally frequent in all
    examples together. With `shuffle` the 40 places are in a random order, one for all examples of a data set.

    Formula: a template, padded, stretched, scaled and moved at random, plus smooth noise beside it, white noise and a slope.
    Source: Greydanus and Kobak, 2024, arXiv 2011.14439.
    Law: all numbers together have mean 0 and variance 1; with 5,000 examples every class has 500.
    Limit: the published data set is one draw with n = 4000 and n_test = 1000, but for its standardization.
    """
    templates, smoothing, kept = _padded_templates(), _smoothing(), _stretching(PLACES, SEEN_PLACES)
    total = n + n_test

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        keys = [jax.random.fold_in(key, i) for i in range(8)]

        def around_zero(key: Key[Array, ""], width: float) -> Float[Array, "example 1"]:
            return width * jax.random.uniform(key, (total, 1), dtype, -0.5, 0.5)

        def noise(key: Key[Array, ""], size: float) -> Float[Array, "example place"]:
            return size * jax.random.normal(key, (total, PLACES), dtype)

        label = shuffled(keys[0], total) % len(HEIGHTS)
        padding = jax.random.randint(keys[1], (total,), 0, MOST_PADDING - LEAST_PADDING + 1)
        shift = jax.random.randint(keys[2], (total,), 0, SHIFTS)
        signal = jax.vmap(_moved, (None, 0, 0, 0))(jnp.asarray(templates, dtype), label, padding, shift)
        beside = noise(keys[3], CORRELATED_NOISE) @ jnp.asarray(smoothing, dtype)
        x = jnp.where(signal != 0, signal * (1 + around_zero(keys[4], SCALE_RANGE)), beside) + noise(keys[5], WHITE_NOISE)
        x = x - around_zero(keys[6], SHEAR_RANGE) * jnp.linspace(-0.5, 0.5, PLACES, dtype=dtype)
        x = x @ jnp.asarray(kept, dtype)
        if shuffle:
            x = x[:, shuffled(keys[7], SEEN_PLACES)]
        return split((x - jnp.mean(x)) / jnp.std(x), label, n)

    return Task(SEEN_PLACES, len(HEIGHTS), sample, loss, "classification")


def _padded_templates() -> Float[np.ndarray, "template padding twice"]:
    """Return the templates, stretched with each number of zeros behind them, twice in a row: a moved one is a part of that."""
    heights = np.array(HEIGHTS)
    heights = AMPLITUDE * (heights - heights[:, :1]) / heights.std(axis=1, keepdims=True) + NEVER_ZERO
    paddings = range(LEAST_PADDING, MOST_PADDING + 1)
    found = [np.pad(heights, ((0, 0), (0, zeros))) @ _stretching(heights.shape[1] + zeros, PLACES) for zeros in paddings]
    return np.tile(np.stack(found, axis=1), 2)


def _moved(templates: Float[Array, "template padding twice"], label: Array, padding: Array, shift: Array) -> Float[Array, " place"]:
    """Return a padded template, moved by `shift` places around the end."""
    return jax.lax.dynamic_slice(templates, (label, padding, PLACES - shift), (1, 1, PLACES))[0, 0]


def _stretching(before: int, after: int) -> Float[np.ndarray, "before after"]:
    """Return the matrix of the linear interpolation of a row of numbers at evenly spaced places, of which the ends stay."""
    places = np.linspace(0, before - 1, after)
    return np.stack([np.interp(places, np.arange(before), unit) for unit in np.eye(before)])


def _smoothing() -> Float[np.ndarray, "place place"]:
    """Return the matrix of the Gaussian filter, which sees a signal reflected at its ends."""
    return gaussian_filter1d(np.eye(PLACES), SMOOTHING, axis=1)
