"""Colors and marks of what figures compare: an initializer, or an activation function, has the same ones in every figure."""

import math
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.colors import to_hex

from analysis.words import value_words

MARKS = "osD^vPX*<>"
# The palette of Okabe and Ito, from dark to light for grayscale.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7F7F7F")
ZERO = ("#000000", "o")
FIXED = {
    **dict.fromkeys(("zero", "all zero", "zero positions", "zero weights, zero biases"), ZERO),
    "He": ("#0072B2", "s"),
    "Glorot": ("#D55E00", "D"),
    "LeCun": ("#009E73", "^"),
    "orthogonal": ("#CC79A7", "v"),
    "identity": ("#E69F00", "P"),
    "PyTorch": ("#8C6D31", "X"),
    # Activation functions: the muted palette of Paul Tol.
    "tanh": ("#332288", "s"),
    "ReLU": ("#CC6677", "D"),
    "sigmoid": ("#117733", "^"),
    "softplus": ("#88CCEE", "P"),
    "GELU": ("#882255", "X"),
    "SiLU": ("#44AA99", "*"),
}
"""Color and mark of what many figures show, by its words."""
RAMPS = (
    (re.compile(r"N\(0, ([0-9.e-]+)²?\)"), "RdPu", (-2.0, 2.0)),
    (re.compile(r"constant \+ ([0-9.e-]+)"), "YlGnBu", (-13.0, -1.0)),
)
"""Families of values that differ in a size: their words, a color map, and the ends of the sizes that it covers, as powers of ten."""
NUMBER = re.compile(r"-?[0-9.]+(e[+-]?[0-9]+)?")
"""A number as an axis value is written."""


def palette(values: Sequence[Any]) -> dict[Any, tuple[str, str]]:
    """Return color and mark of each value: those of the registry, else the first ones that no other value has; zero is always black.

    More numbers than there are colors stand on a color map, in their order.
    """
    words = {value: value_words(value) for value in values}
    found = {value: FIXED[words[value]] for value in values if words[value] in FIXED}
    colors = {color for color, _ in found.values()}
    free = [color for color in COLORS if color not in colors] or list(COLORS)
    others = [value for value in values if value not in found]
    if len(others) > len(COLORS) and all(NUMBER.fullmatch(words[value]) for value in others):
        free = [to_hex(mpl.colormaps["viridis"](0.9 * place / (len(others) - 1))) for place in range(len(others))]
    for number, value in enumerate(others):
        color = _on_ramp(words[value]) or free[number % len(free)]
        found[value] = color, MARKS[(number + 1) % len(MARKS)]
    return {value: found[value] for value in values}


def _on_ramp(words: str) -> str | None:
    """Return the color of a value of a family whose values differ in a size; None if it is none."""
    for pattern, ramp, (low, high) in RAMPS:
        size = pattern.fullmatch(words)
        if size and float(size[1]) > 0:
            place = min(max((math.log10(float(size[1])) - low) / (high - low), 0), 1)
            # The lightest quarter of a color map is hard to see on white.
            return to_hex(mpl.colormaps[ramp](0.3 + 0.7 * place))
    return None
