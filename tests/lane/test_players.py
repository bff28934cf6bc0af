"""Two players: each moves down its own loss, and what a generator makes is measured."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bench.lane.grouping import programs
from bench.lane.program import Program
from bench.probes.generation import KEPT_POINTS, energy_distance, generated_points, modes_covered
from tests.conftest import Rows, experiment

GAN: dict[str, Any] = {
    "task": {"name": "ring", "n": 64, "n_test": 32},
    "model": {"name": "gan", "discriminator_widths": [8], "generator_widths": [6], "activation": "tanh"},
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
    "training": {"steps": 20},
    "probes": ["generator_loss", "modes_covered", "energy_distance", "weight_norm"],
    "track": [],
    "seeds": {"init": 4},
}


def start(program: Program) -> Any:
    inputs = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), program.inputs_of(program.cells[0], np.array([0]), np.array([3])))
    return program.start(program.variants[0], inputs)


def perceptron(layers: Any, x: Any) -> Any:
    """Two layers with tanh between them, written out."""
    hidden = jnp.tanh(x @ layers["layers"][0]["kernel"] + layers["layers"][0]["bias"])
    return hidden @ layers["layers"][1]["kernel"] + layers["layers"][1]["bias"]


def plain_losses(params: Any, x: Any) -> tuple[Any, Any]:
    real, fake = (perceptron(params["discriminator"], points)[:, 0] for points in (x[:, :2], perceptron(params["generator"], x[:, 2:])))
    return jnp.mean(jnp.log1p(jnp.exp(-real)) + jnp.log1p(jnp.exp(fake))), jnp.mean(jnp.log1p(jnp.exp(-fake)))


@pytest.mark.parametrize("updates", ["simultaneous", "alternating"])
def test_players_move_as_in_a_plain_loop(updates: str) -> None:
    wanted = experiment(**{**GAN, "optimizer": {"name": "adam", "learning_rate": 0.01}, "training": {"steps": 5, "updates": updates}})
    [program] = programs(wanted.cells, (), ())
    fixed, state = start(program)
    x = fixed.data.x
    optimizer = optax.adam(0.01)
    params: Any = state.params
    states = {player: optimizer.init(params[player]) for player in ("discriminator", "generator")}
    for _ in range(5):
        state, _ = program.advance(fixed, state)
        before = params
        for number, player in enumerate(states):
            at = before if updates == "simultaneous" else params
            gradient = jax.grad(lambda own, at=at, player=player, number=number: plain_losses({**at, player: own}, x)[number])(at[player])
            step, states[player] = optimizer.update(gradient, states[player])
            params = {**params, player: optax.apply_updates(params[player], step)}
    for found, expected in zip(jax.tree.leaves(state.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-6)


def test_the_two_kinds_of_updates_differ(rows: Rows) -> None:
    ends = [
        rows(experiment(**{**GAN, "training": {"steps": 20, "updates": updates}}), updates) for updates in ("simultaneous", "alternating")
    ]
    assert not set(ends[0]["params_digest"]) & set(ends[1]["params_digest"])


def test_players_that_are_zero_stay_in_an_equilibrium(rows: Rows) -> None:
    found = rows(experiment(**{**GAN, "initializer": "zeros"}))
    assert set(found["outcome"]) == {"stuck"}
    assert (found["grad_norm_initial"] == 0).all()
    np.testing.assert_allclose(found["loss_final"], 2 * math.log(2), rtol=1e-6)
    np.testing.assert_allclose(found["generator_loss_final"], math.log(2), rtol=1e-6)
    assert found["metric_final"].isna().all()


def test_a_minimax_generator_wants_what_the_discriminator_does_not() -> None:
    wanted = experiment(**{**GAN, "model": {**GAN["model"], "loss": "minimax"}})
    [program] = programs(wanted.cells, (), ())
    fixed, state = start(program)
    losses = program.network.trace(state.params, fixed.data.x)[0]
    fake = perceptron(state.params["discriminator"], perceptron(state.params["generator"], fixed.data.x[:, 2:]))[:, 0]
    np.testing.assert_allclose(losses[:, 1], -jnp.log1p(jnp.exp(fake)), rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"name": "mlp"}}, "several players"),
        ({"task": "xor"}, "several players"),
        ({"training": {"steps": 5, "weight_noise": 0.1}}, "noise"),
        ({"task": "xor", "model": "mlp", "training": {"updates": "alternating"}}, "one loss"),
        ({"optimizer": {"name": "lbfgs", "learning_rate": 0.1}}, "lbfgs.*one loss"),
        ({"optimizer": {"name": "contrib.sophia", "learning_rate": 0.1}}, "sophia.*key of its own"),
    ],
)
def test_what_does_not_go_together_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        programs(experiment(**{**GAN, **changes}).cells, (), ())


def test_a_mode_is_covered_by_a_quarter_of_its_points() -> None:
    centers = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    mode = np.arange(60) % 3
    noise = np.random.default_rng(0).normal(0, 0.1, (60, 2))
    real = jnp.asarray(centers[mode] + noise)
    for generated, covered in (
        (centers[mode], 3),
        (np.zeros((60, 2)), 1),
        (np.full((60, 2), 100.0), 0),
        (centers[np.array([1] * 5 + [0] * 55)], 2),
        (centers[np.array([1] * 4 + [0] * 56)], 1),
    ):
        assert float(modes_covered(jnp.asarray(generated), real, jnp.asarray(mode))) == pytest.approx(covered, abs=1e-5)


def test_the_first_generated_points_are_kept_coordinate_by_coordinate() -> None:
    made = jnp.arange(2.0 * KEPT_POINTS + 6).reshape(-1, 2)
    assert generated_points(made).tolist() == list(range(2 * KEPT_POINTS))


def test_the_energy_distance_is_that_of_scipy() -> None:
    from scipy.stats import energy_distance as root

    a, b = np.random.default_rng(0).normal(size=(2, 50))
    assert float(energy_distance(jnp.asarray(a)[:, None], jnp.asarray(b)[:, None])) == pytest.approx(root(a, b) ** 2, rel=1e-5)
    assert float(energy_distance(jnp.asarray(a)[:, None], jnp.asarray(a)[:, None])) == pytest.approx(0, abs=1e-6)
