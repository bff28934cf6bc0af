"""What probes can look at, computed when first asked for."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from bench.lane.network import Params
from bench.linalg import eigenvalues

if TYPE_CHECKING:
    from bench.lane.program import Fixed, Program

JACOBIAN_EXAMPLES = 32
"""Most examples of which a recurrent Jacobian is formed."""


class Views:
    """One lane as it stands."""

    def __init__(self, program: "Program", params: Params, fixed: "Fixed") -> None:
        self._program, self._params, self._fixed = program, params, fixed

    @cached_property
    def weights(self) -> list[Array]:
        return self._program.network.weights(self._params)

    @cached_property
    def units(self) -> list[Array]:
        return self._program.network.units(self._params)

    @cached_property
    def incoming(self) -> list[Array]:
        return [layer.reshape(-1, layer.shape[-1]) for layer in self.weights[: len(self.units)]]

    @cached_property
    def _trace(self) -> tuple[Array, list[Any]]:
        return self._program.network.trace(self._params, self._fixed.data.x)

    @property
    def outputs(self) -> Array:
        return self._trace[0]

    @property
    def _hidden(self) -> list[Any]:
        return self._trace[1]

    @cached_property
    def pre_activation(self) -> list[Array]:
        return [layer.pre_activation for layer in self._hidden]

    @cached_property
    def activation(self) -> list[Array]:
        return [layer.activation for layer in self._hidden]

    @cached_property
    def squashed(self) -> list[Array]:
        return [layer.squashed for layer in self._hidden]

    @cached_property
    def gradient(self) -> Params:
        data = self._fixed.data
        return self._program.gradient(self._params, self._fixed, data.x, data.y)[2]

    @cached_property
    def gradients(self) -> list[Array]:
        return self._program.network.weights(self.gradient)

    @cached_property
    def hidden_gradients(self) -> list[Array]:
        network = self._program.network
        pairs = zip(network.weight_paths, self.gradients, strict=True)
        return [gradient for path, gradient in pairs if path not in network.output_paths]

    @cached_property
    def pre_activation_gradient(self) -> list[Array]:
        return self._program.pre_activation_gradients(self._params, self._fixed)

    @cached_property
    def curvatures(self) -> Array:
        return eigenvalues(self._program.hessian(self._params, self._fixed))

    @cached_property
    def player_losses(self) -> Array:
        return jnp.mean(self.outputs, axis=0)

    @cached_property
    def _shown(self) -> tuple[Array, Array]:
        """Examples of the test part, or of the training part where there is none."""
        data = self._fixed.data
        return (data.x, data.y) if data.test_x is None else (data.test_x, data.test_y)

    @cached_property
    def generated(self) -> Array:
        with self._program.network.calling():
            return jax.vmap(self._module.generated)(self._shown[0])

    @cached_property
    def real(self) -> Array:
        return self._shown[0][:, : self.generated.shape[-1]]

    @cached_property
    def mode(self) -> Array:
        return self._shown[1]

    @cached_property
    def _module(self) -> Any:
        return self._program.network.module(self._params)

    @cached_property
    def heads(self) -> list[Array]:
        with self._program.network.calling():
            return self._module.heads()

    @cached_property
    def recurrent_jacobian(self) -> Array:
        with self._program.network.calling():
            return jax.vmap(self._module.jacobian)(self._fixed.data.x[:JACOBIAN_EXAMPLES])

    @cached_property
    def time_steps(self) -> int:
        with self._program.network.calling():
            return self._module.time_steps
