"""What zeros do exactly in networks other than multilayer perceptrons."""

import math

import numpy as np
import pandas as pd
from scipy.signal import correlate
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from analysis.load import Run
from analysis.theory.law import SAMPLE, cells_of, law, network, starts, within
from bench.engine.program import problem
from bench.models.activations import ZERO_AT_ZERO
from bench.spec import Cell

ROUNDING = 1e-5
"""Of sums of a few hundred numbers in float32, relative."""
BASELINES = 20
"""Data sets on which a scikit-learn classifier is trained."""
SILENT_AT_ZERO = ("cnn", "elman", "gru", "lstm", "transformer", "resmlp", "rescnn")
"""Models whose output layer sees zeros if all weights are zero and act(0) = 0."""


@law
def zero_gradients(run: Run) -> tuple[bool, str, int]:
    """From all-zero weights and biases a convolutional, recurrent, residual or attention network with act(0) = 0 has a first gradient of
    exactly 0, but for the output bias: that of a guess among the classes, sqrt(sum (1/classes - share of the class)^2), to 1e-5; and no
    weight ever leaves 0."""
    worst, agree, n = 0.0, 0, 0
    for cell, rows in cells_of(run, _is_silent):
        still = (_gradient_shares(rows) == 0).all(axis=1) & (rows["weight_norm_final"] == 0)
        agree += int(still.sum())
        few = rows.head(SAMPLE)
        y = np.asarray(starts(run, cell, few)[0].data.y)
        classes = problem(cell.settings.task).outputs
        shares = np.stack([(y == label).mean(axis=1) for label in range(classes)])
        expected = np.sqrt(np.sum((1 / classes - shares) ** 2, axis=0))
        worst = max(worst, float(np.max(np.abs(few["grad_norm_initial"].to_numpy(float) / expected - 1))))
        n += len(rows)
    close, difference = within(worst, ROUNDING)
    return agree == n and close, f"{agree:,} of {n:,} lanes; largest relative difference of the bias's gradient {difference}", n


def _is_silent(cell: Cell) -> bool:
    settings = cell.settings
    model, initializer = settings.model, settings.initializer
    return (
        model.name in SILENT_AT_ZERO
        and model.options.get("activation", "tanh") in ZERO_AT_ZERO
        and initializer.name == "zeros"
        and not initializer.layers
        and initializer.bias_law == "zeros"
        and initializer.bias_stddev == 0
        and initializer.first_layer_offset == 0
        and initializer.scheme is None
        and settings.task.options.get("loss") == "cross_entropy"
    )


@law
def equal_units(run: Run) -> tuple[bool, str, int]:
    """From constant weights the channels of a convolution, the units of a recurrent network and of a branch, and the heads of an attention
    layer stay equal: no layer has two units (or heads) that differ, at the start and at the end, to 1e-6 of its largest weight, in every
    lane."""
    agree, n = 0, 0
    for _, rows in cells_of(run, _starts_constant):
        rows = rows[rows["outcome"] != "diverged"]
        counts = rows.filter(regex=r"^untied_(layers|heads)_(initial|final)$").dropna(axis=1, how="all")
        agree += int((counts == 0).all(axis=1).sum()) if counts.shape[1] else 0
        n += len(rows)
    return agree == n, f"{agree:,} of {n:,} lanes", n


def _starts_constant(cell: Cell) -> bool:
    settings = cell.settings
    initializer = settings.initializer
    changed = (
        initializer.layers or initializer.zero_layers or initializer.zero_fraction or initializer.first_layer_offset or initializer.scheme
    )
    plain = not changed and initializer.bias_stddev == 0 and initializer.bias_law == "zeros"
    return settings.model.name in SILENT_AT_ZERO and initializer.name == "constant" and plain


@law
def false_equilibrium(run: Run) -> tuple[bool, str, int]:
    """A generative adversarial network whose players are both zero has a gradient of exactly 0 and stays: the discriminator's loss is
    2 ln 2, the generator's ln 2, to 1e-6, as if generated and real points were equally distributed, and no weight ever leaves 0."""
    worst, agree, n = 0.0, 0, 0
    for _, rows in cells_of(run, _are_zero_players):
        agree += int(((rows["grad_norm_initial"] == 0) & (rows["grad_norm_final"] == 0) & (rows["weight_norm_final"] == 0)).sum())
        for name, value in (("loss", 2 * math.log(2)), ("generator_loss", math.log(2))):
            for when in ("initial", "final"):
                worst = max(worst, float(np.max(np.abs(rows[f"{name}_{when}"].to_numpy(float) / value - 1))))
        n += len(rows)
    close, difference = within(worst, 1e-6)
    return agree == n and close, f"{agree:,} of {n:,} lanes; largest relative difference of a loss {difference}", n


def _are_zero_players(cell: Cell) -> bool:
    model, initializer = cell.settings.model, cell.settings.initializer
    plain = not initializer.layers and initializer.bias_law == "zeros" and initializer.bias_stddev == 0
    return model.name == "gan" and model.options["loss"] == "non_saturating" and initializer.name == "zeros" and plain


@law
def identity_branches(run: Run) -> tuple[bool, str, int]:
    """A residual network whose branches end in zeros is the same network without branches: its first loss is that of its two linear layers
    in NumPy, to 1e-5. The first gradient of a branch's inner layer is exactly 0; that of its last layer is so too where a gate or the scale
    of a normalization is what is zero, and not where it is the layer itself."""
    worst, agree, n = 0.0, 0, 0
    for cell, rows in cells_of(run, lambda cell: _zero_end(cell) is not None):
        few = rows[rows["outcome"] != "diverged"].head(SAMPLE)
        fixed, state = starts(run, cell, few)
        for lane in range(len(few)):
            parts = [state.params[name][leaf][lane] for name in ("input", "output") for leaf in ("kernel", "bias")]
            logits = _without_branches(fixed.data.x[lane], *parts)
            loss = -np.mean(np.take_along_axis(log_softmax(logits, axis=1), fixed.data.y[lane][:, None], axis=1))
            worst = max(worst, abs(float(few["loss_initial"].iloc[lane]) / loss - 1))
        shares = _gradient_shares(rows)
        names = network(cell).weight_names
        inner, last = ([index for index, name in enumerate(names) if f".{layer}." in name] for layer in ("first", "second"))
        moves = shares[:, last] > 0 if _zero_end(cell) == "layer" else shares[:, last] == 0
        agree += int((np.all(shares[:, inner] == 0, axis=1) & np.all(moves, axis=1)).sum())
        n += len(rows)
    close, difference = within(worst, ROUNDING)
    return agree == n and close, f"{agree:,} of {n:,} lanes; largest relative difference of the first loss {difference}", n


def _zero_end(cell: Cell) -> str | None:
    """What is zero at the end of each branch, in a residual network that is random otherwise: the layer, or what multiplies it."""
    model, initializer = cell.settings.model, cell.settings.initializer
    if model.name not in ("resmlp", "rescnn") or not model.options["bias"] or initializer.bias_law != "zeros" or initializer.scheme:
        return None
    if initializer.zero_layers == ("*.second",) and not initializer.layers and model.options["normalization"] == "none":
        return "layer"
    zero = [name for name, one in initializer.layers.items() if one.name == "zeros"]
    return "factor" if not initializer.zero_layers and zero in (["*.gate"], ["*.norm2.scale"]) else None


def _without_branches(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, out_kernel: np.ndarray, out_bias: np.ndarray) -> np.ndarray:
    """Logits of the layers `input` and `output` alone, on examples (example, input), in float64."""
    x = x.astype(float)
    if kernel.ndim == 4:
        side = math.isqrt(x.shape[1])
        images = x.reshape(len(x), side, side)
        planes = [[correlate(image, kernel[:, :, 0, plane].astype(float), "same") for plane in range(kernel.shape[3])] for image in images]
        return (np.mean(planes, axis=(2, 3)) + bias) @ out_kernel.astype(float) + out_bias
    return (x @ kernel.astype(float) + bias) @ out_kernel.astype(float) + out_bias


@law
def linear_baseline(run: Run) -> tuple[bool, str, int]:
    """The median test accuracy on digits is at least that of scikit-learn's logistic regression on the first 20 of the same data sets."""
    holds, n, found = True, 0, []
    for cell, rows in cells_of(run, lambda cell: cell.settings.task.name == "digits"):
        data = starts(run, cell, rows.head(BASELINES))[0].data
        scores = []
        for i in range(len(data.x)):
            classifier = LogisticRegression(max_iter=2000).fit(data.x[i], data.y[i])
            scores.append(classifier.score(data.test_x[i], data.test_y[i]))
        ours, theirs = float(rows["test_metric_final"].median()), float(np.median(scores))
        spread = f"{len(scores)} fits from {min(scores):.4f} to {max(scores):.4f}"
        found.append(f"{ours:.4f} ({', '.join(map(str, cell.axes.values()))}, {len(rows):,} lanes) v {theirs:.4f} ({spread})")
        holds, n = holds and ours >= theirs, n + len(rows)
    return holds, "; ".join(found), n


def _gradient_shares(rows: pd.DataFrame) -> np.ndarray:
    """(lane, weight layer), for cells of one model: columns of layers that it has not are null."""
    found = rows.filter(regex=r"^grad_share_\d+_initial$").dropna(axis=1, how="all")
    return found[[f"grad_share_{layer}_initial" for layer in range(found.shape[1])]].to_numpy(float)
