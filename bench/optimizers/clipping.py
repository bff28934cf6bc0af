"""Functions of optax that clip a gradient before the optimizer sees it, by name and with one number: `clip_by_global_norm` and its like."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import optax

from bench.optimizers.found import functions, required


@cache
def clippings() -> dict[str, Callable[[float], optax.GradientTransformation]]:
    """Every function of optax that makes a clipping of gradients from one number."""
    return {
        name: function
        for name, function, parameters in functions(optax, optax.GradientTransformation)
        if "clip" in name and len(required(parameters)) == 1
    }


def is_clipping(value: Any) -> bool:
    """Whether a value can be the number of a clipping."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def clipped(clipping: Iterable[tuple[str, float]]) -> list[optax.GradientTransformation]:
    """Return the transformations of these names and numbers, in the order of their names: a table of a file has no order that counts."""
    return [clippings()[name](value) for name, value in sorted(clipping)]
