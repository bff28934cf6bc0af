"""A kernel that holds its lanes in registers trains what unrolled lanes train. (Pallas interprets it where there is no GPU.)"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from bench import run
from bench.engine import curves as curve_buffer
from bench.engine.layouts import fused
from bench.engine.layouts.fused import Fused
from bench.engine.layouts.unrolled import operations, unrolled
from bench.engine.layouts.vectors import split
from bench.hardware import ACCELERATOR, CPU, Hardware
from bench.runs.manifest import read_manifest
from bench.runs.parquet import read_rows
from tests.conftest import Rows, experiment
from tests.engine.comparison import layout_of, same_lanes

MODERN = replace(ACCELERATOR, compiles_triton=True)
SETTINGS: dict[str, dict[str, Any]] = {
    "xor": {},
    "relu": {"model": {"name": "mlp", "widths": [3], "activation": "relu"}},
    "flags in the optimizer's state": {"optimizer": {"name": "optimistic_gradient_descent", "learning_rate": 0.05}},
    "adam": {"optimizer": {"name": "adam", "learning_rate": 0.05}},
    "own data": {"task": "teacher_neuron", "model": {"name": "neuron", "activation": "tanh"}, "track": []},
    "float64": {"task": "regression", "model": "linear", "training": {"steps": 100, "dtype": "float64"}, "track": ["weight_norm"]},
}


@pytest.fixture(params=SETTINGS)
def setting(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"training": {"steps": 100, "solved_below": 0.1}, **SETTINGS[request.param]}


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take blocks of two warps, short rounds, and a curve buffer that a block's lanes do not fit into at once."""
    monkeypatch.setattr(fused, "WIDTH", 64)
    monkeypatch.setattr(curve_buffer, "CHUNK_LANES", 16)
    monkeypatch.setattr(Fused, "checks_per_round", 24)


def fuse(monkeypatch: pytest.MonkeyPatch, yes: bool) -> None:
    monkeypatch.setattr(fused, "fusible", lambda *_: yes)


def test_a_kernel_trains_as_unrolled_lanes_do(setting: dict[str, Any], narrow: None, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = experiment(**setting)
    fuse(monkeypatch, True)
    assert layout_of(wanted) is Fused
    kernel = rows(wanted)
    fuse(monkeypatch, False)
    unrolled = rows(wanted, "unrolled")
    pd.testing.assert_series_equal(kernel["outcome"], unrolled["outcome"])
    np.testing.assert_allclose(kernel["loss_final"], unrolled["loss_final"], rtol=1e-4, atol=1e-6)


def test_same_lane_same_bits_whatever_the_warp(setting: dict[str, Any], narrow: None, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    fuse(monkeypatch, True)
    many = rows(experiment(**setting, seeds={"init": 200}))
    same_lanes(rows(experiment(**setting, seeds={"init": 5}), "few"), many)
    monkeypatch.setattr(fused, "WIDTH", 128)
    same_lanes(rows(experiment(**setting, seeds={"init": 200}), "wide"), many)


def test_curves_are_those_of_unrolled_lanes(narrow: None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """More lanes are logged than a chunk of the curve buffer holds."""
    wanted = experiment(seeds={"init": 100})

    def curves(name: str) -> pd.DataFrame:
        out = run(wanted, tmp_path / name)
        return read_rows(out, read_manifest(out), "curves").sort_values(["init_seed", "step"], ignore_index=True)

    fuse(monkeypatch, True)
    kernel = curves("kernel")
    fuse(monkeypatch, False)
    unrolled = curves("unrolled")
    assert kernel["init_seed"].nunique() == 64
    pd.testing.assert_frame_equal(kernel, unrolled, rtol=1e-3, atol=1e-5)


def test_there_is_no_kernel_without_triton_nor_for_operations_that_it_lacks() -> None:
    numbers = jnp.ones((16, 3))

    def possible(function: Any, *arguments: Any, hardware: Hardware = MODERN) -> bool:
        names = operations(function, arguments, 10**6)
        assert names is not None
        return fused.fusible(names, arguments, hardware)

    def total(x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.tanh(x))

    assert not possible(total, split(numbers), hardware=CPU)
    assert not possible(total, split(numbers), hardware=ACCELERATOR)
    assert possible(total, split(numbers))
    assert not possible(lambda x: jnp.sum(jax.scipy.special.erf(x)), split(numbers))
    assert possible(total, split(jnp.ones((16, 8, 3)), wide=True))
    assert not possible(total, split(jnp.ones((16, 7, 3)), wide=True)), "examples that fill no power of two"
    assert not possible(lambda x: jnp.sum(jnp.prod(x, axis=0)), split(jnp.ones((16, 8, 3)), wide=True))
    assert not possible(total, split(jnp.ones((16, fused.MAX_VECTORS + 1))))


def test_triton_has_all_operations_that_a_kernel_may_hold() -> None:
    rules = pytest.importorskip("jax._src.pallas.triton.lowering").triton_lowering_rules
    known = {primitive.name for primitive in rules}
    # Which of the two a hyperbolic tangent's slope is depends on the version of JAX.
    assert fused.OPERATIONS - known <= {"given", "one_minus_square"}


def test_a_kernel_keeps_nan() -> None:
    numbers = jnp.array([[jnp.nan, 1.0], [1.0, jnp.nan], [2.0, 1.0], [1.0, 2.0]])
    for function in (jnp.maximum, jnp.minimum):
        found = unrolled(lambda x, function=function: function(x[0], x[1]), jnp.ones(4), registers=True)(split(numbers))
        np.testing.assert_array_equal(found.vectors[0], function(*numbers.T))
