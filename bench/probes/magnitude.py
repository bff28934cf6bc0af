"""Sizes of weights and gradients, and curvature."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from bench.probes import probe

Layers = list[Float[Array, "..."]]


@probe
def grad_share(gradients: Layers) -> Float[Array, " layer"]:
    """Norm of each weight layer's gradient over the sum of these norms; all 0 if every one is 0."""
    norms = jnp.stack([jnp.linalg.norm(gradient) for gradient in gradients])
    total = jnp.sum(norms)
    return norms / jnp.where(total > 0, total, 1)


@probe
def hidden_grad_max(hidden_gradients: Layers) -> Float[Array, ""]:
    """Largest absolute gradient of any weight before the last layer: 0 exactly if none of them moves under SGD."""
    return jnp.max(jnp.stack([jnp.max(jnp.abs(gradient)) for gradient in hidden_gradients]))


@probe
def weight_norm(weights: Layers) -> Float[Array, ""]:
    """Euclidean norm of all weights, biases left out."""
    return jnp.sqrt(sum(jnp.sum(layer**2) for layer in weights))


@probe(optional=True)
def hessian_min(curvatures: Float[Array, " parameter"]) -> Float[Array, ""]:
    """Smallest eigenvalue of the training loss's Hessian; never negative where the loss is convex."""
    return curvatures[0]


@probe(optional=True)
def hessian_max(curvatures: Float[Array, " parameter"]) -> Float[Array, ""]:
    """Largest eigenvalue of the training loss's Hessian: gradient descent leaves a minimum if learning_rate > 2 / hessian_max."""
    return curvatures[-1]


@probe(optional=True)
def hessian_index(curvatures: Float[Array, " parameter"], tolerance: float = 1e-6) -> Int[Array, ""]:
    """Number of downward directions: Hessian eigenvalues below -tolerance x the one of largest size. 0 at a second-order point."""
    return jnp.sum(curvatures < -tolerance * jnp.max(jnp.abs(curvatures)))
