"""A flax.nnx module as pure functions of a nested dict of parameters."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from bench.engine.seeds import Seed, weight_key
from bench.initializers import initializer
from bench.initializers.scaling import fans
from bench.models import model
from bench.models.activations import Hidden
from bench.spec import InitializerSpec, ModelSpec

Params = dict[Any, Any]
Path = tuple[Any, ...]


class Network:
    """The functional view of a model: parameters apart from what is computed with them."""

    def __init__(self, spec: ModelSpec, inputs: int, outputs: int) -> None:
        build = model[spec.name].bind({**spec.options, "inputs": inputs, "outputs": outputs})
        self._graph, self._state = nnx.split(nnx.eval_shape(lambda: build(rngs=nnx.Rngs(0))))
        self.shapes: Params = nnx.to_pure_dict(self._state)
        self.weight_paths = [path for path, leaf in leaves(self.shapes) if leaf.ndim >= 2]

    def _merged(self, params: Params) -> Any:
        state = jax.tree.map(lambda leaf: leaf, self._state)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(self._graph, state)

    def trace(self, params: Params, x: Float[Array, "example input"]) -> tuple[Array, list[Hidden]]:
        """Outputs (example, output), and what each hidden layer did with each example."""
        return jax.vmap(lambda example: self._merged(params).trace(example))(x)

    def units(self, params: Params) -> list[Float[Array, "hidden feature"]]:
        """Per hidden layer, one row per unit."""
        return self._merged(params).units()

    def weights(self, params: Params) -> list[Float[Array, "..."]]:
        """The weight layers (all but biases) in the order of the model."""
        return [leaf for path, leaf in leaves(params) if path in self.weight_paths]

    def initial(self, spec: InitializerSpec, init_seed: Seed, gain: Array, zero_fraction: Array, dtype: jnp.dtype) -> Params:
        """Initial parameters of one lane; `gain` and `zero_fraction` may be traced, so that sweeps do not recompile."""
        draw = initializer[spec.name].bind(spec.options)

        def value(path: Path, shape: tuple[int, ...]) -> Array:
            name = ".".join(map(str, path))
            key = weight_key(init_seed, name)
            if path not in self.weight_paths:
                return self._bias(spec.bias_law, key, path, shape, dtype)
            if self.weight_paths.index(path) in spec.zero_layers:
                return jnp.zeros(shape, dtype)
            weights = gain * draw(key, shape, dtype)
            if spec.zero_fraction == 0:
                return weights
            rank = jax.random.permutation(weight_key(init_seed, f"{name}.zero_fraction"), weights.size)
            kept = rank.reshape(shape) >= jnp.round(zero_fraction * weights.size)
            return jnp.where(kept, weights, jnp.zeros_like(weights))

        return jax.tree_util.tree_map_with_path(lambda path, leaf: value(tuple(entry.key for entry in path), leaf.shape), self.shapes)

    def _bias(self, law: str | float, key: Any, path: Path, shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
        if law != "uniform_fan_in":
            return jnp.full(shape, 0.0 if isinstance(law, str) else law, dtype)
        kernel = next(leaf for other, leaf in leaves(self.shapes) if other[:-1] == path[:-1] and leaf.ndim >= 2)
        limit = fans(kernel.shape)[0] ** -0.5
        return jax.random.uniform(key, shape, dtype, -limit, limit)


def leaves(tree: Params, prefix: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Paths and leaves in the order in which JAX flattens the tree."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield tuple(entry.key for entry in path), leaf
