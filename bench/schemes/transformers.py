"""Initializations of transformers and other residual networks, which depend on a layer's place and on the number of layers."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key
from pydantic import FiniteFloat, PositiveFloat, PositiveInt

from bench.linalg import decomposed
from bench.schemes import scheme
from bench.schemes.drawing import Params, Path, branch_ends, glorot, key_of, normal, replaced

Examples = Float[Array, "example input"]


@scheme
def gpt2(params: Params, network: Any, x: Examples, key: Key[Array, ""], stddev: PositiveFloat = 0.02) -> Params:
    """All weights are small, and those that end a residual branch are smaller the more branches there are.

    Position embeddings are drawn like other weights, as in nanoGPT; the released code of GPT-2 has half of this deviation for them. The
    paper states the factor 1 / sqrt(n) alone, and the code 0.02. Biases are those of the initializer.

    Formula: W ~ N(0, stddev^2), stddev = 0.02; the last layer of each of n residual branches: stddev / sqrt(n), n = 2 N for N blocks of
    attention and MLP.
    Source: Radford et al., 2019.
    Law: the variances are stddev^2 and stddev^2 / n, so that the sum of all branches has the variance of one.
    Limit: `normal` with stddev = 0.02 for a single branch.
    """
    ends = branch_ends("gpt2", network)
    small = stddev / math.sqrt(len(ends))
    return normal(network, params, key, lambda path, fan_in, fan_out: small if path in ends else stddev)


@scheme
def llama(params: Params, network: Any, x: Examples, key: Key[Array, ""], stddev: PositiveFloat = 0.02) -> Params:
    """As `gpt2`, but the end of a branch is scaled by the depth at which it stands, and the output layer by its width.

    Touvron et al. (2023) do not say how LLaMA was initialized; this is the initialization of TorchTitan's model, where the embedding of a
    token has the variance 1: here it is a linear map of features and is drawn like other weights. TorchTitan's MLP has a third matrix, a
    factor beside the activation function, which is as small as the ends of branches; here it has none.

    Formula: W ~ N(0, stddev^2), stddev = 0.02; the ends of the branches of block l = 0, 1, ...: stddev / sqrt(2 (l + 1)); the output layer:
    N(0, 1 / fan_in), truncated at 3 standard deviations.
    Source: TorchTitan (Liang et al., 2024, arXiv 2410.06511).
    Law: the variances are stddev^2, stddev^2 / (2 (l + 1)) and .97334 / fan_in.
    Limit: `gpt2` for a single block, but for the output layer.
    """
    ends = branch_ends("llama", network)

    def of(path: Path, fan_in: int, fan_out: int) -> float:
        return stddev / math.sqrt(2 * (path[1] + 1)) if path in ends else stddev

    def output(path: Path, leaf: Array) -> Array:
        return leaf.shape[0] ** -0.5 * jax.random.truncated_normal(key_of(key, path), -3.0, 3.0, leaf.shape, leaf.dtype)

    return replaced(normal(network, params, key, of), network.output_paths, output)


@scheme
def deepnorm(params: Params, network: Any, x: Examples, key: Key[Array, ""]) -> Params:
    """Glorot's law with smaller values, outputs and MLPs, for an encoder or a decoder with normalization after the sum.

    The paper also multiplies the stream by alpha before it adds a branch and normalizes. Where a model has gates they start at 1 / alpha: a
    normalization after the sum does not see the difference. In a model that normalizes in front of a branch, or not at all, it is not the
    paper's method but its initialization alone. An encoder and a decoder that are trained together have other constants in the paper.

    Formula: W ~ N(0, g^2 2 / (fan_in + fan_out)), g = (4 n)^(-1/4) for value, out, first and second, g = 1 elsewhere; alpha = n^(1/4) for n
    residual branches, n = 2 N for N blocks of attention and MLP.
    Source: Wang et al., 2022, arXiv 2203.00555.
    Law: the variances are g^2 times Glorot's.
    Limit: `glorot_normal` for queries, keys and all layers outside of the branches.
    """
    branches = len(branch_ends("deepnorm", network))
    beta, alpha = (4 * branches) ** -0.25, branches**0.25

    def of(path: Path, fan_in: int, fan_out: int) -> float:
        small = path[0] == "blocks" and path[-2] in ("value", "out", "first", "second")
        return (beta if small else 1) * glorot(fan_in, fan_out)

    return replaced(normal(network, params, key, of), _gates(network), lambda path, leaf: jnp.full_like(leaf, 1 / alpha))


@scheme
def layer_scale(params: Params, network: Any, x: Examples, value: PositiveFloat | None = None) -> Params:
    """Every residual branch starts multiplied by a small number that is trained.

    The paper has a number for each channel of a branch, and all start alike; a model's `gate` is one number for all of them. Needs a model
    with gates: `gated = true`, for a transformer `gated = "scalar"`.

    Formula: gate = value, or 0.1, 1e-5, 1e-6 for up to 18, up to 24 and more blocks.
    Source: Touvron et al., 2021, arXiv 2103.17239.
    Law: every gate has this value, and all other parameters are those of the initializer.
    Limit: the model without gates for value = 1; ReZero in the limit of value = 0.
    """
    gates = _gates(network)
    if not gates:
        raise ValueError(f"layer_scale: model '{network.entry.name}' has no gates; it needs residual branches and `gated`")
    blocks = len({path[1] for path in gates})
    start = value or (0.1 if blocks <= 18 else 1e-5 if blocks <= 24 else 1e-6)
    return replaced(params, gates, lambda path, leaf: jnp.full_like(leaf, start))


@scheme
def mimetic(
    params: Params,
    network: Any,
    x: Examples,
    key: Key[Array, ""],
    attention_noise: FiniteFloat = 0.7,
    attention_identity: FiniteFloat = 0.7,
    value_noise: FiniteFloat = 0.4,
    value_identity: FiniteFloat = 0.4,
) -> Params:
    """Attention looks like that of trained transformers: tokens attend to those like themselves, and what they read is subtracted.

    All other parameters are those of the initializer. The paper has sinusoidal position embeddings too, which are left out here.

    Formula: per head of k columns, Q K^T = the best approximation of rank k of a1 Z1 + b1 I; V O = a2 Z2 - b2 I; Z ~ N(0, 1 / d), factors
    from U S V^T as U sqrt(S) and sqrt(S) V^T; a1 = b1 = 0.7, a2 = b2 = 0.4.
    Source: Trockman and Kolter, 2023, arXiv 2305.09828.
    Law: with a1 = a2 = 0 and one head, Q K^T = b1 I and V O = -b2 I.
    Limit: matrices of zeros for a1 = b1 = 0, or a2 = b2 = 0.
    """
    attentions = [path[:-2] for path in network.weight_paths if path[-2] == "query"]
    heads = [_owner(network, path, "n_heads") for path in attentions]
    if not attentions or None in heads:
        raise ValueError(
            f"mimetic: model '{network.entry.name}' has no attention of layers query, key, value and out; it needs a transformer"
        )

    of = dict(zip(network.weight_paths, network.weights(params), strict=True))
    width, dtype = of[(*attentions[0], "query", "kernel")].shape[0], jnp.result_type(*of.values())

    def drawn(path: Path, noise: float, identity: float) -> Array:
        random = jax.random.normal(key_of(key, path), (width, width), dtype)
        return noise / math.sqrt(width) * random + identity * jnp.eye(width, dtype=dtype)

    new: dict[Path, Array] = {}
    for attention, n in zip(attentions, heads, strict=True):
        queries, keys = [], []
        for head in range(n):
            left, right = _halves(drawn((*attention, "query", head), attention_noise, attention_identity))
            rank = len(left) // n
            queries.append(left[:, :rank])
            keys.append(right[:rank].T)
        value, out = _halves(drawn((*attention, "value"), value_noise, -value_identity))
        matrices = (jnp.concatenate(queries, axis=1), jnp.concatenate(keys, axis=1), value, out)
        new |= {(*attention, name, "kernel"): matrix for name, matrix in zip(("query", "key", "value", "out"), matrices, strict=True)}
    return replaced(params, list(new), lambda path, leaf: new[path])


@scheme
def mup(params: Params, network: Any, x: Examples, key: Key[Array, ""], base_width: PositiveInt = 1) -> Params:
    """The initialization of the maximal update parametrization, whose best learning rate does not depend on the width.

    Learning rates by role belong to it. For n = fan_in / base_width and m = fan_out / base_width, Adam's rate is multiplied by 1 for input
    weights and biases and by 1 / n for hidden and output weights; that of gradient descent by m for input weights and the biases of hidden
    layers, by 1 for hidden weights and the bias of the output layer, and by 1 / n for output weights. The paper also divides the scores of
    attention by the width of a head; a `transformer` divides them by its square root.

    Formula: W ~ N(0, 1 / fan_in); the output layer: N(0, base_width / fan_in^2).
    Source: Yang et al., 2022, arXiv 2203.03466.
    Law: the variances are 1 / fan_in and base_width / fan_in^2.
    Limit: `lecun_normal` for a network whose last hidden layer has the width base_width.
    """

    def of(path: Path, fan_in: int, fan_out: int) -> float:
        return math.sqrt(base_width) / fan_in if path in network.output_paths else fan_in**-0.5

    return normal(network, params, key, of)


def _gates(network: Any) -> list[Path]:
    return [path for path in network.paths if path[0] == "blocks" and path[-1] == "gate"]


def _owner(network: Any, path: Path, attribute: str) -> Any:
    """Return an attribute of the part of the model at a path; None if it has none."""
    part = network.built
    for name in path:
        part = part[name] if isinstance(name, int) else getattr(part, name)
    return getattr(part, attribute, None)


def _halves(matrix: Float[Array, "n n"]) -> tuple[Float[Array, "n n"], Float[Array, "n n"]]:
    """Return two factors of equal singular values."""
    left, values, right = decomposed(matrix)
    root = jnp.sqrt(values)
    return left * root, root[:, None] * right
