"""Checks of a program before it is compiled: its settings go together, and users' own pieces keep their contracts."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.imports import MOST_LETTERS
from bench.initializers import draws, initializer
from bench.keys import root
from bench.lane.contracts import check_initializer, check_symbols, check_values, depends_on_axes
from bench.lane.data import data_bytes, sampled
from bench.lane.initial import initial_parameters, laws, parameter_keys
from bench.lane.network import Network, Noise, dotted, leaves
from bench.lane.objective import MAX_HESSIAN, Recipe
from bench.lane.start import Variant
from bench.lane.state import Params, Path
from bench.lane.update import averaging, optimizer_of
from bench.losses import loss
from bench.messages import one_line
from bench.models.protocol import check_axes, check_moved, check_names, check_outputs, check_rows, check_trace
from bench.optimizers import asks_for_function, asks_for_loss, check_keys, optimizer
from bench.optimizers.found import REFUSALS
from bench.registry import PieceError
from bench.schemes import scheme
from bench.spec import Cell, InitializerSpec, Settings, TaskSpec
from bench.startup import HASTY
from bench.tasks import task
from bench.tasks.definition import Data

SAMPLES, SAMPLES_BYTES = 64, 1 << 26
"""Number of data sets of a user's own task that are checked before training, and their largest size together."""


MOST_EXAMPLES = 64
"""Most examples on which a user's own model is tried before training."""


def check_training(recipe: Recipe) -> None:
    """Check that noise, batch size, players and optimizer go together; ValueError if they do not."""
    network, training, optimizer = recipe.network, recipe.settings.training, recipe.settings.optimizer
    name = recipe.settings.model.name
    if recipe.task.kind == "classification" and training.label_noise > 1:
        raise ValueError(f"training.label_noise = {training.label_noise}: a share of the labels, at most 1")
    if recipe.batch_size > recipe.n_examples:
        raise ValueError(f"training.batch_size = {recipe.batch_size}: at most {recipe.n_examples}, the number of training examples")
    if bool(network.players) != recipe.task.loss.players:
        raise ValueError(
            f"model '{name}': its parts are trained on losses of their own; it needs a task for several players"
            if network.players
            else f"model '{name}': the task is one for a model with several players"
        )
    if network.players and recipe.noisy:
        raise ValueError(f"training: no noise for '{name}', whose parts are trained on losses of their own")
    if network.players and network.moving:
        raise ValueError(f"model '{name}': it moves {dotted(network.moving[0])}, and its parts are trained on losses of their own")
    if network.moving and network.model.whole_batch and training.dropconnect > 0:
        raise ValueError(f"training.dropconnect: '{name}' takes the whole batch, in which examples have no weights of their own")
    if network.players and asks_for_loss(optimizer.name, optimizer.options):
        raise ValueError(f"optimizer.name = '{optimizer.name}': it asks for the one loss that '{name}' has not")
    if training.updates == "alternating" and not network.players:
        raise ValueError(f"training.updates = 'alternating': all of '{name}' is trained on one loss")
    if recipe.measured_apart and asks_for_function(optimizer.name, optimizer.options):
        what = "noise in training" if recipe.noisy else "what the model does in training alone"
        raise ValueError(
            f"optimizer.name = '{optimizer.name}': it compares values of the loss at several points, and {what} would be in one of them"
        )


def check_update(recipe: Recipe) -> None:
    """Check one update on the shapes of the network; ValueError if the optimizer cannot make it, `PieceError` if it is a user's own."""
    wanted, network, real = recipe.settings.optimizer, recipe.network, jnp.dtype(recipe.dtype)
    params = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, real), network.shapes)
    number = jax.ShapeDtypeStruct((), real)

    def fault(what: str) -> ValueError:
        return optimizer[wanted.name].fault(what) if ":" in wanted.name else ValueError(f"optimizer.name = '{wanted.name}': {what}")

    def loss(params: Params, obj_fn: Any = None) -> Any:
        return jnp.sum(jnp.stack([jnp.sum(leaf) for leaf in jax.tree.leaves(params)]))

    for player in network.players or (None,):
        part = params if player is None else params[player]

        def step(rate: Any, params: Params, path: Path = () if player is None else (player,)) -> Any:
            transformation = optimizer_of(recipe, rate, path)
            before = transformation.init(params)
            extra = {"value": loss(params), "grad": params, "value_fn": loss, "obj_fn": loss}
            return before, *transformation.update(params, before, params, **extra)

        try:
            before, updates, after = jax.eval_shape(step, number, part)
        except PieceError:
            raise
        except REFUSALS as error:
            raise fault(f"it cannot train '{network.entry.name}': {one_line(error, MOST_LETTERS)}") from error
        check_keys(wanted.name, before)
        if _described(updates, dtypes=False) != _described(part, dtypes=False):
            raise fault("its updates have other names or shapes than the parameters")
        if _described(before) != _described(after):
            raise fault(f"an update changes the structure, shapes or dtypes of its state: {_difference(before, after)}")
        averages = averaging(before)
        if wanted.learning_rates and (averages or asks_for_function(wanted.name, wanted.options)):
            why = "measures averages of its parameters" if averages else "searches along its updates"
            raise ValueError(f"optimizer.learning_rates: '{wanted.name}' {why}, which factors would falsify")
        if averages and network.moving:
            raise ValueError(
                f"optimizer.name = '{wanted.name}': it measures averages of its parameters, and '{network.entry.name}' moves "
                f"{dotted(network.moving[0])} by itself"
            )


def _described(tree: Any, dtypes: bool = True) -> Any:
    """Return structure, shapes and dtypes of a tree."""
    return jax.tree.structure(tree), [(leaf.shape, leaf.dtype if dtypes else None) for leaf in jax.tree.leaves(tree)]


def _difference(before: Any, after: Any) -> str:
    """Say where two trees first have other shapes or dtypes."""
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=False)
    texts = ((f"{one.dtype} of shape {one.shape}", f"{other.dtype} of shape {other.shape}") for one, other in pairs)
    return next((f"{one} becomes {other}" for one, other in texts if one != other), "it has other parts")


def check_start(network: Network, cells: Iterable[Cell], variants: Iterable[Variant]) -> None:
    """Check that the parameters and layers that the cells name exist, and that a curvature can be had; ValueError if not."""
    for cell in cells:
        _check_layers(network, cell)
    for variant in variants:
        if variant.relative_rate and network.players:
            raise ValueError(f"optimizer.learning_rate: '{network.entry.name}' has a loss for each player, and no curvature")
        if variant.relative_rate and network.moving:
            raise ValueError(
                f"optimizer.learning_rate: '{network.entry.name}' moves {dotted(network.moving[0])}, and has no curvature without it"
            )
        if variant.relative_rate and network.n_parameters > MAX_HESSIAN:
            raise ValueError(
                f"optimizer.learning_rate in units of 1/curvature: at most {MAX_HESSIAN} parameters, not {network.n_parameters}"
            )


def _check_layers(network: Network, cell: Cell) -> None:
    settings: Settings = cell.settings
    layers, name = len(network.weight_paths), network.entry.name
    in_order = network.is_layered or layers == 1
    if not in_order and _has_offset(cell):
        raise ValueError(f"initializer.first_layer_offset: '{name}' has no one first layer")
    for frozen in settings.training.frozen:
        _check_name(network, "training.frozen", frozen)
    for kept in settings.optimizer.weight_decay_exclude:
        _check_name(network, "optimizer.weight_decay_exclude", kept)
    for scaled in settings.optimizer.learning_rates:
        _check_name(network, "optimizer.learning_rates", scaled)
    for drawn in settings.initializer.layers:
        _check_name(network, "initializer.layers", drawn)
    for layer in settings.initializer.zero_layers:
        if isinstance(layer, str):
            _check_name(network, "initializer.zero_layers", layer)
        elif not in_order:
            raise ValueError(f"initializer.zero_layers = [{layer}]: the layers of {name} have names, not numbers")
        elif layer >= layers:
            raise ValueError(f"initializer.zero_layers = [{layer}]: {name} has weight layers 0 to {layers - 1}")


def _check_name(network: Network, place: str, name: str) -> None:
    if not network.matching(name):
        known = ", ".join(dotted(path) for path in network.paths if path not in network.moving)
        raise ValueError(f"{place}: '{name}' is no parameter of {network.entry.name}; it has {known}")


def _has_offset(cell: Cell) -> bool:
    """Tell whether some training runs of a cell add an offset to the first layer's weights."""
    mapped = {axis.path for axis in (cell.map.x, cell.map.y)} if cell.map else set()
    return bool(cell.settings.initializer.first_layer_offset) or "initializer.first_layer_offset" in mapped


def check_model(network: Network, outputs: int, dtype: str) -> None:
    """Check the shapes and dtypes of what a model gives for one example against the protocol; `PieceError` if they differ from it."""
    entry, inputs = network.entry, network.inputs
    params = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, jnp.dtype(dtype)), network.shapes)

    def given(method: str, *shape: int) -> Any:
        def call(params: Params, *arguments: Any) -> Any:
            return getattr(network.module(params), method)(*map(network.model.seen, arguments))

        with network.calling():
            return jax.eval_shape(call, params, *([jax.ShapeDtypeStruct(shape, jnp.dtype(dtype))] if shape else []))

    check_trace(entry, jax.eval_shape(network.unchecked_trace, params, network.model.examples(1, dtype=dtype)), outputs, dtype)
    if network.moving:
        several, key = network.model.examples(3, dtype=dtype), jax.eval_shape(root)
        moved = jax.eval_shape(lambda params, x, key: network.in_training(params, x, Noise(key))[1], params, several, key)
        check_moved(entry, {dotted(path): leaf for path, leaf in leaves(params) if path in network.moving}, moved)
    check_rows(entry, "units", network.unit_shapes)
    if network.offers("heads"):
        check_rows(entry, "heads", given("heads"))
    for method, axes in (("jacobian", ("state", "state")), ("generated", ("coordinate",))):
        if network.offers(method):
            check_axes(entry, method, given(method, inputs), axes)
    check_names(entry, "players", [name for name in network.players if name not in network.shapes])
    check_names(entry, "frozen", [name for name in network.frozen if not network.matching(name)])


def check_first_outputs(recipe: Recipe, spec: TaskSpec) -> None:
    """Check that a user's own model gives finite outputs with the weights that it builds itself; `PieceError` if it does not."""
    network = recipe.network
    if not network.entry.own:
        return
    values, tree = network.model.as_built(), jax.tree.structure(network.shapes)

    data = sampled(spec, 0, recipe.dtype)
    if recipe.settings.model.symbols:
        check_symbols(data)

    def outputs(params: list[jax.Array]) -> jax.Array:
        return network.trace(jax.tree.unflatten(tree, params), data.x[:MOST_EXAMPLES])[0]

    params = [jnp.asarray(values[path], recipe.dtype) for path in network.paths]
    check_outputs(network.entry, np.asarray(jax.jit(outputs, compiler_options=HASTY)(params)))


def check_loss(recipe: Recipe, shapes: Data) -> None:
    """Check that the loss gives one number per example, of the dtype of the outputs, and its metric one number; `PieceError` if not."""
    task, n = recipe.task, len(shapes.y)
    n_outputs = len(recipe.network.players) or task.outputs
    outputs = jax.ShapeDtypeStruct((n, n_outputs), jnp.dtype(recipe.dtype))
    found = jax.eval_shape(task.loss.each, outputs, shapes.y)
    got = getattr(found, "shape", None), str(getattr(found, "dtype", type(found).__name__))
    if got != ((n,), recipe.dtype):
        what = f"for {n} examples it returns a {got[1]} of shape {got[0]}, not a {recipe.dtype} of shape {(n,)}"
        raise loss[task.loss.name].fault(
            what, fix="sum over the outputs alone, axis=1, and leave the mean over the examples to the trait total"
        )
    numbers = {"reduction": jax.eval_shape(task.loss.total, found)}
    if task.loss.measure is not None:
        numbers["metric"] = jax.eval_shape(task.loss.measure, outputs, shapes.y)
    for what, number in numbers.items():
        if number.shape != ():
            raise loss[task.loss.name].fault(f"its {what} returns an array of shape {number.shape}, which must be one number")


def check_initializers(network: Network, variants: Iterable[Variant], dtype: str) -> None:
    """Check the initializers of these variants on the shapes that they draw; `PieceError` if a user's own piece breaks its contract."""
    shapes = {path: leaf.shape for path, leaf in leaves(network.shapes)}
    for variant in variants:
        start = variant.initializer
        for law, paths in laws(network, start):
            entry = initializer[law.name]
            if entry.own:
                draws(law.name, law.options)
                check_initializer(entry, law.options, {network.drawn_shape(path) for path in paths}, dtype)
            unclear = next((path for path in paths if path in network.unclear_paths), None)
            if unclear and (start.bias_law == "uniform_fan_in" or depends_on_axes(entry, law.options)):
                raise network.entry.fault(
                    f"its weight '{dotted(unclear)}' has the shape {shapes[unclear]}, and nobody knows which axes are inputs, as "
                    f"initializer '{law.name}' has to know; a weight has two axes, or belongs to a layer of flax.nnx that tells"
                )


def check_schemes(recipe: Recipe, variants: Iterable[Variant], shapes: Data) -> None:
    """Check that the schemes of these variants fit the network and the data; ValueError if one does not, `PieceError` of a user's own."""
    network, dtype = recipe.network, jnp.dtype(recipe.dtype)
    for start in (variant.initializer for variant in variants):
        if start.scheme_name is None:
            continue
        entry = scheme[start.scheme_name]
        if entry.traits.get("classes") and recipe.task.kind != "classification":
            raise ValueError(f"{entry.name}: it needs a classification, and the task '{recipe.settings.task.name}' is none")

        def begun(keys: Any, data: Data, start: InitializerSpec = start) -> Params:
            return initial_parameters(network, start, keys, jnp.ones((), dtype), jnp.zeros((), dtype), dtype, data)

        jax.eval_shape(begun, parameter_keys(network, 0), shapes)


def check_task(recipe: Recipe, spec: TaskSpec, shapes: Data, fixed: Data | None) -> bool:
    """Check the data of a user's own task against its contract, and tell whether they depend on the data seed.

    `shapes` are those of one data set; `fixed` is the data set of a task that has one for all data seeds. `PieceError` if the task
    breaks its contract.
    """
    entry = task[spec.name]
    if fixed is not None:
        if entry.own:
            check_values(entry, recipe.task, fixed)
        return False
    if not entry.own:
        return True
    seeds = jnp.arange(max(2, min(SAMPLES, SAMPLES_BYTES // data_bytes(shapes))), dtype=jnp.uint32)
    found = jax.jit(jax.vmap(lambda seed: sampled(spec, seed, recipe.dtype)))(seeds)
    check_values(entry, recipe.task, found)
    return any(bool(jnp.any(leaf[1:] != leaf[:1])) for leaf in jax.tree.leaves(found))
