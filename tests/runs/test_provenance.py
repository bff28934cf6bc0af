"""Provenance: whatever can change the bits of rows is recorded and compared, and said in words."""

import re
from typing import Any

import jax
import pytest

from bench import startup
from bench.runs import environment
from bench.runs.provenance import Provenance, differences


@pytest.fixture(scope="module")
def here() -> Provenance:
    return environment.current_provenance(jax.devices())


def test_hosts_with_other_vector_instructions_differ(here: Provenance) -> None:
    info = "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: {}\nflags\t\t: fpu sse2 ssse3 fma smep {}\n"
    old, new, other = (
        environment.cpu_features(info.format(*found)) for found in ((60, "avx2"), (85, "avx2 avx512f amx_tile"), (85, "avx2"))
    )
    assert old.split(" ", 1)[1] == "GenuineIntel-6-60 avx2 fma sse2 ssse3"
    assert len({old, new, other}) == 3
    assert environment.cpu_features() == here.cpu_features
    before, now = (here.model_copy(update={"cpu_features": value}) for value in (old, new))
    assert differences(before, now) == ["CPU: without GenuineIntel-6-60, with GenuineIntel-6-85 amx_tile avx512f"]
    arm = environment.cpu_features("processor\t: 0\nFeatures\t: fp asimd sve crc32\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n")
    assert arm.split(" ", 1)[1] == "0x41-0xd40 asimd sve"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prng": "rbg, partitionable"}, r"random keys threefry2x32, partitionable, now rbg, partitionable"),
        ({"prng": None}, r"random keys .*, now not recorded"),
        ({"matmul_precision": "tensorfloat32"}, r"precision of matrix products default, now tensorfloat32"),
        ({"relu_gradient_at_zero": 1.0}, r"gradient of ReLU at 0 0\.0, now 1\.0"),
        ({"source": "0" * 64}, r"source code of initbench changed"),
        ({"configuration": {"jax_random_seed_offset": "3"}}, r"jax_random_seed_offset its default, now 3"),
        ({"xla_flags": "--xla_cpu_enable_fast_math=true"}, r"XLA flags: without .*, with --xla_cpu_enable_fast_math=true"),
        ({"git": None}, None),
        ({"python": "3.99", "platform": "elsewhere"}, None),
    ],
)
def test_what_can_change_bits_is_named_and_nothing_else(changes: dict[str, Any], said: str | None, here: Provenance) -> None:
    if "git" in changes:
        changes = {"git": here.git.model_copy(update={"commit": "0" * 40, "dirty": True})}
    found = differences(here, here.model_copy(update=changes))
    assert found == [] if said is None else re.fullmatch(said, "".join(found))


@pytest.mark.parametrize("package", ["jax", "jaxlib", "flax", "optax", "numpy", "scipy", "scikit-learn"])
def test_versions_of_what_trains_are_compared(package: str, here: Provenance) -> None:
    other = here.model_copy(update={"versions": {**here.versions, package: "0.0.1"}})
    assert differences(here, other) == [f"{package} {here.versions[package]}, now 0.0.1"]
    for package in ("pandas", "pyarrow", "initbench"):
        assert not differences(here, here.model_copy(update={"versions": {**here.versions, package: "0.0.1"}}))


def test_flags_count_as_xla_takes_them(here: Provenance) -> None:
    one, other = (
        here.model_copy(update={"xla_flags": flags})
        for flags in ("--a=1 --b=2", "--b=1 --xla_force_host_platform_device_count=8 --b=2  --a=1 --xla_dump_to=x")
    )
    assert not differences(one, other)


def test_settings_of_jax_that_change_bits_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.configuration() == {}
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    with jax.numpy_dtype_promotion("strict"):
        assert environment.configuration() == {"jax_numpy_dtype_promotion": "strict", "NVIDIA_TF32_OVERRIDE": "1"}


def test_numbers_of_threads_are_recorded_and_are_no_difference(monkeypatch: pytest.MonkeyPatch, here: Provenance) -> None:
    # Tests of clusters in this process may have set others.
    assert here.threads["OPENBLAS_NUM_THREADS"] == "1"
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    other = environment.current_provenance(jax.devices())
    assert other.threads == {"MKL_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "1"}
    assert not differences(here, other) and here.id != other.id


def test_flags_that_jax_has_not_read_are_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "_late", True)
    assert environment.current_provenance(jax.devices()).xla_flags == "unknown"


def test_source_is_that_of_the_package() -> None:
    digest = environment.source_digest()
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert environment.source_digest.__wrapped__() == digest


def test_own_code_may_join_and_must_not_change_or_go(here: Provenance) -> None:
    with_own = here.model_copy(update={"own": {"mine": "0" * 64}})
    assert differences(here, with_own) == []
    assert differences(with_own, here) == ["'mine' is not used any more"]
    assert differences(with_own, here.model_copy(update={"own": {"mine": "1" * 64}})) == ["'mine' changed"]
