"""The laws of the schemes: variances over many weights, and what holds exactly."""

import math
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bench.initializers.scaling import fans
from bench.lane.network import Network, dotted, leaves
from bench.schemes import scheme
from bench.spec import ModelSpec
from tests.own.user import planned
from tests.schemes.test_schemes import DATA, MODELS, X, drawn, network

Variance = Callable[[int, int], float]
WIDE: dict[str, Any] = MODELS[2]
LARGE: dict[str, Any] = {"name": "mlp", "widths": [300, 400, 200], "activation": "sine"}


def small(n: float) -> Variance:
    return lambda fan_in, fan_out: 0.02**2 / n


def glorot(share: float) -> Variance:
    return lambda fan_in, fan_out: share * 2 / (fan_in + fan_out)


VARIANCES: dict[str, tuple[dict[str, Any], dict[str, Variance]]] = {
    "gpt2": (WIDE, {"*.attention.out.*": small(6), "blocks.*.mlp.second.*": small(6), "*.query.*": small(1), "*.first.*": small(1)}),
    "llama": (
        WIDE,
        {"blocks.0.*.out.*": small(2), "blocks.2.mlp.second.*": small(6), "*.key.*": small(1), "output.*": lambda n, m: 0.9733369 / n},
    ),
    "deepnorm": (
        WIDE,
        {"*.value.*": glorot(24**-0.5), "*.out.*": glorot(24**-0.5), "*.first.*": glorot(24**-0.5), "*.query.*": glorot(1)},
    ),
    "mup": (LARGE, {"layers.0.*": lambda n, m: 1 / n, "layers.1.*": lambda n, m: 1 / n, "layers.3.*": lambda n, m: 1 / n**2}),
    "siren": (
        LARGE,
        {
            "layers.0.*": lambda n, m: 30**2 / (3 * n**2),
            "layers.2.*": lambda n, m: 2 / n,
            "layers.3.*": lambda n, m: 2 / (30**2 * n),
        },
    ),
}


@pytest.mark.parametrize("name", list(VARIANCES))
def test_a_scheme_has_the_variances_of_its_paper(name: str) -> None:
    model, laws = VARIANCES[name]
    net = network(**model)
    params = dict(leaves(drawn(net, name, "zeros")))
    for pattern, variance in laws.items():
        weights = [np.asarray(params[path], float) for path in net.weight_paths if fnmatchcase(dotted(path), pattern)]
        n = sum(leaf.size for leaf in weights)
        assert n >= 192
        # Over its own variance the square of each weight has the mean 1; a uniform or truncated law's sum is narrower than a normal one's.
        ratio = sum(np.sum(leaf**2 / variance(*fans(leaf.shape))) for leaf in weights) / n
        low, high = stats.chi2.ppf([1e-6, 1 - 1e-6], n) / n
        assert low < ratio < high, (pattern, ratio)
        assert not (n > 5000 and low < 1.2 * ratio < high), pattern


def test_deepnorm_counts_branches_as_its_bound_does() -> None:
    """The bound on the update is the sum over branches of (v^2 + w^2) / alpha^2, which alpha and v = w = beta make 1."""
    for options in ({"name": "resmlp", "gated": True, "width": 64, "blocks": 3}, {**WIDE, "gated": "scalar"}):
        params = dict(leaves(drawn(network(**options), "deepnorm", "zeros")))
        gates = [float(leaf) for path, leaf in params.items() if path[-1] == "gate"]
        ends = [np.asarray(leaf, float) for path, leaf in params.items() if path[-2:] in (("second", "kernel"), ("out", "kernel"))]
        assert len(gates) == len(ends) == (3 if options["name"] == "resmlp" else 6)
        np.testing.assert_allclose(gates, len(ends) ** -0.25, rtol=1e-6)
        bound = sum(2 * np.mean(end**2) * sum(end.shape) / 2 * gate**2 for end, gate in zip(ends, gates, strict=True))
        assert bound == pytest.approx(1, rel=0.05)


def test_siren_keeps_the_second_moment_of_a_sine_layer() -> None:
    net = network(**{**LARGE, "widths": [400, 400, 400]})
    x = np.random.default_rng(0).uniform(-1, 1, (64, 5)).astype(np.float32)
    _, hidden = net.trace(drawn(net, "siren", "zeros"), x)
    found = [float(np.var(layer.pre_activation)) for layer in hidden]
    assert found[1:] == pytest.approx([1, 1 - math.exp(-2)], rel=0.05)


def test_looks_linear_is_a_linear_map_of_orthogonal_layers() -> None:
    net = network(widths=[10, 10, 10], activation="relu")
    outputs, _ = net.trace(drawn(net, "looks_linear", "zeros"), jnp.concatenate([X, jnp.eye(5)]))
    linear = outputs[-5:]
    np.testing.assert_allclose(outputs[:-5], X @ linear, atol=1e-5)
    # All layers keep lengths, and the last one projects five directions on three.
    np.testing.assert_allclose(np.linalg.svd(linear, compute_uv=False), 1, atol=1e-5)
    for widths, activation, told in (([10, 7], "relu", "even width"), ([10], "tanh", "activation = 'tanh': it needs 'relu'")):
        with pytest.raises(ValueError, match=f"looks_linear: .*{told}"):
            drawn(network(widths=widths, activation=activation), "looks_linear")


def test_nguyen_widrow_units_have_the_length_and_range_of_the_paper() -> None:
    net = network(widths=[300, 40])
    params = drawn(net, "nguyen_widrow", "zeros")["layers"]
    for layer, n, h in ((0, 5, 300), (1, 300, 40)):
        length = 0.7 * h ** (1 / n)
        np.testing.assert_allclose(np.linalg.norm(params[layer]["kernel"], axis=0), length, rtol=1e-5)
        bias = np.asarray(params[layer]["bias"])
        assert np.abs(bias).max() <= length and stats.kstest(bias, stats.uniform(-length, 2 * length).cdf).pvalue > 1e-6
    assert not np.any(params[2]["kernel"])


@pytest.mark.parametrize(("model", "keeping"), [("lstm", "forget"), ("gru", "update")])
def test_chrono_s_times_are_uniform(model: str, keeping: str) -> None:
    net = network(model, features=1, width=2000)
    cell = drawn(net, {"name": "chrono", "longest": 50.0}, "zeros")["cell"]
    bias = np.asarray(cell[keeping]["bias"], float)
    times = 1 / (1 - 1 / (1 + np.exp(-bias)))
    assert stats.kstest(times, stats.uniform(2, 48).cdf).pvalue > 1e-4
    assert stats.kstest(times, stats.uniform(2, 55).cdf).pvalue < 1e-4
    if model == "lstm":
        np.testing.assert_array_equal(cell["input"]["bias"], -cell["forget"]["bias"])
        assert float(np.max(np.exp(drawn(net, "chrono", "zeros")["cell"]["forget"]["bias"]))) <= net.built.time_steps - 1
    for wrong in ({"name": "chrono", "longest": 2.0}, "chrono"):
        with pytest.raises(ValueError, match="chrono: longest = 2"):
            drawn(network(model, features=1) if isinstance(wrong, dict) else network_of_two_steps(model), wrong)


def network_of_two_steps(model: str) -> Any:
    return Network(ModelSpec.model_validate({"name": model, "features": 2}), 4, 3)


@pytest.mark.parametrize("model", [WIDE, {**WIDE, "blocks": 1, "heads": 1}])
def test_mimetic_products_are_what_the_paper_says(model: dict[str, Any]) -> None:
    attention = drawn(network(**model), "mimetic", "zeros")["blocks"][0]["attention"]
    query, key, value, out = (np.asarray(attention[name]["kernel"], float) for name in ("query", "key", "value", "out"))
    read, identity = value @ out, np.eye(64)
    assert np.mean(np.diag(read)) == pytest.approx(-0.4, abs=0.05)
    assert np.std(read + 0.4 * identity) * 8 == pytest.approx(0.4, abs=0.02)
    heads = model.get("heads", 2)
    for head in range(heads):
        columns = slice(64 // heads * head, 64 // heads * (head + 1))
        scores = query[:, columns] @ key[:, columns].T
        assert np.linalg.matrix_rank(scores, tol=1e-4) == 64 // heads
        if heads == 1:
            assert np.mean(np.diag(scores)) == pytest.approx(0.7, abs=0.07)
            assert np.std(scores - 0.7 * identity) * 8 == pytest.approx(0.7, abs=0.03)


def test_log_prior_s_loss_is_the_entropy_of_the_labels() -> None:
    p = np.bincount(np.asarray(DATA.y)) / 50
    outputs, _ = network(widths=[4]).trace(drawn(network(widths=[4]), "log_prior", "zeros"), X)
    loss = -np.mean(np.asarray(jax.nn.log_softmax(outputs))[np.arange(50), np.asarray(DATA.y)])
    assert loss == pytest.approx(-np.sum(p * np.log(p)), rel=1e-5)
    single = planned(task="xor", initializer={"name": "zeros", "scheme": "log_prior"})[0].recipe.network
    shares = jnp.asarray([[1.0]] * 9 + [[0.0]])
    bias = drawn(single, "log_prior", data=DATA._replace(x=jnp.zeros((10, 2)), y=shares))["layers"][1]["bias"]
    np.testing.assert_allclose(bias, math.log(9), rtol=1e-5)
    with pytest.raises(ValueError, match="log_prior: it needs a classification, and the task 'regression' is none"):
        planned(task="regression", model="linear", training={"steps": 3}, initializer={"name": "zeros", "scheme": "log_prior"})


@pytest.mark.parametrize(("blocks", "value"), [(2, 0.1), (20, 1e-5)])
def test_gates_start_at_the_number_of_their_depth(blocks: int, value: float) -> None:
    net = network("resmlp", gated=True, blocks=blocks, width=2)
    gates = [leaf for path, leaf in leaves(drawn(net, "layer_scale", "zeros")) if path[-1] == "gate"]
    assert len(gates) == blocks and np.allclose(gates, value)


def same(first: Any, second: Any, but: str = "") -> bool:
    """Whether two sets of parameters are the same, but for those whose path begins with a name."""
    return all(
        path[0] == but or np.allclose(leaf, other, rtol=1e-5)
        for (path, leaf), (_, other) in zip(leaves(first), leaves(second), strict=True)
    )


def in_the_limit(name: str) -> bool:
    """Whether a scheme is what its docstring says that it is in a limiting case."""
    one_block = network(**{**WIDE, "blocks": 1})
    gated = network("resmlp", gated=True, blocks=1, width=6)
    match name:
        case "antisymmetric":
            layers = drawn(network(widths=[2]), name)["layers"]
            units, outgoing = np.asarray(layers[0]["kernel"]).T, np.asarray(layers[1]["kernel"])
            return np.array_equal(units[0], units[1]) and np.array_equal(outgoing[0], -outgoing[1])
        case "as_built":
            net = network(widths=[300], activation="tanh")
            return np.isclose(np.var(drawn(net, name, "zeros")["layers"][1]["kernel"]) * 300, 1, rtol=0.2)
        case "chrono":
            cell = drawn(network("lstm", features=1, width=50), {"name": name, "longest": 2.001}, "zeros")["cell"]
            return np.allclose(jax.nn.sigmoid(cell["forget"]["bias"]), 0.5, atol=1e-3)
        case "deepnorm":
            queries = drawn(network(**WIDE), name, "zeros")["blocks"][0]["attention"]["query"]["kernel"]
            return 0.9 < np.mean(np.square(queries)) * 64 < 1.1
        case "fixup":
            start = drawn(gated, None)
            return same(drawn(gated, name)["blocks"][0]["first"], start["blocks"][0]["first"])
        case "gpt2":
            weights = drawn(gated, name, "zeros")["blocks"][0]["second"]["kernel"]
            return 0.3 < np.mean(np.square(weights)) / 0.02**2 < 2.5
        case "layer_scale":
            return same(drawn(gated, {"name": name, "value": 1.0}), drawn(gated, None))
        case "llama":
            return same(drawn(one_block, name, "zeros"), drawn(one_block, "gpt2", "zeros"), but="output")
        case "log_prior":
            equal = DATA._replace(x=X[:9], y=jnp.arange(9) % 3)
            return not np.any(drawn(network(widths=[4]), name, "zeros", data=equal)["layers"][1]["bias"])
        case "looks_linear":
            net = network(widths=[10], activation="relu")
            outputs, _ = net.trace(drawn(net, name, "zeros"), jnp.eye(5))
            return np.allclose(np.linalg.svd(outputs, compute_uv=False), 1, atol=1e-5)
        case "lsuv":
            net = network(widths=[6, 4], activation="relu")
            once = drawn(net, name)
            return same(scheme[name].target(once, net, X), once)
        case "mimetic":
            nothing = {"attention_noise": 0.0, "attention_identity": 0.0, "value_noise": 0.0, "value_identity": 0.0}
            attention = drawn(network(**WIDE), {"name": name, **nothing}, "orthogonal")["blocks"][0]["attention"]
            return all(not np.any(attention[part]["kernel"]) for part in ("query", "key", "value", "out"))
        case "mup":
            kernel = drawn(network(widths=[900]), {"name": name, "base_width": 900}, "zeros")["layers"][1]["kernel"]
            return 0.9 < np.mean(np.square(kernel)) * 900 < 1.1
        case "nguyen_widrow":
            one = Network(ModelSpec.model_validate({"name": "mlp", "widths": [9]}), 1, 3)
            return np.allclose(np.abs(drawn(one, name, "zeros")["layers"][0]["kernel"]), 0.7 * 9)
        case "siren":
            kernel = drawn(network(**LARGE), name, "zeros")["layers"][1]["kernel"]
            return 0.98 < np.abs(kernel).max() / math.sqrt(6 / 300) <= 1
    return False


@pytest.mark.parametrize("name", scheme)
def test_a_scheme_has_the_limit_that_it_states(name: str) -> None:
    assert in_the_limit(name)


def test_a_scheme_that_does_not_fit_is_refused_before_anything_trains() -> None:
    with pytest.raises(ValueError, match="gpt2: model 'mlp' has no residual branches") as caught:
        planned(initializer={"name": "zeros", "scheme": "gpt2"})
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="initializer: scheme: unknown key 'longer'; did you mean 'longest'"):
        planned(initializer={"name": "zeros", "scheme": {"name": "chrono", "longer": 3.0}})
    with pytest.raises(ValueError, match=r"initializer.gain = 'auto': model 'gru' has no option 'activation'"):
        planned(model={"name": "gru", "features": 1}, initializer={"name": "zeros", "gain": "auto"})
