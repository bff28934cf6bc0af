"""Parameters by name: what is initialized apart, set to zero, or not trained."""

from typing import Any

import jax
import numpy as np
import pytest

from bench.lane.grouping import programs
from bench.lane.network import dotted, leaves
from bench.lane.objective import gradient, hessian
from tests.conftest import experiment
from tests.lane.test_players import start

NET: dict[str, Any] = {"model": {"name": "mlp", "widths": [3, 4]}, "track": []}


def parameters(steps: int = 0, training: dict[str, Any] | None = None, **initializer: Any) -> dict[str, np.ndarray]:
    wanted = experiment(**NET, training=training or {}, initializer={"name": "glorot_normal", **initializer})
    [program] = programs(wanted.cells, (), ())
    fixed, state = start(program)
    for _ in range(steps):
        state, _ = program.advance(fixed, state)
    return {
        ".".join(str(entry.key) for entry in path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(state.params)
    }


def test_a_layer_has_an_initializer_of_its_own() -> None:
    plain = parameters()
    found = parameters(layers={"layers.1": "identity", "layers.*.bias": {"name": "constant", "value": 2.0}})
    np.testing.assert_array_equal(found["layers.0.kernel"], plain["layers.0.kernel"])
    np.testing.assert_array_equal(found["layers.1.kernel"], np.eye(3, 4))
    # Of several names that match, the last counts.
    assert all((found[f"layers.{i}.bias"] == 2).all() for i in range(3))


def test_one_layer_alone_is_random() -> None:
    found = parameters(name="zeros", layers={"layers.2.kernel": "he_normal"})
    assert [bool(found[f"layers.{i}.kernel"].any()) for i in range(3)] == [False, False, True]


def test_the_gain_multiplies_weights_alone() -> None:
    found = parameters(name="zeros", gain=3.0, layers={"layers.1": {"name": "constant", "value": 0.5}})
    assert (found["layers.1.kernel"] == 1.5).all()
    assert (found["layers.1.bias"] == 0.5).all()


def test_layers_are_set_to_zero_by_index_or_name() -> None:
    by_name, by_index = parameters(zero_layers=["layers.0", "layers.2"]), parameters(zero_layers=[0, 2])
    for name, value in by_index.items():
        np.testing.assert_array_equal(by_name[name], value)
    assert not by_name["layers.0.kernel"].any()


def test_starts_that_differ_in_what_is_zero_share_a_branch_and_keep_their_own_zeros() -> None:
    cases = [{"label": str(zero), "initializer.zero_layers": zero} for zero in ([], [1], ["layers.2"])]
    wanted = experiment(**NET, initializer="glorot_normal", case=cases, seeds={"init": 2, "data": "paired"})
    [program] = programs(wanted.cells, (), ())
    assert (len(program.variants), len(program.zeroings)) == (1, 3)
    for cell, zero in zip(wanted.cells, ([], [1], [2]), strict=True):
        inputs = program.inputs_of(cell, np.zeros(1, np.uint32), np.zeros(1, np.uint32))
        _, state = program.start(program.variants[0], jax.tree.map(lambda leaf: leaf[0], inputs))
        assert [i for i, layer in enumerate(program.network.weights(state.params)) if not layer.any()] == zero


def test_frozen_parameters_stay_and_the_others_move() -> None:
    before, after = parameters(), parameters(5, {"frozen": ["layers.1", "*.bias"]})
    moved = {name for name in before if (before[name] != after[name]).any()}
    assert moved == {"layers.0.kernel", "layers.2.kernel"}
    decayed = parameters(5, {"frozen": ["layers.1"], "l2": 0.1})
    np.testing.assert_array_equal(decayed["layers.1.kernel"], before["layers.1.kernel"])


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"initializer": {"name": "zeros", "layers": {"layers.7": "identity"}}}, "initializer.layers"),
        ({"initializer": {"name": "zeros", "zero_layers": ["layer.0"]}}, "initializer.zero_layers"),
        ({"training": {"frozen": ["output"]}}, "training.frozen"),
    ],
)
def test_a_name_that_matches_nothing_is_said_with_those_that_there_are(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=f"{place}: .* is no parameter of mlp; it has layers.0.bias, layers.0.kernel"):
        programs(experiment(**{**NET, **changes}).cells, (), ())


def test_randomness_is_seen_in_a_single_layer() -> None:
    assert experiment(initializer={"name": "zeros", "layers": {"layers.0": "normal"}}).cells[0].settings.initializer.random
    assert not experiment(initializer={"name": "zeros", "layers": {"layers.0": "identity"}}).cells[0].settings.initializer.random


def test_curvature_is_that_in_what_is_trained() -> None:
    [whole, part] = (
        programs(experiment(**NET, initializer="glorot_normal", training=training).cells, (), ())[0]
        for training in ({}, {"frozen": ["layers.1", "*.bias"]})
    )
    fixed, state = start(whole)
    names = [dotted(path) for path, leaf in leaves(state.params) for _ in range(leaf.size)]
    trained = [place for place, name in enumerate(names) if name in ("layers.0.kernel", "layers.2.kernel")]
    wanted = hessian(whole.recipe, state.params, fixed)[np.ix_(trained, trained)]
    np.testing.assert_allclose(hessian(part.recipe, state.params, fixed), wanted, rtol=1e-5, atol=1e-6)


def test_the_last_layer_of_an_adapted_network_is_no_hidden_one() -> None:
    wanted = experiment(model={"name": "lora", "widths": [3], "train_base": True}, initializer="glorot_normal")
    [program] = programs(wanted.cells, ("hidden_grad_max",), ())
    fixed, state = start(program)
    gradients = program.network.weights(gradient(program.recipe, state.params, fixed, fixed.data.x, fixed.data.y)[2])
    largest = {name: float(np.abs(one).max()) for name, one in zip(program.network.weight_names, gradients, strict=True)}
    hidden = max(value for name, value in largest.items() if name.startswith("layers.0."))
    assert hidden < max(value for name, value in largest.items() if name != "layers.1.up.kernel")
    assert float(program.measure(fixed, state)["hidden_grad_max"]) == pytest.approx(hidden)
