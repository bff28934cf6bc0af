"""The update of a step: the optimizer's state, and parameters after one of its updates."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from jaxtyping import Array, Bool, Float

from bench.lane.network import dotted, leaves
from bench.lane.objective import Gradient, Recipe, gradient, training_loss
from bench.lane.state import Fixed, Params, Path, State
from bench.losses import Targets
from bench.optimizers import LearningRate, make_optimizer, schedules
from bench.optimizers.clipping import clipped
from bench.tasks.definition import Examples


def optimizer_of(recipe: Recipe, rate: LearningRate, player: Path = ()) -> optax.GradientTransformationExtraArgs:
    """Return the optimizer of a lane at its learning rate, which may be traced, with what is done to gradients and updates beside it.

    `rate` is the peak if the learning rate has a schedule; `player` is the path of the parameters that it trains.
    """
    network, wanted = recipe.network, recipe.settings.optimizer
    kept = {path for name in wanted.weight_decay_exclude for path in network.matching(name)}
    factors = [(network.matching(name), factor) for name, factor in sorted(wanted.learning_rates.items())]

    def by_path(function: Callable[[Path, Any], Any], tree: Params) -> Params:
        return jax.tree_util.tree_map_with_path(lambda path, leaf: function((*player, *(entry.key for entry in path)), leaf), tree)

    def made(learning_rate: LearningRate) -> optax.GradientTransformationExtraArgs:
        decayed = partial(by_path, lambda path, leaf: path not in kept)
        return make_optimizer(wanted.name, wanted.options, learning_rate, decayed if kept else None)

    def scaled(updates: Params, params: Params | None) -> Params:
        return by_path(lambda path, leaf: leaf * math.prod(factor for paths, factor in factors if path in paths), updates)

    whole = wanted.compiled(recipe.settings.training.steps)["schedule"]
    optimizer = optax.inject_hyperparams(made)(learning_rate=schedules.made(whole, rate)) if whole else made(rate)
    before, after = clipped(wanted.clipping.items()), [optax.stateless(scaled)] if factors else []
    return optax.with_extra_args_support(optax.chain(*before, optimizer, *after)) if before or after else optimizer


def begun(recipe: Recipe, learning_rate: LearningRate, params: Params) -> Any:
    """Return the optimizer's state before the first step; for a model with players, one state for each of them by name."""
    players = recipe.network.players
    if players:
        return {player: optimizer_of(recipe, learning_rate, (player,)).init(params[player]) for player in players}
    return optimizer_of(recipe, learning_rate).init(params)


def averaging(optimizer: Any) -> list[Any]:
    """Return those parts of an optimizer's state that average parameters over steps, as schedule-free optimizers do; mostly none."""

    def is_one(state: Any) -> bool:
        return isinstance(state, optax.contrib.ScheduleFreeState)

    return [state for state in jax.tree.leaves(optimizer, is_leaf=is_one) if is_one(state)]


def evaluated(recipe: Recipe, state: State) -> State:
    """Return a lane with the parameters at which it is measured: those that are trained, or the averages that its optimizer keeps."""
    found = averaging(state.optimizer)
    if not found:
        return state
    players = recipe.network.players
    parts = [state.params[player] for player in players] if players else [state.params]
    averages = [optax.contrib.schedule_free_eval_params(one, part) for one, part in zip(found, parts, strict=True)]
    return state._replace(params={**state.params, **dict(zip(players, averages, strict=True))} if players else averages[0])


def updated(recipe: Recipe, state: State, fixed: Fixed, x: Examples, y: Targets, found: Gradient) -> tuple[Params, Any]:
    """Return parameters and optimizer state after one update with the gradient that was found on the examples `x`, `y`."""
    step = _players_updated if recipe.network.players else _updated
    params, optimizer = step(recipe, state, fixed, x, y, found.loss, found.gradients)
    network = recipe.network
    if recipe.frozen:
        before = {dotted(path): leaf for path, leaf in leaves(state.params)}
        params = network.on(recipe.frozen, lambda name, new: found.moved.get(name, before[name]), params)
    if recipe.settings.training.freeze_zeros:
        # Weights that are 0 began at 0, but for those that arrive at 0 to the last bit, which hardly happens.
        old = dict(zip(network.weight_names, network.weights(state.params), strict=True))
        params = network.on_weights(lambda name, new: jnp.where(old[name] == 0, 0, new), params)
    return params, optimizer


def _updated(recipe: Recipe, state: State, fixed: Fixed, x: Examples, y: Targets, loss: Array, gradients: Params) -> tuple[Params, Any]:
    # Line searches insist that every further argument is taken by name.
    def value_fn(params: Params, obj_fn: Any = None) -> Float[Array, ""]:
        return training_loss(recipe, params, x, y, fixed.data, fixed.inputs.l2)

    update = optimizer_of(recipe, fixed.inputs.learning_rate).update
    # Line searches and second-order methods ask for these; the others ignore them.
    extra = {"value": loss, "grad": gradients, "value_fn": value_fn, "obj_fn": value_fn}
    updates, optimizer = update(gradients, state.optimizer, state.params, **extra)
    return optax.apply_updates(state.params, updates), optimizer


def _players_updated(
    recipe: Recipe, state: State, fixed: Fixed, x: Examples, y: Targets, loss: Array, gradients: Params
) -> tuple[Params, Any]:
    """Update the players one after another; with alternating updates each meets the parameters that those before it updated."""
    params, optimizer = state.params, state.optimizer
    for player in recipe.network.players:
        if params is not state.params and recipe.settings.training.updates == "alternating":
            gradients = gradient(recipe, params, fixed, x, y).gradients
        update = optimizer_of(recipe, fixed.inputs.learning_rate, (player,)).update
        updates, own = update(gradients[player], optimizer[player], params[player])
        params = {**params, player: optax.apply_updates(params[player], updates)}
        optimizer = {**optimizer, player: own}
    return params, optimizer


def chosen(condition: Bool[Array, ""], new: Any, old: Any) -> Any:
    """Return `new` where the condition holds and `old` elsewhere, leaf by leaf."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
