"""A flax.nnx module as pure functions of a nested dict of parameters."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from bench.keys import KeyScalar, named, root
from bench.lane.model import Model, key_of_each
from bench.lane.order import use
from bench.lane.state import Params, Path, dotted, leaves
from bench.models.activations import PLAIN, Forward, Hidden, dropped
from bench.models.axes import Form, drawn_shape, form_of, formed, plain
from bench.models.bridges import Bridged
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

    def __init__(self, spec: ModelSpec, inputs: int, outputs: int, examples_last: bool = False, symbols: bool = False) -> None:
        """Trace the model's shapes; `PieceError` if it breaks the protocol.

        `examples_last`: whether a model that can do so works on arrays (feature, example) and not (example, feature).
        `symbols`: whether examples are integers.
        """
        self.model = Model(spec, inputs, outputs, symbols)
        self.entry, self.calling, self.inputs, self.built = self.model.entry, self.model.calling, inputs, self.model.built
        self.takes_forward = self.model.takes_forward
        self.moving = self.model.modes.moving
        """Paths of what training moves without a gradient, such as the running averages of a batch normalization."""
        self.shapes: Params = self.model.shapes
        self._leaves: dict[Path, Any] = dict(leaves(self.shapes))
        self.paths = list(self._leaves)
        as_given = spec.input_shape is None and not spec.symbols
        self._examples_last: bool = examples_last and as_given and getattr(self.built, "examples_last", False)
        self.players: tuple[str, ...] = getattr(self.built, "players", ())
        """Parts of the parameters that are trained on a loss of their own, in the order of the model's outputs; empty: one loss for all."""
        self.frozen: tuple[str, ...] = getattr(self.built, "frozen", ())
        """Names of parameters that the model itself does not train."""
        order = self._order_of_use()
        self.draws = len(self.paths) in order or self.model.modes.draws
        """Whether the model has a noise of its own in training."""
        self.weight_paths = [self.paths[place] for place in order if place < len(self.paths) and self._is_weight(self.paths[place])]
        """Paths of the weight layers, in the order in which an example meets them."""
        self._forms = {path: self._form(path) for path in self.weight_paths}
        self.unclear_paths = [path for path, form in self._forms.items() if form is None]
        """Weight layers of a user's own model of which nobody knows which axes are inputs."""
        idle = [path for path in self.paths if self._is_weight(path) and path not in self.weight_paths]
        if idle:
            what = f"its weights {', '.join(map(dotted, idle))} have no part in its outputs"
            raise self.entry.fault(what, fix="use them in __call__(x), or build no such layer")
        last = self.weight_paths[-1:]
        self.output_paths = [path for path in self.weight_paths if last and self._layer(path) == self._layer(last[0])]
        """Weights of the last layer: one matrix, or several of which it is made."""
        self.bias_paths = [path for path in self.paths if path not in (*self.weight_paths, *self.moving) and path[-1] == "bias"]
        self.built_values = self._values_of_others()
        """Values that the model builds for what is neither weight nor bias, such as the scale of a normalization."""
        self.unit_shapes = jax.eval_shape(self._unchecked_units, self.shapes)
        self.is_layered = len(self.weight_paths) == len(self.unit_shapes) + 1 > 1
        """Whether hidden layers follow one another, with one weight layer between two."""

    def _is_weight(self, path: Path) -> bool:
        return path[-1] != "bias" and self._leaves[path].ndim >= 2 and path not in self.moving

    def _layer(self, path: Path) -> Path:
        """Return the layer that a parameter belongs to: its first name, and its number if that name is a list.

        In a user's own model it is the part that holds the parameter, as names may stand for anything there.
        """
        if self.entry.own:
            return path[:-1]
        return path[:2] if len(path) > 1 and isinstance(path[1], int) else path[:1]

    def _form(self, path: Path) -> Form | None:
        """Return how a weight is drawn; None if nobody knows which of its axes are inputs."""
        ndim, owner = self._leaves[path].ndim, self.built
        if not self.entry.own:
            return plain(ndim)
        if isinstance(owner, Bridged):
            return owner.form(path)
        for name in path[:-1]:
            owner = owner[name] if isinstance(name, int) or isinstance(owner, nnx.Dict | dict) else getattr(owner, name)
        return form_of(owner, path[-1], ndim)

    def drawn_shape(self, path: Path) -> tuple[int, ...]:
        """Return the shape in which an initializer draws a parameter: its last axis counts units, the others are inputs."""
        shape, form = self._leaves[path].shape, self._forms.get(path)
        return shape if form is None else drawn_shape(form, shape)

    def formed(self, path: Path, drawn: Float[Array, "..."]) -> Float[Array, "..."]:
        """Return a parameter from the array of its `drawn_shape`."""
        form = self._forms.get(path)
        return drawn if form is None else formed(form, drawn, self._leaves[path].shape)

    def _order_of_use(self) -> list[int]:
        """Return the places of the parameters in the order in which one example meets them; the last place is that of the noise key."""

        def forward(arguments: list[Any], x: Array) -> Any:
            *values, key = arguments
            module = self.module(jax.tree.unflatten(jax.tree.structure(self.shapes), values))
            return self.model.one(module, x[None], PLAIN) if self.model.whole_batch else self.model.one(module, x, Forward(key))

        def alike(leaf: Any) -> Any:
            # Under 64 bits a model may build parameters of both precisions, which do not go together in a loop.
            return jax.ShapeDtypeStruct(leaf.shape, jnp.float32 if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf.dtype)

        shapes = [alike(leaf) for leaf in jax.tree.leaves(self.shapes)]
        return self.model.told_of_batches(lambda: use(forward, [*shapes, jax.eval_shape(root)], self.model.examples()))

    def _values_of_others(self) -> dict[Path, np.ndarray]:
        named_already = {*self.weight_paths, *self.bias_paths}
        if len(named_already) == len(self.paths):
            return {}
        values = self.model.as_built()
        return {path: values[path] for path in self.paths if path not in named_already}

    def offers(self, name: str) -> bool:
        """Tell whether the model has an optional method or attribute of the protocol."""
        return hasattr(self.built, name)

    def module(self, params: Params) -> Any:
        """Return the flax module with these parameters, as it is measured."""
        return self.model.module(params)

    def trace(self, params: Params, x: Examples, noise: Noise = SILENT) -> tuple[Float[Array, "example output"], list[Hidden]]:
        """Return the outputs, and what each hidden layer did with each example."""
        return self.unchecked_trace(params, x, noise)

    def unchecked_trace(self, params: Params, x: Examples, noise: Noise = SILENT) -> Any:
        """Return what the model gives for these examples, which may be another thing than `trace` promises: `check_trace` looks at it."""

        def one(example: Any, key: Any, shifts: Any) -> Any:
            module = self.module(self._connected(params, noise, key))
            if self.model.whole_batch:
                # A batch of this one example.
                example, shifts = jax.tree.map(lambda leaf: leaf[None], (example, shifts))
                return jax.tree.map(lambda leaf: leaf[0], self.model.one(module, example, Forward(None, shifts)))
            return self.model.one(module, example, Forward(key, shifts))

        with self.calling():
            if self.model.whole_batch and noise.dropconnect == 0:
                return self.model.one(self.module(params), x, Forward(None, noise.shifts))
            if self._examples_last and noise.key is None:
                x, shifts = jax.tree.map(jnp.transpose, (x, noise.shifts))
                return jax.tree.map(jnp.transpose, self.module(params).trace(x, Forward(None, shifts)))
            return jax.vmap(one)(x, key_of_each(noise.key, len(x)), noise.shifts)

    def in_training(self, params: Params, x: Examples, noise: Noise = SILENT) -> tuple[Float[Array, "example output"], dict[str, Array]]:
        """Return the outputs of a pass in training, and the new values of what the model moves, by their names."""
        if not self.model.modes.differ:
            return self.trace(params, x, noise)[0], {}

        def connected(key: Any) -> Params:
            return self._connected(params, noise, key)

        return self.model.passed(connected, x, noise.key, self.moving, training=True, apart=noise.dropconnect > 0)

    def _connected(self, params: Params, noise: Noise, key: Any) -> Params:
        """Return the parameters of the example with this key, some of whose weights dropconnect drops."""
        if key is None or noise.dropconnect == 0:
            return params
        return self.on_weights(lambda name, leaf: dropped(named(key, name), leaf, noise.dropconnect), params)

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
        return jax.eval_shape(self.trace, self.shapes, self.model.examples(1))[1]

    @cached_property
    def n_parameters(self) -> int:
        """Number of single parameters."""
        return sum(leaf.size for path, leaf in self._leaves.items() if path not in self.moving)

    @property
    def weight_names(self) -> list[str]:
        """Dotted paths of the weight layers."""
        return list(map(dotted, self.weight_paths))

    def matching(self, name: str) -> list[Path]:
        """Return the paths that a name stands for: a dotted path, the beginning of one, or a pattern like `blocks.*.second`."""
        found = [path for path in self.paths if fnmatchcase(dotted(path), name) or fnmatchcase(dotted(path), f"{name}.*")]
        return [path for path in found if path not in self.moving]

    def on(self, paths: Iterable[Path], function: Callable[[str, Array], Array], params: Params) -> Params:
        """Return the parameters with those at `paths` replaced by a function of their name and value."""

        def changed(path: Any, leaf: Array) -> Array:
            keys = tuple(entry.key for entry in path)
            return function(dotted(keys), leaf) if keys in paths else leaf

        return jax.tree_util.tree_map_with_path(changed, params)

    def on_weights(self, function: Callable[[str, Array], Array], params: Params) -> Params:
        """Return the parameters with all weights replaced by a function of their name and value."""
        return self.on(self.weight_paths, function, params)
