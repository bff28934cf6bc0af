"""Models of other libraries as flax.nnx modules: flax.linen, equinox, and pairs of functions `init` and `apply`.

A pair is `init(key, x)`, which gives parameters for an example `x`, and `apply(params, x)`; or, as in `jax.example_libraries.stax`,
`init(key, input_shape)`, which gives the shape of the outputs and parameters.
"""

import inspect
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from flax.core import meta
from flax.traverse_util import flatten_dict

from bench.keys import KeyScalar, root
from bench.models.axes import TRANSPOSED, Form, grouped, plain
from bench.registry import Entry

EXAMPLE = "example"
"""The name of the axis over the examples of a batch, while a model trains."""
IN_TRAINING = {"train": True, "training": True, "is_training": True, "deterministic": False, "use_running_average": False}
"""Arguments of `__call__` by which models of flax.linen are told whether they train, with their values in training."""
STATE = "equinox_state"
"""Where the state of a module of equinox stands among its variables."""
KINDS = "which is no flax.nnx.Module, no module of flax.linen or equinox, and no pair of functions init and apply"

Call = Callable[[dict[Any, Any], Any, Any, bool], tuple[Any, dict[Any, Any]]]
"""Outputs and new values of the variables, from variables by their paths, an example, a key or None, and whether the model trains."""


class Bridged(nnx.Module):
    """A model of another library: its variables by their names there, and a function that computes with them."""

    def __init__(self, variables: dict[tuple[Any, ...], nnx.Variable], call: Call, forms: dict[tuple[Any, ...], Form | None]) -> None:
        tree: dict[Any, Any] = {}
        for path, variable in variables.items():
            inner = tree
            for name in path[:-1]:
                inner = inner.setdefault(name, {})
            inner[path[-1]] = variable
        for name, part in tree.items():
            setattr(self, name, nnx.data(part))
        self._paths = tuple(variables)
        self._call = call
        self.form = forms.get
        """The form of the weight at a path."""
        self.whole_batch = False
        self.deterministic = False
        self._stream = nnx.RngStream(root(), tag="noise")

    def __call__(self, x: Any) -> Any:
        held = {path: self._at(path) for path in self._paths}
        key = None if self.deterministic else self._stream()
        outputs, new = self._call({path: variable[...] for path, variable in held.items()}, x, key, not self.deterministic)
        for path, value in new.items():
            held[path][...] = value
        return outputs

    def _at(self, path: tuple[Any, ...]) -> Any:
        found = getattr(self, path[0])
        for name in path[1:]:
            found = found[name]
        return found


def maker(entry: Entry, options: dict[str, Any], inputs: int, outputs: int, example: jax.ShapeDtypeStruct) -> Callable[..., nnx.Module]:
    """Return a function that builds a model as a flax.nnx module, given of `inputs`, `outputs`, `rngs` and `key` what it declares.

    Every model is built with the same key unless the function is given another one. `example` is the shape of one example. `PieceError` if
    it builds something else.
    """
    function = entry.target.__init__ if inspect.isclass(entry.target) else entry.target
    declared = {} if function is object.__init__ else inspect.signature(function).parameters
    any_name = entry.own and any(one.kind is one.VAR_KEYWORD for one in declared.values())

    def make(key: KeyScalar | None = None) -> nnx.Module:
        key = root() if key is None else key
        given = {"inputs": inputs, "outputs": outputs, "rngs": nnx.Rngs(key), "key": key}
        named = {name: value for name, value in given.items() if name in declared or any_name and name != "key"}
        return _bridged(entry, entry.bind({**options, **named})(), example, key)

    return make


def adapted(found: Any) -> Any:
    """Return what a name in a user's module stands for as a class or function that builds a model; None for a model that is built."""
    if inspect.isclass(found) and issubclass(found, linen.Module):
        parameters = [
            one for one in inspect.signature(found.__init__, eval_str=True).parameters.values() if one.name not in ("parent", "name")
        ]
        return _named_as(lambda **options: found(**options), found, parameters[1:])
    if isinstance(found, linen.Module):
        return _named_as(lambda: found, type(found), [])
    if isinstance(found, nnx.Module) or "equinox" in sys.modules and isinstance(found, sys.modules["equinox"].Module):
        return None
    pair = _pair(found)
    return found if pair is None else _named_as(lambda: found, pair[1], [])


def is_model(made: Any) -> bool:
    """Tell whether something is a model, or a class of models: of flax.nnx, flax.linen or equinox, or a pair of functions."""
    equinox = sys.modules.get("equinox")
    modules = (nnx.Module, linen.Module, *([equinox.Module] if equinox is not None else []))
    if inspect.isclass(made):
        return issubclass(made, modules)
    stateful = equinox is not None and _is_stateful(equinox, made)
    return isinstance(made, modules) or stateful or _pair(made) is not None


def _named_as(function: Any, original: Any, parameters: list[inspect.Parameter]) -> Any:
    """Return a function with the name, file and documentation of what it stands for, and these parameters."""
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(function, attribute, getattr(original, attribute, None) or "")
    function.__wrapped__ = original
    function.__signature__ = inspect.Signature([one.replace(kind=one.KEYWORD_ONLY) for one in parameters])
    return function


def _pair(found: Any) -> tuple[Any, Any] | None:
    """Return the functions `init` and `apply` that a value holds; None if it is no such pair."""
    pair = found if type(found) is tuple and len(found) == 2 else (getattr(found, "init", None), getattr(found, "apply", None))
    return pair if not inspect.isclass(found) and all(map(callable, pair)) else None


def _is_stateful(equinox: Any, made: Any) -> bool:
    """Tell whether something is a module of equinox with its state, as `equinox.nn.make_with_state` returns them."""
    return type(made) is tuple and len(made) == 2 and isinstance(made[1], equinox.nn.State)


def _bridged(entry: Entry, made: Any, example: jax.ShapeDtypeStruct, key: KeyScalar) -> nnx.Module:
    equinox = sys.modules.get("equinox")
    if isinstance(made, nnx.Module):
        return made
    if isinstance(made, linen.Module):
        return _of_linen(made, example, key)
    if equinox is not None:
        module, state = made if _is_stateful(equinox, made) else (made, None)
        if isinstance(module, equinox.Module):
            return _of_equinox(entry, equinox, module, state)
    pair = _pair(made)
    if pair is None:
        raise entry.fault(f"it makes a {type(made).__name__}, {KINDS}", fix="write class Net(nnx.Module) from flax, and return Net(...)")
    return _of_pair(entry, *pair, example, key)


def _of_linen(module: linen.Module, example: jax.ShapeDtypeStruct, key: KeyScalar) -> Bridged:
    whole = bool(getattr(module, "whole_batch", False))
    modes = {name: value for name, value in IN_TRAINING.items() if name in inspect.signature(type(module).__call__).parameters}
    layers: dict[tuple[Any, ...], Any] = {}

    def seen(following: Any, arguments: Any, options: Any, context: Any) -> Any:
        layers[context.module.path] = context.module
        if isinstance(context.module, linen.BatchNorm) and not whole and context.module.axis_name is None:
            # A layer that is made inside of another one's call is out of a user's reach, and frozen.
            object.__setattr__(context.module, "axis_name", EXAMPLE)
        return following(*arguments, **options)

    def flags(training: bool) -> dict[str, Any]:
        return {name: value == training for name, value in modes.items()}

    x = jnp.zeros((1, *example.shape) if whole else example.shape, example.dtype)
    with linen.intercept_methods(seen):
        variables = flatten_dict(meta.unbox(module.init(key, x, **flags(False))))

    def named(path: tuple[Any, ...]) -> tuple[Any, ...]:
        return path[1:] if path[0] == "params" else path

    def call(values: dict[Any, Any], x: Any, key: KeyScalar | None, training: bool) -> tuple[Any, dict[Any, Any]]:
        held: dict[str, Any] = {}
        for path in variables:
            inner = held
            for name in path[:-1]:
                inner = inner.setdefault(name, {})
            inner[path[-1]] = values[named(path)]
        mutable = [name for name in held if name != "params"] if training else []
        with linen.intercept_methods(seen):
            outputs, moved = module.apply(held, x, rngs=None if key is None else {"params": key}, mutable=mutable, **flags(training))
        return outputs, {named(path): value for path, value in flatten_dict(moved).items() if path in variables}

    kinds = {path: nnx.Param(value) if path[0] == "params" else nnx.BatchStat(value) for path, value in variables.items()}
    forms = {named(path): _linen_form(layers.get(path[1:-1]), path[-1], jnp.ndim(value)) for path, value in variables.items()}
    bridged = Bridged({named(path): variable for path, variable in kinds.items()}, call, forms)
    bridged.whole_batch = whole
    return bridged


def _linen_form(layer: Any, name: str, ndim: int) -> Form | None:
    if isinstance(layer, linen.Embed):
        return TRANSPOSED
    if isinstance(layer, linen.Conv) or isinstance(layer, linen.ConvTranspose) and not layer.transpose_kernel:
        return plain(ndim)
    if isinstance(layer, linen.DenseGeneral) and name == "kernel" and not layer.batch_dims:
        units = layer.features if isinstance(layer.features, int) else len(layer.features)
        outputs = 1 if isinstance(layer.features, int) else units
        return grouped(ndim - outputs, outputs)
    return plain(ndim) if ndim == 2 else None


def _of_equinox(entry: Entry, equinox: Any, module: Any, state: Any) -> Bridged:
    """Bridge a module, whose state, such as a BatchNorm's averages, moves with a training run as numbers of the dtype of its parameters.

    `state` is what `equinox.nn.make_with_state` gave beside the module; None: it is taken from the module, if there is any.
    """
    if state is None:
        module, state = equinox.nn.make_with_state(lambda: module)()
    leaves, tree = jax.tree_util.tree_flatten_with_path(module)
    held, states = jax.tree_util.tree_flatten_with_path(state)
    arrays = {_names(path): leaf for path, leaf in leaves if isinstance(leaf, jax.Array | np.ndarray)}
    moved = {(STATE, *_names(path)): jnp.asarray(leaf) for path, leaf in held}
    names = [_names(path) for path, _ in leaves]
    rest = [
        (path, EXAMPLE if path[-1] == "axis_name" and isinstance(_owner(module, path), equinox.nn.BatchNorm) else leaf)
        for path, (_, leaf) in zip(names, leaves, strict=True)
    ]
    takes_key = "key" in inspect.signature(type(module).__call__).parameters

    def call(values: dict[Any, Any], x: Any, key: KeyScalar | None, training: bool) -> tuple[Any, dict[Any, Any]]:
        whole = jax.tree.unflatten(tree, [values.get(path, leaf) for path, leaf in rest])
        if not training:
            whole = equinox.nn.inference_mode(whole)
        # Counters and flags are kept as numbers as well, which are exact up to 2^24.
        before = [values[path].astype(leaf.dtype) if _counts(leaf) else values[path] for path, leaf in moved.items()]
        given = (x, jax.tree.unflatten(states, before)) if moved else (x,)
        try:
            found = whole(*given, **({"key": key} if takes_key else {}))
        except RuntimeError as error:
            if takes_key or "requires a key" not in str(error):
                raise
            fix = "write def __call__(self, x, key=None), and pass the key on to its dropout"
            raise entry.fault("it drops units, and its __call__ takes no key", error, fix) from error
        if not moved:
            return found, {}
        outputs, after = found
        if not training:
            return outputs, {}
        return outputs, {path: new.astype(values[path].dtype) for path, new in zip(moved, jax.tree.leaves(after), strict=True)}

    kinds = {
        path: (nnx.Param if jnp.issubdtype(leaf.dtype, jnp.inexact) else nnx.Variable)(jnp.asarray(leaf)) for path, leaf in arrays.items()
    }
    stats = {path: nnx.BatchStat(leaf.astype("float32") if _counts(leaf) else leaf) for path, leaf in moved.items()}
    return Bridged({**kinds, **stats}, call, {path: _equinox_form(equinox, module, path, leaf.ndim) for path, leaf in arrays.items()})


def _counts(leaf: Any) -> bool:
    """Tell whether an array holds integers or truth values."""
    return not jnp.issubdtype(leaf.dtype, jnp.inexact)


def _owner(module: Any, path: tuple[Any, ...]) -> Any:
    """Return the layer of equinox that owns what stands at a path."""
    for name in path[:-1]:
        module = getattr(module, name) if isinstance(name, str) and hasattr(module, name) else module[name]
    return module


def _equinox_form(equinox: Any, module: Any, path: tuple[Any, ...], ndim: int) -> Form | None:
    """Return the form of a weight of one of equinox's own layers, whose first axis counts units; of others nobody knows."""
    owner, layers = _owner(module, path), equinox.nn
    if isinstance(owner, layers.Linear | layers.Embedding | layers.GRUCell | layers.LSTMCell):
        return TRANSPOSED
    if isinstance(owner, layers.Conv | layers.ConvTranspose):
        return (*((axis,) for axis in range(2, ndim)), (1,), (0,))
    return None


def _of_pair(entry: Entry, init: Any, apply: Any, example: jax.ShapeDtypeStruct, key: KeyScalar) -> Bridged:
    if "input_shape" in inspect.signature(init).parameters:
        params = init(key, example.shape)[1]
    else:
        params = init(key, jnp.zeros(example.shape, example.dtype))
    leaves, tree = jax.tree_util.tree_flatten_with_path(params)
    for path, leaf in leaves:
        if not isinstance(leaf, jax.Array | np.ndarray):
            raise entry.fault(f"its init gives a {type(leaf).__name__} at {'.'.join(map(str, _names(path)))}, where only arrays may be")
    arrays = {_names(path) or ("params",): jnp.asarray(leaf) for path, leaf in leaves}

    def call(values: dict[Any, Any], x: Any, key: Any, training: bool) -> tuple[Any, dict[Any, Any]]:
        return apply(jax.tree.unflatten(tree, [values[path] for path in arrays]), x), {}

    forms = {path: plain(2) if leaf.ndim == 2 else None for path, leaf in arrays.items()}
    return Bridged({path: nnx.Param(leaf) for path, leaf in arrays.items()}, call, forms)


def _names(path: Any) -> tuple[Any, ...]:
    """Return a path of a JAX tree as names and numbers; the first one is a name, as of an attribute."""
    names = [next(getattr(key, attribute) for attribute in ("name", "key", "idx") if hasattr(key, attribute)) for key in path]
    return tuple([*map(str, names[:1]), *names[1:]])
