"""Noise of training: drawn from the lane's seeds, without effect on what is measured, and what it is said to be."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.lane.grouping import programs
from bench.lane.objective import Noise, gradient, pre_activation_gradients, with_label_noise, with_weight_noise
from bench.lane.program import Program
from bench.lane.update import updated
from bench.models.activations import dropped
from tests.conftest import Rows, experiment

NOISES: dict[str, dict[str, Any]] = {
    "dropout": {"model": {"name": "mlp", "widths": [8], "dropout": 0.3}},
    "dropconnect": {"training": {"dropconnect": 0.3}},
    "label noise": {"training": {"label_noise": 0.3}},
    "weight noise": {"training": {"weight_noise": 0.1}},
}
BASE = {"task": {"name": "blobs", "n": 16, "n_test": 4}, "model": {"name": "mlp", "widths": [8]}, "track": []}


def noisy(name: str, batch_size: int = 0, seeds: int = 40, **changes: Any) -> Any:
    training = {"steps": 30, "batch_size": batch_size, **NOISES.get(name, {}).get("training", {}), **changes}
    return experiment(**{**BASE, **NOISES.get(name, {}), "training": training, "seeds": {"init": seeds}})


def program_of(name: str, **changes: Any) -> Program:
    wanted = noisy(name, **changes)
    return programs(wanted.cells, (), ())[0]


@pytest.mark.parametrize(("name", "batch_size"), [*((name, 0) for name in NOISES), ("dropout", 8)])
def test_noise_belongs_to_the_lane(name: str, batch_size: int, rows: Rows) -> None:
    few = rows(noisy(name, batch_size, 24), "few", devices=jax.devices()[:1])
    many = rows(noisy(name, batch_size, 40), "many")
    assert few["params_digest"].tolist() == many["params_digest"].tolist()[:24]
    quiet = rows(noisy("nothing", batch_size, 24), "quiet")
    assert not set(quiet["params_digest"]) & set(few["params_digest"])
    # What is measured at the start knows nothing of the noise.
    np.testing.assert_allclose(few["loss_initial"], quiet["loss_initial"], rtol=1e-6)


def test_noise_without_an_effect_proves_no_standstill(rows: Rows) -> None:
    settings: dict[str, Any] = {**BASE, "initializer": "zeros", "training": {"steps": 40, "label_noise": 1.0}, "seeds": {"init": 4}}
    assert set(rows(experiment(**settings))["outcome"]) == {"unsolved"}


def test_dropped_values_keep_their_mean_and_their_rate() -> None:
    values = dropped(jax.random.key(0), jnp.ones(100_000), 0.25)
    assert float(jnp.mean(values == 0)) == pytest.approx(0.25, abs=0.01)
    assert set(np.unique(values)) == {0.0, np.float32(1 / 0.75)}


def test_a_dropped_unit_is_a_unit_without_outgoing_weights() -> None:
    program = program_of("dropout")
    fixed, state = start(program)
    key = jax.random.key(7)
    outputs, hidden = program.network.trace(state.params, fixed.data.x, Noise(key))
    kernel, bias = state.params["layers"][1]["kernel"], state.params["layers"][1]["bias"]
    full = program.network.trace(state.params, fixed.data.x)[1][0].activation
    for example in range(len(outputs)):
        kept = np.asarray(hidden[0].activation[example]) != 0
        assert 0 < kept.sum() < 8
        expected = np.asarray(full[example]) @ (np.asarray(kernel) * kept[:, None] / 0.7) + np.asarray(bias)
        np.testing.assert_allclose(outputs[example], expected, rtol=1e-5, atol=1e-6)


def test_dropped_connections_are_drawn_for_each_example() -> None:
    program = program_of("dropconnect")
    fixed, state = start(program)
    x = jnp.repeat(fixed.data.x[:1], 4000, axis=0)
    pre_activation = program.network.trace(state.params, x, Noise(jax.random.key(1), 0.3))[1][0].pre_activation
    assert len(np.unique(pre_activation[:, 0])) == 4  # two weights: both, either, none
    clean = program.network.trace(state.params, x[:1])[1][0].pre_activation[0]
    np.testing.assert_allclose(jnp.mean(pre_activation, axis=0), clean, atol=0.1)


def test_label_noise_redraws_the_stated_share() -> None:
    program = program_of("label noise")
    y = jnp.zeros(100_000, jnp.int32)
    changed = with_label_noise(program.recipe, jax.random.key(0), y)
    # A quarter of the redrawn labels are drawn as they were.
    assert float(jnp.mean(changed != 0)) == pytest.approx(0.3 * 3 / 4, abs=0.01)
    assert set(np.unique(changed)) == {0, 1, 2, 3}


def test_weight_noise_leaves_biases_alone() -> None:
    program = program_of("weight noise")
    _, state = start(program)
    shaken = with_weight_noise(program.recipe, jax.random.key(0), state.params)
    for layer, before in zip(shaken["layers"].values(), state.params["layers"].values(), strict=True):
        np.testing.assert_array_equal(layer["bias"], before["bias"])
        assert 0.01 < float(jnp.std(layer["kernel"] - before["kernel"])) < 0.3


def test_frozen_zeros_stay_zero_and_free_ones_move(rows: Rows) -> None:
    settings: dict[str, Any] = {**BASE, "initializer": {"name": "glorot_normal", "zero_fraction": 0.5}, "probes": ["weight_norm"]}
    wanted = [experiment(**settings, training={"steps": 20, "freeze_zeros": frozen}, seeds={"init": 3}) for frozen in (True, False)]
    ends = []
    for one in wanted:
        [program] = programs(one.cells, (), ())
        fixed, state = start(program)
        for _ in range(3):
            found = gradient(program.recipe, state.params, fixed, fixed.data.x, fixed.data.y)
            params, optimizer = updated(program.recipe, state, fixed, fixed.data.x, fixed.data.y, found)
            state = state._replace(params=params, optimizer=optimizer)
        ends.append([float(jnp.mean(w == 0)) for w in program.network.weights(state.params)])
    assert ends[0] == pytest.approx([0.5, 0.5], abs=0.01)
    assert ends[1] == [0, 0]
    assert len(rows(wanted[0])) == 3


def test_what_is_propagated_back_is_the_slope_along_the_pre_activations() -> None:
    program = program_of("nothing")
    fixed, state = start(program)
    [slopes] = pre_activation_gradients(program.recipe, state.params, fixed)
    assert slopes.shape == (16, 8)
    # The bias is added to every example's pre-activation: its gradient is the mean of the slopes.
    gradients = gradient(program.recipe, state.params, fixed, fixed.data.x, fixed.data.y).gradients
    np.testing.assert_allclose(jnp.mean(slopes, axis=0), gradients["layers"][0]["bias"], atol=1e-6)


def start(program: Program) -> Any:
    cell = program.cells[0]
    inputs = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), program.inputs_of(cell, np.array([0]), np.array([3])))
    return program.start(program.variants[0], inputs)
