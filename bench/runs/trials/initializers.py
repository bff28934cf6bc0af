"""The trials of an initializer."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.hardware import precision
from bench.imports import described
from bench.initializers import AS_ASKED, KEPT_FINITE, draws, initializer
from bench.registry import PieceError
from bench.runs.trials.trial import PURE, Trial, Untried, read

SHAPES = ((6, 4), (4, 6), (5, 5), (3, 3, 2, 4))
"""Shapes of weights that it is asked for: wide, tall, square, a convolution."""


class _Tried:
    """An initializer with its options, called as training calls it."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self._entry, self._name, self._options = initializer[name], name, options

    def _called(self, key: Any, shape: tuple[int, ...], dtype: str) -> Any:
        return self._entry.bind(self._options)(key, shape, jnp.dtype(dtype))

    def _given(self, shape: tuple[int, ...], dtype: str = "float32") -> Any:
        with precision(dtype):
            value = self._called(jax.random.key(0, impl="threefry2x32"), shape, dtype)
        if not hasattr(value, "shape") or not hasattr(value, "dtype"):
            raise self._entry.fault(f"it returns a {type(value).__name__}, which is no array")
        return value

    def _weights(self, dtype: str = "float32") -> Any:
        """Weights of the first shape; without any, there is nothing to check."""
        try:
            return self._given(SHAPES[0], dtype)
        except PieceError as error:
            raise Untried("it gives no weights") from error

    def asked(self) -> None:
        read("initializer", {"name": self._name, **self._options})
        self._given(SHAPES[0])

    def shaped(self) -> str | None:
        refused = []
        for shape in SHAPES:
            try:
                found = tuple(self._given(shape).shape)
            except PieceError as error:
                refused.append(f"{shape}: {described(error.__cause__) if error.__cause__ else error.what}")
                continue
            if found != shape:
                raise self._entry.fault(f"for the shape {shape} it returns an array of shape {found}")
        if len(refused) == len(SHAPES):
            raise Untried("it gives no weights")
        return f"it refuses {'; '.join(refused)}" if refused else None

    def typed(self) -> None:
        for dtype in ("float32", "float64"):
            found = str(self._weights(dtype).dtype)
            if found != dtype:
                raise self._entry.fault(f"asked for {dtype} it returns {found}")

    def finite(self) -> None:
        values = np.asarray(self._weights())
        if not np.all(np.isfinite(values)):
            raise self._entry.fault(f"{values[~np.isfinite(values)][0]} is among its numbers")

    def repeated(self) -> None:
        if not np.array_equal(self._weights(), self._weights(), equal_nan=True):
            raise self._entry.fault("the same key gives two different arrays")

    def traced(self) -> None:
        alone = self._weights()
        keys = jax.vmap(lambda seed: jax.random.key(seed, impl="threefry2x32"))(jnp.arange(2))
        both = jax.jit(jax.vmap(lambda key: self._called(key, SHAPES[0], "float32")))(keys)
        if not np.allclose(both[0], alone, rtol=1e-5, atol=1e-6, equal_nan=True):
            raise self._entry.fault("inside of jax.jit and jax.vmap it gives other numbers than outside")

    def chance(self) -> str:
        self._weights()
        return "two keys differ" if draws(self._name, self._options) else "every key gives the same weights"


def of_initializer(name: str, options: dict[str, Any]) -> Iterator[Trial]:
    """Yield the trials of an initializer."""
    tried = _Tried(name, options)
    yield Trial("it can be called as (key, shape, dtype), and returns an array", tried.asked, AS_ASKED)
    yield Trial("its weights have the shape that it is asked for: wide, tall, square, of a convolution", tried.shaped, AS_ASKED)
    yield Trial("its weights have the dtype that it is asked for, float32 or float64", tried.typed, AS_ASKED)
    yield Trial("its weights are finite", tried.finite, KEPT_FINITE)
    yield Trial("the same key gives the same weights", tried.repeated, PURE)
    yield Trial(
        "it works for many keys at once, inside of jax.jit and jax.vmap", tried.traced, f"write jax.numpy in place of numpy; {PURE}"
    )
    yield Trial("what it says about chance is true", tried.chance)
