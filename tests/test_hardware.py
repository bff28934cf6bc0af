"""Facts about devices, and the precision of products on them."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.hardware import ACCELERATOR, CPU, Hardware, hardware_here, lane_mesh, matmul_precision, precision


def hardware(platform: str, **facts: str) -> Hardware:
    """Facts about a mesh of one device that says this about itself."""
    mesh: Any = SimpleNamespace(devices=np.array([SimpleNamespace(platform=platform, **facts)]))
    return Hardware.of(mesh)


def test_every_kind_of_device_is_one_value() -> None:
    assert hardware("cpu") is CPU
    assert hardware("tpu").platform == "tpu" and not hardware("tpu").is_host
    assert hardware("gpu", compute_capability="9.0").lanes_factor == ACCELERATOR.lanes_factor
    assert hardware_here() == Hardware.of(lane_mesh())


@pytest.mark.parametrize("capability, compiles", [("7.5", False), ("8.0", True), ("9.0", True), ("gfx90a", False)])
def test_triton_needs_a_gpu_of_one_maker_that_is_not_too_old(capability: str, compiles: bool) -> None:
    assert hardware("gpu", compute_capability=capability).compiles_triton is compiles
    assert not hardware("tpu", compute_capability=capability).compiles_triton


@pytest.mark.skipif(not hardware_here().is_host, reason="set by conftest there")
def test_products_have_all_bits_on_an_accelerator_unless_the_user_says_otherwise() -> None:
    def products(device: Hardware) -> str:
        with precision("float32", device):
            return str(jax.make_jaxpr(lambda x: x @ x)(jnp.ones((2, 2))))

    assert matmul_precision(CPU) == "default" and "HIGHEST" not in products(CPU)
    assert matmul_precision(ACCELERATOR) == "highest" and "HIGHEST" in products(ACCELERATOR)
    with jax.default_matmul_precision("tensorfloat32"):
        assert matmul_precision(ACCELERATOR) == "tensorfloat32" and "HIGHEST" not in products(ACCELERATOR)
