"""A kernel that holds its lanes in registers trains what unrolled lanes train. (Pallas interprets it where there is no GPU.)"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from bench import hardware as devices
from bench import run
from bench.engine import curves as log
from bench.engine import pool
from bench.engine.layouts import choose as width
from bench.engine.layouts import fused
from bench.engine.layouts.choose import Form
from bench.engine.layouts.unrolled import operations, split, unrolled
from bench.lane.program import programs
from bench.runs.manifest import read_manifest
from bench.runs.parts import read_rows
from tests.conftest import Rows, experiment
from tests.test_promises import same_lanes

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
    """Blocks of two warps; looks in short rounds; a log that a block's lanes do not fit into at once."""
    monkeypatch.setattr(width, "FUSED_WIDTH", 64)
    monkeypatch.setattr(log, "LOG_LANES", 16)
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

    class Device:
        compute_capability = "7.5"

    device = Device()
    monkeypatch.setattr(jax, "devices", lambda: [device])
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert not possible(total, split(numbers))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not possible(total, split(numbers)), "a GPU that Triton has left behind"
    device.compute_capability = "gfx90a"
    assert not possible(total, split(numbers)), "another maker's"
    device.compute_capability = "9.0"
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


def test_a_kernel_keeps_what_is_no_number() -> None:
    numbers = jnp.array([[jnp.nan, 1.0], [1.0, jnp.nan], [2.0, 1.0], [1.0, 2.0]])
    for function in (jnp.maximum, jnp.minimum):
        found = unrolled(lambda x, function=function: function(x[0], x[1]), jnp.ones(4), registers=True)(split(numbers))
        np.testing.assert_array_equal(found.vectors[0], function(*numbers.T))


@pytest.mark.skipif(devices.accelerated(), reason="set by conftest there")
def test_products_have_all_bits_on_an_accelerator_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    def products() -> str:
        with devices.precision("float32"):
            return str(jax.make_jaxpr(lambda x: x @ x)(jnp.ones((2, 2))))

    monkeypatch.setattr(devices, "accelerated", lambda: False)
    assert devices.matmul_precision() == "default" and "HIGHEST" not in products()
    monkeypatch.setattr(devices, "accelerated", lambda: True)
    assert devices.matmul_precision() == "highest" and "HIGHEST" in products()
    with jax.default_matmul_precision("tensorfloat32"):
        assert devices.matmul_precision() == "tensorfloat32" and "HIGHEST" not in products()
