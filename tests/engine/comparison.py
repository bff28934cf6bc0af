"""Comparisons that several tests of the engine share."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from bench.engine.layouts import lanes_last, unrolled
from bench.engine.layouts.choose import choose
from bench.engine.layouts.lanes_first import LanesFirst
from bench.hardware import hardware_here
from bench.lane.grouping import programs
from bench.spec import Experiment
from tests.conftest import Rows

LANES = 16
MOVES: dict[str, Callable[[jax.Array], jax.Array]] = {
    "transpose": lambda a: a.T @ a,
    "reshape": lambda a: a.reshape(2, 6).sum(axis=1),
    "stack and concatenate": lambda a: jnp.concatenate([jnp.stack([a[0], a[1]]), a], axis=0),
    "slice, flip and pad": lambda a: jnp.pad(a[::2, 1:], ((1, 0), (0, 2))),
    "iota and select": lambda a: jnp.where(jnp.arange(4) > 1, a, -a),
    "known zeros": lambda a: a @ jnp.zeros((4, 2)) + jnp.eye(3, 2),
    "integers": lambda a: (a > 0).astype(jnp.int32).sum(axis=0),
    "booleans": lambda a: jnp.all(a > -1, axis=1) | jnp.any(a > 1),
}  # fmt: skip
"""Functions of an array of shape (3, 4) that move its elements."""


def same_lanes(few: pd.DataFrame, many: pd.DataFrame) -> None:
    """Assert that every lane of `few` is in `many`, equal in every column to the last bit."""
    key = ["cell", "data_seed", "init_seed"]
    both = many.merge(few[key], on=key).sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(few.sort_values(key, ignore_index=True), both, check_exact=True)


def block(*shapes: tuple[int, ...]) -> list[jax.Array]:
    """Draw arrays of these shapes for `LANES` lanes."""
    return [jax.random.normal(jax.random.key(i), (LANES, *shape)) for i, shape in enumerate(shapes)]


def loss(w: jax.Array, v: jax.Array, x: jax.Array) -> jax.Array:
    """The loss of a network, with some operations that networks rarely have."""
    hidden = jnp.tanh(x @ w + 1)
    return jnp.mean(jnp.log1p(jnp.exp(hidden @ v)) ** 2) + jnp.max(jnp.abs(w)) - jnp.min(v)


def layout_of(wanted: Experiment) -> type:
    """Return the class of the layout of an experiment's one program."""
    [program] = programs(wanted.cells, wanted.probes, wanted.track)
    return type(choose(program, hardware_here()).layout)


def lanes_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every program of this test have the lanes in front from now on."""
    monkeypatch.setattr(unrolled, "MAX_OPERATIONS", -1)
    monkeypatch.setattr(unrolled, "MAX_OPERATIONS_OWN_DATA", -1)
    monkeypatch.setattr(lanes_last, "fits", lambda *_: False)


def train_as_the_reference(wanted: Experiment, layout: type, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in this layout and with the lanes first: same outcomes and, up to rounding that grows over the steps, the same losses."""
    assert layout_of(wanted) is layout
    fast = rows(wanted)
    lanes_in_front(monkeypatch)
    assert layout_of(wanted) is LanesFirst
    slow = rows(wanted, "slow")
    pd.testing.assert_series_equal(fast["outcome"], slow["outcome"])
    np.testing.assert_allclose(fast["loss_final"], slow["loss_final"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(fast["grad_norm_final"], slow["grad_norm_final"], rtol=1e-2, atol=1e-5)


def agrees_with_vmap(found: Any, function: Callable[..., Any], arrays: list[jax.Array]) -> None:
    """Assert that results of many lanes are those of `jax.vmap`, up to the order of sums."""
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(jax.vmap(function)(*arrays)), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)
