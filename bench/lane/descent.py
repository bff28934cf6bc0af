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
FLAT = 1e-13
"""Share of the Hessian's largest eigenvalue below which another one cannot be told from 0."""
NEARBY = 0.01
"""Largest distance of a stationary point, as a share of the norm, at which a descent that has not arrived still counts as being there."""
NEWTON_STEPS, FLOW_STEPS = 12, 1500
"""Most steps of the search for a stationary point nearby, and of the gradient flow."""
HORIZON = 1e12
"""Longest time that the gradient flow is followed, in units of one over the largest eigenvalue of the Hessian at its start."""
FAITHFUL = 0.2
"""Largest correction of a step of the flow, as a share of the step."""
TIMES = (32.0, 8.0, 4.0, 2.0, 1.0, 0.25, 1 / 64, 1e-4)
"""The durations that a step tries, longest first, in units of the step before it."""
LONGEST = 2.0
"""Longest step of the flow, in units of the time that it has taken so far: the law of a slow fall must be seen on its way."""
BRIEF = 0.02
"""Largest share of a step's duration in which a point may flow back to the bottom of its valley."""
GROWTH = 30.0
"""Largest exponent of what a step lets grow along directions of negative curvature."""
DECADE = 10.0
"""The law of a fall is that of three points of the flow, each at least so many times as late as the one before."""
FASTEST = 1.2
"""Largest exponent p of a loss that falls like t^-p in a valley to infinity: 1 if it falls exponentially with the distance, less than 1 if
more slowly. On the way to a degenerate minimum at a finite distance p is 2 or a little less, to any other one the fall is exponential."""
UNSTABLE = 0.01
"""Least exponent of a deviation's growth with time that makes a direction of a valley to infinity count as unstable."""
ENDLESS = 0.5
"""Least growth of the norm between two of these points, in units of that between the two before. Where there is an end, growth slows."""


class Kind(IntEnum):
    """The kind of an end."""

    MINIMUM = 0
    SADDLE = 1
    PLATEAU = 2
    LATE = 3
    UNKNOWN = 4


class End(NamedTuple):
    """Where a descent ends, and how far that is from where it stood."""

    kind: Int[Array, ""]
    loss: Float[Array, ""]
    negative: Int[Array, ""]
    """Number of negative eigenvalues of the Hessian; of a plateau, of those below -0.01 / time."""
    flat: Int[Array, ""]
    """Number of eigenvalues that cannot be told from 0."""
    distance: Float[Array, ""]
    """Distance between the two points, as a share of the norm of the first."""
    time: Float[Array, ""]
    """Time of the gradient flow between them: steps of gradient descent times the learning rate; 0 if the end is nearby.
    To a value below `solved_below` it is up to three times as long as needed."""


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

    @property
    def isolated(self) -> Bool[Array, ""]:
        """Whether no direction is flat."""
        return jnp.min(jnp.abs(self.curvatures)) > FLAT * self.largest

    def arrived(self, point: Point) -> Bool[Array, ""]:
        """Whether this is a stationary point at a finite place."""
        return (self.steepness <= VANISHED) & (jnp.linalg.norm(self.newton_step) <= ISOLATED * _scale(point))


def certified(loss: Loss, start: Point, solved_below: Float[Array, ""]) -> End:
    """Return the end of a descent that stands at `start`, where the loss is not below `solved_below`.

    - MINIMUM: a stationary point (gradient norm at most 1e-10) without negative eigenvalues, nearby or where the gradient flow arrives;
    - SADDLE: the same with negative eigenvalues;
    - PLATEAU: the gradient flow arrives nowhere: over two decades of time the loss falls like 1/t, or more slowly, towards a value that
      does not solve the task, while the norm grows without bound;
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


class _Marks(NamedTuple):
    """Three points of a flow, earliest first, each at least `DECADE` times as late as the one before; times are 0 until there are three."""

    time: Float[Array, " mark"]
    loss: Float[Array, " mark"]
    norm: Float[Array, " mark"]

    def with_next(self, *values: Float[Array, ""]) -> "_Marks":
        """Return the marks with a later point (time, loss, norm) in place of the earliest one; or as they are if it is too near."""
        later = values[0] >= DECADE * self.time[-1]
        return _Marks(*(jnp.where(later, jnp.append(old[1:], new), old) for old, new in zip(self, values, strict=True)))

    def fall(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Return the exponent p of a loss c + b t^-p through the three points, from 0 to 8, and the value c that it falls to."""
        wanted = (self.loss[0] - self.loss[1]) / (self.loss[1] - self.loss[2])

        def shares(p: Float[Array, ""]) -> Float[Array, " mark"]:
            return (self.time / self.time[2]) ** -p

        def halved(_: Any, between: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = between
            middle = (low + high) / 2
            first, second, third = shares(middle)
            steeper = first - second < wanted * (second - third)
            return jnp.where(steeper, middle, low), jnp.where(steeper, high, middle)

        p, _ = jax.lax.fori_loop(0, 50, halved, (jnp.zeros(()), jnp.full((), 8.0)))
        return p, self.loss[2] - (self.loss[1] - self.loss[2]) / (shares(p)[1] - 1)

    def endless(self, now: Float[Array, ""], solved_below: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether the loss falls like a power of time towards a value that does not solve the task, while the norm grows without bound.

        `now`: the loss at the end of the flow, which must not have left the law since.
        """
        p, bottom = self.fall()
        grown = self.norm[1:] - self.norm[:-1]
        falls = (self.time[0] > 0) & (self.loss[1] > self.loss[2]) & (p > 0) & (p <= FASTEST) & (bottom >= solved_below)
        return falls & (now >= bottom - (self.loss[1] - self.loss[2])) & (grown[0] > 0) & (grown[1] >= ENDLESS * grown[0])


class _Flow(NamedTuple):
    """A gradient flow that is under way."""

    point: Point
    look: Look
    time: Float[Array, ""]
    duration: Float[Array, ""]
    """Duration of the last step."""
    steps: Int[Array, ""]
    marks: _Marks


def _flowed(loss: Loss, start: Point, first: Look, solved_below: Float[Array, ""]) -> End:
    """Follow the gradient flow dx/dt = -grad loss(x) until it solves the task, its gradient has vanished, or it has taken very long."""
    scale = 1 / jnp.maximum(first.largest, FLAT)
    # A gradient that has all but vanished at the start has to fall further, so that one sees how it falls.
    stop = jnp.clip(1e-3 * first.steepness, 1e-3 * VANISHED, VANISHED)

    def goes_on(flow: _Flow) -> Bool[Array, ""]:
        early = (flow.steps < FLOW_STEPS) & (flow.time < HORIZON * scale)
        return early & (flow.look.loss >= solved_below) & (flow.look.steepness > stop)

    def step(flow: _Flow) -> _Flow:
        point, duration, took = _advanced(loss, flow)
        time, look = flow.time + jnp.where(took, duration, 0), _look(loss, point)
        marks = flow.marks.with_next(time, look.loss, jnp.linalg.norm(point))
        return _Flow(point, look, time, duration, flow.steps + 1, marks)

    none = jnp.zeros(3)
    begun = _Flow(start, first, jnp.zeros(()), scale, jnp.zeros((), jnp.int32), _Marks(none, none, none))
    flow = jax.lax.while_loop(goes_on, step, begun)
    point, look = flow.point, flow.look
    kind = jnp.where(flow.marks.endless(look.loss, solved_below), Kind.PLATEAU, Kind.UNKNOWN)
    # Next to a strict minimum the loss may have fallen like a power of time before.
    kind = jnp.where(look.arrived(point) & (look.isolated | (kind == Kind.UNKNOWN)), _of_index(look), kind)
    end = _end(start, point, look, jnp.where(look.loss < solved_below, Kind.LATE, kind), flow.time)
    # All curvatures of a valley fall like 1/t; with c/t a deviation changes like t^-c.
    unstable = jnp.sum(look.curvatures * flow.time < -UNSTABLE, dtype=jnp.int32)
    return end._replace(negative=jnp.where(end.kind == Kind.PLATEAU, unstable, end.negative))


def _advanced(loss: Loss, flow: _Flow) -> tuple[Point, Float[Array, ""], Bool[Array, ""]]:
    """Return the point after the longest step that follows the flow, the step's duration, and whether there is such a step.

    The exponential Rosenbrock method of orders 2 and 3 (Hochbruck, Ostermann and Schweitzer, 2009): a step that is exact for the quadratic
    model, and a correction by how far the gradient after it is from the model's, which also tells the error. Directions along which the
    function is steep do not shorten its steps.
    """
    longest = jnp.where(flow.time > 0, LONGEST * flow.time, jnp.inf)
    look, durations = flow.look, jnp.minimum(flow.duration * jnp.asarray(TIMES), longest)

    def after(duration: Float[Array, ""]) -> tuple[Point, Bool[Array, ""]]:
        exponents = -duration * look.curvatures
        step = -duration * _phi(1, exponents) * look.slopes
        told = jnp.exp(exponents) * look.slopes
        surprise = look.basis.T @ jax.grad(loss)(flow.point + look.basis @ step) - told
        correction = -2 * duration * _phi(3, exponents) * surprise
        point = flow.point + look.basis @ (step + correction)
        # The rest of the error across a curved valley would bend the next step.
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
    """Return the numbers of eigenvalues that are negative, and that cannot be told from 0.

    Where the gradient has not vanished altogether, a direction of symmetry has a curvature as small as the gradient.
    """
    least = FLAT * look.largest + 10 * look.steepness
    return jnp.sum(look.curvatures < -least, dtype=jnp.int32), jnp.sum(jnp.abs(look.curvatures) <= least, dtype=jnp.int32)


def _scale(point: Point) -> Float[Array, ""]:
    """Return the norm of a point, or 1 if that is larger."""
    return jnp.maximum(jnp.linalg.norm(point), 1.0)
