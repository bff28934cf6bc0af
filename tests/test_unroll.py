"""Lane-minor evaluation computes what `vmap` computes, for whatever a program is made of."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from bench.engine.layouts import choose as width
from bench.engine.layouts.unrolled import NotUnrollable, join, operations, split, unrolled
from bench.lane.program import Program, programs
from bench.models.activations import ACTIVATIONS
from bench.spec import Experiment
from tests.conftest import Rows, experiment


@pytest.fixture(autouse=True)
def unfused(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU as well."""
    monkeypatch.setattr(width, "fusible", lambda *_: False)


LANES = 16
ONE = jnp.ones(LANES)


def block(*shapes: tuple[int, ...]) -> list[jax.Array]:
    return [jax.random.normal(jax.random.key(i), (LANES, *shape)) for i, shape in enumerate(shapes)]


def agree(function: Any, arrays: list[jax.Array], wide: tuple[int, ...] = ()) -> None:
    """Unrolled, and with the first axis of the `wide` arguments kept together, the function gives what `vmap` gives."""
    given = [split(array, wide=i in wide) for i, array in enumerate(arrays)]
    found = join(unrolled(function, ONE)(*given))
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(jax.vmap(function)(*arrays)), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


def loss(w: jax.Array, v: jax.Array, x: jax.Array) -> jax.Array:
    hidden = jnp.tanh(x @ w + 1)
    return jnp.mean(jnp.log1p(jnp.exp(hidden @ v)) ** 2) + jnp.max(jnp.abs(w)) - jnp.min(v)


@pytest.mark.parametrize("wide", [(), (2,)])
def test_a_network_s_gradient_is_vmap_s(wide: tuple[int, ...]) -> None:
    agree(jax.value_and_grad(loss, argnums=(0, 1)), block((3, 4), (4, 2), (7, 3)), wide)


MOVES = {
    "transpose": lambda a: a.T @ a,
    "reshape": lambda a: a.reshape(2, 6).sum(axis=1),
    "stack and concatenate": lambda a: jnp.concatenate([jnp.stack([a[0], a[1]]), a], axis=0),
    "slice, flip and pad": lambda a: jnp.pad(a[::2, 1:], ((1, 0), (0, 2))),
    "iota and select": lambda a: jnp.where(jnp.arange(4) > 1, a, -a),
    "known zeros": lambda a: a @ jnp.zeros((4, 2)) + jnp.eye(3, 2),
    "integers": lambda a: (a > 0).astype(jnp.int32).sum(axis=0),
    "booleans": lambda a: jnp.all(a > -1, axis=1) | jnp.any(a > 1),
}  # fmt: skip


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
    with pytest.raises(NotUnrollable):
        unrolled(function, ONE)(*arguments)


def test_operations_are_counted_once_and_up_to_a_limit() -> None:
    arguments = (split(block((2,))[0]),)
    # Two given, two sines; the second expression is the first one.
    assert operations(lambda x: (jnp.sin(x), jnp.sin(x)), arguments, 10) == {"given": 2, "sin": 2}
    assert operations(lambda x: (jnp.sin(x), jnp.sin(x)), arguments, 2) is None


def test_keeping_a_value_changes_no_bit() -> None:
    """A loss that is looked at many times, with `one` known to be one and not known."""

    def repeated(w: jax.Array, x: jax.Array) -> list[jax.Array]:
        z = jnp.sum(w * x) * jnp.sum(w - x) + jnp.sum(w * w * x)
        return [z * i for i in range(1, 30)]

    arguments = [split(array) for array in block((5,), (5,))]
    plain = jax.jit(lambda: unrolled(repeated, ONE)(*arguments))()
    opaque = jax.jit(lambda one: unrolled(repeated, one)(*arguments))(ONE)
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(opaque), strict=True):
        np.testing.assert_array_equal(a, b)


def reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, lanes stand in front."""
    monkeypatch.setattr(width, "MAX_OPERATIONS", -1)
    monkeypatch.setattr(width, "MAX_OPERATIONS_OWN_DATA", -1)
    monkeypatch.setattr(width, "fits", lambda *_: False)


SETTINGS: dict[str, dict[str, Any]] = {
    **{name: {"model": {"name": "mlp", "widths": [3], "activation": name}} for name in ACTIVATIONS},
    "adam": {"optimizer": {"name": "adam", "learning_rate": 0.05}},
    "momentum": {"optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9}},
    "own data": {"task": "teacher_neuron", "model": {"name": "neuron", "activation": "tanh"}, "track": []},
    "float64": {"task": "regression", "model": "linear", "training": {"steps": 100, "dtype": "float64"}, "track": ["weight_norm"]},
}


def train_as_the_reference(wanted: Experiment, form: width.Form, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this form and with the lanes first: same outcomes and, up to rounding that grows over the steps, the same losses."""

    def found() -> width.Form:
        [program] = programs(wanted.cells, wanted.probes, wanted.track)
        return width.form(program)

    assert found() is form
    fast = rows(wanted)
    reference(monkeypatch)
    assert found() is width.Form.LANES_FIRST
    slow = rows(wanted, "slow")
    pd.testing.assert_series_equal(fast["outcome"], slow["outcome"])
    np.testing.assert_allclose(fast["loss_final"], slow["loss_final"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(fast["grad_norm_final"], slow["grad_norm_final"], rtol=1e-2, atol=1e-5)


@pytest.mark.parametrize("setting", SETTINGS)
def test_an_unrolled_program_trains_as_the_reference_does(setting: str, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = experiment(**{"training": {"steps": 100}, **SETTINGS[setting]})
    train_as_the_reference(wanted, width.Form.UNROLLED, rows, monkeypatch)


def test_large_networks_and_minibatches_are_not_unrolled() -> None:
    def chosen(**changes: Any) -> bool:
        wanted = experiment(track=[], **changes)
        [program] = programs(wanted.cells, wanted.probes, wanted.track)
        return width.form(program) is width.Form.UNROLLED

    assert chosen()
    assert not chosen(model={"name": "mlp", "widths": [64, 64]})
    assert not chosen(task={"name": "digits", "n_train": 100})
    assert not chosen(task="blobs", training={"steps": 10, "batch_size": 32})


@pytest.mark.parametrize("init", [1, 9])
def test_lanes_that_share_their_data_train_as_lanes_with_their_own(init: int, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crossed seeds and large data: a block holds one data set. With more data seeds than there is room for at once."""
    wanted = experiment(
        task={"name": "digits", "n_train": 100},
        model={"name": "mlp", "widths": [5]},
        training={"steps": 8},
        seeds={"init": init, "data": 7},
    )
    monkeypatch.setattr("bench.engine.pool.block_count", lambda program, width: 2)
    [program] = programs(wanted.cells, wanted.probes, wanted.track, own_data=False)
    assert program.sharing == "some"
    shared = rows(wanted)
    monkeypatch.setattr(Program, "sharing", "none")
    alone = rows(wanted, "alone")
    assert len(shared) == 7 * init == shared["loss_initial"].nunique()
    np.testing.assert_allclose(shared["loss_final"], alone["loss_final"], rtol=1e-4)
    np.testing.assert_allclose(shared["test_loss_final"], alone["test_loss_final"], rtol=1e-4)
