"""Recurrent networks against the cells of flax."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from bench.lane.network import Network, Noise, dotted
from bench.models.recurrent import UNROLLED_STEPS
from bench.probes.recurrent import recurrent_jacobian_max, recurrent_jacobian_min
from bench.probes.symmetry import distinct_units
from bench.startup import HASTY
from tests.models.sequences import FEATURES, RECURRENT, WIDTH, initial, network, normal, random_params


def flax_cell(name: str, cell: Any) -> Any:
    """The cell of flax with these parameters."""
    dtype = jax.tree.leaves(cell)[0].dtype
    options: dict[str, Any] = {"dtype": dtype, "param_dtype": dtype, "rngs": nnx.Rngs(0)}
    if name == "elman":
        reference: Any = nnx.SimpleCell(FEATURES, WIDTH, **options)
        reference.dense_i.kernel[...], reference.dense_i.bias[...] = cell["x"]["kernel"], cell["bias"]
        reference.dense_h.kernel[...] = cell["h"]["kernel"]
        return reference
    if name == "gru":
        reference = nnx.GRUCell(FEATURES, WIDTH, **options)
        gates = [cell[gate] for gate in ("reset", "update", "candidate")]
        reference.dense_i.kernel[...] = np.concatenate([gate["x"]["kernel"] for gate in gates], axis=1)
        reference.dense_i.bias[...] = np.concatenate([gate["bias"] for gate in gates])
        reference.dense_h.kernel[...] = np.concatenate([gate["h"]["kernel"] for gate in gates], axis=1)
        return reference
    reference = nnx.LSTMCell(FEATURES, WIDTH, **options)
    for gate, theirs in (("input", "i"), ("forget", "f"), ("candidate", "g"), ("output", "o")):
        from_x, from_h = getattr(reference, "if_" if theirs == "f" else f"i{theirs}"), getattr(reference, f"h{theirs}")
        from_x.kernel[...], from_h.kernel[...] = cell[gate]["x"]["kernel"], cell[gate]["h"]["kernel"]
        from_h.bias[...] = cell[gate]["bias"]
    return reference


def flax_states(name: str, cell: Any, x: Any, state: Any) -> list[Any]:
    """All that flax's cell carries after each step, for one example; `state` is what it begins with, flat."""
    reference = flax_cell(name, cell)
    carry = tuple(jnp.split(state, 2)) if name == "lstm" else state
    found = []
    for step in x.reshape(-1, FEATURES):
        carry, _ = reference(carry, step)
        found.append(jnp.concatenate(carry) if name == "lstm" else carry)
    return found


@pytest.mark.parametrize("steps", [5, 20])
@pytest.mark.parametrize("name", RECURRENT)
def test_a_recurrent_network_computes_what_flax_s_cell_does(name: str, steps: int) -> None:
    net = network(name, steps)
    params = random_params(net)
    x = jnp.asarray(normal(2, steps * FEATURES))
    outputs, hidden = net.trace(params, x)
    assert len(hidden) == steps
    for example in range(2):
        carried = flax_states(name, params["cell"], x[example], jnp.zeros(2 * WIDTH if name == "lstm" else WIDTH))
        states = [state[-WIDTH:] for state in carried]
        np.testing.assert_allclose([layer.activation[example] for layer in hidden], states, rtol=1e-4, atol=1e-5)
        wanted = states[-1] @ params["output"]["kernel"] + params["output"]["bias"]
        np.testing.assert_allclose(outputs[example], wanted, rtol=1e-4, atol=1e-5)
    for layer in hidden:
        assert layer.saturation is not None
        np.testing.assert_array_equal(layer.saturation, layer.activation)


def test_an_unbounded_recurrent_network_without_biases() -> None:
    net = network("elman", 2, activation="relu", bias=False)
    assert list(map(dotted, net.paths)) == ["cell.h.kernel", "cell.x.kernel", "output.kernel"]
    params = random_params(net)
    x = normal(1, 2 * FEATURES)
    into, across = np.asarray(params["cell"]["x"]["kernel"]), np.asarray(params["cell"]["h"]["kernel"])
    first = np.maximum(x[:, :FEATURES] @ into, 0)
    second = np.maximum(x[:, FEATURES:] @ into + first @ across, 0)
    outputs, hidden = net.trace(params, jnp.asarray(x))
    np.testing.assert_allclose(outputs, second @ params["output"]["kernel"], rtol=1e-4, atol=1e-5)
    assert hidden[0].saturation is None


def test_a_network_that_reads_all_its_states() -> None:
    steps = 3
    net = network("gru", steps, reads="all")
    params, x = random_params(net), jnp.asarray(normal(2, steps * FEATURES))
    outputs, hidden = net.trace(params, x)
    states = np.concatenate([layer.activation for layer in hidden], axis=1)
    np.testing.assert_allclose(outputs, states @ params["output"]["kernel"] + params["output"]["bias"], rtol=1e-4, atol=1e-5)
    # Units may change places with all that reads them: their rows do, and the function stays.
    order = np.array([2, 0, 3, 1])
    kernel = params["output"]["kernel"].reshape(steps, WIDTH, -1)[:, order].reshape(params["output"]["kernel"].shape)
    other = {"cell": exchanged(params, order)["cell"], "output": {**params["output"], "kernel": kernel}}
    np.testing.assert_allclose(net.trace(other, x)[0], outputs, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(net.units(other)[0], net.units(params)[0][order])


@pytest.mark.parametrize(("name", "options"), [("elman", {}), ("gru", {"reads": "all"}), ("lstm", {"bias": False})])
def test_examples_behind_the_units_give_the_same(name: str, options: dict[str, Any]) -> None:
    steps = UNROLLED_STEPS + 1
    front, behind = (network(name, steps, examples_last=last, **options) for last in (False, True))
    assert behind.built.examples_last and not network(name, UNROLLED_STEPS).built.examples_last
    params, x = random_params(front), jnp.asarray(normal(7, steps * FEATURES))
    shifts = [0.1 * normal(7, WIDTH) for _ in range(steps)]

    @partial(jax.jit, compiler_options=HASTY)
    def found(params: Any, shifts: Any) -> list[Any]:
        def loss(params: Any, shifts: Any, net: Network) -> tuple[Any, Any]:
            traced = net.trace(params, x, Noise(shifts=shifts))
            return jnp.sum(jnp.sin(traced[0])), traced

        return [jax.grad(loss, (0, 1), has_aux=True)(params, shifts, net) for net in (front, behind)]

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *found(params, shifts))


@pytest.mark.parametrize("name", RECURRENT)
def test_one_pattern_names_all_recurrent_weights_and_one_all_input_weights(name: str) -> None:
    net = network(name)
    n_gates = {"elman": 1, "gru": 3, "lstm": 4}[name]
    for pattern, shape in (("*.h", (WIDTH, WIDTH)), ("*.x", (FEATURES, WIDTH))):
        found = [leaf.shape for path, leaf in _leaves(net) if path in net.matching(pattern)]
        assert found == [shape] * n_gates
    assert len(net.weight_paths) == 2 * n_gates + 1 and net.weight_names[-1] == "output.kernel"
    assert [dotted(path) for path in net.matching("output")] == ["output.bias", "output.kernel"]


def _leaves(net: Network) -> list[tuple[Any, Any]]:
    return [(tuple(entry.key for entry in path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(net.shapes)]


def test_the_forget_gate_s_bias_and_an_identity_recurrence_are_named_in_the_experiment() -> None:
    one = {"name": "constant", "value": 1.0}
    cell = initial(network("lstm"), layers={"*.h": "orthogonal", "*.forget.bias": one})["cell"]
    assert {gate: float(cell[gate]["bias"].sum()) for gate in cell} == {"candidate": 0, "forget": WIDTH, "input": 0, "output": 0}
    for gate in cell.values():
        np.testing.assert_allclose(gate["h"]["kernel"].T @ gate["h"]["kernel"], np.eye(WIDTH), atol=1e-5)
    irnn = initial(network("elman", activation="relu"), layers={"*.h": "identity"})["cell"]
    np.testing.assert_array_equal(irnn["h"]["kernel"], np.eye(WIDTH))
    assert np.any(irnn["x"]["kernel"])


def exchanged(params: Any, order: np.ndarray) -> Any:
    """The recurrent network with its hidden units in another order."""

    def gate(leaf: Any) -> Any:
        if leaf.ndim == 1:
            return leaf[order]
        return leaf[:, order] if len(leaf) == FEATURES else leaf[order][:, order]

    output = {**params["output"], "kernel": params["output"]["kernel"][order]}
    return {"cell": jax.tree.map(gate, params["cell"]), "output": output}


@pytest.mark.parametrize("name", RECURRENT)
def test_exchangeable_units_have_equal_rows_wherever_they_stand(name: str) -> None:
    net = network(name)
    params = random_params(net)
    [units] = net.units(params)
    assert len(units) == WIDTH == int(distinct_units(units))
    order = np.array([2, 0, 3, 1])
    np.testing.assert_array_equal(net.units(exchanged(params, order))[0], units[order])
    swap = np.array([0, 3, 2, 1])
    tied = jax.tree.map(lambda a, b: (a + b) / 2, params, exchanged(params, swap))
    [units] = net.units(tied)
    np.testing.assert_array_equal(units[1], units[3])
    assert int(distinct_units(units)) == WIDTH - 1
    last = net.trace(tied, jnp.asarray(normal(1, 5 * FEATURES)))[1][-1].activation[0]
    assert float(last[1]) == pytest.approx(float(last[3]), abs=1e-6) and abs(float(last[1] - last[0])) > 1e-3
    # A recurrent weight of its own tells a unit from its twin.
    for change in ((1, 1), (1, 0), (0, 1)):
        [gate, *_] = tied["cell"].values() if name != "elman" else [tied["cell"]]
        kernel = gate["h"]["kernel"]
        gate["h"]["kernel"] = kernel.at[change].add(0.5)
        assert int(distinct_units(net.units(tied)[0])) == WIDTH
        gate["h"]["kernel"] = kernel
    assert net.units(random_params(network(name, width=1)))[0].shape[0] == 1


@pytest.mark.parametrize(
    ("name", "bias"), [("elman", "cell.bias"), ("gru", "cell.candidate.bias"), ("transformer", "blocks.0.mlp.first.bias")]
)
def test_the_slopes_in_the_pre_activations_of_all_steps_add_up_to_the_bias_s(name: str, bias: str) -> None:
    net = network(name)
    params, x = random_params(net), jnp.asarray(normal(1, 5 * FEATURES))
    zeros = [jnp.zeros_like(layer.pre_activation) for layer in net.trace(params, x)[1]]
    slopes = jax.jit(jax.grad(lambda shifts: jnp.sum(net.trace(params, x, Noise(shifts=shifts))[0] ** 2)))(zeros)
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(net.trace(p, x)[0] ** 2)))(params)
    [wanted] = [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(gradient) if dotted(tuple(e.key for e in path)) == bias]
    assert len({float(jnp.linalg.norm(slope)) for slope in slopes}) == 5
    np.testing.assert_allclose(sum(slopes)[0], wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lstm", {"features": 4}, r"features = 4: the task's 15 inputs"),
        ("transformer", {"features": 4}, r"features = 4: the task's 15 inputs"),
        ("transformer", {"heads": 3}, r"heads = 3: model.width = 4"),
    ],
)
def test_sizes_that_do_not_divide_are_named(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network(name, **options)


# The recurrent Jacobian -------------------------------------------------------------------------------------------------------


def jacobians(net: Network, params: Any, x: Any) -> jax.Array:
    return jax.jit(jax.vmap(net.module(params).jacobian))(x)


@pytest.mark.parametrize("name", RECURRENT)
def test_the_recurrent_jacobian_is_that_of_finite_differences_of_flax_s_cell(name: str) -> None:
    steps, size = 3, 2 * WIDTH if name == "lstm" else WIDTH
    with jax.enable_x64(True):
        net = network(name, steps)
        params, x = random_params(net), jnp.asarray(normal(2, steps * FEATURES))
        found = jacobians(net, params, x)

        def last(example: int, state: Any) -> Any:
            return flax_states(name, params["cell"], x[example], state)[-1]

        factors = []
        for example in range(2):
            columns = [(last(example, change) - last(example, -change)) / 2e-5 for change in 1e-5 * jnp.eye(size)]
            np.testing.assert_allclose(found[example], np.stack(columns, axis=1), rtol=1e-5, atol=1e-9)
            factors.append(np.linalg.svd(np.stack(columns, axis=1), compute_uv=False) ** (1 / steps))
        largest, smallest = np.mean(factors, axis=0)[[0, -1]]
        assert float(recurrent_jacobian_max(found, steps)) == pytest.approx(largest, rel=1e-6)
        assert float(recurrent_jacobian_min(found, steps)) == pytest.approx(smallest, rel=1e-3)
        assert 1e-3 < smallest < largest / 2


def test_the_recurrent_jacobian_of_zeros_and_of_an_identity() -> None:
    x = jnp.asarray(np.abs(normal(3, 5 * FEATURES)))
    elman = network("elman", activation="relu")
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), elman.shapes)
    identity = initial(elman, name="constant", layers={"*.h": "identity"})
    for params, value in ((zeros, 0.0), (identity, 1.0)):
        found = jacobians(elman, params, x)
        assert float(recurrent_jacobian_max(found, 5)) == pytest.approx(value)
        assert float(recurrent_jacobian_min(found, 5)) == pytest.approx(value)
    # Gates without weights forget half of the state at each step, or with a bias of 1, 1 - sigmoid(1) of an LSTM's cell.
    gru = network("gru")
    assert float(recurrent_jacobian_min(jacobians(gru, initial(gru, name="zeros"), x), 5)) == pytest.approx(0.5)
    lstm = network("lstm")
    params = initial(lstm, name="zeros", layers={"*.forget.bias": {"name": "constant", "value": 1.0}})
    kept = (1 / (1 + np.exp(-1))) ** 5 * np.sqrt(1 + 0.5**2)
    assert float(recurrent_jacobian_max(jacobians(lstm, params, x), 5)) == pytest.approx(kept ** (1 / 5), rel=1e-5)
