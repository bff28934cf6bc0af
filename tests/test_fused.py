"""A kernel that holds its lanes in registers trains what unrolled lanes train. (Pallas interprets it where there is no GPU.)"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from bench import run
from bench.engine import fused, pool, width
from bench.engine.program import programs
from bench.engine.unroll import operations, split
from bench.engine.width import Form
from bench.records import read_manifest, read_rows
from tests.conftest import Rows, experiment
from tests.test_promises import same_lanes

SETTINGS: dict[str, dict[str, Any]] = {
    "xor": {},
    "adam": {"optimizer": {"name": "adam", "learning_rate": 0.05}},
    "own data": {"task": "teacher_neuron", "model": {"name": "neuron", "activation": "tanh"}, "track": []},
    "float64": {"task": "regression", "model": "linear", "training": {"steps": 100, "dtype": "float64"}, "track": ["weight_norm"]},
}


@pytest.fixture(params=SETTINGS)
def setting(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"training": {"steps": 100, "solved_below": 0.1}, **SETTINGS[request.param]}


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of two warps; looks in short rounds; a log that a block's lanes do not fit into at once."""
    monkeypatch.setattr(width, "FUSED_WIDTH", 64)
    monkeypatch.setattr(pool, "LOG_LANES", 16)
    monkeypatch.setattr(pool, "MAX_LOOKS", {**pool.MAX_LOOKS, Form.FUSED: 24})


def fuse(monkeypatch: pytest.MonkeyPatch, yes: bool) -> None:
    monkeypatch.setattr(width, "fusible", lambda *_: yes)


def test_a_kernel_trains_as_unrolled_lanes_do(setting: dict[str, Any], narrow: None, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = experiment(**setting)
    [program] = programs(wanted.cells, wanted.probes, wanted.track)
    fuse(monkeypatch, True)
    assert width.form(program) is Form.FUSED
    kernel = rows(wanted)
    fuse(monkeypatch, False)
    unrolled = rows(wanted, "unrolled")
    pd.testing.assert_series_equal(kernel["outcome"], unrolled["outcome"])
    np.testing.assert_allclose(kernel["loss_final"], unrolled["loss_final"], rtol=1e-4, atol=1e-6)


def test_same_lane_same_bits_whatever_the_warp(setting: dict[str, Any], narrow: None, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    fuse(monkeypatch, True)
    many = rows(experiment(**setting, seeds={"init": 200}))
    same_lanes(rows(experiment(**setting, seeds={"init": 5}), "few"), many)
    monkeypatch.setattr(width, "FUSED_WIDTH", 128)
    same_lanes(rows(experiment(**setting, seeds={"init": 200}), "wide"), many)


def test_curves_are_those_of_unrolled_lanes(narrow: None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """More lanes are logged than a chunk of the log holds."""
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


def test_there_is_no_kernel_without_a_gpu_nor_for_what_triton_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = jnp.ones((16, 3))

    def possible(function: Any, *arguments: Any) -> bool:
        names = operations(function, arguments, 10**6)
        assert names is not None
        return fused.fusible(names, arguments)

    def total(x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.tanh(x))

    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert not possible(total, split(numbers))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert possible(total, split(numbers))
    assert not possible(lambda x: jnp.sum(jax.scipy.special.erf(x)), split(numbers))
    assert possible(total, split(jnp.ones((16, 8, 3)), wide=True))
    assert not possible(total, split(jnp.ones((16, 7, 3)), wide=True)), "examples that fill no power of two"
    assert not possible(lambda x: jnp.sum(jnp.prod(x, axis=0)), split(jnp.ones((16, 8, 3)), wide=True))
    assert not possible(total, split(jnp.ones((16, fused.MAX_VECTORS + 1))))
