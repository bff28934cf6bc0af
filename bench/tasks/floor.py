"""The least loss that an affine map reaches on the training examples, from which a task may count its loss."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap
from jaxtyping import Array, Float

from bench.linalg import orthonormal
from bench.losses.definition import Loss
from bench.piece_names import Named, name_of

LEAST_SQUARES = ("mse", "rss")
"""Losses whose minimum over affine maps is that of least squares."""
NEWTON_STEPS = 40
"""Steps of Newton's method: a dozen reach an optimum to the last digit; where classes are separable each divides the loss by e."""
HALVINGS = 12
"""Times that a step of Newton's method may be halved until the loss falls."""


def check_floor(loss: Named, excess: bool, classes: int = 0) -> None:
    """Check that the minimum of a loss is known, if the loss is to be counted from it; ValueError if it is not.

    `classes` is the number of classes of a classification, 0 for a regression.
    """
    known = ("cross_entropy",) if classes == 2 else () if classes else LEAST_SQUARES
    if excess and loss not in known:
        which = f"{' and '.join(known)}, not for '{name_of(loss)}'" if known else "two classes alone"
        raise ValueError(f"excess = true: the minimum is known for {which}")


def floor_of(x: Float[Array, "example input"], y: Float[Array, "example 1"], loss: Named) -> Float[Array, ""]:
    """Return the least loss, `mse`, `rss` or `cross_entropy` of two classes, of an affine map on these examples."""
    design = jnp.concatenate([x, jnp.ones((len(x), 1), x.dtype)], axis=1)
    if loss == "cross_entropy":
        return _logistic_floor(design, y[:, 0])
    # A basis, not the normal equations: the residual then carries no squared condition number. Zero rows keep it tall.
    missing = max(design.shape[1] - len(design), 0)
    basis = orthonormal(jnp.pad(design, ((0, missing), (0, 0))))[: len(design)]
    return Loss.of(loss)(basis @ (basis.T @ y), y)


# One data set at a time, so that its floor does not depend on how many there are.
@sequential_vmap
def _logistic_floor(design: Float[Array, "example weight"], y: Float[Array, " example"]) -> Float[Array, ""]:
    """Return the least mean cross-entropy of logistic regression, by Newton's method with step halving.

    If the classes are separable there is no optimum: the loss goes to 0, and so does this, to e^-40 of what it began with.
    """
    examples = len(design)
    shares = 0.5 ** jnp.arange(HALVINGS + 1, dtype=design.dtype)

    def loss_at(w: Array) -> Array:
        z = design @ w
        return jnp.mean(jax.nn.softplus(z) - y * z)

    def step(_: Any, w: Array) -> Array:
        p = jax.nn.sigmoid(design @ w)
        hessian = (design.T * (p * (1 - p))) @ design / examples
        # Far out on separable data the curvature vanishes; a part of its trace keeps it positive.
        ridge = jnp.finfo(w.dtype).eps * jnp.trace(hessian) + jnp.finfo(w.dtype).tiny
        move = jnp.linalg.solve(hessian + ridge * jnp.eye(len(w), dtype=w.dtype), design.T @ (y - p) / examples)
        tried = w + shares[:, None] * move
        losses = jax.vmap(loss_at)(tried)
        best = jnp.argmin(jnp.where(jnp.isfinite(losses), losses, jnp.inf))
        return jnp.where(losses[best] < loss_at(w), tried[best], w)

    return loss_at(jax.lax.fori_loop(0, NEWTON_STEPS, step, jnp.zeros(design.shape[1], design.dtype)))
