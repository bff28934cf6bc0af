"""The layout with the lanes behind all other axes computes what `vmap` computes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.engine.layouts.lanes_first import LanesFirst
from bench.engine.layouts.lanes_last import LanesLast, fits, lanes_last, to_back, to_front
from bench.engine.layouts.rules_lanes_last import MAX_SUMMED
from bench.spec import Experiment
from tests.conftest import Rows, experiment
from tests.engine.comparison import MOVES, agrees_with_vmap, block, layout_of, loss, train_as_the_reference

ONES = (jnp.ones(()), jnp.ones(()))
FURTHER = {
    "products of a batch": lambda a: jax.vmap(lambda row: jnp.outer(row, row) @ a.T)(a),
    "two axes summed": lambda a: jnp.einsum("ij,ijk->k", a, jnp.ones((3, 4, 2)) * a[:, :, None]),
    "a constant on the left": lambda a: jnp.arange(6.0).reshape(2, 3) @ a,
    "a result that is the same for all": lambda a: (jnp.arange(3.0), a[0]),
}  # fmt: skip


def agree(function: Any, arrays: list[jax.Array]) -> None:
    found = to_front(lanes_last(function, ONES)(*to_back(arrays)))
    assert fits(function, [jax.ShapeDtypeStruct(array.shape[1:], array.dtype) for array in arrays])
    agrees_with_vmap(found, function, arrays)


def test_a_network_s_gradient_is_vmap_s() -> None:
    agree(jax.value_and_grad(loss, argnums=(0, 1)), block((3, 4), (4, 2), (7, 3)))


@pytest.mark.parametrize("name", [*MOVES, *FURTHER])
def test_every_way_of_moving_elements(name: str) -> None:
    agree({**MOVES, **FURTHER}[name], block((3, 4)))


def test_storing_a_value_changes_no_bit() -> None:
    """With ones that are known to be one, and not known."""
    arrays = to_back(block((3, 4), (4, 2), (7, 3)))
    plain = jax.jit(lambda: lanes_last(jax.grad(loss), ONES)(*arrays))()
    opaque = jax.jit(lambda *ones: lanes_last(jax.grad(loss), ones)(*arrays))(*ONES)
    np.testing.assert_array_equal(plain, opaque)


@pytest.mark.parametrize(
    "function", [jnp.sort, lambda x: jax.lax.fori_loop(0, 3, lambda _, y: y * x, x), lambda x: jnp.tile(x, 20) @ jnp.tile(x, 20)]
)
def test_what_does_not_fit(function: Any) -> None:
    assert not fits(function, [jax.ShapeDtypeStruct((MAX_SUMMED // 16,), jnp.float32)])


def small(**changes: Any) -> Experiment:
    """Return an experiment with a network on data of its own that is too large to be unrolled."""
    wanted = {"task": {"name": "blobs", "n": 24}, "model": {"name": "mlp", "widths": [6, 5]}, "training": {"steps": 60}, "track": []}
    return experiment(**{**wanted, **changes})


SETTINGS: dict[str, dict[str, Any]] = {
    "momentum, penalty": {"optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9}, "training": {"steps": 60, "l2": 0.01}},
    "relu, Adam": {"model": {"name": "mlp", "widths": [6], "activation": "relu"}, "optimizer": {"name": "adam", "learning_rate": 0.02}},
    "identity, float64": {"model": {"name": "mlp", "widths": [6], "activation": "identity"}, "training": {"steps": 60, "dtype": "float64"}},
    "no data of its own": {"task": "xor", "model": {"name": "mlp", "widths": [32, 4]}, "training": {"steps": 10}},
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_program_trains_as_the_reference_does(setting: str, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    train_as_the_reference(small(**SETTINGS[setting]), LanesLast, rows, monkeypatch)


@pytest.mark.parametrize(
    "changes",
    [
        {"track": ["tie_spread"]},
        {"task": {"name": "blobs", "n": 40}},
        {"training": {"steps": 60, "batch_size": 8}},
        {"training": {"steps": 60, "label_noise": 0.1}},
        {"model": {"name": "mlp", "widths": [6, 5], "dropout": 0.2}},
    ],
)
def test_other_programs_keep_the_lanes_in_front(changes: dict[str, Any]) -> None:
    assert layout_of(small(**changes)) is LanesFirst
