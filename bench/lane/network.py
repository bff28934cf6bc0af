"""A flax.nnx module as pure functions of a nested dict of parameters."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from bench.keys import KeyScalar, named, root
from bench.lane.order import use
from bench.lane.state import Params, Path
from bench.models import model
from bench.models.activations import Forward, Hidden, dropped
from bench.models.protocol import check_module, check_variables
from bench.spec import ModelSpec
from bench.tasks.definition import Examples


class Noise(NamedTuple):
    """The inputs of one pass through the network besides parameters and examples."""

    key: KeyScalar | None = None
    """Key of what is dropped, folded along the examples; None: nothing is dropped."""
    dropconnect: float = 0.0
    """Probability that a weight is dropped for an example (Wan et al., 2013); hidden units are dropped as the model says."""
    shifts: list[Float[Array, "example hidden"]] | None = None
    """Arrays that are added to the pre-activations of each hidden layer."""


SILENT = Noise()


class Network:
    """The functional view of a model (`bench.models.protocol`): its parameters apart from the computation with them."""

    def __init__(self, spec: ModelSpec, inputs: int, outputs: int, examples_last: bool = False) -> None:
        """Trace the model's shapes; `PieceError` if it breaks the protocol.

        `examples_last`: whether a model that can do so works on arrays (feature, example) and not (example, feature).
        """
        self.entry = model[spec.name]
        self.calling = self.entry.calling
        """The context in which methods of the module are called."""
        self.inputs = inputs
        build = self.entry.bind({**spec.options, "inputs": inputs, "outputs": outputs})
        with self.calling():
            self.built = nnx.eval_shape(lambda: build(rngs=nnx.Rngs(root())))
            """The module with shapes in place of parameters."""
            check_module(self.entry, self.built)
            self._graph, self._state = nnx.split(self.built)
            trace = getattr(self.built, "trace", None)
            self.takes_forward = trace is not None and "forward" in inspect.signature(trace).parameters
            """Whether the model can drop hidden units, and give the gradient in their pre-activations."""
        check_variables(self.entry, self._state)
        self.shapes: Params = nnx.to_pure_dict(self._state)
        self._leaves: dict[Path, Any] = dict(leaves(self.shapes))
        self.paths = list(self._leaves)
        self._traces = trace is not None
        self._whole_batch: bool = getattr(self.built, "whole_batch", False)
        self._examples_last: bool = examples_last and getattr(self.built, "examples_last", False)
        self.players: tuple[str, ...] = getattr(self.built, "players", ())
        """Parts of the parameters that are trained on a loss of their own, in the order of the model's outputs; empty: one loss for all."""
        self.frozen: tuple[str, ...] = getattr(self.built, "frozen", ())
        """Names of parameters that the model itself does not train."""
        order = self._order_of_use()
        self.draws = len(self.paths) in order
        """Whether the model has a noise of its own in training."""
        self.weight_paths = [self.paths[place] for place in order if place < len(self.paths) and self._is_weight(self.paths[place])]
        """Paths of the weight layers, in the order in which an example meets them."""
        self.unclear_paths = [path for path in self.weight_paths if self.entry.own and not self._has_known_inputs(path)]
        """Weight layers of a user's own model of which nobody knows which axes are inputs."""
        idle = [path for path in self.paths if self._is_weight(path) and path not in self.weight_paths]
        if idle:
            raise self.entry.fault(f"its weights {', '.join(map(dotted, idle))} have no part in its outputs")
        last = self.weight_paths[-1:]
        self.output_paths = [path for path in self.weight_paths if last and _layer(path) == _layer(last[0])]
        """Weights of the last layer: one matrix, or several of which it is made."""
        self.bias_paths = [path for path in self.paths if path not in self.weight_paths and path[-1] == "bias"]
        self.built_values = self._values_of_others(build)
        """Values that the model builds for parameters that are neither weights nor biases, such as the scale of a normalization."""
        self.unit_shapes = jax.eval_shape(self._unchecked_units, self.shapes)
        self.is_layered = len(self.weight_paths) == len(self.unit_shapes) + 1 > 1
        """Whether hidden layers follow one another, with one weight layer between two."""

    def _is_weight(self, path: Path) -> bool:
        return path[-1] != "bias" and self._leaves[path].ndim >= 2

    def _has_known_inputs(self, path: Path) -> bool:
        """Tell whether all axes but the last are known to be a weight's inputs: it has two axes, or is a convolution of flax."""
        owner: Any = self.built
        for name in path[:-1]:
            owner = owner[name] if isinstance(name, int) or isinstance(owner, nnx.Dict) else getattr(owner, name)
        return self._leaves[path].ndim == 2 or isinstance(owner, (nnx.Conv, nnx.ConvTranspose))

    def _order_of_use(self) -> list[int]:
        """Return the places of the parameters in the order in which one example meets them; the last place is that of the noise key."""

        def forward(arguments: list[Any], x: Array) -> Any:
            *values, key = arguments
            module = self.module(jax.tree.unflatten(jax.tree.structure(self.shapes), values))
            return module.trace(x[None]) if self._whole_batch else self._one(module, x, Forward(key))

        def alike(leaf: Any) -> Any:
            # Under 64 bits a model may build parameters of both precisions, which do not go together in a loop.
            return jax.ShapeDtypeStruct(leaf.shape, jnp.float32 if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf.dtype)

        shapes = [alike(leaf) for leaf in jax.tree.leaves(self.shapes)]
        with self.calling():
            return use(forward, [*shapes, jax.eval_shape(root)], jax.ShapeDtypeStruct((self.inputs,), jnp.float32))

    def _values_of_others(self, build: Callable[..., Any]) -> dict[Path, np.ndarray]:
        named_already = {*self.weight_paths, *self.bias_paths}
        if len(named_already) == len(self.paths):
            return {}
        with jax.ensure_compile_time_eval():
            values = leaves(nnx.to_pure_dict(nnx.state(build(rngs=nnx.Rngs(root())), nnx.Param)))
            return {path: np.asarray(value) for path, value in values if path not in named_already}

    def offers(self, name: str) -> bool:
        """Tell whether the model has an optional method or attribute of the protocol."""
        return hasattr(self.built, name)

    def module(self, params: Params) -> Any:
        """Return the flax module with these parameters."""
        state = jax.tree.map(lambda leaf: leaf, self._state)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(self._graph, state)

    def _one(self, module: Any, x: Array, forward: Forward) -> Any:
        """Return what a model gives for one example; a model without `trace` shows no hidden layers."""
        if not self._traces:
            return module(x), []
        return module.trace(x, forward) if self.takes_forward else module.trace(x)

    def trace(self, params: Params, x: Examples, noise: Noise = SILENT) -> tuple[Float[Array, "example output"], list[Hidden]]:
        """Return the outputs, and what each hidden layer did with each example."""
        return self.unchecked_trace(params, x, noise)

    def unchecked_trace(self, params: Params, x: Examples, noise: Noise = SILENT) -> Any:
        """Return what the model gives for these examples, which may be another thing than `trace` promises: `check_trace` looks at it."""

        def one(example: Any, key: Any, shifts: Any) -> Any:
            connected = params
            if key is not None and noise.dropconnect > 0:
                connected = self.on_weights(lambda name, leaf: dropped(named(key, name), leaf, noise.dropconnect), params)
            module = self.module(connected)
            if self._whole_batch:
                # A batch of this one example.
                example, shifts = jax.tree.map(lambda leaf: leaf[None], (example, shifts))
                return jax.tree.map(lambda leaf: leaf[0], module.trace(example, Forward(None, shifts)))
            return self._one(module, example, Forward(key, shifts))

        with self.calling():
            if self._whole_batch and noise.dropconnect == 0:
                return self.module(params).trace(x, Forward(None, noise.shifts))
            if self._examples_last and noise.key is None:
                x, shifts = jax.tree.map(jnp.transpose, (x, noise.shifts))
                return jax.tree.map(jnp.transpose, self.module(params).trace(x, Forward(None, shifts)))
            whole = noise.key
            keys = None if whole is None else jax.vmap(lambda i: jax.random.fold_in(whole, i))(jnp.arange(len(x)))
            return jax.vmap(one)(x, keys, noise.shifts)

    def units(self, params: Params) -> list[Float[Array, "hidden feature"]]:
        """Return one array per hidden layer with a row per unit; an empty list if the model does not tell."""
        return self._unchecked_units(params)

    def _unchecked_units(self, params: Params) -> Any:
        if not self.offers("units"):
            return []
        with self.calling():
            return self.module(params).units()

    def weights(self, params: Params) -> list[Float[Array, "..."]]:
        """Return the weight layers (all but biases) in the order in which an example meets them."""
        found = dict(leaves(params))
        return [found[path] for path in self.weight_paths]

    @cached_property
    def hidden_shapes(self) -> list[Hidden]:
        """Shapes of what the hidden layers do with one example (1, hidden)."""
        return jax.eval_shape(self.trace, self.shapes, jax.ShapeDtypeStruct((1, self.inputs), jnp.float32))[1]

    @cached_property
    def n_parameters(self) -> int:
        """Number of single parameters."""
        return sum(leaf.size for leaf in self._leaves.values())

    @property
    def weight_names(self) -> list[str]:
        """Dotted paths of the weight layers."""
        return list(map(dotted, self.weight_paths))

    def matching(self, name: str) -> list[Path]:
        """Return the paths that a name stands for: a dotted path, the beginning of one, or a pattern like `blocks.*.second`."""
        return [path for path in self.paths if fnmatchcase(dotted(path), name) or fnmatchcase(dotted(path), f"{name}.*")]

    def on(self, paths: Iterable[Path], function: Callable[[str, Array], Array], params: Params) -> Params:
        """Return the parameters with those at `paths` replaced by a function of their name and value."""

        def changed(path: Any, leaf: Array) -> Array:
            keys = tuple(entry.key for entry in path)
            return function(dotted(keys), leaf) if keys in paths else leaf

        return jax.tree_util.tree_map_with_path(changed, params)

    def on_weights(self, function: Callable[[str, Array], Array], params: Params) -> Params:
        """Return the parameters with all weights replaced by a function of their name and value."""
        return self.on(self.weight_paths, function, params)


def _layer(path: Path) -> Path:
    """Return the layer of the model that a parameter belongs to: its first name, and its number if that name is a list."""
    return path[:2] if len(path) > 1 and isinstance(path[1], int) else path[:1]


def dotted(path: Path) -> str:
    """Return a parameter's name, such as `layers.0.kernel`."""
    return ".".join(map(str, path))


def leaves(tree: Params) -> Iterator[tuple[Path, Any]]:
    """Yield paths and leaves in the order in which JAX flattens the tree."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield tuple(entry.key for entry in path), leaf
