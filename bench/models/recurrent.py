"""Recurrent networks, which read a flat input as a sequence."""

from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float
from pydantic import PositiveInt

from bench.models import model
from bench.models.activations import PLAIN, Activation, Forward, Hidden, activate
from bench.models.mlp import affine, product

UNROLLED_STEPS = 8
"""Length of the longest sequence whose loop is unrolled. On a CPU, an unrolled LSTM of 32 units over 8 steps trains in less time,
but takes longer to compile; over 16 steps, gated cells train slower."""

State = tuple[Float[Array, " width *example"], ...]
"""The arrays that are carried from step to step; the last one is what the gates and the output layer read."""


Affine = tuple[Float[Array, "feature_and_width column"], Float[Array, " column"]]
"""Weights and bias."""


class Gate(nnx.Module):
    """The affine map of one gate: `x.kernel` (feature, width) from the input, `h.kernel` (width, width) from the state, `bias`."""

    def __init__(self, features: int, width: int, bias: bool, rngs: nnx.Rngs) -> None:
        self.x = nnx.Linear(features, width, use_bias=False, rngs=rngs)
        self.h = nnx.Linear(width, width, use_bias=False, rngs=rngs)
        self.bias = nnx.Param(jnp.zeros(width)) if bias else None

    def affine(self, of_x: bool = True, of_h: bool = True) -> Affine:
        """Return the map of the concatenated input and state, or its part that reads one of them."""
        x, h = self.x.kernel[...], self.h.kernel[...]
        bias = jnp.zeros(x.shape[1], x.dtype) if self.bias is None or not of_x else self.bias[...]
        return jnp.concatenate([x if of_x else jnp.zeros_like(x), h if of_h else jnp.zeros_like(h)]), bias


class Recurrent(nnx.Module):
    """The common part of the recurrent models; each adds its gates and its `step`.

    The input has `features` numbers per time step, one step after another. The state is 0 before the first step; the layer `output` reads
    the last one, or all of them. ValueError if the number of inputs is no multiple of `features`.
    """

    gates: ClassVar[tuple[str, ...]] = ()
    """Names of the gates; empty: there is one gate, the cell itself."""
    carried: ClassVar[int] = 1
    """Number of parts of the state."""

    def __init__(
        self, inputs: int, outputs: int, features: int, width: int, bias: bool, rngs: nnx.Rngs, reads: Literal["last", "all"] = "last"
    ) -> None:
        if inputs % features:
            raise ValueError(f"model.features = {features}: the task's {inputs} inputs are no multiple of it")
        self.features, self.width, self.time_steps = features, width, inputs // features

        def gate() -> Gate:
            return Gate(features, width, bias, rngs)

        self.cell: Any = nnx.Dict({name: gate() for name in self.gates}) if self.gates else gate()
        self.reads = reads
        self.output = nnx.Linear(width * (self.time_steps if reads == "all" else 1), outputs, use_bias=bias, rngs=rngs)

    @property
    def examples_last(self) -> bool:
        """`trace` takes one example, or several as an array (input, example).

        In a loop over time steps a CPU computes faster along examples than along units, in an unrolled one slower.
        """
        return self.time_steps > UNROLLED_STEPS

    def step(self, state: State, z: Array, shift: Array | None) -> tuple[State, Hidden]:
        """Return the next state and the values of the step, from the columns `z` of all `maps` one after another."""
        raise NotImplementedError

    def maps(self) -> list[Affine]:
        """Return the affine maps of input and state that are computed before the gates: one for each gate."""
        return [gate.affine() for gate in self._gates]

    def trace(self, x: Float[Array, " input *example"], forward: Forward = PLAIN) -> tuple[Float[Array, " output *example"], list[Hidden]]:
        """Return the outputs for one sequence, or for several as columns, and the hidden units at each time step."""
        state, hidden = self._run(x, self._beginning(x), forward)
        read = hidden.activation.reshape(-1, *x.shape[1:]) if self.reads == "all" else state[-1]
        return affine(self.output, read), [jax.tree.map(lambda leaf, t=t: leaf[t], hidden) for t in range(self.time_steps)]

    def jacobian(self, x: Float[Array, " input"]) -> Float[Array, "state state"]:
        """Return the derivative of the last state by the one before the first step; a state is all that is carried."""
        beginning, parts = ravel_pytree(self._beginning(x))
        return jax.jacfwd(lambda state: ravel_pytree(self._run(x, parts(state), PLAIN)[0])[0])(beginning)

    def units(self) -> list[Float[Array, "hidden feature"]]:
        """Return one array for the hidden units, in which units that can be exchanged for one another have equal rows.

        A row holds a unit's outgoing weights and, for every gate, its incoming weights from the input, its bias, and of the recurrent
        matrix the weight to itself, those from the other units and those to them; the latter two are sorted, because the order of the
        other units does not count.
        """
        kernel, width = self.output.kernel[...], self._gates[0].h.kernel.shape[0]
        # The rows of a layer that reads all states are ordered by step, and by unit within a step.
        parts = [jnp.moveaxis(kernel.reshape(-1, width, kernel.shape[-1]), 0, 1).reshape(width, -1)]
        for gate in self._gates:
            recurrent = gate.h.kernel[...]
            parts += [gate.x.kernel[...].T, jnp.diag(recurrent)[:, None]]
            parts += [jnp.sort(_off_diagonal(matrix), axis=1) for matrix in (recurrent.T, recurrent)]
            parts += [] if gate.bias is None else [gate.bias[...][:, None]]
        return [jnp.concatenate(parts, axis=1)]

    @property
    def _gates(self) -> list[Gate]:
        return [self.cell[name] for name in self.gates] if self.gates else [self.cell]

    def _beginning(self, x: Float[Array, " input *example"]) -> State:
        return (jnp.zeros((self.width, *x.shape[1:]), x.dtype),) * self.carried

    def _run(self, x: Float[Array, " input *example"], state: State, forward: Forward) -> tuple[State, Hidden]:
        """Return the last state, and the values of every step (leading axis: time step)."""
        # One product of input and state for all gates.
        weights, bias = (jnp.concatenate(parts, axis=-1) for parts in zip(*self.maps(), strict=True))
        shifts = None if forward.shifts is None else jnp.stack(forward.shifts)

        def step(state: State, now: tuple[Array, Array | None]) -> tuple[State, Hidden]:
            values = jnp.concatenate([now[0], state[-1]])
            z = values @ weights + bias if x.ndim == 1 else product(weights, values) + bias[:, None]
            return self.step(state, z, now[1])

        inputs = x.reshape(self.time_steps, self.features, *x.shape[1:])
        return jax.lax.scan(step, state, (inputs, shifts), unroll=self.time_steps <= UNROLLED_STEPS)


@model
class Elman(Recurrent):
    """The simple recurrent network (Elman, 1990): h' = act(W x + U h + b).

    Parameters: `cell.x.kernel` (W), `cell.h.kernel` (U), `cell.bias`, `output`. In every recurrent model `*.x` names all input weights and
    `*.h` all recurrent weights. An IRNN (Le et al., 2015) has the activation relu and `layers = { "*.h" = "identity" }`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        features: PositiveInt = 8,
        width: PositiveInt = 16,
        activation: Activation = "tanh",
        bias: bool = True,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(inputs, outputs, features, width, bias, rngs)
        self.activation = activation

    def step(self, state: State, z: Array, shift: Array | None) -> tuple[State, Hidden]:
        hidden = activate(self.activation, _shifted(z, shift))
        return (hidden.activation,), hidden


@model
class GRU(Recurrent):
    """Gated recurrent units (Cho et al., 2014): h' = (1 - z) n + z h with z the update gate and n the candidate.

    r, z = sigmoid(W x + U h + b) and n = tanh(W x + r (U h) + b), each with its own W, U and b; the reset gate r stands after the
    product, as in cuDNN. Parameters: `x.kernel`, `h.kernel` and `bias` of `cell.candidate`, `cell.reset` and `cell.update`, and the layer
    `output`: `*.x` names all input weights, `*.h` all recurrent weights, `*.update.bias` the bias of the update gate.

    With `reads = "all"` the output layer reads the states of all time steps, not only the last one.

    A hidden layer is a time step; its pre-activation is the candidate's.
    """

    gates = ("reset", "update", "candidate")

    def __init__(
        self,
        inputs: int,
        outputs: int,
        features: PositiveInt = 8,
        width: PositiveInt = 16,
        bias: bool = True,
        reads: Literal["last", "all"] = "last",
        *,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(inputs, outputs, features, width, bias, rngs, reads)

    def maps(self) -> list[Affine]:
        """Return the maps of the gates; the candidate reads input and state separately, as the reset gate is applied between them."""
        candidate = self.cell["candidate"]
        return [*(self.cell[name].affine() for name in ("reset", "update")), candidate.affine(of_h=False), candidate.affine(of_x=False)]

    def step(self, state: State, z: Array, shift: Array | None) -> tuple[State, Hidden]:
        reset, update, of_x, of_h = jnp.split(z, 4)
        r, u = jax.nn.sigmoid(reset), jax.nn.sigmoid(update)
        candidate = _shifted(of_x + r * of_h, shift)
        new = (1 - u) * jnp.tanh(candidate) + u * state[0]
        return (new,), Hidden(candidate, new, new)


@model
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997) with forget gates (Gers et al., 2000).

    c' = f c + i g and h' = o tanh(c'), where i, f, o = sigmoid(W x + U h + b) and g = tanh(W x + U h + b), each with its own W, U and b.
    Parameters: `x.kernel`, `h.kernel` and `bias` of `cell.candidate` (g), `cell.forget`, `cell.input` and `cell.output`, and the layer
    `output`: `*.x` names all input weights, `*.h` all recurrent weights, `*.forget.bias` the bias of the forget gate, which is best set
    to 1 (Jozefowicz et al., 2015): `layers = { "*.forget.bias" = { name = "constant", value = 1.0 } }`.

    A hidden layer is a time step; its pre-activation is the cell c, its activation h.
    """

    gates = ("input", "forget", "output", "candidate")
    carried = 2

    def __init__(
        self,
        inputs: int,
        outputs: int,
        features: PositiveInt = 8,
        width: PositiveInt = 16,
        bias: bool = True,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(inputs, outputs, features, width, bias, rngs)

    def step(self, state: State, z: Array, shift: Array | None) -> tuple[State, Hidden]:
        *gates, candidate = jnp.split(z, 4)
        i, f, o = map(jax.nn.sigmoid, gates)
        cell = _shifted(_kept(f * state[0] + i * jnp.tanh(candidate)), shift)
        new = o * jnp.tanh(cell)
        return (cell, new), Hidden(cell, new, new)


def _shifted(values: Float[Array, " width *example"], shift: Float[Array, " width *example"] | None) -> Float[Array, " width *example"]:
    return values if shift is None else values + shift


def _kept(values: Float[Array, " width *example"]) -> Float[Array, " width *example"]:
    """Return the same values, divided by 1.

    In the backward pass every time step adds to a sum. XLA on a CPU would compute that sum anew, from the last step on, wherever it is
    used; a division is not repeated, so that an LSTM over 8 time steps trains faster.
    """
    return values / jax.lax.stop_gradient(0 * values + 1)


def _off_diagonal(matrix: Float[Array, "n n"]) -> Float[Array, "n others"]:
    """Return each row without its diagonal entry."""
    n = len(matrix)
    # In the flat matrix the diagonal entries stand n + 1 apart: after the first one, each row of n + 1 ends with the next.
    return matrix.ravel()[1:].reshape(n - 1, n + 1)[:, :-1].reshape(n, n - 1)
