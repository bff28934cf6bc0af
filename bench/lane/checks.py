"""Checks of a program before it is compiled: its settings go together, and users' own pieces keep their contracts."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

from bench.initializers import draws, initializer
from bench.lane.contracts import check_initializer, check_values, depends_on_axes
from bench.lane.data import data_bytes, sampled
from bench.lane.initial import laws
from bench.lane.network import Network, dotted, leaves
from bench.lane.objective import MAX_HESSIAN, Recipe
from bench.lane.start import Variant
from bench.lane.state import Params
from bench.losses import loss
from bench.models.protocol import check_axes, check_names, check_rows, check_trace
from bench.optimizers import asks_for_function, asks_for_loss
from bench.spec import Cell, Settings, TaskSpec
from bench.tasks import task
from bench.tasks.definition import Data

SAMPLES, SAMPLES_BYTES = 64, 1 << 26
"""Number of data sets of a user's own task that are checked before training, and their largest size together."""


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
    if network.players and asks_for_loss(optimizer.name, optimizer.options):
        raise ValueError(f"optimizer.name = '{optimizer.name}': it asks for the one loss that '{name}' has not")
    if training.updates == "alternating" and not network.players:
        raise ValueError(f"training.updates = 'alternating': all of '{name}' is trained on one loss")
    if recipe.noisy and asks_for_function(optimizer.name, optimizer.options):
        raise ValueError(
            f"optimizer.name = '{optimizer.name}': it compares values of the loss at several points, and noise in training "
            "would be in one of them alone"
        )


def check_start(network: Network, cells: Iterable[Cell], variants: Iterable[Variant]) -> None:
    """Check that the parameters and layers that the cells name exist, and that a curvature can be had; ValueError if not."""
    for cell in cells:
        _check_layers(network, cell)
    for variant in variants:
        if variant.relative_rate and network.players:
            raise ValueError(f"optimizer.learning_rate: '{network.entry.name}' has a loss for each player, and no curvature")
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
        known = ", ".join(map(dotted, network.paths))
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
            return getattr(network.module(params), method)(*arguments)

        with network.calling():
            return jax.eval_shape(call, params, *([jax.ShapeDtypeStruct(shape, jnp.dtype(dtype))] if shape else []))

    example = jax.ShapeDtypeStruct((1, inputs), jnp.dtype(dtype))
    check_trace(entry, jax.eval_shape(network.unchecked_trace, params, example), outputs, dtype)
    check_rows(entry, "units", network.unit_shapes)
    if network.offers("heads"):
        check_rows(entry, "heads", given("heads"))
    for method, axes in (("jacobian", ("state", "state")), ("generated", ("coordinate",))):
        if network.offers(method):
            check_axes(entry, method, given(method, inputs), axes)
    check_names(entry, "players", [name for name in network.players if name not in network.shapes])
    check_names(entry, "frozen", [name for name in network.frozen if not network.matching(name)])


def check_loss(recipe: Recipe, shapes: Data) -> None:
    """Check that the loss gives one number per example, of the dtype of the outputs; `PieceError` if it does not."""
    task, n = recipe.task, len(shapes.y)
    n_outputs = len(recipe.network.players) or task.outputs
    found = jax.eval_shape(task.loss.each, jax.ShapeDtypeStruct((n, n_outputs), jnp.dtype(recipe.dtype)), shapes.y)
    got = getattr(found, "shape", None), str(getattr(found, "dtype", type(found).__name__))
    if got != ((n,), recipe.dtype):
        raise loss[task.loss.name].fault(f"for {n} examples it returns a {got[1]} of shape {got[0]}, not a {recipe.dtype} of shape {(n,)}")


def check_initializers(network: Network, variants: Iterable[Variant], dtype: str) -> None:
    """Check the initializers of these variants on the shapes that they draw; `PieceError` if a user's own piece breaks its contract."""
    shapes = {path: leaf.shape for path, leaf in leaves(network.shapes)}
    for variant in variants:
        start = variant.initializer
        for law, paths in laws(network, start):
            entry = initializer[law.name]
            if entry.own:
                draws(law.name, law.options)
                check_initializer(entry, law.options, {shapes[path] for path in paths}, dtype)
            unclear = next((path for path in paths if path in network.unclear_paths), None)
            if unclear and (start.bias_law == "uniform_fan_in" or depends_on_axes(entry, law.options)):
                raise network.entry.fault(
                    f"its weight '{dotted(unclear)}' has the shape {shapes[unclear]}, and nobody knows which axes are inputs, as "
                    f"initializer '{law.name}' has to know; a weight has two axes, or is an nnx.Conv's"
                )


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
