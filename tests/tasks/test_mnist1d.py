"""MNIST-1D against the package of those who published it: both draw from one law, as far as moments and a classifier see."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mnist1d.data import get_dataset_args, make_dataset
from scipy import stats
from sklearn.neighbors import KNeighborsClassifier

from bench.tasks import task

N, TRAINING = 5000, 4000
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


def features(x: np.ndarray) -> np.ndarray:
    """Numbers of each example (example, feature) whose means tell laws apart.

    They are the values at the 40 places and the products of two of them, which give means, variances and covariances, and what no moving
    along the sequence changes: the sizes of the second differences in their order, and how far the values at some distance differ.
    """
    first, second = np.triu_indices(x.shape[1])
    bends = np.sort(np.abs(np.diff(x, 2, axis=1)), axis=1)
    spreads = np.log(np.stack([np.std(x[:, lag:] - x[:, :-lag], axis=1) for lag in (1, 2, 4)], axis=1))
    return np.concatenate([x, x[:, first] * x[:, second], bends, spreads, spreads**2], axis=1)


def have_equal_means(one: Examples, other: Examples) -> bool:
    """Whether no mean of a feature differs, in a class or in all together, by Welch's test with Bonferroni's correction."""
    parts = [*range(10), range(10)]
    pairs = ([features(some.x[np.isin(some.y, part)]) for some in (one, other)] for part in parts)
    p_values = [stats.ttest_ind(*pair, equal_var=False).pvalue for pair in pairs]
    return bool(np.min(p_values) > LEVEL / np.size(p_values))


def are_classified_alike(one: Examples, other: Examples) -> bool:
    """Whether a classifier that was trained on `one` names the classes of new examples of both equally often, by Fisher's test."""
    classifier = KNeighborsClassifier(5).fit(one.x[:TRAINING], one.y[:TRAINING])
    right = [np.sum(classifier.predict(some.x[TRAINING:]) == some.y[TRAINING:]) for some in (one, other)]
    assert right[0] > 2 * (N - TRAINING) / 10
    return bool(stats.fisher_exact([right, [N - TRAINING - count for count in right]]).pvalue > LEVEL)


def test_it_draws_from_the_published_law(ours: Examples, theirs: Examples) -> None:
    assert have_equal_means(ours, theirs)
    assert are_classified_alike(ours, theirs) and are_classified_alike(theirs, ours)
    for examples in (ours, theirs):
        np.testing.assert_array_equal(np.bincount(examples.y), np.full(10, N // 10))
        assert np.mean(examples.x) == pytest.approx(0, abs=1e-5) and np.std(examples.x) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("other", [{"shear_scale": 0.6}, {"iid_noise_scale": 0.025}, {"scale_coeff": 0.8}, {"padding": [44, 60]}])
def test_another_law_is_told_apart(other: dict[str, Any], ours: Examples) -> None:
    assert not have_equal_means(ours, published(**other))


def test_a_classifier_tells_signals_that_are_not_moved_apart(ours: Examples) -> None:
    assert not are_classified_alike(published(max_translation=1), ours)


def test_shuffling_puts_all_examples_of_a_data_set_into_one_order(ours: Examples) -> None:
    shuffled = drawn(shuffle=True)
    np.testing.assert_array_equal(shuffled.y, ours.y)
    # Sums in another order have other last bits.
    order = [int(np.argmin(np.abs(ours.x[0] - value))) for value in shuffled.x[0]]
    assert sorted(order) == list(range(40)) != order
    np.testing.assert_allclose(shuffled.x, ours.x[:, order], atol=1e-5)
