"""A flax.nnx module as pure functions of a nested dict of parameters."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Key

from bench.initializers import initializer
from bench.initializers.scaling import fans
from bench.keys import KeyScalar, Seed, named, root, shuffled, weight_keys
from bench.lane.checks import check_variables
from bench.lane.order import use
from bench.models import model
from bench.models.activations import Forward, Hidden, dropped
from bench.schemes import scheme
from bench.spec import InitializerSpec, ModelSpec, Piece

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

    def __init__(self, spec: ModelSpec, inputs: int, outputs: int, examples_last: bool = False) -> None:
        """`examples_last`: whether a model that can do so works on arrays (feature, example) and not (example, feature)."""
        self.entry = model[spec.name]
        self.calling = self.entry.calling
        """The context in which methods of the module are called."""
        kind: Any = self.entry.target
        build = self.entry.bind({**spec.options, "inputs": inputs, "outputs": outputs})
        with self.calling():
            self.built = nnx.eval_shape(lambda: build(rngs=nnx.Rngs(root())))
            """The module with shapes in place of parameters."""
            self._graph, self._state = nnx.split(self.built)
            self.takes_forward = "forward" in inspect.signature(kind.trace).parameters
            """Whether the model can drop hidden units, and tell what is propagated back to them."""
        check_variables(self.entry, self._state)
        self.shapes: Params = nnx.to_pure_dict(self._state)
        self._leaves: dict[Path, Any] = dict(leaves(self.shapes))
        self.paths = list(self._leaves)
        self._whole_batch: bool = getattr(kind, "whole_batch", False)
        """Whether the model traces all examples of a batch at once rather than one."""
        self._examples_last: bool = examples_last and getattr(kind, "examples_last", False)
        self.players: tuple[str, ...] = getattr(kind, "players", ())
        """Parts of the parameters that are trained on a loss of their own, in the order of the model's outputs; none: all on one."""
        self.frozen: tuple[str, ...] = getattr(self.built, "frozen", ())
        """Names of parameters that the model itself does not train."""
        order = self._order_of_use(inputs)
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
        self._built: dict[Path, np.ndarray] = {}
        """Values that the model builds for what is neither a weight nor a bias, such as the scale of a normalization."""
        if len(self.paths) > len(self.weight_paths) + len(self.bias_paths):
            with jax.ensure_compile_time_eval():
                values = leaves(nnx.to_pure_dict(nnx.state(build(rngs=nnx.Rngs(root())), nnx.Param)))
                named_already = {*self.weight_paths, *self.bias_paths}
                self._built = {path: np.asarray(value) for path, value in values if path not in named_already}
        units = jax.eval_shape(self.units, self.shapes)
        self.is_layered = len(self.weight_paths) == len(units) + 1 > 1
        """Whether hidden layers follow one another, with one weight layer between two."""

    def _is_weight(self, path: Path) -> bool:
        """Whether a parameter is a weight layer: it has two axes or more, and is not called `bias`."""
        return path[-1] != "bias" and self._leaves[path].ndim >= 2

    def _has_known_inputs(self, path: Path) -> bool:
        """Whether all axes but the last are known to be the inputs of a weight: it has two axes, or is a convolution of flax."""
        owner: Any = self.built
        for name in path[:-1]:
            owner = owner[name] if isinstance(name, int) or isinstance(owner, nnx.Dict) else getattr(owner, name)
        return self._leaves[path].ndim == 2 or isinstance(owner, (nnx.Conv, nnx.ConvTranspose))

    def _order_of_use(self, inputs: int) -> list[int]:
        """Places of the parameters in the order in which one example meets them; the place behind them is that of the key of the noise."""

        def forward(arguments: list[Any], x: Array) -> Any:
            *values, key = arguments
            module = self.module(jax.tree.unflatten(jax.tree.structure(self.shapes), values))
            if self._whole_batch:
                return module.trace(x[None])
            return module.trace(x, Forward(key)) if self.takes_forward else module.trace(x)

        def alike(leaf: Any) -> Any:
            # Under 64 bits a model may build parameters of both precisions, which do not go together in a loop.
            return jax.ShapeDtypeStruct(leaf.shape, jnp.float32 if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf.dtype)

        shapes = [alike(leaf) for leaf in jax.tree.leaves(self.shapes)]
        with self.calling():
            return use(forward, [*shapes, jax.eval_shape(root)], jax.ShapeDtypeStruct((inputs,), jnp.float32))

    def module(self, params: Params) -> Any:
        """The flax module with these parameters."""
        state = jax.tree.map(lambda leaf: leaf, self._state)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(self._graph, state)

    def trace(self, params: Params, x: Float[Array, "example input"], noise: Noise = SILENT) -> tuple[Array, list[Hidden]]:
        """Outputs (example, output), and what each hidden layer did with each example."""

        def one(example: Array, key: Any, shifts: Any) -> tuple[Array, list[Hidden]]:
            connected = params
            if key is not None and noise.dropconnect > 0:
                connected = self.on_weights(lambda name, leaf: dropped(named(key, name), leaf, noise.dropconnect), params)
            module = self.module(connected)
            if self._whole_batch:
                # A batch of this one example.
                example, shifts = jax.tree.map(lambda leaf: leaf[None], (example, shifts))
                return jax.tree.map(lambda leaf: leaf[0], module.trace(example, Forward(None, shifts)))
            return module.trace(example, Forward(key, shifts)) if self.takes_forward else module.trace(example)

        with self.calling():
            if self._whole_batch and noise.dropconnect == 0:
                return self.module(params).trace(x, Forward(None, noise.shifts))
            if self._examples_last and noise.key is None:
                x, shifts = jax.tree.map(jnp.transpose, (x, noise.shifts))
                return jax.tree.map(jnp.transpose, self.module(params).trace(x, Forward(None, shifts)))
            whole = noise.key
            keys = None if whole is None else jax.vmap(lambda i: jax.random.fold_in(whole, i))(jnp.arange(len(x)))
            return jax.vmap(one)(x, keys, noise.shifts)

    @property
    def weight_names(self) -> list[str]:
        """Dotted paths of the weight layers."""
        return list(map(dotted, self.weight_paths))

    def matching(self, name: str) -> list[Path]:
        """Paths of the parameters that a name stands for: a dotted path, the beginning of one, or a pattern like `blocks.*.second`."""
        return [path for path in self.paths if fnmatchcase(dotted(path), name) or fnmatchcase(dotted(path), f"{name}.*")]

    def on(self, paths: Iterable[Path], function: Callable[[str, Array], Array], params: Params) -> Params:
        """Some parameters replaced by a function of their name and value; the others as they are."""

        def changed(path: Any, leaf: Array) -> Array:
            keys = tuple(entry.key for entry in path)
            return function(dotted(keys), leaf) if keys in paths else leaf

        return jax.tree_util.tree_map_with_path(changed, params)

    def on_weights(self, function: Callable[[str, Array], Array], params: Params) -> Params:
        """Weights replaced by a function of their name and value; all else as it is."""
        return self.on(self.weight_paths, function, params)

    def units(self, params: Params) -> list[Float[Array, "hidden feature"]]:
        """Per hidden layer, one row per unit."""
        with self.calling():
            return self.module(params).units()

    def weights(self, params: Params) -> list[Float[Array, "..."]]:
        """The weight layers (all but biases) in the order in which an example meets them."""
        found = dict(leaves(params))
        return [found[path] for path in self.weight_paths]

    def keys(self, init_seed: Seed) -> Key[Array, " key"]:
        """Of the initial values of each parameter, and of the places of the single weights of each that start at zero."""
        names = list(map(dotted, self.paths))
        return weight_keys(init_seed, [*names, *(f"{name}.zero_fraction" for name in names)])

    def initial(
        self,
        spec: InitializerSpec,
        keys: Key[Array, " key"],
        gain: Array,
        zero_fraction: Array,
        dtype: jnp.dtype,
        x: Float[Array, "example input"] | None = None,
        first_layer_offset: Array | float = 0.0,
        zeroed: Bool[Array, " parameter"] | None = None,
    ) -> Params:
        """Initial parameters of one lane from its `keys`; the numbers may be traced, so that sweeps do not recompile.

        Schemes look at the examples `x`.
        `zeroed` tells which parameters start at zero, where that is not what the `zero_layers` of `spec` say.
        """
        law = {path: piece for one, paths in self.laws(spec) for piece in [initializer[one.name].bind(one.options)] for path in paths}
        special = {path for name in spec.layers for path in self.matching(name)}
        drawn = self._drawn(law, keys, dtype)

        def value(path: Path, shape: tuple[int, ...]) -> Array:
            if path in self.weight_paths:
                return weights(path, gain * drawn[path])
            if path in special:
                return drawn[path]
            if path in self._built:
                return jnp.asarray(self._built[path], dtype)
            key = keys[self.paths.index(path)]
            bias = self._bias(spec.bias_law, key, path, shape, dtype)
            spread = spec.bias_stddev
            return bias + spread * jax.random.normal(named(key, "spread"), shape, dtype) if spread else bias

        def weights(path: Path, drawn: Array) -> Array:
            if path == self.weight_paths[0]:
                drawn = drawn + first_layer_offset
            if spec.zero_fraction == 0:
                return drawn
            rank = shuffled(keys[len(self.paths) + self.paths.index(path)], drawn.size)
            # Only a fraction of 1 zeroes a whole layer.
            zeros = jnp.minimum(jnp.round(zero_fraction * drawn.size), jnp.where(zero_fraction < 1, drawn.size - 1, drawn.size))
            kept = rank.reshape(drawn.shape) >= zeros
            return jnp.where(kept, drawn, jnp.zeros_like(drawn))

        values = [value(path, leaf.shape) for path, leaf in leaves(self.shapes)]
        zeros = self.zeroed(spec) if zeroed is None else zeroed
        kept = [jnp.where(zero, jnp.zeros_like(leaf), leaf) for zero, leaf in zip(zeros, values, strict=True)]
        params = jax.tree.unflatten(jax.tree.structure(self.shapes), kept)
        return self._changed(spec.scheme, params, x) if spec.scheme else params

    def _changed(self, name: str, params: Params, x: Any) -> Params:
        """Parameters as a scheme changes them; `PieceError` if it gives others than it got."""
        entry = scheme[name]
        changed = entry.bind({})(params, self, x)
        before, after = (jax.tree.map(lambda leaf: (jnp.shape(leaf), jnp.result_type(leaf)), tree) for tree in (params, changed))
        if before != after:
            raise entry.fault("it returns parameters of other names, shapes or dtypes than it was given")
        return changed

    def laws(self, spec: InitializerSpec) -> list[tuple[Piece, list[Path]]]:
        """The initializers of a spec and the parameters that each of them draws: of several that match a parameter, the last."""
        pieces: list[Piece] = [spec, *spec.layers.values()]
        chosen = dict.fromkeys(self.weight_paths, 0)
        for number, name in enumerate(spec.layers, 1):
            chosen.update(dict.fromkeys(self.matching(name), number))
        return [(piece, [path for path, one in chosen.items() if one == number]) for number, piece in enumerate(pieces)]

    def _drawn(self, law: dict[Path, Callable[..., Array]], keys: Key[Array, " key"], dtype: jnp.dtype) -> dict[Path, Array]:
        """A draw for each of these parameters; those of one initializer and shape together, which leaves less to compile."""
        shapes = {path: leaf.shape for path, leaf in leaves(self.shapes)}
        alike: dict[Any, list[Path]] = {}
        for path in filter(law.__contains__, self.paths):
            alike.setdefault((law[path], shapes[path]), []).append(path)
        drawn: dict[Path, Array] = {}
        for (one, shape), paths in alike.items():
            chosen = keys[np.array([self.paths.index(path) for path in paths])]
            drawn.update(zip(paths, jax.vmap(lambda key, one=one, shape=shape: one(key, shape, dtype))(chosen), strict=True))
        return drawn

    def zeroed(self, spec: InitializerSpec) -> tuple[bool, ...]:
        """Of each parameter, whether `zero_layers` sets it to zero."""
        found = [self.matching(layer) if isinstance(layer, str) else [self.weight_paths[layer]] for layer in spec.zero_layers]
        return tuple(any(path in paths for paths in found) for path in self.paths)

    def zeroed_layers(self, spec: InitializerSpec) -> list[int]:
        """Indices of the weight layers that `zero_layers` sets to zero."""
        zeroed = dict(zip(self.paths, self.zeroed(spec), strict=True))
        return [index for index, path in enumerate(self.weight_paths) if zeroed[path]]

    def _bias(self, law: str | float, key: Any, path: Path, shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
        if law != "uniform_fan_in":
            return jnp.full(shape, 0.0 if isinstance(law, str) else law, dtype)
        # A bias without weights of its own, as after a normalization, has no fan-in.
        beside = (leaf for other, leaf in leaves(self.shapes) if other[: len(path) - 1] == path[:-1] and other in self.weight_paths)
        kernel = next(beside, None)
        limit = 0.0 if kernel is None else fans(kernel.shape)[0] ** -0.5
        return jax.random.uniform(key, shape, dtype, -limit, limit)


def _layer(path: Path) -> Path:
    """The layer of the model that a parameter belongs to: its first name, and its number where that names a list."""
    return path[:2] if len(path) > 1 and isinstance(path[1], int) else path[:1]


def dotted(path: Path) -> str:
    """A parameter's name."""
    return ".".join(map(str, path))


def leaves(tree: Params, prefix: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Paths and leaves in the order in which JAX flattens the tree."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield tuple(entry.key for entry in path), leaf
