"""The protocol of models: every registered model keeps it, a plain `__call__` is enough, and what breaks it is refused by name."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tomlkit
from flax import nnx

from bench import Experiment
from bench.lane.checks import check_model
from bench.lane.grouping import programs
from bench.lane.initial import initial_parameters, parameter_keys
from bench.lane.network import Network
from bench.lane.program import Program
from bench.lane.views import VIEWS
from bench.models import model
from bench.models.activations import Hidden
from bench.probes import PER_LANE, PER_LAYER
from bench.registry import importing
from bench.spec import InitializerSpec, ModelSpec
from tests.conftest import XOR, Rows, experiment

INPUTS, OUTPUTS = 16, 2
"""A square image, two tokens or time steps of 8 features, and a point with latent coordinates."""


class Called(nnx.Module):
    """Two layers, of which the first to be used is the last by name, and nothing but `__call__`."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs) -> None:
        self.z = nnx.Linear(inputs, 5, rngs=rngs)
        self.norm = nnx.LayerNorm(5, rngs=rngs)
        self.a = nnx.Linear(5, outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.a(jnp.tanh(self.norm(self.z(x))))


class Traced(Called):
    def trace(self, x: jax.Array) -> tuple[jax.Array, list[Hidden]]:
        return self(x), []


class Parallel(Called):
    def heads(self) -> list[jax.Array]:
        return [self.z.kernel[...].ravel()]


class Imagined(Called):
    def generated(self, x: jax.Array) -> jax.Array:
        return x[0]


class Played(Called):
    players = ("nobody", "a")


class Iced(Called):
    frozen = ("z.*.kernel",)


@pytest.fixture(autouse=True)
def imported() -> Iterator[None]:
    with importing():
        yield


def own(kind: type) -> str:
    return f"{__name__}:{kind.__name__}"


@cache
def network_of(name: str) -> Network:
    return Network(ModelSpec.model_validate(name), INPUTS, OUTPUTS)


def planned(**changes: Any) -> list[Program]:
    wanted = Experiment.parse(tomlkit.dumps({**XOR, **changes}))
    return programs(wanted.cells, wanted.probes, wanted.track)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*model, own(Called)])
def test_a_model_keeps_the_protocol(name: str, dtype: str) -> None:
    network = network_of(name)
    with jax.enable_x64(dtype == "float64"):
        check_model(network, OUTPUTS, dtype)
    assert network.weight_paths and set(network.weight_paths) <= set(network.paths)
    for view in network.unit_shapes:
        assert view.ndim == 2


@pytest.mark.parametrize("name", [*model, own(Called)])
def test_views_have_the_axes_that_the_protocol_gives_them(name: str) -> None:
    network = network_of(name)
    spec = InitializerSpec.model_validate("glorot_normal")
    one = jnp.ones(())
    params = initial_parameters(network, spec, parameter_keys(network, 0), one, 0 * one, jnp.dtype("float32"))
    outputs, hidden = network.trace(params, jnp.ones((3, INPUTS)))
    assert outputs.shape == (3, OUTPUTS)
    assert [layer.activation.shape[1:] for layer in hidden] == [layer.activation.shape[1:] for layer in network.hidden_shapes]
    assert VIEWS["units"].available(network) == bool(network.unit_shapes)
    assert VIEWS["pre_activation"].available(network) == bool(hidden)


def test_the_views_are_those_that_probes_may_name() -> None:
    assert set(VIEWS) == {*PER_LAYER, *PER_LANE}


def test_a_plain_call_is_enough(rows: Rows) -> None:
    [program] = planned(model=own(Called), probes=["weight_norm", "hidden_grad_max", "distinct_units", "dead_fraction"])
    network = program.network
    # In the order of computation, not of the alphabet; what needs units or hidden layers is left out.
    assert network.weight_names == ["z.kernel", "a.kernel"] and network.output_paths == [("a", "kernel")]
    assert set(program.probes) == {"weight_norm", "hidden_grad_max"} and program.track == {}
    start, keys = InitializerSpec.model_validate("he_normal"), parameter_keys(network, 3)
    params = initial_parameters(network, start, keys, jnp.ones(()), jnp.zeros(()), jnp.dtype("float32"))
    np.testing.assert_array_equal(params["norm"]["scale"], np.ones(5))
    x = jnp.asarray([[0.0, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(network.trace(params, x)[0], jax.vmap(network.module(params))(x), rtol=1e-6)
    settings: dict[str, Any] = {"seeds": {"init": 4}, "training": {"steps": 50}, "track": []}
    called, traced = (rows(experiment(**settings, model=own(kind)), kind.__name__) for kind in (Called, Traced))
    assert called["loss_final"].notna().all() and (called["params_digest"] == traced["params_digest"]).all()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"initializer": {"name": "zeros", "zero_layers": [0]}}, "Called have names, not numbers"),
        ({"initializer": {"name": "zeros", "first_layer_offset": 1.0}}, "has no one first layer"),
        ({"model": own(Parallel)}, r"its heads\(\) gives \[\(10,\)\], which must be a list of arrays with two axes"),
        ({"model": own(Imagined)}, r"its generated\(x\) gives \(\), which must be an array with the axes \(coordinate\)"),
        ({"model": own(Iced)}, r"its frozen names z\.\*\.kernel, which it does not have"),
    ],
)
def test_what_cannot_be_known_is_refused_by_name(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        planned(**{"model": own(Called), **changes})


def test_players_are_parts_of_the_parameters() -> None:
    network = network_of(own(Played))
    with pytest.raises(ValueError, match="its players names nobody, which it does not have"):
        check_model(network, OUTPUTS, "float32")
