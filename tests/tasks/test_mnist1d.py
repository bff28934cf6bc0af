"""MNIST-1D against the package of those who published it: both draw from one law, as far as moments and a classifier see."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mnist1d.data import get_dataset_args, make_dataset
from scipy import stats
from sklearn.neighbors import KNeighborsClassifier

from bench.tasks import task

N, TRAINING = 3000, 2000
LEVEL = 1e-4
"""Probability that equal laws are told apart, for each comparison."""


class Examples(NamedTuple):
    x: np.ndarray
    y: np.ndarray


def drawn(**options: Any) -> Examples:
    data = task["mnist1d"].target(n=TRAINING, n_test=N - TRAINING, **options).sample(jax.random.key(1), jnp.dtype("float32"))
    assert data.x.shape == (TRAINING, 40) and data.test_x is not None and data.y.dtype == jnp.int32
    return Examples(np.concatenate([data.x, data.test_x]), np.concatenate([data.y, data.test_y]))


def published(**options: Any) -> Examples:
    """Examples of the published package, which draws from NumPy's global generator."""
    args = get_dataset_args()
    vars(args).update(num_samples=N, train_split=1.0, seed=7, **options)
    state = np.random.get_state()
    try:
        data = make_dataset(args)
    finally:
        np.random.set_state(state)
    return Examples(data["x"], data["y"])


@pytest.fixture(scope="module")
def ours() -> Examples:
    return drawn()


@pytest.fixture(scope="module")
def theirs() -> Examples:
    return published()


def moments(examples: Examples) -> Iterator[np.ndarray]:
    """For each class the values at the 40 places, and the products of the values at two places; axes (example, moment)."""
    first, second = np.triu_indices(40)
    for label in range(10):
        x = examples.x[examples.y == label]
        yield np.concatenate([x, x[:, first] * x[:, second]], axis=1)


def have_equal_moments(one: Examples, other: Examples) -> bool:
    """Whether no mean, variance or covariance of a class differs, by Welch's test with Bonferroni's correction."""
    p_values = [stats.ttest_ind(a, b, equal_var=False).pvalue for a, b in zip(moments(one), moments(other), strict=True)]
    return bool(np.min(p_values) > LEVEL / np.size(p_values))


def are_classified_alike(one: Examples, other: Examples) -> bool:
    """Whether a classifier that was trained on `one` names the classes of new examples of both equally often, by Fisher's test."""
    classifier = KNeighborsClassifier(5).fit(one.x[:TRAINING], one.y[:TRAINING])
    right = [np.sum(classifier.predict(some.x[TRAINING:]) == some.y[TRAINING:]) for some in (one, other)]
    assert right[0] > 2 * (N - TRAINING) / 10
    return bool(stats.fisher_exact([right, [N - TRAINING - count for count in right]]).pvalue > LEVEL)


def test_it_draws_from_the_published_law(ours: Examples, theirs: Examples) -> None:
    assert have_equal_moments(ours, theirs)
    assert are_classified_alike(ours, theirs) and are_classified_alike(theirs, ours)
    for examples in (ours, theirs):
        np.testing.assert_array_equal(np.bincount(examples.y), np.full(10, N // 10))
        assert np.mean(examples.x) == pytest.approx(0, abs=1e-5) and np.std(examples.x) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("other", [{"shear_scale": 0.6}, {"corr_noise_scale": 0.3}, {"padding": [40, 60]}])
def test_another_law_is_told_apart(other: dict[str, Any], ours: Examples) -> None:
    assert not have_equal_moments(ours, published(**other))


def test_a_classifier_tells_signals_that_are_not_moved_apart(ours: Examples) -> None:
    assert not are_classified_alike(published(max_translation=1), ours)


def test_shuffling_puts_all_examples_of_a_data_set_into_one_order(ours: Examples) -> None:
    shuffled = drawn(shuffle=True)
    np.testing.assert_array_equal(shuffled.y, ours.y)
    order = [int(np.flatnonzero(ours.x[0] == value)[0]) for value in shuffled.x[0]]
    assert sorted(order) == list(range(40)) != order
    np.testing.assert_array_equal(shuffled.x, ours.x[:, order])
