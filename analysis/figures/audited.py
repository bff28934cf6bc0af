"""Signal and gradient variance of a model's layers, from its first to its last."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from analysis.figures.style import PANEL, is_logarithmic, rc
from bench.runs.audit import Numbers


def audit_figure(numbers: Numbers) -> Figure:
    """Mean square of pre-activations (left) and of the gradient in them (right) by layer: each data set (marks) and their mean (line)."""
    layers = [layer for layer in numbers.parameters if layer.order >= 0]
    with mpl.rc_context(rc()):
        drawing, axes = plt.subplots(1, 2, figsize=(2 * PANEL[0] + 0.9, PANEL[1] + 1.0), layout="constrained")
    places = np.arange(1, len(layers) + 1)
    for axis, name, title in zip(axes, ("signal", "slope"), ("signal: pre-activations", "gradient in them"), strict=True):
        values = np.array([getattr(layer, name) for layer in layers]).reshape(len(layers), -1)
        positive = np.where(values > 0, values, np.nan)
        axis.plot(places, positive, ".", color="0.6", ms=3)
        axis.plot(places, np.where(values.mean(axis=1) > 0, values.mean(axis=1), np.nan), color="black", lw=1)
        if is_logarithmic(positive):
            axis.set_yscale("log")
        axis.set_title(title)
        axis.set_xticks(places, [layer.name for layer in layers] if len(layers) <= 12 else places, rotation=90, fontsize=6)
    drawing.supylabel("mean square", fontsize=9)
    return drawing
