"""The figure of the catalogue: weights and singular values of every initializer, and of the schemes that change weights."""

from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import rc
from bench.initializers import drawn, initializer
from bench.runs.starts import Starts
from bench.schemes import scheme
from bench.spec import Experiment

SIDE = 32
"""Inputs and outputs of the layer that is shown."""
BASE = "lecun_normal"
"""The initializer before a scheme."""
MODELS: tuple[dict[str, Any], ...] = (
    {"name": "mlp", "widths": [SIDE, SIDE], "activation": "relu"},
    {"name": "resmlp", "width": SIDE, "gated": True},
    {"name": "transformer", "width": SIDE},
)
PER_LINE = 6
"""Pairs of panels beside each other."""


def figure() -> Figure:
    """Draw weights and singular values: of all initializers, then of the schemes."""
    initializers = {name: drawn(initializer[name], initializer[name].options().model_dump(), 0, (SIDE, SIDE)) for name in initializer}
    schemes = {name: weights for name in scheme if (weights := _changed(name)) is not None}
    lines = [-(-len(part) // PER_LINE) for part in (initializers, schemes)]
    with mpl.rc_context(rc()):
        drawing, axes = plt.subplots(sum(lines), 2 * PER_LINE, figsize=(11.5, 1.12 * sum(lines)), layout="constrained")
        pairs = axes.reshape(-1, 2)
        for start, part in ((0, initializers), (lines[0] * PER_LINE, schemes)):
            for (image, spectrum), (name, weights) in zip(pairs[start:], part.items(), strict=False):
                _show(image, spectrum, name, weights)
        for axis in pairs.flat:
            axis.set_axis_on() if axis.has_data() else axis.set_axis_off()
    return drawing


def _show(image: Axes, spectrum: Axes, name: str, weights: np.ndarray) -> None:
    largest = np.abs(weights).max() or 1
    image.imshow(weights, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
    image.set(xticks=[], yticks=[])
    image.set_title(name, fontsize=6.5, loc="left")
    values = np.linalg.svd(weights, compute_uv=False)
    spectrum.axhline(1, color="0.8", lw=0.7)
    spectrum.plot(np.arange(1, len(values) + 1), np.where(values > 1e-6, values, np.nan), ".", ms=2, color="black")
    spectrum.set(yscale="log", ylim=(1e-2, 1e2), xlim=(0, SIDE + 1), xticks=[], yticks=[0.01, 1, 100])
    spectrum.tick_params(labelsize=5)
    spectrum.minorticks_off()


def _changed(name: str) -> np.ndarray | None:
    """Return the first square weights that a scheme changes in a network that it fits; None if it changes none."""
    for model in MODELS:
        try:
            plain, changed = (_weights(model, {"name": BASE, **options}) for options in ({}, {"scheme": name}))
        except ValueError:
            continue
        found = (new for old, new in zip(plain, changed, strict=True) if new.shape == (SIDE, SIDE) and not np.array_equal(old, new))
        return next(found, None)
    return None


def _weights(model: dict[str, Any], start: dict[str, Any]) -> list[np.ndarray]:
    """Return the initial weights of a network on a task of 32 inputs, in order of their names."""
    settings = {"model": model, "initializer": start, "task": {"name": "blobs", "d": SIDE}, "training": {"steps": 1}}
    [cell] = Experiment.model_validate({"name": "catalogue", **settings}).cells
    found = Starts([cell]).of(cell, pd.DataFrame({"data_seed": [0], "init_seed": [0]}))
    leaves: list[np.ndarray] = []
    stack: list[Any] = [found.params]
    while stack:
        part = stack.pop(0)
        if isinstance(part, dict):
            stack = [part[key] for key in sorted(part)] + stack
        elif part.ndim == 3:
            leaves.append(np.asarray(part[0], float))
    return leaves
