"""Matrix factorizations that are safe inside `vmap` on several CPU devices.

jaxlib (seen in 0.10.2) spreads a batched LAPACK call over its thread pool and waits inside that pool; with one program on each of
several CPU devices all threads can end up waiting, for ever. One matrix at a time runs in the calling thread.
"""

import jax.numpy as jnp
from jax.custom_batching import sequential_vmap
from jaxtyping import Array, Float


@sequential_vmap
def singular_values(matrix: Float[Array, "row column"]) -> Float[Array, " rank"]:
    """Singular values, largest first."""
    return jnp.linalg.svd(matrix, compute_uv=False)


@sequential_vmap
def decomposed(matrix: Float[Array, "row column"]) -> tuple[Float[Array, "row rank"], Float[Array, " rank"], Float[Array, "rank column"]]:
    """Left singular vectors, singular values, largest first, and right singular vectors."""
    left, values, right = jnp.linalg.svd(matrix, full_matrices=False)
    return left, values, right


@sequential_vmap
def eigenvalues(symmetric: Float[Array, "n n"]) -> Float[Array, " n"]:
    """Eigenvalues of a symmetric matrix, smallest first."""
    return jnp.linalg.eigvalsh(symmetric)


@sequential_vmap
def eigenvectors(symmetric: Float[Array, "n n"]) -> tuple[Float[Array, " n"], Float[Array, "n n"]]:
    """Eigenvalues of a symmetric matrix, smallest first, and eigenvectors as columns."""
    values, vectors = jnp.linalg.eigh(symmetric)
    return values, vectors


@sequential_vmap
def orthonormal(matrix: Float[Array, "row column"]) -> Float[Array, "row column"]:
    """Orthonormal columns with the same span, for a tall matrix; uniform over such matrices if its entries are N(0, 1).

    The signs make the triangular factor's diagonal positive (Mezzadri, 2007).
    """
    q, r = jnp.linalg.qr(matrix)
    return q * jnp.where(jnp.diag(r) < 0, -1, 1).astype(q.dtype)
