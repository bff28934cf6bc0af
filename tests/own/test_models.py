"""Users' own models: the order of their weights, their noise, and axes that nobody knows."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from analysis.rows.load import load
from bench import run
from bench.lane.initial import initial_parameters, parameter_keys, zeroed_layers
from bench.lane.order import use
from bench.models import model
from bench.spec import InitializerSpec
from bench.tasks.definition import Data
from tests.conftest import experiment
from tests.own.user import network, planned


@pytest.mark.parametrize("name", ["Plain", "Jitted"])
def test_weight_layers_stand_in_the_order_of_computation(name: str) -> None:
    net = network(f"pieces:{name}")
    assert net.weight_names == ["hidden.kernel", "head.kernel"]
    assert net.output_paths == [("head", "kernel")] and net.is_layered
    assert zeroed_layers(net, InitializerSpec.model_validate({"name": "zeros", "zero_layers": ["hidden"]})) == [0]


RESIDUAL = ["input.kernel", *(f"blocks.{block}.{part}.kernel" for block in range(2) for part in ("first", "second")), "output.kernel"]
ORDERS = {
    "resmlp": RESIDUAL,
    "rescnn": RESIDUAL,
    "elman": ["cell.x.kernel", "cell.h.kernel", "output.kernel"],
    "gan": [*(f"{player}.layers.{layer}.kernel" for player in ("generator", "discriminator") for layer in range(3))],
    "lora": [f"layers.{layer}.{part}.kernel" for layer in range(2) for part in ("base", "down", "up")],
    "cnn": ["convolutions.0.kernel", "convolutions.1.kernel", "output.kernel"],
    "mlp": ["layers.0.kernel", "layers.1.kernel"],
}  # fmt: skip


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_of_computation_of_our_models(name: str) -> None:
    features = {"features": 2} if "features" in model[name].options.model_fields else {}
    assert network(name, 4, 2, **features).weight_names == ORDERS[name]


def test_the_order_of_use_looks_into_loops_and_branches() -> None:
    def forward(arguments: list[jax.Array], x: jax.Array) -> jax.Array:
        a, b, c, d, _ = arguments
        prepared = d.T @ c
        x = jax.lax.fori_loop(0, 3, lambda i, value: value @ b, x)
        x = jax.lax.cond(x[0] > 0, lambda value: value @ a, lambda value: value, x)
        return x @ prepared

    square = jax.ShapeDtypeStruct((2, 2), "float32")
    assert use(forward, [square] * 5, jax.ShapeDtypeStruct((2,), "float32")) == [1, 0, 3, 2]


def test_a_start_in_which_layers_go_by_number_counts_along_the_computation() -> None:
    net = network("pieces:Plain")

    def start(offset: float = 0.0, **options: Any) -> Any:
        spec = InitializerSpec.model_validate(options)
        return initial_parameters(
            net, spec, parameter_keys(net, 3), jnp.ones(()), jnp.zeros(()), jnp.dtype("float32"), first_layer_offset=offset
        )

    zeroed, moved = start(name="he_normal", zero_layers=[0]), start(2.0, name="zeros")
    assert not np.any(zeroed["hidden"]["kernel"]) and np.any(zeroed["head"]["kernel"])
    assert np.all(np.asarray(moved["hidden"]["kernel"]) == 2) and not np.any(moved["head"]["kernel"])


def test_noise_of_an_own_model_is_seen() -> None:
    [noisy], [quiet] = planned(model="pieces:Noisy"), planned(model="pieces:Quiet")
    assert noisy.noisy and not quiet.noisy


def test_a_weight_with_several_axes_needs_an_initializer_that_does_not_ask_which_are_inputs() -> None:
    for name in ("zeros", "normal", "constant"):
        planned(model="pieces:Owned", initializer=name)
    for start in ("glorot_normal", "orthogonal", "identity", {"name": "zeros", "bias": "uniform_fan_in"}):
        with pytest.raises(ValueError, match=r"its weight 'query' has the shape \(4, 2, 2\), and nobody knows"):
            planned(model="pieces:Owned", initializer=start)
    assert network("pieces:Owned").unclear_paths == [("query",)]


def test_a_layer_of_flax_tells_which_axes_of_its_weights_are_inputs() -> None:
    # The bias of four numbers in two axes is none of the weights.
    net = network("pieces:Heads")
    assert "query.bias" not in net.weight_names and ("query", "bias") in net.bias_paths and net.unclear_paths == []
    start = InitializerSpec.model_validate({"name": "orthogonal"})
    drawn = initial_parameters(net, start, parameter_keys(net, 0), jnp.ones(()), jnp.zeros(()), jnp.dtype("float32"))
    matrix = np.asarray(drawn["query"]["kernel"]).reshape(4, 4)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(4), atol=1e-5)


def test_a_model_keeps_the_start_that_it_builds_itself() -> None:
    net = network("pieces:Started")

    def start(seed: int, scheme: str | None, **options: Any) -> Any:
        spec = InitializerSpec.model_validate({"name": "glorot_normal", "scheme": scheme, **options})
        assert spec.random
        data = Data(jnp.ones((3, 2)), jnp.ones(3), None, None, jnp.zeros(()))
        keys = parameter_keys(net, seed)
        one = jax.jit(lambda keys: initial_parameters(net, spec, keys, jnp.ones(()), jnp.zeros(()), jnp.dtype("float32"), data))
        return jax.tree.map(np.asarray, one(keys))

    built, other, replaced = start(0, "as_built"), start(1, "as_built"), start(0, None)
    for found in (built, other):
        assert np.all(found["first"]["kernel"] == 0.5) and np.all(found["first"]["bias"] == 3) and np.all(found["norm"]["scale"] == 2)
        assert np.all(found["second"]["bias"] == 3) and np.isclose(np.linalg.norm(found["second"]["kernel"]), 1)
    assert not np.array_equal(built["second"]["kernel"], other["second"]["kernel"])
    assert not np.all(replaced["first"]["kernel"] == 0.5) and not np.any(replaced["first"]["bias"])
    # What the file says of single layers goes before what the model builds.
    zeroed = start(0, "as_built", zero_layers=["second"], layers={"first": {"name": "constant", "value": 1.0}})
    assert np.all(zeroed["first"]["kernel"] == 1) and not np.any(zeroed["second"]["kernel"])


def test_the_start_of_a_model_is_the_same_for_every_block_and_number_of_seeds(tmp_path: Path) -> None:
    """Its orthogonal weights are factorized, one lane at a time."""
    tables = []
    for seeds in (3, 9):
        model, initializer = "pieces:Started", {"name": "zeros", "scheme": "as_built"}
        folder = run(experiment(model=model, initializer=initializer, seeds={"init": seeds}, training={"steps": 20}), tmp_path / str(seeds))
        tables.append(load(folder, ["pieces"]).lanes.set_index("init_seed").loc[range(3)])
    pd.testing.assert_frame_equal(*tables)
    assert tables[0]["params_digest"].nunique() == 3
