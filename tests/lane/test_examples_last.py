"""With the examples of a large batch behind the features a network computes what it computes example by example."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from bench.lane.grouping import EXAMPLES_LAST, programs
from bench.lane.initial import initial_parameters, parameter_keys
from bench.lane.network import Network
from bench.lane.objective import Noise
from bench.models.activations import ACTIVATIONS
from bench.spec import InitializerSpec, ModelSpec
from tests.conftest import Rows, experiment

N = 7
X = jax.random.normal(jax.random.key(0), (N, 3))


def both(**options: Any) -> tuple[Network, Network, Any]:
    """A network with its examples in front of, and behind the features, and parameters for both."""
    spec = ModelSpec.model_validate({"name": "mlp", "widths": [5, 4], **options})
    front, behind = Network(spec, 3, 2), Network(spec, 3, 2, examples_last=True)
    initializer = InitializerSpec.model_validate({"name": "he_normal", "bias_stddev": 0.1})
    params = initial_parameters(front, initializer, parameter_keys(front, 0), jnp.float32(1), jnp.float32(0), jnp.dtype("float32"))
    return front, behind, params


def agree(one: Any, other: Any) -> None:
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu(0.2)"])
def test_outputs_hidden_layers_and_gradients_agree(activation: str, bias: bool) -> None:
    front, behind, params = both(activation=activation, bias=bias)
    agree(front.trace(params, X), behind.trace(params, X))

    def loss(network: Network, params: Any, shifts: list[Array]) -> Array:
        return jnp.sum(jnp.sin(network.trace(params, X, Noise(shifts=shifts))[0]))

    shifts = [0.1 * jax.random.normal(jax.random.key(1), layer.activation.shape) for layer in front.trace(params, X)[1]]
    agree(*(jax.grad(loss, argnums=(1, 2))(network, params, shifts) for network in (front, behind)))


def test_a_relu_s_slope_at_zero_stays_zero() -> None:
    front, behind, params = both(activation="relu")
    zeros = jax.tree.map(jnp.zeros_like, params)
    zeros["layers"][2]["bias"] = jnp.ones(2)
    gradients = [jax.grad(lambda p, n=network: jnp.sum(n.trace(p, X)[0] ** 2))(zeros) for network in (front, behind)]
    agree(*gradients)
    assert np.all(gradients[1]["layers"][0]["bias"] == 0)


def test_noise_is_drawn_example_by_example_in_both() -> None:
    front, behind, params = both(dropout=0.5)
    noise = Noise(jax.random.key(2), 0.3)
    agree(front.trace(params, X, noise), behind.trace(params, X, noise))
    assert not np.allclose(behind.trace(params, X, noise)[0], behind.trace(params, X)[0])


def test_second_derivatives_agree() -> None:
    front, behind, params = both(activation="tanh")
    flat, parts = ravel_pytree(params)
    agree(*(jax.hessian(lambda p, n=network: jnp.sum(jnp.sin(n.trace(parts(p), X)[0])))(flat) for network in (front, behind)))


@pytest.mark.parametrize(("batch_size", "solved_below"), [(0, 0.3), (EXAMPLES_LAST, 0.5)])
def test_a_program_trains_as_with_its_examples_in_front(
    batch_size: int, solved_below: float, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = experiment(
        task={"name": "digits", "n_train": 4 * EXAMPLES_LAST},
        model={"name": "mlp", "widths": [9, 8], "activation": "relu"},
        optimizer={"name": "adam", "learning_rate": 0.01},
        training={"steps": 40, "solved_below": solved_below, **({"batch_size": batch_size} if batch_size else {})},
        track=[],
    )
    [program] = programs(wanted.cells, wanted.probes, wanted.track)
    layer = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), program.network.shapes)
    assert f"[9,{program.n_examples}] = dot_general" in str(jax.make_jaxpr(program.network.trace)(layer, program.data_shapes.x))
    behind = rows(wanted)
    monkeypatch.setattr("bench.lane.grouping.EXAMPLES_LAST", program.n_examples + 1)
    front = rows(wanted, "front")
    assert behind["outcome"].tolist() == front["outcome"].tolist()
    assert behind["outcome"].nunique() > 1
    for column in ("loss_initial", "loss_final", "grad_norm_final", "test_loss_final"):
        np.testing.assert_allclose(behind[column], front[column], rtol=1e-3, err_msg=column)
    assert (behind["params_digest"] != front["params_digest"]).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"task": {"name": "digits", "n_train": EXAMPLES_LAST - 1}},
        {"training": {"steps": 20, "batch_size": EXAMPLES_LAST - 1}},
        {"model": "linear"},
        {"model": {"name": "resmlp", "width": 9}},
    ],
    ids=["a smaller batch", "smaller minibatches", "one layer", "another model"],
)
def test_other_programs_keep_their_examples_in_front(changes: dict[str, Any]) -> None:
    wanted = experiment(**{"task": {"name": "digits"}, "model": {"name": "mlp", "widths": [9]}, "training": {"steps": 20}, **changes})
    [program] = programs(wanted.cells, wanted.probes, wanted.track)
    traced = str(jax.make_jaxpr(program.network.trace)(program.network.shapes, program.data_shapes.x))
    assert f",{program.n_examples}] = dot_general" not in traced
