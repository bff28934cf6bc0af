"""Signal and gradient variance of a model's layers, from its first to its last."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from analysis.figures.style import PANEL, is_logarithmic, rc
from bench.runs.audit import Numbers


def audit_figure(numbers: Numbers) -> Figure:
    """Mean square of pre-activations (left) and of the gradient in them (right) by layer: each data set, their mean, and exact zeros."""
    layers = [layer for layer in numbers.parameters if layer.order >= 0]
    with mpl.rc_context(rc()):
        drawing, axes = plt.subplots(1, 2, figsize=(2 * PANEL[0] + 0.9, PANEL[1] + 1.3), layout="constrained")
    places, count = np.arange(1, len(layers) + 1), 0
    for axis, name, title in zip(axes, ("signal", "slope"), ("signal: pre-activations", "gradient in them"), strict=True):
        values = np.array([getattr(layer, name) for layer in layers]).reshape(len(layers), -1)
        count = values.shape[1]
        positive, means = np.where(values > 0, values, np.nan), values.mean(axis=1)
        axis.plot(places, positive, ".", color="0.6", ms=4, label="each data set")
        axis.plot(places, np.where(means > 0, means, np.nan), "o-", color="black", ms=4, lw=1, label="mean")
        zero = places[(values == 0).all(axis=1)]
        if len(zero):
            # Zero has no place on a logarithmic axis: it stands at the lower edge.
            edge, bottom = axis.get_xaxis_transform(), np.zeros(len(zero))
            axis.plot(zero, bottom, "v", color="#D55E00", ms=6, mfc="white", transform=edge, clip_on=False, label="exactly zero")
        if is_logarithmic(positive):
            axis.set_yscale("log")
        axis.set_title(title)
        axis.set_xlim(0.5, len(layers) + 0.5)
        axis.set_xticks(places, [layer.name for layer in layers] if len(layers) <= 12 else places, rotation=90, fontsize=6)
    handles = {text: handle for axis in axes for handle, text in zip(*axis.get_legend_handles_labels(), strict=True)}
    drawing.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    drawing.supylabel("mean square", fontsize=9)
    drawing.supxlabel(f"layers in the order of computation (n = {count} data sets)", fontsize=9)
    return drawing
