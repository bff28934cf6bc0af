"""Matrix factorizations inside lanes: one matrix at a time, whoever wrote the code that asks for them.

jaxlib (seen in 0.10.2) spreads a batched LAPACK call over its thread pool and waits inside that pool: with one program on each of several
CPU devices, or several calls in one program, all threads can end up waiting, for ever. One matrix at a time runs in the calling thread, and
on every kind of device its bits do not depend on the other lanes of a block.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.interpreters import batching
from jaxtyping import Array, Float

AXES: dict[str, tuple[int, ...]] = {
    "cholesky": (2,),
    "cholesky_update": (2, 1),
    "eig": (2,),
    "eigh": (2,),
    "hessenberg": (2,),
    "householder_product": (2, 1),
    "lu": (2,),
    "ormqr": (2, 1, 2),
    "qr": (2,),
    "schur": (2,),
    "svd": (2,),
    "symmetric_product": (2, 2),
    "triangular_solve": (2, 2),
    "tridiagonal": (2,),
    "tridiagonal_solve": (1, 1, 1, 2),
}
"""The primitives of `jax.lax.linalg` that may be calls of LAPACK, and the axes that each of their operands has for a single problem."""


def one_at_a_time() -> None:
    """Make `jax.vmap` of a factorization a loop over its problems, in all of this process."""
    for name, axes in AXES.items():
        # JAX before 0.9 does not know all of them.
        if primitive := getattr(jax.lax.linalg, f"{name}_p", None):
            batching.primitive_batchers[primitive] = _loop(primitive, axes[0])


def _loop(primitive: Any, axes: int) -> Callable[..., Any]:
    """Return a batching rule of a primitive whose first operand has so many axes for a single problem."""

    def one(operands: Sequence[Array], parameters: dict[str, Any]) -> Any:
        if operands[0].ndim > axes:
            return jax.lax.map(lambda single: one(single, parameters), list(operands))
        return primitive.bind(*operands, **parameters)

    def rule(operands: Sequence[Array], dimensions: Sequence[int | None], **parameters: Any) -> Any:
        mapped = [
            jnp.moveaxis(operand, dimension, 0) for operand, dimension in zip(operands, dimensions, strict=True) if dimension is not None
        ]

        def single(values: list[Array]) -> Any:
            rest = iter(values)
            both = zip(operands, dimensions, strict=True)
            return one([operand if dimension is None else next(rest) for operand, dimension in both], parameters)

        results = jax.lax.map(single, mapped)
        return results, [0] * len(results) if primitive.multiple_results else 0

    return rule


def singular_values(matrix: Float[Array, "row column"]) -> Float[Array, " rank"]:
    """Singular values, largest first."""
    return jnp.linalg.svd(matrix, compute_uv=False)


def decomposed(matrix: Float[Array, "row column"]) -> tuple[Float[Array, "row rank"], Float[Array, " rank"], Float[Array, "rank column"]]:
    """Left singular vectors, singular values, largest first, and right singular vectors."""
    left, values, right = jnp.linalg.svd(matrix, full_matrices=False)
    return left, values, right


def eigenvalues(symmetric: Float[Array, "n n"]) -> Float[Array, " n"]:
    """Eigenvalues of a symmetric matrix, smallest first."""
    return jnp.linalg.eigvalsh(symmetric)


def eigenvectors(symmetric: Float[Array, "n n"]) -> tuple[Float[Array, " n"], Float[Array, "n n"]]:
    """Eigenvalues of a symmetric matrix, smallest first, and eigenvectors as columns."""
    values, vectors = jnp.linalg.eigh(symmetric)
    return values, vectors


def orthonormal(matrix: Float[Array, "row column"]) -> Float[Array, "row column"]:
    """Orthonormal columns with the same span, for a tall matrix; uniform over such matrices if its entries are N(0, 1).

    The signs make the triangular factor's diagonal positive (Mezzadri, 2007).
    """
    q, r = jnp.linalg.qr(matrix)
    return q * jnp.where(jnp.diag(r) < 0, -1, 1).astype(q.dtype)
