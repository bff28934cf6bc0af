"""The curve of one training run that was trained again."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from analysis.rows.replay import Replay


def loss_curve(replay: Replay) -> Figure:
    """Draw the loss of a replayed training run, step by step.

    Losses beyond the range of float32 are left out, since no axis reaches to the end of float64.
    """
    drawing, axis = plt.subplots(figsize=(3.5, 2.4), layout="constrained")
    steps, loss = replay.curve["step"].to_numpy(), replay.curve["loss"].to_numpy(float)
    loss = np.where(loss < np.finfo(np.float32).max, loss, np.nan)
    axis.plot(np.maximum(steps, 0.7), loss, color="#0072B2", lw=1.2)
    axis.set_xscale("log")
    if np.nanmin(loss) > 0 and np.nanmax(loss) > 10 * np.nanmin(loss):
        axis.set_yscale("log")
    axis.set_xlabel("gradient steps")
    axis.set_ylabel("training loss")
    axis.set_title(f"{replay.run.experiment.name}, training run {replay.lane}", fontsize=8)
    return drawing
