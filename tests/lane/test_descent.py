"""Where descents end, for functions of two numbers whose ends are known."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.hardware import precision
from bench.lane.descent import End, Kind, certified

LANDSCAPES = {
    "bowl": lambda a, b: 0.5 + (a - 1) ** 2 + 3 * (b + 2) ** 2,
    "ridge": lambda a, b: 1 + a**2 - b**2 + b**4,
    "exponential valley": lambda a, b: 0.3 + jnp.exp(-a) + (b - 0.1 * a) ** 2,
    "valley with a ridge": lambda a, b: 0.3 + jnp.exp(-a) * (1 - 0.1 * b**2),
    "slower valley": lambda a, b: 0.3 + 1 / jnp.sqrt(1 + a**2) + b**2,
    "flat bottom": lambda a, b: 0.3 + a**4 + b**2,
    "winding valley": lambda a, b: 0.3 + (1 - a) ** 2 / 100 + (b - a**2) ** 2,
    "trough": lambda a, b: 0.3 + (a + b - 1) ** 2,
    "slope": lambda a, b: 1 + a + b**2,
}


class Case(NamedTuple):
    landscape: str
    start: tuple[float, float]
    solved_below: float
    kind: Kind
    loss: float
    negative: int = 0
    flat: int = 0


CASES = [
    Case("bowl", (30.0, 7.0), 0.1, Kind.MINIMUM, 0.5),
    Case("bowl", (30.0, 7.0), 0.6, Kind.LATE, 0.6),
    Case("ridge", (0.004, 0.003), 0.1, Kind.SADDLE, 1.0, negative=1),
    Case("ridge", (0.5, 0.1), 0.1, Kind.MINIMUM, 0.75),
    Case("ridge", (0.5, 1e-9), 0.1, Kind.MINIMUM, 0.75),
    Case("ridge", (0.5, 0.0), 0.1, Kind.SADDLE, 1.0, negative=1),
    Case("ridge", (0.004, 0.003), 0.8, Kind.SADDLE, 1.0, negative=1),
    Case("ridge", (0.5, 0.1), 0.8, Kind.LATE, 0.8),
    Case("exponential valley", (0.0, 0.0), 0.1, Kind.PLATEAU, 0.3),
    Case("exponential valley", (12.0, 1.2), 0.1, Kind.PLATEAU, 0.3),
    Case("exponential valley", (0.0, 0.0), 0.3001, Kind.LATE, 0.3001),
    Case("valley with a ridge", (0.0, 1e-6), 0.1, Kind.PLATEAU, 0.3, negative=1),
    Case("slower valley", (3.0, 1.0), 0.1, Kind.PLATEAU, 0.3),
    Case("slower valley", (3.0, 1.0), 0.3001, Kind.LATE, 0.3001),
    Case("flat bottom", (1.0, 1.0), 0.1, Kind.MINIMUM, 0.3),
    Case("winding valley", (-1.5, 1.0), 0.1, Kind.MINIMUM, 0.3),
    Case("trough", (3.0, 1.0), 0.1, Kind.MINIMUM, 0.3, flat=1),
    Case("slope", (0.0, 1.0), -np.inf, Kind.UNKNOWN, -np.inf, flat=1),
]


@jax.jit
def end_of(landscape: int, start: jax.Array, solved_below: jax.Array) -> End:
    functions = [lambda point, one=one: one(*point) for one in LANDSCAPES.values()]
    return certified(lambda point: jax.lax.switch(landscape, functions, point), start, solved_below)


def found(landscape: str, start: tuple[float, float], solved_below: float) -> End:
    with precision("float64"):
        return jax.tree.map(np.asarray, end_of(list(LANDSCAPES).index(landscape), jnp.asarray(start), jnp.asarray(solved_below)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.landscape} from {case.start} to {case.solved_below}")
def test_an_end_that_is_known(case: Case) -> None:
    end = found(case.landscape, case.start, case.solved_below)
    assert Kind(int(end.kind)) == case.kind
    if case.kind == Kind.LATE:
        assert end.loss < case.solved_below
    elif case.kind != Kind.UNKNOWN:
        assert end.loss == pytest.approx(case.loss, abs=1e-4)
        assert end.negative == case.negative
        assert end.flat == case.flat or case.kind == Kind.PLATEAU


def test_the_time_is_that_of_the_gradient_flow() -> None:
    """In the valley a' = exp(-a) the loss 0.3 + exp(-a) is at 0.3001 when exp(a) = 10,000, after a time of 9,999.

    No step of the flow is longer than twice the time before it.
    """
    assert 9999 <= found("exponential valley", (0.0, 0.0), 0.3001).time <= 3 * 9999
    assert found("ridge", (0.004, 0.003), 0.1).time == 0
    assert found("ridge", (0.004, 0.003), 0.1).distance == pytest.approx(0.005, rel=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_an_end_does_not_depend_on_the_coordinates_of_the_start(seed: int) -> None:
    """Wherever in the half plane a < 0 a descent begins, the winding valley leads to its one minimum (1, 1)."""
    start = np.random.default_rng(seed).uniform(-3, 0, 2)
    end = found("winding valley", tuple(start), 0.1)
    assert end.kind == Kind.MINIMUM and end.loss == pytest.approx(0.3, abs=1e-12)
    assert end.distance == pytest.approx(np.linalg.norm(start - 1) / max(float(np.linalg.norm(start)), 1.0), rel=1e-6)
