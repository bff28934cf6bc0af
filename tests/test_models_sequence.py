"""Recurrent networks, transformers and low-rank adaptation against independent references, and what is measured of them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from bench.lane.initial import initial_parameters, parameter_keys
from bench.lane.network import Network, dotted
from bench.lane.objective import Noise
from bench.lane.program import programs
from bench.lane.state import Inputs
from bench.probes.recurrent import recurrent_jacobian_max, recurrent_jacobian_min
from bench.probes.symmetry import distinct_heads, distinct_units
from bench.spec import InitializerSpec, ModelSpec
from tests.conftest import Rows, experiment

FEATURES, WIDTH, OUTPUTS = 3, 4, 2
RECURRENT = ("elman", "gru", "lstm")


def network(name: str, steps: int = 5, outputs: int = OUTPUTS, **options: Any) -> Network:
    spec = {"name": name, "features": FEATURES, "width": WIDTH, **options}
    return Network(ModelSpec.model_validate(spec), steps * FEATURES, outputs)


def random_params(net: Network, scale: float = 0.7) -> Any:
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(scale * rng.normal(size=leaf.shape)), net.shapes)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape)


def initial(net: Network, **options: Any) -> Any:
    spec = InitializerSpec.model_validate({"name": "glorot_uniform", **options})
    return initial_parameters(net, spec, parameter_keys(net, 3), jnp.ones(()), jnp.zeros(()), jnp.dtype("float32"))


# Recurrent networks -----------------------------------------------------------------------------------------------------------


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
        assert layer.squashed is not None
        np.testing.assert_array_equal(layer.squashed, layer.activation)


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
    assert hidden[0].squashed is None


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


# Transformers -----------------------------------------------------------------------------------------------------------------


def numpy_transformer(params: Any, x: np.ndarray, heads: int, normalize: bool, gated: str) -> np.ndarray:
    """The same for one example, token by token and head by head."""

    def dense(layer: Any, value: np.ndarray) -> np.ndarray:
        return value @ np.asarray(layer["kernel"], float) + np.asarray(layer["bias"], float)

    def silu(value: np.ndarray) -> np.ndarray:
        return value / (1 + np.exp(-value))

    def entered(branch: Any, stream: np.ndarray, modulation: list[np.ndarray] | None) -> tuple[np.ndarray, Any]:
        if normalize:
            stream = (stream - stream.mean(1, keepdims=True)) / np.sqrt(stream.var(1, keepdims=True) + 1e-6)
            if modulation is None:
                stream = stream * np.asarray(branch["norm"]["scale"]) + np.asarray(branch["norm"]["bias"])
        if modulation is not None:
            return stream * (1 + modulation[1]) + modulation[0], modulation[2]
        return stream, float(branch["gate"]) if gated == "scalar" else 1.0

    stream = dense(params["embedding"]["tokens"], x.reshape(-1, FEATURES)) + np.asarray(params["embedding"]["positions"])
    condition = stream.mean(0)
    for _, block in sorted(params["blocks"].items()):
        parts: Any = np.split(dense(block["modulation"], silu(condition)), 6) if gated == "adaptive" else None
        value, gate = entered(block["attention"], stream, parts and parts[:3])
        q, k, v = (dense(block["attention"][name], value) for name in ("query", "key", "value"))
        attended = np.zeros_like(q)
        for columns in np.split(np.arange(WIDTH), heads):
            for token in range(len(stream)):
                score = np.exp(k[:, columns] @ q[token, columns] / np.sqrt(len(columns)))
                attended[token, columns] = score @ v[:, columns] / score.sum()
        stream = stream + gate * dense(block["attention"]["out"], attended)
        value, gate = entered(block["mlp"], stream, parts and parts[3:])
        before = dense(block["mlp"]["first"], value)
        # jax.nn.gelu's default, with tanh in place of the error function.
        after = before / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (before + 0.044715 * before**3)))
        stream = stream + gate * dense(block["mlp"]["second"], after)
    return dense(params["output"], stream.mean(0))


@pytest.mark.parametrize("gated", ["none", "scalar", "adaptive"])
@pytest.mark.parametrize("normalization", ["layer", "none"])
def test_a_transformer_computes_what_loops_in_numpy_do(normalization: str, gated: str) -> None:
    net = network("transformer", mlp_width=6, blocks=2, normalization=normalization, gated=gated)
    params = random_params(net, 0.5)
    x = normal(3, 5 * FEATURES)
    outputs, hidden = net.trace(params, jnp.asarray(x))
    wanted = [numpy_transformer(params, example, 2, normalization == "layer", gated) for example in x]
    np.testing.assert_allclose(outputs, wanted, rtol=1e-3, atol=1e-4)
    assert len(hidden) == 2 * 5 and hidden[0].activation.shape == (3, 6)


def test_attention_is_jax_s_own() -> None:
    net = network("transformer", heads=2)
    module = net.module(random_params(net))
    attention, x = module.blocks[0].attention, jnp.asarray(normal(5, WIDTH))
    q, k, v = (layer(x).reshape(5, 2, WIDTH // 2) for layer in (attention.query, attention.key, attention.value))
    wanted = attention.out(jax.nn.dot_product_attention(q, k, v).reshape(5, WIDTH))
    np.testing.assert_allclose(attention(x), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("gated", "layers"), [("scalar", {"*.gate": "zeros"}), ("adaptive", {"*.modulation": "zeros"})])
def test_closed_gates_make_each_block_the_identity(gated: str, layers: dict) -> None:
    net = network("transformer", blocks=2, gated=gated)
    params = initial(net, layers=layers)
    module = net.module(params)
    x = jnp.asarray(normal(5 * FEATURES))
    alone = module.output(jnp.mean(module.embedding(x.reshape(5, FEATURES)), axis=0))
    np.testing.assert_allclose(module.trace(x)[0], alone, rtol=1e-6)
    opened = initial(net)
    assert float(jnp.max(jnp.abs(net.trace(opened, x[None])[0][0] - alone))) > 1e-4


def test_equal_heads_are_told_from_different_ones() -> None:
    net = network("transformer", heads=2, blocks=2)
    params = random_params(net)
    [_, heads] = net.module(params).heads()
    assert heads.shape == (2, 3 * (WIDTH * 2 + 2) + 2 * WIDTH) and int(distinct_heads(heads)) == 2
    attention = params["blocks"][1]["attention"]
    for name in ("query", "key", "value"):
        attention[name] = jax.tree.map(lambda leaf: jnp.concatenate([leaf[..., :2]] * 2, axis=-1), attention[name])
    assert int(distinct_heads(net.module(params).heads()[1])) == 2
    attention["out"]["kernel"] = jnp.concatenate([attention["out"]["kernel"][:2]] * 2)
    first, second = net.module(params).heads()
    assert [int(distinct_heads(block)) for block in (first, second)] == [2, 1]
    assert [units.shape for units in net.units(params)] == [(32, 2 * WIDTH + 1)] * 2


# Low-rank adaptation ----------------------------------------------------------------------------------------------------------


def test_lora_is_the_perceptron_of_its_effective_weights() -> None:
    net, mlp = (
        Network(ModelSpec.model_validate({"name": name, "widths": [6, 4], "activation": "relu", **options}), 5, 3)
        for name, options in (("lora", {"rank": 2, "scale": 0.5}), ("mlp", {}))
    )
    assert [dotted(path) for path in net.matching("layers.*.up")] == [f"layers.{layer}.up.kernel" for layer in range(3)]
    params = random_params(net)
    kernels = {
        index: {
            "kernel": layer["base"]["kernel"] + 0.5 * layer["down"]["kernel"] @ layer["up"]["kernel"],
            "bias": layer["base"]["bias"],
        }
        for index, layer in params["layers"].items()
    }
    x = jnp.asarray(normal(4, 5))
    np.testing.assert_allclose(net.trace(params, x)[0], mlp.trace({"layers": kernels}, x)[0], rtol=1e-4, atol=1e-5)
    for found, wanted in zip(net.units(params), mlp.units({"layers": kernels}), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_lora_begins_at_its_base_and_trains_beside_it(rows: Rows) -> None:
    settings: dict[str, Any] = {
        "task": {"name": "blobs", "n": 32},
        "model": {"name": "lora", "widths": [8], "rank": 2},
        "training": {"steps": 200, "frozen": ["layers.*.base"]},
        "grid": {
            "initializer": [
                {"name": "he_normal", "layers": {name: "zeros" for name in zeros}} for zeros in (["*.up"], ["*.down"], ["*.up", "*.down"])
            ]
        },
        "seeds": {"init": 8},
        "track": [],
    }
    found = rows(experiment(**settings))
    plain = {index: part for index, (_, part) in enumerate(found.groupby("initializer", sort=False))}
    np.testing.assert_array_equal(plain[0]["loss_initial"], plain[2]["loss_initial"])
    assert (plain[0]["loss_final"] < 0.5 * plain[0]["loss_initial"]).all()
    assert (plain[1]["loss_final"] < 0.5 * plain[1]["loss_initial"]).all()
    assert (plain[2]["outcome"] == "stuck").all() and (plain[2]["loss_final"] == plain[2]["loss_initial"]).all()


# What is measured -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "measured"),
    [("lstm", {"recurrent_jacobian_max", "recurrent_jacobian_min"}), ("transformer", {"distinct_heads"}), ("lora", set())],
)
def test_a_probe_is_measured_where_the_model_has_what_it_looks_at(model: str, measured: set[str]) -> None:
    names = ["recurrent_jacobian_max", "recurrent_jacobian_min", "distinct_heads"]
    options: dict[str, Any] = {} if model == "lora" else {"features": 4, "width": 4}
    wanted = experiment(task={"name": "first_symbol", "length": 4, "symbols": 4, "n": 40}, model={"name": model, **options}, probes=names)
    [program] = programs(wanted.cells, wanted.probes, ())
    assert set(program.probes) == measured
    inputs = program.inputs_of(wanted.cells[0], np.array([0, 0]), np.array([0, 1]))
    found = jax.jit(jax.vmap(lambda one: program.measure(*program.start(program.variants[0], one))))(Inputs(*inputs))
    for name in measured:
        assert found[name].shape == (2,) and bool(jnp.all(jnp.isfinite(found[name])))
    if model == "transformer":
        assert found["distinct_heads"].tolist() == [2, 2]
