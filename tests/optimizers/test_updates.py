"""Clipping, decay exceptions, rates per parameter and optimizers of other kinds: as in a plain loop with optax."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from bench.lane.grouping import programs
from bench.lane.measure import measure
from bench.optimizers import optimizers
from bench.optimizers.clipping import clippings
from bench.optimizers.schedules import Options
from tests.conftest import Rows, experiment

STEPS = 12
BASE: dict[str, Any] = {"training": {"steps": 100, "dtype": "float64"}, "track": [], "probes": []}
WARMUP: Options = {"schedule": "warmup_cosine", "peak": 0.05, "warmup_steps": 4, "decay_steps": 10}


def perceptron_loss(params: Any, x: Any, y: Any) -> Any:
    """The cross-entropy of a network with one hidden layer, written out."""
    first, last = params["layers"][0], params["layers"][1]
    outputs = (jnp.tanh(x @ first["kernel"] + first["bias"]) @ last["kernel"] + last["bias"])[:, 0]
    return jnp.mean(jnp.logaddexp(0.0, outputs) - y[:, 0] * outputs)


def losses(settings: dict[str, Any], theirs: optax.GradientTransformation, after: Any, shown: Any) -> tuple[list[float], list[float]]:
    """The loss at each check of a training run, and of a plain loop with an optimizer of optax on the same start and data.

    `after` changes the plain loop's updates; `shown` gives the parameters at which its loss is measured.
    """
    wanted = experiment(**{**BASE, "optimizer": settings})
    [program] = programs(wanted.cells, (), ())
    with jax.enable_x64(True):
        inputs = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), program.inputs_of(program.cells[0], np.array([0]), np.array([3])))
        fixed, state = jax.jit(lambda inputs: program.start(program.variants[0], inputs))(inputs)
        params, memory = state.params, theirs.init(state.params)
        advance = jax.jit(lambda state: program.advance_alone(fixed, state)[0])
        x, y = jnp.asarray(fixed.data.x), jnp.asarray(fixed.data.y)

        @jax.jit
        def plain(params: Any, memory: Any) -> Any:
            value, gradients = jax.value_and_grad(perceptron_loss)(params, x, y)
            updates, memory = theirs.update(gradients, memory, params)
            return optax.apply_updates(params, after(updates)), memory, perceptron_loss(shown(memory, params), x, y)

        ours, others, before = [], [], memory
        for _ in range(STEPS):
            state = advance(state)
            ours.append(float(state.loss))
            others.append(float(perceptron_loss(shown(before, params), x, y)))
            params, memory, _ = plain(params, before)
            before = memory
        metric = measure(program.recipe, {}, fixed, state)["metric"]
    assert np.isfinite(float(metric))
    return ours, others


def unchanged(updates: Any) -> Any:
    return updates


def trained_ones(memory: Any, params: Any) -> Any:
    return params


def by_layer(updates: Any) -> Any:
    first, last = updates["layers"][0], updates["layers"][1]
    return {
        "layers": {
            0: {"bias": 3.0 * first["bias"], "kernel": first["kernel"]},
            1: {"bias": 1.5 * last["bias"], "kernel": 0.5 * last["kernel"]},
        }
    }


WEIGHTS = {"layers": {0: {"bias": False, "kernel": True}, 1: {"bias": False, "kernel": True}}}
CASES: dict[str, tuple[dict[str, Any], optax.GradientTransformation, Any, Any]] = {
    "everything": (
        {
            "name": "adamw",
            "learning_rate": WARMUP,
            "weight_decay": 0.3,
            "clip_by_global_norm": 0.01,
            "weight_decay_exclude": ["*.bias"],
            "learning_rates": {"layers.1": 0.5, "*.bias": 3.0},
        },
        optax.chain(
            optax.clip_by_global_norm(0.01),
            optax.adamw(optax.warmup_cosine_decay_schedule(0.0, 0.05, 4, 10), weight_decay=0.3, mask=WEIGHTS),
        ),
        by_layer,
        trained_ones,
    ),
    "rates of sgd": (
        {"name": "sgd", "learning_rate": 0.5, "momentum": 0.9, "clip": 0.02, "learning_rates": {"layers.1": 0.5, "*.bias": 3.0}},
        optax.chain(optax.clip(0.02), optax.sgd(0.5, momentum=0.9)),
        by_layer,
        trained_ones,
    ),
    "lion": ({"name": "lion", "learning_rate": 0.01}, optax.lion(0.01), unchanged, trained_ones),
    "muon": (
        {"name": "contrib.muon", "learning_rate": 0.02, "weight_decay": 0.1, "weight_decay_exclude": ["layers.0"]},
        optax.contrib.muon(
            0.02,
            weight_decay=0.1,
            weight_decay_mask={"layers": {0: {"bias": False, "kernel": False}, 1: {"bias": True, "kernel": True}}},
        ),
        unchanged,
        trained_ones,
    ),
    "schedule-free": (
        {"name": "contrib.schedule_free_adamw", "learning_rate": 0.05},
        optax.contrib.schedule_free_adamw(0.05),
        unchanged,
        optax.contrib.schedule_free_eval_params,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_updates_are_those_of_optax(name: str) -> None:
    ours, theirs = losses(*CASES[name])
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert abs(ours[-1] - ours[0]) > 1e-3


def test_what_the_loops_compare_would_be_seen_to_differ() -> None:
    settings, optimizer, _, _ = CASES["rates of sgd"]
    ours, theirs = losses(settings, optimizer, unchanged, trained_ones)
    assert abs(ours[-1] / theirs[-1] - 1) > 1e-4


def test_each_player_has_its_own_names() -> None:
    gan = {"name": "gan", "discriminator_widths": [3], "generator_widths": [3]}
    changes = {"task": {"name": "ring", "n": 8, "n_test": 4}, "model": gan, "track": [], "training": {"steps": 5}}
    still = {"learning_rate": 0.1, "learning_rates": {"generator": 0.0}, "clip_by_global_norm": 1.0}
    [program] = programs(experiment(**changes, optimizer=still).cells, (), ())
    inputs = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), program.inputs_of(program.cells[0], np.array([0]), np.array([3])))
    fixed, state = jax.jit(lambda inputs: program.start(program.variants[0], inputs))(inputs)
    new = jax.jit(lambda state: program.advance_alone(fixed, state)[0])(state)
    moved = {player: float(optax.tree.norm(jax.tree.map(jnp.subtract, new.params[player], state.params[player]))) for player in new.params}
    assert moved["generator"] == 0 < moved["discriminator"]


@pytest.mark.filterwarnings("ignore::UserWarning:optax", "ignore:.*deprecated:DeprecationWarning", "ignore:Specifying a key")
def test_every_optimizer_takes_a_schedule_and_clipping_and_can_make_an_update() -> None:
    refused = {"noisy_sgd", "contrib.sophia"}
    assert set(clippings()) == {"adaptive_grad_clip", "clip", "clip_by_block_rms", "clip_by_global_norm"}
    for name in sorted(set(optimizers()) - refused):
        optimizer = {"name": name, "learning_rate": WARMUP, **dict.fromkeys(clippings(), 1.0)}
        assert programs(experiment(optimizer=optimizer, training={"steps": 20, "dtype": "float64"}).cells, (), ())


def test_mup_and_its_rates_make_the_first_steps_independent_of_the_width(rows: Rows) -> None:
    """With the rates of one width for all, Adam's first steps blow a wide network up."""

    def loss(width: int, roles: bool) -> float:
        factor = 32 / width
        wanted = experiment(
            task={"name": "regression", "column_scales": [1.0] * 8},
            model={"name": "mlp", "widths": [width, width], "activation": "relu"},
            initializer={"name": "lecun_normal", **({"scheme": {"name": "mup", "base_width": 32}} if roles else {})},
            optimizer={
                "name": "adam",
                "learning_rate": 0.1,
                **({"learning_rates": {"layers.1.kernel": factor, "layers.2.kernel": factor}} if roles else {}),
            },
            training={"steps": 4},
        )
        return float(rows(wanted, f"{width}-{roles}")["loss_final"].median())

    assert loss(128, True) < 1.5 * loss(32, True)
    assert loss(128, False) > 5 * loss(32, False)
