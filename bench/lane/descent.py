"""The end of a descent: whether a point lies at a minimum, at a saddle, in a valley to infinity, or on its way to lower values.

Everything here is about one twice differentiable function of a vector, in float64 and in one thread of control; nothing is batched, so that
an answer does not depend on what else is asked.
"""

import math
from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from bench.linalg import eigenvectors

Point = Float[Array, " n"]
Loss = Callable[[Point], Float[Array, ""]]

VANISHED = 1e-10
"""Norm below which a gradient has vanished."""
ISOLATED = 1e-3
"""Largest Newton step from a stationary point, as a share of its norm. In a valley to infinity Newton steps do not become small."""
FLAT = 1e-11
"""Share of the Hessian's largest eigenvalue below which another one cannot be told from 0."""
NEARBY = 0.01
"""Largest distance of a stationary point, as a share of the norm, at which a descent that has not arrived still counts as being there."""
NEWTON_STEPS, FLOW_STEPS = 12, 600
"""Most steps of the search for a stationary point nearby, and of the descent that goes on."""
FAITHFUL = 0.2
"""Largest correction of a step of the flow, as a share of the step."""
TIMES = (32.0, 8.0, 4.0, 2.0, 1.0, 0.25, 1 / 64, 1e-4)
"""The durations that a step tries, longest first, in units of the step before it."""
BRIEF = 0.02
"""Largest share of a step's duration in which a point may flow back to the bottom of its valley."""
GROWTH = 30.0
"""Largest exponent of what a step lets grow along directions of negative curvature."""
FALL = 100.0
"""The power law of a flow is that of its last part, in which the gradient falls by this factor."""
SLOWEST, FASTEST = -1.1, -0.4
"""Exponents of the gradient's fall with time in a valley to infinity: -1 if the loss falls like 1/t, between -1 and -1/2 if it falls more
slowly. On the way to a point at a finite distance they are below -1, or the fall is exponential."""


class Kind(IntEnum):
    """The kind of an end."""

    UNKNOWN = 0
    MINIMUM = 1
    SADDLE = 2
    PLATEAU = 3
    LATE = 4


class End(NamedTuple):
    """Where a descent ends, and how far that is from where it stood."""

    kind: Int[Array, ""]
    loss: Float[Array, ""]
    index: Int[Array, ""]
    """Number of negative eigenvalues of the Hessian."""
    flat: Int[Array, ""]
    """Number of eigenvalues that cannot be told from 0."""
    distance: Float[Array, ""]
    """Distance between the two points, as a share of the norm of the first."""
    time: Float[Array, ""]
    """Time of the gradient flow between them: steps of gradient descent times the learning rate; 0 if the end is nearby.
    To a value below `solved_below` it is up to twice as long as needed."""


class Look(NamedTuple):
    """The function at a point, up to its second derivatives."""

    loss: Float[Array, ""]
    slopes: Point
    """The gradient in the basis of the eigenvectors."""
    curvatures: Point
    """The eigenvalues of the Hessian, smallest first."""
    basis: Float[Array, "n n"]
    """The eigenvectors, as columns."""

    @property
    def steepness(self) -> Float[Array, ""]:
        """The norm of the gradient."""
        return jnp.linalg.norm(self.slopes)

    @property
    def largest(self) -> Float[Array, ""]:
        """The largest absolute eigenvalue."""
        return jnp.max(jnp.abs(self.curvatures))

    @property
    def newton_step(self) -> Point:
        """The step to the stationary point of the quadratic model that is nearest, which moves along no flat direction."""
        flat = jnp.abs(self.curvatures) <= FLAT * self.largest
        return -self.basis @ jnp.where(flat, 0, self.slopes / jnp.where(flat, 1, self.curvatures))

    def arrived(self, point: Point) -> Bool[Array, ""]:
        """Whether this is a stationary point at a finite place."""
        return (self.steepness <= VANISHED) & (jnp.linalg.norm(self.newton_step) <= ISOLATED * _scale(point))


def certified(loss: Loss, start: Point, solved_below: Float[Array, ""]) -> End:
    """Return the end of a descent that stands at `start`, where the loss is not below `solved_below`.

    - MINIMUM: a stationary point (gradient norm at most 1e-10) without negative eigenvalues, nearby or where the gradient flow arrives;
    - SADDLE: the same with negative eigenvalues;
    - PLATEAU: the gradient flow arrives nowhere: its gradient falls like 1/t, or more slowly, while the norm grows;
    - LATE: the gradient flow gets below `solved_below`;
    - UNKNOWN: nothing of this could be shown.

    A stationary point is nearby if Newton's method finds it within 1% of the norm, with a loss within 1%. Minima that are no strict ones
    are told from saddles of higher order by their second derivatives alone: `flat` says in how many directions these are silent.
    """
    first = _look(loss, start)
    near, there, found = _nearby(loss, start, first, solved_below)

    def here() -> End:
        return _end(start, near, there, _of_index(there), jnp.zeros(()))

    return jax.lax.cond(found, here, lambda: _flowed(loss, start, first, solved_below))


def _look(loss: Loss, point: Point) -> Look:
    value, gradient = jax.value_and_grad(loss)(point)
    curvatures, basis = eigenvectors(jax.hessian(loss)(point))
    return Look(value, basis.T @ gradient, curvatures, basis)


def _nearby(loss: Loss, start: Point, first: Look, solved_below: Float[Array, ""]) -> tuple[Point, Look, Bool[Array, ""]]:
    """Return where Newton's method for the roots of the gradient arrives, and whether that is nearby."""
    reach = NEARBY * _scale(start)

    def goes_on(carried: tuple[Array, Point, Look]) -> Bool[Array, ""]:
        step, point, look = carried
        return (step < NEWTON_STEPS) & ~look.arrived(point) & (jnp.linalg.norm(point - start) <= reach)

    def step(carried: tuple[Array, Point, Look]) -> tuple[Array, Point, Look]:
        number, point, look = carried
        point = point + look.newton_step
        return number + 1, point, _look(loss, point)

    _, point, look = jax.lax.while_loop(goes_on, step, (jnp.zeros((), jnp.int32), start, first))
    alike = jnp.abs(look.loss - first.loss) <= NEARBY * jnp.abs(first.loss)
    close = jnp.linalg.norm(point - start) <= reach
    return point, look, look.arrived(point) & close & alike & (look.loss >= solved_below)


class _Flow(NamedTuple):
    """A gradient flow that is under way, and how it stood when its gradient was `FALL` times as large as where it stops."""

    point: Point
    look: Look
    time: Float[Array, ""]
    duration: Float[Array, ""]
    """Duration of the last step."""
    steps: Int[Array, ""]
    before: tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]
    """Time, norm of the gradient and norm of the point."""


def _flowed(loss: Loss, start: Point, first: Look, solved_below: Float[Array, ""]) -> End:
    """Follow the gradient flow dx/dt = -grad loss(x) until it solves the task, or its gradient has vanished."""
    # A gradient that has all but vanished has to fall further, so that one sees how it falls.
    stop = jnp.clip(first.steepness / (10 * FALL), 1e-3 * VANISHED, VANISHED)

    def goes_on(flow: _Flow) -> Bool[Array, ""]:
        return (flow.steps < FLOW_STEPS) & (flow.look.loss >= solved_below) & (flow.look.steepness > stop)

    def step(flow: _Flow) -> _Flow:
        point, duration, took = _advanced(loss, flow)
        now = flow.time, flow.look.steepness, jnp.linalg.norm(flow.point)
        before = jax.tree.map(lambda new, old: jnp.where(flow.look.steepness >= FALL * stop, new, old), now, flow.before)
        return _Flow(point, _look(loss, point), flow.time + jnp.where(took, duration, 0), duration, flow.steps + 1, before)

    zero = jnp.zeros(())
    begun = _Flow(start, first, zero, 1 / jnp.maximum(first.largest, FLAT), jnp.zeros((), jnp.int32), (zero, first.steepness, jnp.linalg.norm(start)))
    flow = jax.lax.while_loop(goes_on, step, begun)
    look, (time, steepness, norm) = flow.look, flow.before
    stopped = look.steepness <= stop
    exponent = jnp.log(look.steepness / steepness) / jnp.log(flow.time / time)
    endless = stopped & (SLOWEST <= exponent) & (exponent <= FASTEST) & (jnp.linalg.norm(flow.point) > norm)
    kind = jnp.where(endless, Kind.PLATEAU, jnp.where(stopped & look.arrived(flow.point), _of_index(look), Kind.UNKNOWN))
    return _end(start, flow.point, look, jnp.where(look.loss < solved_below, Kind.LATE, kind), flow.time)


def _advanced(loss: Loss, flow: _Flow) -> tuple[Point, Float[Array, ""], Bool[Array, ""]]:
    """Return the point after the longest step that follows the flow, the step's duration, and whether there is such a step.

    The exponential Rosenbrock method of orders 2 and 3 (Hochbruck, Ostermann and Schweitzer, 2009): a step that is exact for the quadratic
    model, and a correction by how far the gradient after it is from the model's, which also tells the error. Directions along which the
    function is steep do not shorten its steps.
    """
    look, durations = flow.look, flow.duration * jnp.asarray(TIMES)

    def after(duration: Float[Array, ""]) -> tuple[Point, Bool[Array, ""]]:
        exponents = -duration * look.curvatures
        step = -duration * _phi(1, exponents) * look.slopes
        told = jnp.exp(exponents) * look.slopes
        surprise = look.basis.T @ jax.grad(loss)(flow.point + look.basis @ step) - told
        correction = -2 * duration * _phi(3, exponents) * surprise
        point = flow.point + look.basis @ (step + correction)
        # What is left of the error across a curved valley would bend the next step.
        moment = jnp.minimum(jnp.sqrt(duration / look.largest), BRIEF * duration)
        for _ in range(2):
            slopes = look.basis.T @ jax.grad(loss)(point)
            point = point - look.basis @ (moment * _phi(1, -moment * look.curvatures) * slopes)
        right = jnp.linalg.norm(correction) <= FAITHFUL * jnp.linalg.norm(step)
        falls = loss(point) <= look.loss + 1e-14 * jnp.abs(look.loss)
        return point, right & falls & (exponents[0] <= GROWTH)

    points, right = jax.vmap(after)(durations)
    chosen, took = jnp.argmax(right), jnp.any(right)
    return jnp.where(took, points[chosen], flow.point), jnp.where(took, durations[chosen], durations[-1]), took


def _phi(order: int, z: Point) -> Point:
    """Return (exp(z) - 1 - z - ... - z^(order - 1) / (order - 1)!) / z^order, which is 1 / order! at z = 0."""
    small = jnp.abs(z) < 0.5
    series = sum((jnp.where(small, z, 0) ** k / math.factorial(k + order) for k in range(14)), jnp.zeros(()))
    beyond = jnp.where(small, 1, z)
    return jnp.where(small, series, (jnp.expm1(beyond) - sum(beyond**k / math.factorial(k) for k in range(1, order))) / beyond**order)


def _end(start: Point, point: Point, look: Look, kind: Any, time: Float[Array, ""]) -> End:
    negative, flat = _signs(look)
    return End(jnp.asarray(kind, jnp.int32), look.loss, negative, flat, jnp.linalg.norm(point - start) / _scale(start), time)


def _of_index(look: Look) -> Int[Array, ""]:
    return jnp.where(_signs(look)[0] > 0, Kind.SADDLE, Kind.MINIMUM)


def _signs(look: Look) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """Return the numbers of eigenvalues that are negative, and that cannot be told from 0."""
    least = FLAT * look.largest
    return jnp.sum(look.curvatures < -least, dtype=jnp.int32), jnp.sum(jnp.abs(look.curvatures) <= least, dtype=jnp.int32)


def _scale(point: Point) -> Float[Array, ""]:
    """Return the norm of a point, or 1 if that is larger."""
    return jnp.maximum(jnp.linalg.norm(point), 1.0)
