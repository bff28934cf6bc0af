"""The update of a step: the optimizer's state, and parameters after one of its updates."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from bench.lane.network import dotted, leaves
from bench.lane.objective import Gradient, Recipe, gradient, training_loss
from bench.lane.state import Fixed, Params, State
from bench.losses import Targets
from bench.optimizers import LearningRate, make_optimizer
from bench.tasks.definition import Examples


def optimizer_of(recipe: Recipe, learning_rate: LearningRate) -> optax.GradientTransformationExtraArgs:
    """Return the optimizer of a lane at its learning rate, which may be traced."""
    chosen = recipe.settings.optimizer
    return make_optimizer(chosen.name, chosen.options, learning_rate)


def begun(recipe: Recipe, learning_rate: LearningRate, params: Params) -> Any:
    """Return the optimizer's state before the first step; for a model with players, one state for each of them by name."""
    init, players = optimizer_of(recipe, learning_rate).init, recipe.network.players
    return {player: init(params[player]) for player in players} if players else init(params)


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
    update = optimizer_of(recipe, fixed.inputs.learning_rate).update
    params, optimizer = state.params, state.optimizer
    for player in recipe.network.players:
        if params is not state.params and recipe.settings.training.updates == "alternating":
            gradients = gradient(recipe, params, fixed, x, y).gradients
        updates, own = update(gradients[player], optimizer[player], params[player])
        params = {**params, player: optax.apply_updates(params[player], updates)}
        optimizer = {**optimizer, player: own}
    return params, optimizer


def chosen(condition: Bool[Array, ""], new: Any, old: Any) -> Any:
    """Return `new` where the condition holds and `old` elsewhere, leaf by leaf."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
