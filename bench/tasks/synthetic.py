"""Synthetic regression and classification with the controls that decide what theory says about them."""

from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Key
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from bench.losses.definition import AnyLoss, OwnLoss
from bench.models.activations import Activation, activation_function
from bench.tasks import task
from bench.tasks.definition import Data, Positives, Task, second_class, split
from bench.tasks.floor import check_floor, floor_of

Scales = Annotated[tuple[PositiveFloat, ...], Field(strict=False, min_length=1)]
Share = Annotated[float, Field(ge=0, lt=0.5)]


@task
def regression(
    n: PositiveInt = 64,
    column_scales: Scales = (3.0, 2.0, 1.0, 0.5, 0.2),
    noise: NonNegativeFloat = 0.1,
    n_test: NonNegativeInt = 64,
    loss: Literal["mse", "rss"] | OwnLoss = "mse",
    excess: bool = False,
) -> Task:
    """y = x.w + noise with x ~ N(0, diag(column_scales^2)), w ~ N(0, 1) per data seed; `excess` counts the loss from its minimum.

    Under-determined if there are more columns than `n` examples.

    Formula: y = x w + noise N(0, 1), x ~ N(0, diag(column_scales^2)), w ~ N(0, 1).
    Source: this suite, as least squares with a chosen condition.
    Law: over data seeds y has the variance sum column_scales^2 + noise^2.
    Limit: for noise = 0 the least loss is 0.
    """
    check_floor(loss, excess)
    d = len(column_scales)

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        key_x, key_w, key_noise = (jax.random.fold_in(key, i) for i in range(3))
        x = jax.random.normal(key_x, (n + n_test, d), dtype) * jnp.asarray(column_scales, dtype)
        w = jax.random.normal(key_w, (d, 1), dtype)
        y = x @ w + noise * jax.random.normal(key_noise, (n + n_test, 1), dtype)
        return split(x, y, n, floor_of(x[:n], y[:n], loss) if excess else None)

    return Task(d, 1, sample, loss, "regression")


@task
def classification(
    n: PositiveInt = 64,
    d: PositiveInt = 2,
    margin: NonNegativeFloat = 0.2,
    flip: Share = 0.0,
    n_test: NonNegativeInt = 64,
    loss: AnyLoss = "cross_entropy",
    excess: bool = False,
) -> Task:
    """Two classes on either side of a random plane through the origin, at least `margin` from it.

    Linearly separable if `flip` is 0; otherwise that share of the training labels (rounded) is swapped: the classes overlap.
    `excess` counts the loss from the least one of logistic regression.

    Formula: x ~ N(0, 1) + margin s w, s = sign(x w), |w| = 1; y is s > 0, swapped for a share `flip`.
    Source: this suite, as classes with a chosen margin or overlap.
    Law: every x is `margin` or more from the plane x w = 0, which parts all classes but the swapped ones.
    Limit: linearly separable for flip = 0.
    """
    check_floor(loss, excess, classes=2)
    n_flipped = round(flip * n)

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        key_x, key_w = (jax.random.fold_in(key, i) for i in range(2))
        x = jax.random.normal(key_x, (n + n_test, d), dtype)
        w = jax.random.normal(key_w, (d, 1), dtype)
        w = w / jnp.linalg.norm(w)
        positive = x @ w > 0
        x = x + margin * jnp.where(positive, 1, -1) * w.T
        # Examples are exchangeable, so swapping the first labels is swapping random ones.
        label = positive ^ (jnp.arange(n + n_test) < n_flipped)[:, None]
        targets = label.astype(dtype)
        return split(x, targets, n, floor_of(x[:n], targets[:n], loss) if excess else None)

    return Task(d, 1, sample, loss, "classification")


@task
def blobs(
    n: PositiveInt = 128,
    d: PositiveInt = 2,
    classes: Annotated[int, Field(ge=2)] = 4,
    spread: PositiveFloat = 0.15,
    n_test: NonNegativeInt = 128,
    loss: Literal["cross_entropy", "mse"] | OwnLoss = "cross_entropy",
    positives: Positives = None,
) -> Task:
    """Gaussian blobs of random classes, centers evenly spaced on a unit circle in the first two of `d` coordinates.

    The circle is turned by a random angle per data seed; `spread` is the standard deviation of a blob. `positives`: the share of the
    second of two classes, rounded to whole examples.

    Formula: x ~ N(c_k, spread^2), c_k on the unit circle at the angle 2 pi k / classes + a random one.
    Source: this suite, after scikit-learn's `make_blobs` (Pedregosa et al., 2011).
    Law: the mean of |x|^2 is 1 + d spread^2 for d > 1.
    Limit: `classes` points as `spread` falls to 0.
    """
    if positives is not None and classes != 2:
        raise ValueError(f"positives = {positives:g}: the share of the second of two classes, but classes = {classes}")
    second = None if positives is None else second_class(n, n_test, positives)

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        key_x, key_angle, key_label = (jax.random.fold_in(key, i) for i in range(3))
        label = jax.random.randint(key_label, (n + n_test,), 0, classes) if second is None else jnp.asarray(second)
        angle = 2 * jnp.pi * (label / classes + jax.random.uniform(key_angle, (), dtype))
        center = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1).astype(dtype)
        center = jnp.pad(center[:, : min(d, 2)], ((0, 0), (0, max(d - 2, 0))))
        x = center + spread * jax.random.normal(key_x, (n + n_test, d), dtype)
        if classes == 2:
            return split(x, label[:, None].astype(dtype), n)
        return split(x, label.astype(jnp.int32), n)

    return Task(d, 1 if classes == 2 else classes, sample, loss, "classification")


@task
def teacher_neuron(
    n: PositiveInt = 64,
    d: PositiveInt = 4,
    activation: Activation = "sigmoid",
    loss: Literal["mse", "cross_entropy"] = "mse",
    n_test: NonNegativeInt = 64,
) -> Task:
    """The outputs of a random neuron of the same kind, so that loss 0 can be reached and is the minimum.

    x ~ N(0, 1), teacher weights N(0, 1), teacher bias N(0, 1). With cross-entropy the targets are the probabilities that
    `models.single.Neuron` with `output = "logit"` stands for, and the loss is counted from their entropy.

    Formula: y = f(x w + b), x, w, b ~ N(0, 1).
    Source: this suite, as a problem whose least loss is known.
    Law: the neuron (w, b) has loss 0.
    Limit: `regression` without noise for activation = "identity", but for the constant b.
    """

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        key_x, key_w, key_b = (jax.random.fold_in(key, i) for i in range(3))
        x = jax.random.normal(key_x, (n + n_test, d), dtype)
        z = x @ jax.random.normal(key_w, (d, 1), dtype) + jax.random.normal(key_b, (), dtype)
        value = activation_function(activation)(z)
        if loss == "mse":
            return split(x, value, n)
        logit = {"sigmoid": z, "tanh": 2 * z}.get(activation, value)
        p = jax.nn.sigmoid(logit)
        entropy = jnp.mean((jax.nn.softplus(logit) - p * logit)[:n])
        return split(x, p, n, entropy)

    return Task(d, 1, sample, loss, "regression" if loss == "mse" else "classification")
