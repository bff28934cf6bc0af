"""Models with batch normalization and dropout keep the engine's promises, and train as a plain loop does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from flax import nnx

from bench import Experiment
from bench.lane.grouping import programs
from bench.lane.state import leaves
from bench.registry import importing
from bench.runs.manifest import read_manifest
from bench.runs.replay import train_again
from tests.conftest import Rows, experiment
from tests.engine.comparison import same_lanes
from tests.own.layers import BatchNormed

LAYERS = "tests.own.layers"
SETTINGS: dict[str, dict[str, Any]] = {
    "BatchNormed": {"training": {"steps": 40}},
    "Both": {"training": {"steps": 12, "batch_size": 8}},
}
"""A full batch with batch normalization, and minibatches with dropout as well."""
PLAIN: dict[str, Any] = {
    "task": {"name": "blobs", "n": 24},
    "model": f"{LAYERS}:BatchNormed",
    "optimizer": {"name": "sgd", "learning_rate": 0.5},
    "training": {"steps": 4, "solved_below": 1e-9},
    "track": [],
}
"""One training run with batch normalization."""


@pytest.fixture(autouse=True)
def imported() -> Iterator[None]:
    with importing():
        yield


@pytest.mark.parametrize("name", SETTINGS)
def test_same_lane_same_bits(name: str, tmp_path: Path, rows: Rows) -> None:
    """Whatever the number of seeds, the order of the cells and the number of devices, after a resume, and in a replay."""

    def wanted(seeds: int, *starts: str) -> Experiment:
        settings = {**SETTINGS[name], "task": {"name": "blobs", "n": 24}, "track": [], "seeds": {"init": seeds}}
        return experiment(**settings, model=f"{LAYERS}:{name}", grid={"initializer": list(starts)})

    many = rows(wanted(60, "he_normal", "zeros"), "many")
    assert many["loss_final"].notna().all() and many["params_digest"].nunique() > 60
    one = jax.devices()[:1]
    same_lanes(rows(wanted(20, "zeros", "he_normal"), "few", devices=one), many)
    same_lanes(many, rows(wanted(60, "zeros", "he_normal"), "few", devices=one))
    width = read_manifest(tmp_path / "many" / "xor-test").block_width
    again = train_again(wanted(60, "he_normal", "zeros"), many.iloc[[7]], width).rows.iloc[0]
    assert all(pd.isna(many.at[7, column]) if pd.isna(again[column]) else again[column] == many.at[7, column] for column in many)


def test_batch_normalization_trains_as_in_a_plain_loop() -> None:
    """The loss at every check, and the test loss at the end, as flax and optax alone compute them."""
    [program] = programs(experiment(**PLAIN).cells, (), ())
    inputs = jax.tree.map(lambda leaf: leaf[0], program.inputs_of(program.cells[0], np.array([0]), np.array([0])))
    fixed, state = jax.jit(lambda inputs: program.start(program.variants[0], inputs))(inputs)
    data = fixed.data
    model = BatchNormed(2, 4, rngs=nnx.Rngs(0))
    for path, value in leaves(state.params):
        getattr(getattr(model, path[0]), path[1]).set_value(value)
    optimizer = nnx.Optimizer(model, optax.sgd(0.5), wrt=nnx.Param)
    advance = jax.jit(lambda fixed, state: program.advance(fixed, state, lambda value: value))

    def loss(model: BatchNormed, x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(model(x), y))

    for _ in range(PLAIN["training"]["steps"]):
        before = np.asarray(model.norm.mean.get_value())
        model.eval()
        measured = loss(model, data.x, data.y)
        model.train()
        trained, gradient = nnx.value_and_grad(loss)(model, data.x, data.y)
        optimizer.update(model, gradient)
        state, seen = advance(fixed, state)
        np.testing.assert_allclose(seen["loss"], measured, rtol=1e-5)
        np.testing.assert_allclose(state.params["norm"]["var"], model.norm.var.get_value(), rtol=1e-5)
        # What could be taken for them is far away: the loss with the batch's own statistics, and averages that stay.
        assert abs(trained / measured - 1) > 0.01 and np.all(np.abs(state.params["norm"]["mean"] - before) > 1e-4)
    model.eval()
    np.testing.assert_allclose(program.measure(fixed, state)["test_loss"], loss(model, data.test_x, data.test_y), rtol=1e-5)
