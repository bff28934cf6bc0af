"""Real data sets that ship with scikit-learn; each data seed is a fresh split into training and test examples."""

from functools import cache
from typing import Annotated, Any, Literal

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Key
from pydantic import Field, PositiveInt

from bench.keys import shuffled
from bench.losses.definition import OwnLoss
from bench.piece_names import Named
from bench.tasks import task
from bench.tasks.definition import Data, Task, split
from bench.tasks.floor import check_floor, floor_of

TestShare = Annotated[float, Field(gt=0, lt=1)]


@cache
def _arrays(name: str) -> tuple[np.ndarray, np.ndarray]:
    # Here, for importing scikit-learn takes two thirds of a second.
    from sklearn import datasets

    bunch: Any = getattr(datasets, f"load_{name}")()
    return bunch.data, bunch.target


def _real(
    name: str,
    loss: Named,
    kind: Literal["regression", "classification"],
    test_share: float,
    n_train: int | None,
    excess: bool = False,
) -> Task:
    features, targets = _arrays(name)
    n_test = round(test_share * len(features))
    rest = len(features) - n_test
    if n_train is not None and n_train > rest:
        raise ValueError(f"n_train = {n_train}: {name} has {rest} examples beside its test share of {test_share}")
    n = n_train or rest
    classes = len(np.unique(targets)) if kind == "classification" else 0
    check_floor(loss, excess, classes)
    scalar = classes <= 2

    def sample(key: Key[Array, ""], dtype: DTypeLike) -> Data:
        order = shuffled(key, len(features))[: n + n_test]
        x = jnp.asarray(features, dtype)[order]
        y = jnp.asarray(targets, dtype if scalar else jnp.int32)[order]
        spread = jnp.std(x[:n], axis=0)
        x = (x - jnp.mean(x[:n], axis=0)) / jnp.where(spread > 0, spread, 1)
        if scalar:
            y = y[:, None]
        if kind == "regression":
            y = (y - jnp.mean(y[:n])) / jnp.std(y[:n])
        return split(x, y, n, floor_of(x[:n], y[:n], loss) if excess else None)

    return Task(features.shape[1], 1 if scalar else classes, sample, loss, kind, resamples=True)


@task
def diabetes(
    loss: Literal["mse", "rss"] | OwnLoss = "mse",
    test_share: TestShare = 0.25,
    n_train: PositiveInt | None = None,
    excess: bool = False,
) -> Task:
    """442 patients, 10 measurements, progression after a year; features and target standardized (Efron et al., 2004).

    Formula: features and target minus their mean, over their standard deviation, both of the training examples.
    Source: Efron et al., 2004.
    Law: over the training examples all have mean 0 and variance 1; the best constant, 0, has an mse of 1.
    Limit: all patients that are not for testing without n_train.
    """
    return _real("diabetes", loss, "regression", test_share, n_train, excess)


@task
def breast_cancer(
    loss: Literal["cross_entropy", "mse"] | OwnLoss = "cross_entropy",
    test_share: TestShare = 0.25,
    n_train: PositiveInt | None = None,
    excess: bool = False,
) -> Task:
    """569 tumors, 30 measurements, malignant or benign; standardized (Street et al., 1993).

    `excess` counts the loss from the least one of logistic regression.

    Formula: features minus their mean, over their standard deviation, both of the training examples.
    Source: Street et al., 1993.
    Law: over the training examples features have mean 0 and variance 1; 357 of 569 tumors are benign.
    Limit: all tumors that are not for testing without n_train.
    """
    return _real("breast_cancer", loss, "classification", test_share, n_train, excess)


@task
def wine(
    loss: Literal["cross_entropy", "mse"] | OwnLoss = "cross_entropy",
    test_share: TestShare = 0.25,
    n_train: PositiveInt | None = None,
) -> Task:
    """178 wines of three cultivars, 13 measurements; standardized (Forina et al., 1986).

    Formula: features minus their mean, over their standard deviation, both of the training examples.
    Source: Forina et al., 1986.
    Law: over the training examples features have mean 0 and variance 1; the cultivars have 59, 71 and 48 wines.
    Limit: all wines that are not for testing without n_train.
    """
    return _real("wine", loss, "classification", test_share, n_train)


@task
def digits(
    loss: Literal["cross_entropy", "mse"] | OwnLoss = "cross_entropy",
    test_share: TestShare = 0.25,
    n_train: PositiveInt | None = None,
) -> Task:
    """1,797 handwritten digits of 8 x 8 pixels, ten classes; standardized (Alpaydin and Kaynak, 1998).

    Formula: pixels minus their mean, over their standard deviation, both of the training examples.
    Source: Alpaydin and Kaynak, 1998.
    Law: over the training examples a pixel has mean 0 and variance 1, or is 0 in all; each class has 174 to 183 digits.
    Limit: all digits that are not for testing without n_train.
    """
    return _real("digits", loss, "classification", test_share, n_train)
