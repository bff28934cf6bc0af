"""The audit of models whose starts are known: what never moves, what is dead, what grows, and what each law is called."""

import jax
import numpy as np
import pytest

from analysis.judging.audit import Audit, audit_record, layer_frame
from analysis.judging.recognized import recognized
from analysis.judging.standard import standard_scale
from bench.lane.layer_signals import CALLS
from bench.models.activations import second_moment_gain
from tests.audit.page import audit_of

MODELS = "tests.audit.models"


def kinds(audit: Audit) -> dict[str, tuple[str, ...]]:
    return {finding.kind: finding.layers for finding in audit.findings}


def test_a_last_layer_of_zeros_is_safe_and_two_in_a_row_are_stuck() -> None:
    safe = audit_of("Chain", MODELS, zero=[3])
    assert not safe.faults and [finding.layers for finding in safe.findings] == [("layers.3.kernel",)]
    stuck = audit_of("Chain", MODELS, zero=[1, 2])
    assert kinds(stuck) == {"stuck": ("layers.1.kernel", "layers.2.kernel")}
    assert stuck.findings[0].claims == ("C7", "C20") and "layers.0.kernel" in stuck.findings[0].what
    assert {layer.name for layer in stuck.layers if not layer.never_moves} == set()


def test_two_residual_layers_of_zeros_in_a_row_escape() -> None:
    found = audit_of("Residual", MODELS)
    assert not found.faults
    assert [finding.layers for finding in found.findings] == [("blocks.1.kernel",), ("blocks.2.kernel",)]


@pytest.mark.parametrize("both", [True, False])
def test_an_adapter_is_stuck_if_both_of_its_factors_are_zero(both: bool) -> None:
    found = audit_of("Adapter", MODELS, both=both)
    assert kinds(found) == ({"stuck": ("down.kernel", "up.kernel")} if both else {"zero": ("up.kernel",)})
    assert not next(layer for layer in found.layers if layer.name == "base.kernel").parameter.trained


@pytest.mark.parametrize("scaled", [False, True])
def test_a_transformer_whose_branches_are_not_scaled_is_found(scaled: bool) -> None:
    found = audit_of("Transformer", MODELS, (5,), 7, scaled=scaled, depth=2)
    assert found.numbers.branches.shape[1] == 4
    assert ("residual" in kinds(found)) is not scaled


def test_rectifiers_behind_a_bias_of_minus_one_die_and_the_default_of_flax_is_named() -> None:
    found = audit_of("Chain", MODELS, bias=-1.0)
    assert kinds(found)["dead"] and all("layers.0" not in layer for layer in kinds(found)["dead"])
    table = layer_frame(found)
    assert table["starts as"].str.contains("LeCun, Flax's default (truncated normal", regex=False).all()
    assert table["starts as"].str.contains("bias constant -1", regex=False).all()
    assert list(table["then"]) == ["relu", "relu", "relu", ""]
    assert list(table["standard"]) == ["He", "He", "He", "Glorot"]
    assert [layer["standard"] for layer in audit_record(found)["layers"]] == list(table["standard"])


def test_a_network_of_selu_with_weights_of_lecun_has_its_standard_scale() -> None:
    found = audit_of("Normalizing", MODELS)
    table = layer_frame(found)
    assert list(table["then"]) == ["selu", "selu", ""]
    assert not found.faults and set(table["standard"]) == {"Glorot"}


def test_the_standard_scale_follows_from_the_function() -> None:
    he = {name for name in CALLS if standard_scale(name) == "He"}
    assert he == {"relu", "relu6", "leaky_relu", "elu", "celu", "gelu", "silu", "swish", "mish"}
    np.testing.assert_allclose([second_moment_gain(name) for name in ("selu", "softplus", "relu")], [1.0, 1.0419, 2**0.5], atol=5e-5)
    assert {standard_scale(name) for name in ("", "sine", "cosine", "softmax")} == {"Glorot"}


LAWS = {
    "normal": jax.nn.initializers.normal(0.1),
    "uniform": lambda key, shape: jax.random.uniform(key, shape, minval=-1.0, maxval=1.0),
    "truncated normal": jax.nn.initializers.truncated_normal(0.1),
    "orthogonal": jax.nn.initializers.orthogonal(2.0),
    "identity": lambda key, shape: 0.5 * jax.numpy.eye(*shape),
    "constant": jax.nn.initializers.constant(0.3),
    "zero": jax.nn.initializers.zeros,
    "He (normal": jax.nn.initializers.he_normal(),
    "Glorot (uniform": jax.nn.initializers.glorot_uniform(),
    "LeCun (uniform": jax.nn.initializers.lecun_uniform(),
    "the same numbers": lambda key, shape: jax.numpy.arange(20.0 * 15).reshape(shape),
}


@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_recognized_by_its_numbers(name: str) -> None:
    starts = np.stack([np.asarray(LAWS[name](jax.random.key(seed), (20, 15))) for seed in range(8)])
    found = recognized(starts, True)
    if name == "He (normal":
        # JAX truncates He's law.
        name = "He (truncated normal"
    assert name in (found.kind, found.words[: len(name)]), found
    mixed = np.where(np.arange(15) < 7, starts, 10 * starts)
    assert name in ("zero", "the same numbers") or recognized(mixed, True).kind not in ("normal", "uniform", "truncated normal", "identity")
