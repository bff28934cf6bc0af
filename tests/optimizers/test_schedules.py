"""Schedules of the learning rate: optax's own values at every step, from one program for all peaks."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bench.lane.grouping import programs
from bench.optimizers.schedules import JOIN, RESTARTS, checked, made, schedules, settled
from bench.spec.optimizer import OptimizerSpec
from tests.conftest import Rows, experiment

STEPS = 90
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "polynomial": ({"end_value": 0.02, "power": 2, "transition_steps": 60}, {"transition_begin": 0}),
    "linear": ({"transition_begin": 5}, {"end_value": 0.0, "transition_steps": STEPS}),
    "piecewise_constant": ({"boundaries_and_scales": {"40": 0.5, "20": 0.1}}, {"boundaries_and_scales": {40: 0.5, 20: 0.1}}),
    "piecewise_interpolate": (
        {"interpolate_type": "cosine", "boundaries_and_scales": {"40": 0.5, "70": 0.1}},
        {"boundaries_and_scales": {40: 0.5, 70: 0.1}},
    ),
    "exponential": ({"decay_rate": 0.01, "end_value": 0.05, "staircase": False}, {"transition_steps": STEPS}),
    "cosine": ({"alpha": 0.1}, {"decay_steps": STEPS}),
    "cosine_onecycle": ({"pct_start": 0.2, "div_factor": 5.0}, {"transition_steps": STEPS}),
    "linear_onecycle": ({}, {"transition_steps": STEPS}),
    "warmup_constant": ({"warmup_steps": 30}, {"init_value": 0.0}),
    "warmup_cosine": ({"warmup_steps": 30, "init_value": 0.01, "end_value": 0.03}, {"decay_steps": STEPS}),
    "warmup_exponential": ({"warmup_steps": 10, "decay_rate": 0.5, "staircase": True, "transition_steps": 20}, {"init_value": 0.0}),
}
"""Options of each schedule as a file gives them, and what stands in their place, or beside them, in a call of optax."""


def values(given: dict[str, Any], peak: float, steps: int = STEPS) -> np.ndarray:
    """The learning rate at the steps up to 120, with a traced peak."""
    whole = settled(checked(given, "learning_rate"), steps)
    return np.asarray(jax.jit(lambda peak: jax.vmap(made(whole, peak))(jnp.arange(120)))(peak))


@pytest.mark.parametrize("name", CASES)
def test_a_schedule_has_the_values_of_optax(name: str) -> None:
    given, called = CASES[name]
    full = checked({"schedule": name, **given}, "learning_rate")["schedule"]
    peaked = {"peak_value": 0.4} if "warmup" in name or "onecycle" in name else {"init_value": 0.4}
    theirs = schedules()[full](**{**given, **called, **peaked})
    found = values({"schedule": name, **given}, 0.4)
    np.testing.assert_allclose(found, [theirs(step) for step in range(120)], rtol=1e-5, atol=1e-8)
    assert len(set(found.tolist())) > 2
    np.testing.assert_array_equal(values({"schedule": full, **given}, 0.4), found)


def test_every_schedule_of_optax_with_a_peak_is_looked_at() -> None:
    looked_at = {checked({"schedule": name, **given}, "")["schedule"] for name, (given, _) in CASES.items()}
    assert looked_at == set(schedules()) - {JOIN, RESTARTS, "constant_schedule"}


def test_a_rate_is_constant_by_either_name_and_after_another_schedule() -> None:
    for name in ("constant", "constant_schedule"):
        np.testing.assert_array_equal(values({"schedule": name}, 0.25), np.full(120, 0.25))
    parts = [{"schedule": "linear", "transition_steps": 10}, {"schedule": "constant"}]
    found = values({"schedule": "join", "schedules": parts, "boundaries": [20]}, 0.25)
    theirs = optax.join_schedules([optax.linear_schedule(0.25, 0.0, 10), optax.constant_schedule(0.25)], [20])
    np.testing.assert_allclose(found, [theirs(step) for step in range(120)], rtol=1e-6)
    with pytest.raises(ValueError, match="unknown option 'value' of constant_schedule; it is called peak here"):
        checked({"schedule": "constant", "value": 0.1}, "learning_rate")


def test_restarts_are_those_of_optax_with_a_peak_for_each_cycle_or_one_for_all() -> None:
    cycles = [
        {"init_value": 0.0, "peak_value": 0.4, "warmup_steps": 5, "decay_steps": 30, "end_value": 0.01},
        {"init_value": 0.01, "peak_value": 0.2, "warmup_steps": 3, "decay_steps": 50, "exponent": 2.0},
    ]
    theirs = optax.sgdr_schedule(cycles)
    for peak in (0.3, 1.0):
        found = values({"schedule": "sgdr", "cosine_kwargs": cycles}, peak)
        np.testing.assert_allclose(found, [theirs(step) for step in range(120)], rtol=1e-5, atol=1e-8)
    common = [{key: value for key, value in cycle.items() if key != "peak_value"} for cycle in cycles]
    theirs = optax.sgdr_schedule([{**cycle, "peak_value": 0.3} for cycle in common])
    found = values({"schedule": "sgdr_schedule", "cosine_kwargs": common}, 0.3)
    np.testing.assert_allclose(found, [theirs(step) for step in range(120)], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "rate.cosine_kwargs = None: a list of schedules, each a table"),
        ({"cosine_kwargs": [{"warmup_steps": 2}]}, r"rate.cosine_kwargs\[0\].decay_steps = None: a whole number from 1"),
        ({"cosine_kwargs": [{"decay_steps": 9, "warmup_steps": 2, "peak_value": 0}]}, r"rate.schedules\[0\].peak = 0: a number > 0"),
        ({"cosine_kwarg": []}, "unknown option 'cosine_kwarg' of sgdr_schedule; did you mean 'cosine_kwargs'"),
    ],
)
def test_what_is_wrong_with_restarts_is_told(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked({"schedule": "sgdr", **options}, "rate")


def test_restarts_are_a_join() -> None:
    cycle = {"schedule": "warmup_cosine", "warmup_steps": 5, "decay_steps": 30}
    found = values({"schedule": "join", "schedules": [cycle, cycle, cycle], "boundaries": [30, 60]}, 0.3)
    theirs = optax.sgdr_schedule([{"init_value": 0.0, "peak_value": 0.3, "warmup_steps": 5, "decay_steps": 30}] * 3)
    np.testing.assert_allclose(found, [theirs(step) for step in range(120)], rtol=1e-5, atol=1e-8)


def test_schedules_are_joined() -> None:
    parts = [{"schedule": "warmup_constant", "warmup_steps": 10}, {"schedule": "cosine", "decay_steps": 40}]
    found = values({"schedule": "join", "schedules": parts, "boundaries": [20]}, 0.3)
    theirs = optax.join_schedules([optax.warmup_constant_schedule(0.0, 0.3, 10), optax.cosine_decay_schedule(0.3, 40)], [20])
    np.testing.assert_allclose(found, [theirs(step) for step in range(120)], rtol=1e-5, atol=1e-8)


WARMUP = {"schedule": "warmup_cosine", "peak": 0.5, "warmup_steps": 40}


def test_a_sweep_over_peaks_is_one_program_and_peaks_stand_in_the_rows(rows: Rows) -> None:
    peaks = [0.25, 0.5, "0.1/curvature"]
    wanted = experiment(
        optimizer={"learning_rate": WARMUP},
        grid={"optimizer.learning_rate.peak": peaks},
        training={"steps": 60},
        seeds={"init": 2},
    )
    assert len(programs(wanted.cells, (), ())) == 1
    found = rows(wanted).set_index("optimizer.learning_rate.peak")
    assert found["learning_rate"].tolist()[:4] == [0.25, 0.25, 0.5, 0.5]
    assert len(found["params_digest"].unique()) == 6 and set(found["outcome"]) == {"unsolved"}


def test_a_program_has_one_horizon() -> None:
    base = experiment(optimizer={"learning_rate": WARMUP}, grid={"training.steps": [100, 200]})
    assert len(programs(base.cells, (), ())) == 2
    given = experiment(optimizer={"learning_rate": {**WARMUP, "decay_steps": 80}}, grid={"training.steps": [100, 200]})
    assert len(programs(given.cells, (), ())) == 1


@pytest.mark.parametrize("changed", [{"learning_rate": WARMUP}, {"clip": 1.0}, {"learning_rates": {"*": 2.0}}, {"momentum": 0.9}])
def test_what_is_not_gradient_descent_is_none_to_a_law(changed: dict[str, Any]) -> None:
    assert OptimizerSpec(learning_rate=0.3).is_gradient_descent
    assert not OptimizerSpec.model_validate(changed).is_gradient_descent


def test_a_schedule_in_the_grid_has_a_label_and_one_identity() -> None:
    long = {"schedule": "warmup_cosine_decay_schedule", "peak": 0.5, "warmup_steps": 40}
    short, full = (experiment(grid={"optimizer.learning_rate": [0.5, one]}) for one in (WARMUP, long))
    assert short.axes["optimizer.learning_rate"] == [0.5, "warmup_cosine(peak=0.5, warmup_steps=40)"]
    assert [cell.id for cell in short.cells] == [cell.id for cell in full.cells]
    named = experiment(grid={"optimizer.learning_rate": [{"label": "cosine", "value": WARMUP}, {"label": "constant", "value": 0.5}]})
    assert named.axes["optimizer.learning_rate"] == ["cosine", "constant"]
    assert {cell.id for cell in named.cells} == {cell.id for cell in short.cells}
