"""The unrolled layout computes what `vmap` computes, for all operations of a program."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.engine.layouts import fused
from bench.engine.layouts.unrolled import Unrolled, operations, unrolled
from bench.engine.layouts.vectors import join, split
from bench.engine.layouts.walker import Unsupported
from bench.models.activations import ACTIVATIONS
from tests.conftest import Rows, experiment
from tests.engine.comparison import LANES, MOVES, agrees_with_vmap, block, layout_of, loss, train_as_the_reference

ONE = jnp.ones(LANES)


@pytest.fixture(autouse=True)
def unfused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs be unrolled on a GPU as well."""
    monkeypatch.setattr(fused, "fusible", lambda *_: False)


def agree(function: Any, arrays: list[jax.Array], wide: tuple[int, ...] = ()) -> None:
    """Assert that the unrolled function, which keeps the first axis of the `wide` arguments together, gives what `vmap` gives."""
    given = [split(array, wide=i in wide) for i, array in enumerate(arrays)]
    agrees_with_vmap(join(unrolled(function, ONE)(*given)), function, arrays)


@pytest.mark.parametrize("wide", [(), (2,)])
def test_a_network_s_gradient_is_vmap_s(wide: tuple[int, ...]) -> None:
    agree(jax.value_and_grad(loss, argnums=(0, 1)), block((3, 4), (4, 2), (7, 3)), wide)


@pytest.mark.parametrize("name", MOVES)
def test_every_way_of_moving_elements(name: str) -> None:
    agree(MOVES[name], block((3, 4)))


WIDE_MOVES = {
    "sum over examples": lambda x: x.sum(axis=0),
    "largest example": lambda x: x.max(axis=0),
    "Gram matrix": lambda x: x.T @ x,
    "number of examples": lambda x: (x * 0 + 1).sum(),
    "centered": lambda x: ((x - x.mean(axis=0)) ** 2).sum(),
    "weighted by place": lambda x: (x * jnp.arange(7)[:, None]).sum(axis=0),
    "columns side by side": lambda x: jnp.concatenate([x, 2 * x[:, :1]], axis=1).sum(axis=0),
    "transposed": lambda x: (x.T * 2).sum(axis=1),
    "one output": lambda x: x[:, :1].reshape(7).sum(),
}  # fmt: skip


@pytest.mark.parametrize("name", WIDE_MOVES)
def test_examples_that_stay_together(name: str) -> None:
    agree(WIDE_MOVES[name], block((7, 3)), wide=(0,))


@pytest.mark.parametrize(
    "function",
    [lambda x: jnp.sort(x), lambda x: jax.lax.fori_loop(0, 3, lambda _, y: y * x, x), lambda x: x @ x.T],
)
def test_what_cannot_be_unrolled_says_so(function: Any) -> None:
    arguments = (split(block((7, 3))[0], wide=True),)
    assert operations(function, arguments, 10**6) is None
    with pytest.raises(Unsupported):
        unrolled(function, ONE)(*arguments)


def test_operations_are_counted_once_and_up_to_a_limit() -> None:
    arguments = (split(block((2,))[0]),)
    # Two given, two sines; the second expression is the first one.
    assert operations(lambda x: (jnp.sin(x), jnp.sin(x)), arguments, 10) == {"given": 2, "sin": 2}
    assert operations(lambda x: (jnp.sin(x), jnp.sin(x)), arguments, 2) is None


def test_storing_a_value_changes_no_bit() -> None:
    """A loss that is used many times, with `one` known to be one and not known."""

    def repeated(w: jax.Array, x: jax.Array) -> list[jax.Array]:
        z = jnp.sum(w * x) * jnp.sum(w - x) + jnp.sum(w * w * x)
        return [z * i for i in range(1, 30)]

    arguments = [split(array) for array in block((5,), (5,))]
    plain = jax.jit(lambda: unrolled(repeated, ONE)(*arguments))()
    opaque = jax.jit(lambda one: unrolled(repeated, one)(*arguments))(ONE)
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(opaque), strict=True):
        np.testing.assert_array_equal(a, b)


SETTINGS: dict[str, dict[str, Any]] = {
    **{name: {"model": {"name": "mlp", "widths": [3], "activation": name}} for name in ACTIVATIONS},
    # From step 40 on the training is unstable, and rounding grows to 1e-2 by step 60.
    "relu_squared": {"model": {"name": "mlp", "widths": [3], "activation": "relu_squared"}, "training": {"steps": 20}},
    "adam": {"optimizer": {"name": "adam", "learning_rate": 0.05}},
    "momentum": {"optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9}},
    "own data": {"task": "teacher_neuron", "model": {"name": "neuron", "activation": "tanh"}, "track": []},
    "float64": {"task": "regression", "model": "linear", "training": {"steps": 100, "dtype": "float64"}, "track": ["weight_norm"]},
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_an_unrolled_program_trains_as_the_reference_does(setting: str, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = experiment(**{"training": {"steps": 100}, **SETTINGS[setting]})
    train_as_the_reference(wanted, Unrolled, rows, monkeypatch)


def test_large_networks_and_minibatches_are_not_unrolled() -> None:
    def chosen(**changes: Any) -> bool:
        return layout_of(experiment(track=[], **changes)) is Unrolled

    assert chosen()
    assert not chosen(model={"name": "mlp", "widths": [64, 64]})
    assert not chosen(task={"name": "digits", "n_train": 100})
    assert not chosen(task="blobs", training={"steps": 10, "batch_size": 32})
