"""Low-rank adaptation against the perceptron of its effective weights."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from bench.lane.network import Network, dotted
from bench.spec import ModelSpec
from tests.conftest import Rows, experiment
from tests.models.sequences import normal, random_params


def test_lora_is_the_perceptron_of_its_effective_weights() -> None:
    net, mlp = (
        Network(ModelSpec.model_validate({"name": name, "widths": [6, 4], "activation": "relu", **options}), 5, 3)
        for name, options in (("lora", {"rank": 2, "scale": 0.5}), ("mlp", {}))
    )
    assert [dotted(path) for path in net.matching("layers.*.up")] == [f"layers.{layer}.up.kernel" for layer in range(3)]
    params = random_params(net)
    kernels = {
        index: {
            "kernel": layer["base"]["kernel"] + 0.5 * layer["down"]["kernel"] @ layer["up"]["kernel"],
            "bias": layer["base"]["bias"],
        }
        for index, layer in params["layers"].items()
    }
    x = jnp.asarray(normal(4, 5))
    np.testing.assert_allclose(net.trace(params, x)[0], mlp.trace({"layers": kernels}, x)[0], rtol=1e-4, atol=1e-5)
    for found, wanted in zip(net.units(params), mlp.units({"layers": kernels}), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_lora_begins_at_its_base_and_trains_beside_it(rows: Rows) -> None:
    settings: dict[str, Any] = {
        "task": {"name": "blobs", "n": 32},
        "model": {"name": "lora", "widths": [8], "rank": 2},
        "training": {"steps": 200, "frozen": ["layers.*.base"]},
        "grid": {
            "initializer": [
                {"name": "he_normal", "layers": {name: "zeros" for name in zeros}} for zeros in (["*.up"], ["*.down"], ["*.up", "*.down"])
            ]
        },
        "seeds": {"init": 8},
        "track": [],
    }
    found = rows(experiment(**settings))
    plain = {index: part for index, (_, part) in enumerate(found.groupby("initializer", sort=False))}
    np.testing.assert_array_equal(plain[0]["loss_initial"], plain[2]["loss_initial"])
    assert (plain[0]["loss_final"] < 0.5 * plain[0]["loss_initial"]).all()
    assert (plain[1]["loss_final"] < 0.5 * plain[1]["loss_initial"]).all()
    assert (plain[2]["outcome"] == "stuck").all() and (plain[2]["loss_final"] == plain[2]["loss_initial"]).all()


def test_frozen_bases_of_low_rank_adapters_stay_as_they_are_drawn(rows: Rows) -> None:
    settings: dict[str, Any] = {"task": {"name": "blobs", "n": 24}, "seeds": {"init": 4}, "track": [], "training": {"steps": 50}}
    both_zero = {"name": "he_normal", "zero_layers": ["*.up", "*.down"]}
    stuck = rows(experiment(**settings, model="lora", initializer=both_zero), "frozen")
    moving = rows(experiment(**settings, model={"name": "lora", "train_base": True}, initializer=both_zero), "trained")
    assert (stuck["outcome"] == "stuck").all() and (stuck["loss_final"] == stuck["loss_initial"]).all()
    assert (moving["loss_final"] < moving["loss_initial"]).all()
    twice = {**settings, "training": {"steps": 50, "frozen": ["layers.*.base"]}}
    assert (rows(experiment(**twice, model="lora", initializer=both_zero), "twice")["params_digest"] == stuck["params_digest"]).all()
