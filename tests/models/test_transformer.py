"""Transformers against loops in NumPy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.probes.symmetry import distinct_heads
from tests.models.sequences import FEATURES, WIDTH, initial, network, normal, random_params


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
