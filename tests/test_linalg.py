"""Factorizations inside lanes: one matrix at a time, with the bits of a single matrix, and no program that waits for itself."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.linalg import AXES

CALLS: dict[str, Callable[[Any], Any]] = {
    "qr": jnp.linalg.qr,
    "svd": jnp.linalg.svd,
    "singular values": lambda a: jnp.linalg.svd(a, compute_uv=False),
    "eigh": lambda a: jnp.linalg.eigh(a @ a.mT),
    "eig": jnp.linalg.eig,
    "cholesky": lambda a: jnp.linalg.cholesky(a @ a.mT),
    "solve": lambda a: jnp.linalg.solve(a, a.mT),
    "inverse": jnp.linalg.inv,
    "pseudo-inverse": jnp.linalg.pinv,
    "determinant": jnp.linalg.slogdet,
    "least squares": lambda a: jnp.linalg.lstsq(a, a[:, 0])[0],
    "norm": lambda a: jnp.linalg.norm(a, ord=2),
    "triangular": lambda a: jax.lax.linalg.triangular_solve(a, a.mT, left_side=True),
    "tridiagonal": lambda a: jax.lax.linalg.tridiagonal_solve(a[0], 4 + a[1], a[2], a[:, :2]),
    "schur": jax.lax.linalg.schur,
    "hessenberg": jax.lax.linalg.hessenberg,
    "initializer": lambda a: jax.nn.initializers.orthogonal()(jax.random.key(jnp.abs(a[0, 0] * 100).astype(int)), (4, 3)),
    "gradient": jax.grad(lambda a: jnp.linalg.slogdet(a)[1] + jnp.linalg.qr(a)[0].sum()),
}
"""Functions of a matrix as people write them, without a thought of lanes."""
ON_ALL_DEVICES = """
import bench, jax, jax.numpy as jnp
from bench.hardware import lane_mesh, lane_sharding

def start(key):
    return [jnp.linalg.qr(jax.random.normal(each, (64, 64)))[0] for each in jax.random.split(key, 4)]

place = lane_sharding(lane_mesh())
keys = jax.device_put(jax.random.split(jax.random.key(0), 64 * len(jax.devices())), place)
starts = jax.jit(jax.vmap(start), in_shardings=place, out_shardings=place)
for _ in range(10):
    jax.block_until_ready(starts(keys))
print("ended on", len(jax.devices()))
"""


def factorizations(jaxpr: Any) -> Iterator[tuple[str, list[int]]]:
    """Yield the factorizations of a jaxpr and of those inside, with the numbers of axes of their operands."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in AXES:
            operands: list[Any] = [operand.aval for operand in equation.invars]
            yield equation.primitive.name, [operand.ndim for operand in operands]
        for parameter in jax.tree.leaves(equation.params, is_leaf=lambda value: hasattr(value, "eqns") or hasattr(value, "jaxpr")):
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield from factorizations(inner)


@pytest.fixture(scope="module")
def matrices() -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(size=(5, 4, 4)), "float32")


@pytest.mark.parametrize("name", CALLS)
def test_a_factorization_inside_vmap_is_one_at_a_time_with_the_bits_of_a_single_one(name: str, matrices: jax.Array) -> None:
    one = CALLS[name]
    found = list(factorizations(jax.make_jaxpr(jax.vmap(one))(matrices).jaxpr))
    assert found and all(tuple(axes) == AXES[primitive] for primitive, axes in found), found
    together, alone = jax.jit(jax.vmap(one))(matrices), [jax.jit(one)(matrix) for matrix in matrices]
    for number, single in enumerate(alone):
        for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(single), strict=True):
            assert np.asarray(a[number]).tobytes() == np.asarray(b).tobytes()


def test_a_batch_inside_a_lane_is_one_at_a_time_too(matrices: jax.Array) -> None:
    lanes = jnp.stack([matrices, 2 * matrices])
    for one in (jnp.linalg.qr, jax.vmap(jnp.linalg.qr)):
        found = list(factorizations(jax.make_jaxpr(jax.vmap(one))(lanes).jaxpr))
        assert found and all(tuple(axes) == AXES[primitive] for primitive, axes in found)
        for a, b in zip(jax.vmap(one)(lanes), jnp.linalg.qr(lanes), strict=True):
            assert np.array_equal(a, b)


def test_an_operand_that_all_lanes_share_stays_one(matrices: jax.Array) -> None:
    shared, right = matrices[0], matrices[:, 0]
    found = jax.vmap(jnp.linalg.solve, (None, 0))(shared, right)
    np.testing.assert_allclose(found, np.linalg.solve(shared, right[..., None])[..., 0], rtol=1e-4, atol=1e-5)


def test_no_program_waits_for_itself() -> None:
    """With a batched LAPACK call this program waits for ever on two cores."""
    done = subprocess.run([sys.executable, "-c", ON_ALL_DEVICES], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.startswith("ended on"), done.stderr
