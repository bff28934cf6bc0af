"""The training loss of a lane, its gradient with the noise of training, and its second derivatives."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from bench.keys import named
from bench.lane.network import SILENT, Network, Noise, dotted, leaves
from bench.lane.state import Fixed, Params, Path
from bench.losses import Targets
from bench.spec import Settings
from bench.tasks.definition import Data, Examples, Task

MAX_HESSIAN = 4096
"""Largest number of parameters of which a dense Hessian is formed."""
NOISE = ("label_noise", "weight_noise", "dropconnect")
"""Keys of `training` that make its gradients random."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """The values that all lanes of a program have in common: network, task, optimizer and training."""

    network: Network
    task: Task
    settings: Settings
    """Settings of one of the program's cells. Of `optimizer` and `training`, name, options, batch size, dtype, noise and what is frozen
    are those of every cell; the numbers that differ between cells are `Inputs`."""
    n_examples: int

    @property
    def dtype(self) -> str:
        """Dtype of the parameters, the data and the loss."""
        return self.settings.training.dtype

    @property
    def batch_size(self) -> int:
        """Examples per update; 0: all of them."""
        return self.settings.training.batch_size

    @property
    def check_every(self) -> int:
        """Steps between two checks of the training loss: 1, or the steps of an epoch of minibatches."""
        return self.n_examples // self.batch_size if self.batch_size else 1

    @cached_property
    def noisy(self) -> bool:
        """Whether the gradients of training are random."""
        return self.network.draws or any(getattr(self.settings.training, name) > 0 for name in NOISE)

    @property
    def measured_apart(self) -> bool:
        """Whether training computes something else than what is measured, as with noise or batch statistics."""
        return self.noisy or self.network.model.modes.differ

    @cached_property
    def frozen(self) -> list[Path]:
        """Paths of what has no gradient: parameters, by the model's own wish or by the experiment's, and what the model moves itself."""
        names = (*self.network.frozen, *self.settings.training.frozen)
        return [*(path for name in names for path in self.network.matching(name)), *self.network.moving]


def training_loss(recipe: Recipe, params: Params, x: Examples, y: Targets, data: Data, l2: Array) -> Float[Array, ""]:
    """Return the task's loss on these examples, counted from its floor, plus the penalty l2/2 |weights|^2."""
    return loss_of_outputs(recipe, recipe.network.trace(params, x)[0], params, y, data, l2)


def loss_of_outputs(recipe: Recipe, outputs: Array, params: Params, y: Targets, data: Data, l2: Array) -> Float[Array, ""]:
    """Return the training loss of parameters whose outputs (example, output) are known."""
    penalty = sum(jnp.sum(leaf**2) for path, leaf in leaves(params) if path in recipe.network.weight_paths)
    return recipe.task.loss(outputs, y) - data.floor + l2 / 2 * penalty


class Gradient(NamedTuple):
    """The gradient of the loss on some examples, and what was computed on the way; it costs nothing if it is dropped."""

    loss: Float[Array, ""]
    outputs: Float[Array, "example output"]
    gradients: Params
    moved: dict[str, Array]
    """New values of what the model moves in training, by their names."""


def gradient(recipe: Recipe, params: Params, fixed: Fixed, x: Examples, y: Targets, key: Any = None, training: bool = False) -> Gradient:
    """Return the gradient on these examples, with the noise of training if there is a key.

    `training`: whether the model computes as in training, not as it is measured.
    """
    network = recipe.network
    noise = SILENT if key is None else Noise(key, recipe.settings.training.dropconnect)
    if key is not None:
        y = with_label_noise(recipe, named(key, "labels"), y)
        params = with_weight_noise(recipe, named(key, "weights"), params)

    def loss(params: Params) -> tuple[Array, tuple[Array, Array, dict[str, Array]]]:
        params = network.on(recipe.frozen, lambda name, leaf: jax.lax.stop_gradient(leaf), params)
        if network.players:
            total, (first, outputs) = _losses_of_players(recipe, params, fixed, x, y)
            return total, (first, outputs, {})
        outputs, moved = network.in_training(params, x, noise) if training else (network.trace(params, x, noise)[0], {})
        value = loss_of_outputs(recipe, outputs, params, y, fixed.data, fixed.inputs.l2)
        return value, (value, outputs, moved)

    gradients, (value, outputs, moved) = jax.grad(loss, has_aux=True)(params)
    return Gradient(value, outputs, gradients, moved)


def _losses_of_players(recipe: Recipe, params: Params, fixed: Fixed, x: Examples, y: Targets) -> tuple[Array, tuple[Array, Array]]:
    """Return the sum of the players' losses, and the first player's loss and the outputs.

    Each loss is a function of its player's own parameters alone. The gradient of the sum is the players' gradients side by side, which is
    the gradient of no function of all parameters.
    """
    total, first, outputs = jnp.zeros((), recipe.dtype), None, None
    for number, player in enumerate(recipe.network.players):
        held = {name: part if name == player else jax.lax.stop_gradient(part) for name, part in params.items()}
        outputs, _ = recipe.network.trace(held, x)
        loss = loss_of_outputs(recipe, outputs[:, number:], held, y, fixed.data, fixed.inputs.l2)
        total, first = total + loss, loss if first is None else first
    return total, (jnp.asarray(first), jnp.asarray(outputs))


def with_label_noise(recipe: Recipe, key: Any, y: Targets) -> Targets:
    """Draw each label anew from all classes with probability `label_noise`; values of a regression get a normal of that stddev."""
    rate = recipe.settings.training.label_noise
    if rate == 0:
        return y
    if recipe.task.kind == "regression":
        return y + rate * jax.random.normal(key, y.shape, y.dtype)
    drawn = jax.random.randint(named(key, "class"), y.shape, 0, max(recipe.task.outputs, 2))
    return jnp.where(jax.random.bernoulli(key, rate, y.shape), drawn.astype(y.dtype), y)


def with_weight_noise(recipe: Recipe, key: Any, params: Params) -> Params:
    """Add a normal of stddev `weight_noise` to every weight."""
    spread = recipe.settings.training.weight_noise
    if spread == 0:
        return params
    return recipe.network.on_weights(lambda name, w: w + spread * jax.random.normal(named(key, name), w.shape, w.dtype), params)


def pre_activation_gradients(recipe: Recipe, params: Params, fixed: Fixed) -> list[Float[Array, "example hidden"]]:
    """Return the gradient of each example's loss with respect to the pre-activations of each hidden layer."""
    data = fixed.data
    hidden = recipe.network.trace(params, data.x)[1]

    def loss(shifts: list[Array]) -> Float[Array, ""]:
        outputs, _ = recipe.network.trace(params, data.x, Noise(shifts=shifts))
        return jnp.sum(recipe.task.loss.each(outputs, data.y))

    return jax.grad(loss)([jnp.zeros_like(layer.pre_activation) for layer in hidden])


def loss_of_trained(recipe: Recipe, params: Params, fixed: Fixed) -> tuple[Callable[[Array], Array], Float[Array, " trained"]]:
    """Return the training loss as a function of all parameters that are not frozen, in one vector; and that vector."""
    data, network = fixed.data, recipe.network
    trained = [path for path in network.paths if path not in recipe.frozen]
    flat, unravel = ravel_pytree([leaf for path, leaf in leaves(params) if path in trained])

    def loss(values: Float[Array, " trained"]) -> Float[Array, ""]:
        new = dict(zip(map(dotted, trained), unravel(values), strict=True))
        moved = network.on(trained, lambda name, leaf: new[name], params)
        return training_loss(recipe, moved, data.x, data.y, data, fixed.inputs.l2)

    return loss, flat


def hessian(recipe: Recipe, params: Params, fixed: Fixed) -> Float[Array, "trained trained"]:
    """Return the second derivatives of the training loss in all parameters that are not frozen."""
    loss, flat = loss_of_trained(recipe, params, fixed)
    return jax.hessian(loss)(flat)
