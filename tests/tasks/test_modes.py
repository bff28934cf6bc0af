"""The tasks, the model and the probe of exact linear dynamics, on cases that can be computed by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.lane.network import Network
from bench.probes.conserved import output_sum
from bench.spec import ModelSpec
from bench.tasks import task
from bench.tasks.definition import Data

KEY = jax.random.key(5)


def data(name: str, **options: object) -> Data:
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, task[name].target(**options).sample(KEY, jnp.dtype("float64")))


def test_modes_have_whitened_inputs_and_the_singular_values_that_they_name() -> None:
    found = data("modes", strengths=(3.0, 1.0), jitter=0.0, n=7)
    np.testing.assert_allclose(found.x.T @ found.x / 7, np.eye(2), atol=1e-12)
    solution = np.linalg.lstsq(found.x, found.y, rcond=None)[0]
    np.testing.assert_allclose(solution, solution.T, atol=1e-12)
    np.testing.assert_allclose(np.linalg.eigvalsh(solution), [1, 3], atol=1e-12)


def test_jitter_moves_each_strength_by_its_own_factor() -> None:
    found = data("modes", strengths=(3.0, 3.0), jitter=0.1)
    low, high = np.linalg.svd(np.linalg.lstsq(found.x, found.y, rcond=None)[0], compute_uv=False)[::-1]
    assert 2.7 <= low < high <= 3.3


def test_pairs_are_whitened_if_asked_and_independent_of_their_targets() -> None:
    found = data("gaussian_pairs", n=400, d=3, whitened=True)
    np.testing.assert_allclose(found.x.T @ found.x / 400, np.eye(3), atol=1e-12)
    assert np.all(np.abs(found.x.T @ found.y / 400) < 5 / np.sqrt(400))
    assert data("gaussian_pairs").x.shape == (272, 16)


@pytest.mark.parametrize(("name", "options"), [("modes", {"n": 3}), ("gaussian_pairs", {"n": 2, "d": 3, "whitened": True})])
def test_whitening_needs_examples(name: str, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="n = "):
        task[name].target(**options)


def test_the_mean_field_network_is_the_published_one() -> None:
    network = Network(ModelSpec.model_validate({"name": "meanfield", "width": 16}), 16, 1)
    assert sum(leaf.size for leaf in jax.tree.leaves(network.shapes)) == 272
    rng = np.random.default_rng(0)
    w, v, x = rng.normal(size=(16, 16)), rng.normal(size=(16, 1)), rng.normal(size=(5, 16))
    outputs, _ = network.trace({"first": {"kernel": jnp.asarray(w)}, "second": {"kernel": jnp.asarray(v)}}, jnp.asarray(x))
    # The published loop: z = x W / sqrt(n), x = tanh(sqrt(2) z) through the layers; the output is z / sqrt(n).
    z = np.tanh(np.sqrt(2) * x @ w / 4) @ v / 4
    np.testing.assert_allclose(outputs, z / 4, rtol=2e-5, atol=1e-6)


def test_output_sum_is_the_largest_sum_over_the_classes() -> None:
    weights = [jnp.ones((2, 2)), jnp.array([[1.0, 2.0, -3.0], [1.0, -5.0, 0.5]])]
    assert float(output_sum(weights)) == 3.5
