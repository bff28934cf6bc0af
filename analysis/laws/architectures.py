"""Exact consequences of zeros in networks other than multilayer perceptrons."""

import math
from functools import partial

import numpy as np
import pandas as pd
from scipy.signal import correlate

from analysis.laws.evidence import Decision, Evidence, Lanes
from analysis.laws.law import SAMPLE, cells_of, law, starts
from analysis.laws.oracle import ZERO_AT_ZERO, cross_entropy, forward
from analysis.rows.load import Run
from analysis.stats.intervals import quantile_interval
from analysis.stats.linear import accuracy_of_logistic_regression
from bench.models import model
from bench.runs.networks import network, task_of
from bench.spec import Cell

ROUNDING = 1e-5
"""Relative rounding of sums of a few hundred numbers in float32."""
BASELINES = 100
"""Number of data sets on which a classifier of scikit-learn is trained."""
ACCURACY_DIGITS = 6
"""Number of decimals of an accuracy that float32 holds."""
SILENT_AT_ZERO = ("cnn", "cnn1d", "elman", "gru", "lstm", "transformer", "resmlp", "rescnn")
"""Models whose output layer has inputs of zero if all weights are zero and act(0) = 0."""


@law()
def zero_gradients(run: Run, found: Evidence) -> None:
    """From all-zero weights and biases a convolutional, recurrent, residual or attention network with act(0) = 0 has a first gradient of
    exactly 0, but for the output bias: that of a guess among the classes, sqrt(sum (1/classes - share of the class)^2), to 1e-5; and no
    weight ever leaves 0."""
    for cell, rows in cells_of(run, _is_silent):
        lanes = found.lanes(rows)
        lanes.facts((_gradient_shares(cell, lanes) == 0).all(axis=1) & (lanes["weight_norm_final"] == 0))
        few = lanes.sample(SAMPLE)
        y = np.asarray(starts(run, cell, few.rows).data.y)
        classes = task_of(cell).outputs
        shares = np.stack([(y == label).mean(axis=1) for label in range(classes)])
        expected = np.sqrt(np.sum((1 / classes - shares) ** 2, axis=0))
        few.within("relative difference of the bias's gradient", np.abs(few["grad_norm_initial"] / expected - 1), ROUNDING)


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


@law()
def equal_units(run: Run, found: Evidence) -> None:
    """From constant weights the channels of a convolution, the units of a recurrent network and of a branch, and the heads of an attention
    layer stay equal: no layer has two units (or heads) that differ, at the start and at the end, to 1e-6 of its largest weight, in every
    training run."""
    for cell, rows in cells_of(run, _starts_constant):
        lanes = found.lanes(rows)
        parts = ("layers", "heads") if hasattr(model[cell.settings.model.name].target, "heads") else ("layers",)
        counts = lanes.table([f"untied_{part}_{when}" for part in parts for when in ("initial", "final")])
        lanes.facts((counts == 0).all(axis=1))


def _starts_constant(cell: Cell) -> bool:
    settings = cell.settings
    initializer = settings.initializer
    changed = (
        initializer.layers or initializer.zero_layers or initializer.zero_fraction or initializer.first_layer_offset or initializer.scheme
    )
    plain = not changed and initializer.bias_stddev == 0 and initializer.bias_law == "zeros"
    return settings.model.name in SILENT_AT_ZERO and initializer.name == "constant" and plain


@law()
def false_equilibrium(run: Run, found: Evidence) -> None:
    """A generative adversarial network whose players are both zero has a gradient of exactly 0 and stays: the discriminator's loss is
    2 ln 2, the generator's ln 2, to 1e-6, as if generated and real points were equally distributed, and no weight ever leaves 0."""
    for _, rows in cells_of(run, _are_zero_players):
        lanes = found.lanes(rows)
        lanes.facts((lanes.table(["grad_norm_initial", "grad_norm_final", "weight_norm_final"]) == 0).all(axis=1))
        losses = {"loss": 2 * math.log(2), "generator_loss": math.log(2)}
        for name, value in losses.items():
            for when in ("initial", "final"):
                lanes.within("relative difference of a loss", np.abs(lanes[f"{name}_{when}"] / value - 1), 1e-6)


def _are_zero_players(cell: Cell) -> bool:
    model, initializer = cell.settings.model, cell.settings.initializer
    plain = not initializer.layers and initializer.bias_law == "zeros" and initializer.bias_stddev == 0
    return model.name == "gan" and model.options["loss"] == "non_saturating" and initializer.name == "zeros" and plain


@law()
def identity_branches(run: Run, found: Evidence) -> None:
    """A residual network whose branches end in zeros is the same network without branches: its first loss is that of its two linear layers
    in NumPy, to 1e-5. The first gradient of a branch's inner layer is exactly 0; that of its last layer is so too where a gate or the scale
    of a normalization is what is zero, and not where it is the layer itself."""
    for cell, rows in cells_of(run, lambda cell: _zero_end(cell) is not None):
        lanes = found.lanes(rows)
        few = lanes.sample(SAMPLE)
        start = starts(run, cell, few.rows)
        losses = np.zeros(len(few))
        for lane in range(len(few)):
            parts = [start.params[name][leaf][lane] for name in ("input", "output") for leaf in ("kernel", "bias")]
            logits = _without_branches(start.data.x[lane], *parts)
            losses[lane] = cross_entropy(logits, start.data.y[lane])[0]
        few.within("relative difference of the first loss", np.abs(few["loss_initial"] / losses - 1), ROUNDING)
        shares = _gradient_shares(cell, lanes)
        names = network(cell).weight_names
        inner, last = ([index for index, name in enumerate(names) if f".{layer}." in name] for layer in ("first", "second"))
        moves = shares[:, last] > 0 if _zero_end(cell) == "layer" else shares[:, last] == 0
        lanes.facts(np.all(shares[:, inner] == 0, axis=1) & np.all(moves, axis=1))


def _zero_end(cell: Cell) -> str | None:
    """Whether the last layer of each branch is zero ("layer"), or what multiplies it ("factor"), in a residual network that is random
    otherwise.

    None if neither is so, or more than that is zero.
    """
    model, initializer = cell.settings.model, cell.settings.initializer
    if model.name not in ("resmlp", "rescnn") or not model.options["bias"] or initializer.bias_law != "zeros" or initializer.scheme:
        return None
    if model.options["normalization"] == "post":
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
    return forward([(kernel.astype(float), bias), (out_kernel.astype(float), out_bias)], "identity", x).sums[-1]


@law()
def linear_baseline(run: Run, found: Evidence) -> None:
    """On the first 100 data sets of handwritten digits the median of the difference between the network's test accuracy and that of
    scikit-learn's logistic regression on the same data set is at least 0."""
    baselines: dict[str, np.ndarray] = {}
    for cell, rows in cells_of(run, lambda cell: cell.settings.task.name == "digits"):
        lanes = found.lanes(rows)
        first = rows.drop_duplicates("data_seed").head(BASELINES)
        task = repr(cell.settings.task)
        if task not in baselines:
            baselines[task] = _baseline_accuracies(run, cell, first)
        few = lanes.where(rows["data_seed"].isin(first["data_seed"]), 0.0)
        # A training run without an accuracy, such as one that diverged, counts as worse than any other.
        accuracy = pd.Series(few["test_metric_final"]).fillna(-np.inf)
        ours = accuracy.groupby(few.rows["data_seed"].to_numpy(), sort=False).median().to_numpy()
        # Rows may be float32, in which equal accuracies differ by rounding.
        differences = np.round(ours - baselines[task], ACCURACY_DIGITS)
        few.statistic("shortfall of a median", -np.median(differences), 0.0)
        place = ", ".join(map(str, cell.axes.values()))
        found.note(f"median difference {np.median(differences):+.4f} on {len(differences)} data sets ({place})")
        found.decided.append(
            Decision(
                dict(cell.axes),
                few.rows,
                "median difference in test accuracy from logistic regression",
                "of pairs on the same data set, with the order-statistic interval",
                partial(quantile_interval, differences, 0.5),
                lambda interval: True if interval.low >= 0 else False if interval.high < 0 else None,
            )
        )


def _baseline_accuracies(run: Run, cell: Cell, rows: pd.DataFrame) -> np.ndarray:
    """Test accuracy of logistic regression on the data set of each row."""
    data = starts(run, cell, rows).data
    return np.array([accuracy_of_logistic_regression(*parts) for parts in zip(data.x, data.y, data.test_x, data.test_y, strict=True)])


def _gradient_shares(cell: Cell, lanes: Lanes) -> np.ndarray:
    """The share of the first gradient on each weight layer; axes (lane, weight layer)."""
    return lanes.table([f"grad_share_{layer}_initial" for layer in range(len(network(cell).weight_names))])
