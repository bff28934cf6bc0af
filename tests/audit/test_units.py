"""The units of a layer, whichever axes of its signal count them: how many there are, how many are tied, and how many are dead."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis.judging.audit import Audit, Layer, audit_record, audited, layer_frame
from bench.lane.audited_model import Subject
from bench.lane.layer_signals import inside
from bench.lane.state import dotted
from bench.runs.audit import audit_numbers
from bench.spec import ModelSpec
from tests.audit.page import audit_of

MODELS = "tests.audit.models"
EXAMPLES = 5


def audit_of_own(name: str, shape: tuple[int, ...], value: float | None, **options: Any) -> Audit:
    """Audit a model of `bench`, of whose weights and biases all numbers have this value, or as it builds itself."""
    spec = ModelSpec.model_validate({"name": name, **options})
    subject = Subject(spec, shape, 1, False)
    given = None if value is None else {dotted(path): np.full((1, *subject.start_shape(path)), value) for path in subject.paths}
    return audited(audit_numbers(spec, shape, given=given))


def layers_of(audit: Audit) -> dict[str, Layer]:
    return {layer.name: layer for layer in audit.layers}


@pytest.mark.parametrize(
    ("name", "options", "layer", "units"),
    [
        ("cnn", {"channels": [4]}, "convolutions.0.kernel", 4),
        ("cnn1d", {"channels": [4], "kernel_sizes": [3]}, "convolutions.0.kernel", 4),
        ("rescnn", {"channels": 4}, "blocks.0.first.kernel", 4),
        ("mlp", {"widths": [4]}, "layers.0.kernel", 4),
        ("gru", {"features": 4}, "cell.candidate.x.kernel", 16),
    ],
)
def test_all_units_of_a_model_with_equal_weights_are_tied(name: str, options: dict[str, Any], layer: str, units: int) -> None:
    found = audit_of_own(name, (16,), 0.1, **options)
    hidden = layers_of(found)[layer]
    assert hidden.parameter.units == units and hidden.tied == 1.0 and hidden.dead == 0.0
    assert any(finding.kind == "tied" and layer in finding.layers for finding in found.findings)
    assert all(finding.kind != "dead" for finding in found.findings)


def test_a_bias_that_is_added_to_a_reshaped_signal_closes_its_channels() -> None:
    spec = ModelSpec.model_validate({"name": "cnn", "channels": [4]})
    subject = Subject(spec, (16,), 1, False)
    given = {dotted(path): leaf for path, leaf in zip(subject.paths, subject.starts(4), strict=True)}
    given["convolutions.0.bias"] = np.broadcast_to(np.array([-100.0, -100.0, -100.0, 0.0]), (4, 4))
    found = layers_of(audited(audit_numbers(spec, (16,), given=given)))["convolutions.0.kernel"]
    assert found.dead == 0.75 and found.tied == 0.0


def test_gates_that_are_computed_together_have_units_of_their_own() -> None:
    found = layers_of(audit_of_own("gru", (16,), None, features=4))
    gates = [layer.parameter for name, layer in found.items() if name.startswith("cell") and name.endswith("kernel")]
    assert len(gates) == 6 and all(gate.units == 16 and not gate.tied.any() for gate in gates)


def test_models_of_equinox_keep_their_units_in_front() -> None:
    pytest.importorskip("equinox", reason="pip install equinox")
    found = audit_of("equal", "tests.audit.of_equinox", (5,))
    hidden = [layers_of(found)[f"layers.{number}.weight"] for number in range(2)]
    assert all(layer.parameter.units == 8 and layer.tied == 1.0 for layer in hidden)
    assert [finding.kind for finding in found.faults] == ["tied", "tied"]
    from tests.audit.of_equinox import CHANNELS, DEAD, SIDE

    found = audit_of("Images", "tests.audit.of_equinox", (2, SIDE, SIDE))
    layer = layers_of(found)["convolution.weight"]
    assert layer.parameter.units == CHANNELS and layer.dead == DEAD / CHANNELS and layer.tied == 0.0


def test_nothing_is_said_of_units_that_are_not_known() -> None:
    """A table that is read and multiplied has other units at each place."""
    found = audit_of("Read", MODELS, (3,), 7)
    table = next(layer for layer in found.layers if layer.name == "table.embedding")
    assert table.parameter.units == 0 and table.parameter.signal.all()
    frame = layer_frame(found).set_index("layer").loc["table.embedding"]
    assert (frame["tied"], frame["dead"]) == ("", "")
    record = next(layer for layer in audit_record(found)["layers"] if layer["name"] == "table.embedding")
    assert record["tied_units"] is None and record["dead_units"] is None


def convolved(w: Any, x: Any, spec: tuple[str, str, str]) -> Any:
    return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=spec)


KNOWN: dict[str, tuple[Any, tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    "product": (lambda w, x: x @ w, (4, 3), (4,), (3,)),
    "product from the left": (lambda w, x: (w @ x.T).T, (3, 4), (4,), (3,)),
    "scaled weights": (lambda w, x: x @ (w / jnp.sqrt(jnp.sum(w * w, axis=0, keepdims=True))), (4, 3), (4,), (3,)),
    "heads": (lambda w, x: jnp.einsum("bi,ihd->bhd", x, w), (4, 2, 3), (4,), (2, 3)),
    "a matrix for each head": (lambda w, x: jnp.einsum("bhi,hid->bhd", x, w), (2, 4, 3), (2, 4), (2, 3)),
    "a matrix for all heads": (lambda w, x: jnp.einsum("bhi,id->dhb", x, w), (4, 3), (2, 4), (3,)),
    "units in front": (lambda w, x: convolved(w, x, ("NCHW", "OIHW", "NCHW")), (3, 4, 2, 2), (4, 5, 5), (3,)),
    "units last": (lambda w, x: convolved(w, x, ("NHWC", "HWIO", "NHWC")), (2, 2, 4, 3), (5, 5, 4), (3,)),
    "one example": (
        lambda w, x: jax.vmap(lambda one: convolved(w, one[None], ("NCHW", "OIHW", "NCHW"))[0])(x), (3, 4, 2, 2), (4, 5, 5), (3,)
    ),
    "one unit": (lambda w, x: x @ w, (4, 1), (4,), (1,)),
}  # fmt: skip
"""A signal of a weight and examples, and the shapes of the weight, of an example, and of its units."""


@pytest.mark.parametrize("name", KNOWN)
def test_the_axes_that_count_units_are_those_in_which_a_change_of_a_weight_stays_in_one(name: str) -> None:
    """The derivative of a signal by one weight is zero in all columns but that of the weight's unit."""
    function, weight, example, units = KNOWN[name]
    w, x = (jax.random.normal(jax.random.key(seed), shape) for seed, shape in enumerate((weight, (EXAMPLES, *example))))

    def rows(w: Any) -> Any:
        (tap,) = inside(lambda values, x: function(values[0], x), [w], x).taps
        (columns,) = tap.columns(0)
        return tap.rows[:, columns]

    found = np.asarray(jax.jacobian(rows)(w)).reshape(*rows(w).shape, -1)
    touched = np.any(found != 0, axis=0)
    assert touched.shape[0] == np.prod(units)
    assert np.all(touched.sum(axis=0) == 1) and np.all(touched.any(axis=1))


def test_units_that_are_mixed_with_examples_are_not_known() -> None:
    w, b, x = jnp.ones((4, 3)), jnp.ones(EXAMPLES * 3), jnp.ones((EXAMPLES, 4))
    (tap,) = inside(lambda values, x: (x @ values[0]).reshape(-1) + values[1], [w, b], x).taps
    assert tap.units is None and tap.columns(0) == []


def test_joined_weights_have_the_columns_of_their_own() -> None:
    x = jnp.ones((EXAMPLES, 4))
    weights = [jnp.ones((4, size)) for size in (3, 2, 3)]
    (tap,) = inside(lambda values, x: (x @ jnp.concatenate(values, axis=1)) * 2.0, weights, x).taps
    assert [tap.columns(place)[0].tolist() for place in range(3)] == [[0, 1, 2], [3, 4], [5, 6, 7]]
