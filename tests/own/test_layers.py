"""Every kind of layer of flax in a user's own model, and models of other libraries."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from bench.lane.checks import check_model
from bench.lane.grouping import programs
from bench.lane.initial import initial_parameters, parameter_keys
from bench.lane.network import Network, Noise
from bench.lane.state import Params, Path
from bench.models.axes import drawn_shape, formed
from bench.registry import importing
from bench.spec import InitializerSpec, ModelSpec
from tests.conftest import experiment
from tests.own import foreign

INPUTS, OUTPUTS = 8, 2
MINIBATCHES = {"steps": 30, "batch_size": 8}


class Expected(NamedTuple):
    """What a model is found to do."""

    options: dict[str, Any] = {}  # noqa: RUF012
    draws: bool = False
    moving: tuple[str, ...] = ()
    drawn: Mapping[str, tuple[int, ...]] = {}  # noqa: RUF012
    """Shapes in which weights are drawn that do not have them."""


MODELS = {
    "layers:Convolved": Expected(drawn={"up.kernel": (3, 3, 2)}),
    "layers:BatchNormed": Expected(moving=("norm.mean", "norm.var")),
    "layers:WholeBatch": Expected(moving=("norm.mean", "norm.var")),
    "layers:Dropped": Expected(draws=True),
    "layers:Attending": Expected(
        draws=True,
        drawn={f"attention.{name}.kernel": (2, 4) for name in ("query", "key", "value")}
        | {"attention.out.kernel": (4, 2), "head.kernel": (12, 2)},
    ),
    "layers:Recurrent": Expected(),
    "layers:Recurrent GRU": Expected({"cell": "GRUCell"}),
    "layers:Symbols": Expected(drawn={"table.embedding": (3, 4)}),
    "layers:sequential": Expected({"features": 3}, draws=True),
    "layers:without_arguments": Expected(),
    "layers:Spectral": Expected(),
    "foreign:Dense": Expected({"features": 4}, draws=True, moving=("batch_stats.BatchNorm_0.mean", "batch_stats.BatchNorm_0.var")),
    "foreign:built": Expected(draws=True, moving=("batch_stats.BatchNorm_0.mean", "batch_stats.BatchNorm_0.var")),
    "foreign:plain": Expected(),
    "foreign:twin": Expected(),
    "foreign:stacked": Expected(),
}


@pytest.fixture(autouse=True)
def imported() -> Iterator[None]:
    with importing():
        yield


def network_of(name: str, **options: Any) -> Network:
    """The network of a model of this package."""
    spec = ModelSpec.model_validate({"name": f"tests.own.{name.split()[0]}", **options})
    return Network(spec, INPUTS, OUTPUTS, symbols=name.endswith("Symbols"))


def begun(network: Network) -> Params:
    """Initial parameters of a network."""
    keys, spec = parameter_keys(network, 0), InitializerSpec.model_validate("glorot_normal")
    return initial_parameters(network, spec, keys, jnp.ones(()), jnp.zeros(()), jnp.dtype("float32"))


@pytest.mark.parametrize("name", MODELS)
def test_a_layer_of_any_kind_keeps_the_protocol(name: str) -> None:
    expected = MODELS[name]
    network = network_of(name, **expected.options)
    check_model(network, OUTPUTS, "float32")
    assert network.draws == expected.draws and [".".join(path) for path in network.moving] == list(expected.moving)
    assert network.model.modes.differ == (expected.draws or bool(expected.moving)) and network.unclear_paths == []
    shapes = jax.eval_shape(lambda: begun(network))
    assert jax.tree.map(lambda leaf: leaf.shape, shapes) == jax.tree.map(lambda leaf: leaf.shape, network.shapes)
    drawn = {name: network.drawn_shape(path) for name, path in zip(network.weight_names, network.weight_paths, strict=True)}
    of_other_form = {
        name: shape for (name, shape), path in zip(drawn.items(), network.weight_paths, strict=True) if shape != at(shapes, path)
    }
    assert of_other_form == expected.drawn


def at(shapes: Params, path: Path) -> tuple[int, ...]:
    """The shape of the parameter at a path."""
    found: Any = shapes
    for name in path:
        found = found[name]
    return found.shape


def test_a_weight_is_drawn_with_its_inputs_first() -> None:
    drawn = jnp.arange(24.0).reshape(2, 3, 4)
    # A convolution of equinox: (unit, input, offset).
    weight = formed(((2,), (1,), (0,)), drawn, (4, 3, 2))
    assert drawn_shape(((2,), (1,), (0,)), (4, 3, 2)) == (2, 3, 4) and weight[3, 1, 0] == drawn[0, 1, 3]
    # Two axes of units around one of inputs.
    weight = formed(((1,), (0, 2)), drawn.reshape(2, 12), (3, 2, 4))
    assert weight[2, 1, 3] == drawn[1, 2, 3]


def test_dropout_differs_between_examples_and_is_gone_when_it_is_measured() -> None:
    network = network_of("layers:Dropped")
    params, x = begun(network), jnp.ones((64, INPUTS))

    @jax.jit
    def passes(seed: Array) -> tuple[Array, Array]:
        key = jax.random.key(seed, impl="threefry2x32")
        return network.in_training(params, x, Noise(key))[0], network.trace(params, x)[0]

    (trained, measured), (other, _) = passes(jnp.uint32(0)), passes(jnp.uint32(1))
    assert len(np.unique(measured, axis=0)) == 1 and len(np.unique(trained, axis=0)) > 8
    np.testing.assert_array_equal(passes(jnp.uint32(0))[0], trained)
    assert np.mean(np.asarray(trained) == np.asarray(other)) < 0.5


@pytest.mark.parametrize(("one", "whole"), [("layers:BatchNormed", "layers:WholeBatch"), ("foreign:Dense", "foreign:WholeBatch")])
def test_batch_statistics_are_those_of_the_batch(one: str, whole: str) -> None:
    """Written for one example or for a batch, in flax.nnx or in flax.linen."""
    network, batched = network_of(one), network_of(whole)
    params, x = begun(network), jax.random.normal(jax.random.key(0), (16, INPUTS))
    key = Noise(jax.random.key(1, impl="threefry2x32"))
    (outputs, moved), (same, moved_too) = (jax.jit(lambda net=net: net.in_training(params, x, key))() for net in (network, batched))
    for name in moved:
        np.testing.assert_allclose(moved[name], moved_too[name], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(network.trace(params, x)[0], batched.trace(params, x)[0], rtol=1e-5, atol=1e-6)
    if one == "layers:BatchNormed":
        np.testing.assert_allclose(outputs, same, rtol=1e-4, atol=1e-5)
        hidden = x @ params["hidden"]["kernel"]
        np.testing.assert_allclose(moved["norm.mean"], 0.1 * hidden.mean(axis=0), rtol=1e-4, atol=1e-6)
    else:
        stats = params["batch_stats"]
        held = {"params": {name: part for name, part in params.items() if name != "batch_stats"}, "batch_stats": stats}
        apply = jax.jit(
            lambda: foreign.Dense(outputs=OUTPUTS).apply(held, x, True, rngs={"dropout": jax.random.key(1)}, mutable=["batch_stats"])
        )
        _, new = apply()
        np.testing.assert_allclose(moved["batch_stats.BatchNorm_0.var"], new["batch_stats"]["BatchNorm_0"]["var"], rtol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "tests.own.layers:Symbols", "task": "tests.own.layers:symbols"},
        {"model": {"name": "tests.own.foreign:Dense", "features": 3}, "task": {"name": "blobs", "n": 24}, "training": MINIBATCHES},
    ],
    ids=["symbols", "flax.linen"],
)
def test_some_steps_of_training(changes: dict[str, Any]) -> None:
    wanted = experiment(**{"track": [], "optimizer": {"name": "sgd", "learning_rate": 0.3}, "training": {"steps": 30}, **changes})
    [program] = programs(wanted.cells, (), ())
    inputs = jax.tree.map(lambda leaf: leaf[0], program.inputs_of(program.cells[0], np.array([0]), np.array([0])))
    fixed, start = jax.jit(lambda inputs: program.start(program.variants[0], inputs))(inputs)
    advance = jax.jit(lambda state: program.advance(fixed, state, lambda value: value)[0])
    state = advance(start)
    for _ in range(30 // program.check_every):
        state = advance(state)
    assert state.step == 30 and 0 < state.loss < state.loss_initial
    assert all(np.any(old != new) for old, new in zip(jax.tree.leaves(start.params), jax.tree.leaves(state.params), strict=True))


def test_equinox() -> None:
    """A model of equinox computes what it computes there, with weights (unit, input) that are drawn as (input, unit)."""
    equinox = pytest.importorskip("equinox", reason="pip install equinox")
    from tests.own import of_equinox

    network = network_of("of_equinox:Net", width=3)
    check_model(network, OUTPUTS, "float32")
    assert network.weight_names == ["image.weight", "layers.0.weight", "layers.2.weight"] and network.draws and not network.unclear_paths
    assert [network.drawn_shape(path) for path in network.weight_paths] == [(3, 1, 3), (24, 3), (3, 2)]
    params, x = begun(network), jax.random.normal(jax.random.key(0), (4, INPUTS))
    module = of_equinox.Net(INPUTS, OUTPUTS, 3, key=jax.random.key(1))
    places = lambda net: [net.image.weight, net.image.bias, *(part for layer in net.layers[::2] for part in (layer.weight, layer.bias))]  # noqa: E731
    parts = [params["image"], params["layers"][0], params["layers"][2]]
    module = equinox.tree_at(places, module, [part[name] for part in parts for name in ("weight", "bias")])
    np.testing.assert_allclose(network.trace(params, x)[0], jax.vmap(equinox.nn.inference_mode(module))(x), rtol=1e-5)
    with pytest.raises(ValueError, match=r"it drops units, and its __call__ takes no key; write def __call__\(self, x, key=None\)"):
        network_of("of_equinox:Keyless")


@pytest.mark.parametrize(("name", "mode"), [("Normed", "ema"), ("with_state", "batch")])
def test_the_state_of_equinox_moves_with_the_training_run(name: str, mode: str) -> None:
    equinox = pytest.importorskip("equinox", reason="pip install equinox")
    from tests.own import of_equinox

    network = network_of(f"of_equinox:{name}", **({"mode": mode} if name == "Normed" else {}))
    check_model(network, OUTPUTS, "float32")
    assert len(network.moving) == 3 and network.moving[0][0] == "equinox_state" and not network.draws
    params, x = begun(network), jax.random.normal(jax.random.key(0), (16, INPUTS))
    module, state = equinox.nn.make_with_state(of_equinox.Normed)(INPUTS, OUTPUTS, mode, key=jax.random.key(1))
    places = lambda net: [part for layer in (net.hidden, net.head, net.norm) for part in (layer.weight, layer.bias)]  # noqa: E731
    module = equinox.tree_at(places, module, [params[layer][part] for layer in ("hidden", "head", "norm") for part in ("weight", "bias")])
    trained = jax.jit(lambda params: network.in_training(params, x, Noise(jax.random.key(1))))
    for _ in range(2):
        outputs, moved = trained(params)
        expected, state = jax.vmap(module, in_axes=(0, None), out_axes=(0, None), axis_name="batch")(x, state)
        np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
        for new, old in zip(moved.values(), jax.tree.leaves(state), strict=True):
            np.testing.assert_allclose(new, np.asarray(old, np.float32), rtol=1e-5, atol=1e-6)
        for path, new in zip(network.moving, moved.values(), strict=True):
            at_path: Any = params
            for part in path[:-1]:
                at_path = at_path[part]
            at_path[path[-1]] = new
    measured = jax.vmap(equinox.nn.inference_mode(module), in_axes=(0, None), out_axes=(0, None), axis_name="batch")(x, state)[0]
    np.testing.assert_allclose(network.trace(params, x)[0], measured, rtol=1e-4, atol=1e-5)
