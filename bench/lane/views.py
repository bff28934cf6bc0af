"""The views of a lane: arrays that probes look at, computed when they are first asked for.

Each view declares of which networks there is one. `bench.probes` describes the views and their shapes.
"""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from bench.lane.network import Network
from bench.lane.objective import MAX_HESSIAN, Recipe, gradient, hessian, pre_activation_gradients
from bench.lane.state import Fixed, Params
from bench.linalg import eigenvalues
from bench.models.activations import Hidden

JACOBIAN_EXAMPLES = 32
"""Largest number of examples of which a recurrent Jacobian is formed."""

Value = TypeVar("Value")
Available = Callable[[Network], bool]


class View(cached_property[Value], Generic[Value]):
    """A view: a cached property of `Views`, and the function of the network that tells whether there is one."""

    def __init__(self, function: Callable[[Any], Value], available: Available) -> None:
        super().__init__(function)
        self.available = available


def view(available: Available) -> Callable[[Callable[[Any], Value]], View[Value]]:
    """Declare a method of `Views` as a view that networks have for which `available(network)` is true."""
    return partial(View, available=available)


def _any(network: Network) -> bool:
    return True


def _has_units(network: Network) -> bool:
    return bool(network.unit_shapes)


def _has_hidden(network: Network) -> bool:
    return bool(network.hidden_shapes)


def _has_ranges(network: Network) -> bool:
    return _has_hidden(network) and all(layer.saturation is not None for layer in network.hidden_shapes)


def _propagates_back(network: Network) -> bool:
    return _has_hidden(network) and network.takes_forward


def _has_layers_before_the_last(network: Network) -> bool:
    return len(network.weight_paths) > len(network.output_paths) and not network.players


def _has_dense_inputs(network: Network) -> bool:
    return network.is_layered and len(network.drawn_shape(network.weight_paths[0])) == 2


def _has_hessian(network: Network) -> bool:
    return network.n_parameters <= MAX_HESSIAN and not network.players


def _offers(name: str) -> Available:
    return lambda network: network.offers(name)


class Views:
    """The views of one lane as it stands."""

    def __init__(self, recipe: Recipe, params: Params, fixed: Fixed) -> None:
        self._recipe, self._params, self._fixed = recipe, params, fixed

    @view(_any)
    def weights(self) -> list[Array]:
        """Weights, as a list over the weight layers."""
        return self._recipe.network.weights(self._params)

    @view(_has_dense_inputs)
    def inputs(self) -> Array:
        """Training examples (example, input) of a network of layers that follow one another."""
        return self._fixed.data.x

    @view(_has_units)
    def units(self) -> list[Array]:
        """Units (hidden, feature), per hidden layer."""
        return self._recipe.network.units(self._params)

    @view(lambda network: network.is_layered)
    def incoming(self) -> list[Array]:
        """Weights (input, hidden) that lead into each hidden layer."""
        return [layer.reshape(-1, layer.shape[-1]) for layer in self.weights[: len(self.units)]]

    @cached_property
    def _trace(self) -> tuple[Array, list[Hidden]]:
        return self._recipe.network.trace(self._params, self._fixed.data.x)

    @property
    def outputs(self) -> Array:
        """Outputs for the training examples (example, output); no probe looks at them."""
        return self._trace[0]

    @view(_has_hidden)
    def pre_activation(self) -> list[Array]:
        """Inputs (example, hidden) of the activation function, per hidden layer."""
        return [layer.pre_activation for layer in self._trace[1]]

    @view(_has_hidden)
    def activation(self) -> list[Array]:
        """Outputs (example, hidden) of the activation function, per hidden layer."""
        return [layer.activation for layer in self._trace[1]]

    @view(_has_ranges)
    def saturation(self) -> list[Any]:
        """Place (example, hidden) of each activation in the range of its function, per hidden layer: -1 and 1 are its ends."""
        return [layer.saturation for layer in self._trace[1]]

    @cached_property
    def gradient(self) -> Params:
        """Gradient of the training loss in all parameters, without noise; no probe looks at it as a whole."""
        data = self._fixed.data
        return gradient(self._recipe, self._params, self._fixed, data.x, data.y).gradients

    @view(_any)
    def gradients(self) -> list[Array]:
        """Gradients of the weights, as a list over the weight layers."""
        return self._recipe.network.weights(self.gradient)

    @view(_has_layers_before_the_last)
    def hidden_gradients(self) -> list[Array]:
        """Gradients of the weights of all layers but the last."""
        network = self._recipe.network
        pairs = zip(network.weight_paths, self.gradients, strict=True)
        return [gradient for path, gradient in pairs if path not in network.output_paths]

    @view(_propagates_back)
    def pre_activation_gradient(self) -> list[Array]:
        """Gradients (example, hidden) of each example's loss in the pre-activations, per hidden layer."""
        return pre_activation_gradients(self._recipe, self._params, self._fixed)

    @view(_has_hessian)
    def curvatures(self) -> Array:
        """Eigenvalues of the training loss's Hessian in all trained parameters, smallest first."""
        return eigenvalues(hessian(self._recipe, self._params, self._fixed))

    @view(lambda network: bool(network.players))
    def player_losses(self) -> Array:
        """Loss (player,) of each player, as the mean over the training examples."""
        return jnp.mean(self.outputs, axis=0)

    @cached_property
    def _shown(self) -> tuple[Array, Array]:
        """Examples of the test part, or of the training part if there is no test part."""
        data = self._fixed.data
        return (data.x, data.y) if data.test_x is None else (data.test_x, data.test_y)

    @view(_offers("generated"))
    def generated(self) -> Array:
        """Points (example, coordinate) that a generator makes."""
        with self._recipe.network.calling():
            return jax.vmap(lambda x: self._module.generated(self._recipe.network.model.seen(x)))(self._shown[0])

    @view(_offers("generated"))
    def real(self) -> Array:
        """Points (example, coordinate) that a generator is to imitate."""
        return self._shown[0][:, : self.generated.shape[-1]]

    @view(_offers("generated"))
    def mode(self) -> Array:
        """Number (example,) of the mode that each real point belongs to."""
        return self._shown[1]

    @cached_property
    def _module(self) -> Any:
        return self._recipe.network.module(self._params)

    @view(_offers("heads"))
    def heads(self) -> list[Array]:
        """Attention heads (head, feature), per block."""
        with self._recipe.network.calling():
            return self._module.heads()

    @view(_offers("jacobian"))
    def recurrent_jacobian(self) -> Array:
        """Derivatives (example, state, state) of the last state by the one before the first step, on the first training examples."""
        with self._recipe.network.calling():
            examples = self._fixed.data.x[:JACOBIAN_EXAMPLES]
            return jax.vmap(lambda x: self._module.jacobian(self._recipe.network.model.seen(x)))(examples)

    @view(_offers("jacobian"))
    def time_steps(self) -> int:
        """Number of steps between the two states of `recurrent_jacobian`."""
        with self._recipe.network.calling():
            return self._module.time_steps


def missing(network: Network, names: tuple[str, ...]) -> list[str]:
    """Return those of the named views that a network does not have."""
    return [name for name in names if not VIEWS[name].available(network)]


VIEWS: dict[str, View[Any]] = {name: declared for name, declared in vars(Views).items() if isinstance(declared, View)}
"""All views by name."""
