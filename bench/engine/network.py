"""A flax.nnx module as pure functions of a nested dict of parameters."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from bench.engine.seeds import KeyScalar, Seed, named, weight_key
from bench.initializers import initializer
from bench.initializers.scaling import fans
from bench.models import model
from bench.models.activations import Forward, Hidden, dropped
from bench.schemes import scheme
from bench.spec import InitializerSpec, ModelSpec

Params = dict[Any, Any]
Path = tuple[Any, ...]


class Noise(NamedTuple):
    """What the examples of one pass meet besides the parameters."""

    key: KeyScalar | None = None
    """Of what is dropped, example by example; None: nothing is."""
    dropconnect: float = 0.0
    """Probability that a weight is dropped for an example (Wan et al., 2013); hidden units are dropped as the model says."""
    shifts: list[Float[Array, "example hidden"]] | None = None
    """Added to the pre-activations."""


SILENT = Noise()


class Network:
    """The functional view of a model: parameters apart from what is computed with them."""

    def __init__(self, spec: ModelSpec, inputs: int, outputs: int) -> None:
        build = model[spec.name].bind({**spec.options, "inputs": inputs, "outputs": outputs})
        self._graph, self._state = nnx.split(nnx.eval_shape(lambda: build(rngs=nnx.Rngs(0))))
        self.shapes: Params = nnx.to_pure_dict(self._state)
        self.weight_paths = [path for path, leaf in leaves(self.shapes) if leaf.ndim >= 2]
        self.takes_forward = "forward" in inspect.signature(model[spec.name].target.trace).parameters  # type: ignore[attr-defined]
        """Whether the model can drop hidden units, and tell what is propagated back to them."""

    def _merged(self, params: Params) -> Any:
        state = jax.tree.map(lambda leaf: leaf, self._state)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(self._graph, state)

    def trace(self, params: Params, x: Float[Array, "example input"], noise: Noise = SILENT) -> tuple[Array, list[Hidden]]:
        """Outputs (example, output), and what each hidden layer did with each example."""

        def one(example: Array, key: Any, shifts: Any) -> tuple[Array, list[Hidden]]:
            connected = params
            if key is not None and noise.dropconnect > 0:
                connected = self.on_weights(lambda name, leaf: dropped(named(key, name), leaf, noise.dropconnect), params)
            module = self._merged(connected)
            return module.trace(example, Forward(key, shifts)) if self.takes_forward else module.trace(example)

        whole = noise.key
        keys = None if whole is None else jax.vmap(lambda i: jax.random.fold_in(whole, i))(jnp.arange(len(x)))
        return jax.vmap(one)(x, keys, noise.shifts)

    @property
    def weight_names(self) -> list[str]:
        """Dotted paths of the weight layers."""
        return [".".join(map(str, path)) for path in self.weight_paths]

    def on_weights(self, function: Callable[[str, Array], Array], params: Params) -> Params:
        """Weights replaced by a function of their name and value; biases as they are."""

        def changed(path: Any, leaf: Array) -> Array:
            keys = tuple(entry.key for entry in path)
            return function(".".join(map(str, keys)), leaf) if keys in self.weight_paths else leaf

        return jax.tree_util.tree_map_with_path(changed, params)

    def units(self, params: Params) -> list[Float[Array, "hidden feature"]]:
        """Per hidden layer, one row per unit."""
        return self._merged(params).units()

    def weights(self, params: Params) -> list[Float[Array, "..."]]:
        """The weight layers (all but biases) in the order of the model."""
        return [leaf for path, leaf in leaves(params) if path in self.weight_paths]

    def initial(
        self,
        spec: InitializerSpec,
        init_seed: Seed,
        gain: Array,
        zero_fraction: Array,
        dtype: jnp.dtype,
        x: Float[Array, "example input"] | None = None,
        first_layer_offset: Array | float = 0.0,
    ) -> Params:
        """Initial parameters of one lane; the numbers may be traced, so that sweeps do not recompile. Schemes look at the examples `x`."""
        draw = initializer[spec.name].bind(spec.options)

        def value(path: Path, shape: tuple[int, ...]) -> Array:
            name = ".".join(map(str, path))
            key = weight_key(init_seed, name)
            if path not in self.weight_paths:
                bias = self._bias(spec.bias_law, key, path, shape, dtype)
                spread = spec.bias_stddev
                return bias + spread * jax.random.normal(named(key, "spread"), shape, dtype) if spread else bias
            layer = self.weight_paths.index(path)
            if layer in spec.zero_layers:
                return jnp.zeros(shape, dtype)
            weights = gain * draw(key, shape, dtype)
            if layer == 0:
                weights = weights + first_layer_offset
            if spec.zero_fraction == 0:
                return weights
            rank = jax.random.permutation(weight_key(init_seed, f"{name}.zero_fraction"), weights.size)
            # Only a fraction of 1 zeroes a whole layer.
            zeroed = jnp.minimum(jnp.round(zero_fraction * weights.size), jnp.where(zero_fraction < 1, weights.size - 1, weights.size))
            kept = rank.reshape(shape) >= zeroed
            return jnp.where(kept, weights, jnp.zeros_like(weights))

        drawn = jax.tree_util.tree_map_with_path(lambda path, leaf: value(tuple(entry.key for entry in path), leaf.shape), self.shapes)
        return scheme[spec.scheme].target(drawn, self, x) if spec.scheme else drawn

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
