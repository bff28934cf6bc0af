"""The audit of a model's start: what each layer starts as, which layers never move, and what is recommended, with the claim behind it."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.judging.recognized import Start, recognized
from analysis.judging.standard import standard_scale
from bench.runs.audit import Numbers, Parameter

RECTIFIERS = ("relu", "relu6")
"""Activation functions that let nothing through below zero."""
HALF = 0.5
"""Share of a layer's units from which on dead or tied ones are a finding."""
MANY = 1000.0
"""Change of the mean square of the signal, or of the length of the gradient, from the first to the last layer from which on it is a
finding."""
GROWTH = math.e
"""Growth of a residual stream that branches of 1 / (number of branches) of its variance stay below: (1 + 1/n)^n < e."""
KINDS = ("stuck", "tied", "dead", "vanishing", "exploding", "residual", "zero")
"""Kinds of findings, the gravest first; `zero` is the one that is no fault."""


@dataclass(frozen=True)
class Layer:
    """One parameter, judged."""

    parameter: Parameter
    start: Start
    bias: str
    """The start of its bias in words; empty without one."""

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self.parameter.name

    @property
    def never_moves(self) -> bool:
        """Whether gradient descent moves it on no data set."""
        return self.parameter.trained and not self.parameter.moved.any()

    @property
    def dead(self) -> float:
        """Share of its units that a rectifier closes on every example; 0 where no rectifier follows or its units are not known."""
        if self.parameter.activation not in RECTIFIERS or not self.parameter.units:
            return 0.0
        return float(self.parameter.off.mean()) / self.parameter.units

    @property
    def tied(self) -> float:
        """Share of its units that equal another one, and still do after some steps; 0 where its units are not known."""
        if self.parameter.units < 2 or not np.any(self.parameter.signal):
            return 0.0
        return float(self.parameter.tied.mean()) / (self.parameter.units - 1)

    @property
    def standard(self) -> str:
        """Whose scale is the standard one for the activation function that follows: He or Glorot."""
        return standard_scale(self.parameter.activation)

    @property
    def standard_scale(self) -> str:
        """The standard scale, where it is known how large this layer's is by it; empty otherwise."""
        return "" if self.start.to_he is None or self.start.to_glorot is None else self.standard


@dataclass(frozen=True)
class Finding:
    """One thing that the audit found."""

    kind: str
    layers: tuple[str, ...]
    what: str
    advice: str
    claims: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """A judged model."""

    numbers: Numbers
    layers: list[Layer]
    findings: list[Finding]

    @property
    def faults(self) -> list[Finding]:
        """The findings that are faults."""
        return [finding for finding in self.findings if finding.kind != "zero"]


def audited(numbers: Numbers) -> Audit:
    """Judge the numbers of a model."""
    starts = {one.name: recognized(one.starts, one.fans_known, one.kind) for one in numbers.parameters}
    owners = {one.name.rpartition(".")[0] for one in numbers.parameters if not _is_bias(one)}
    layers = []
    for one in numbers.parameters:
        owner = one.name.rpartition(".")[0]
        beside = starts.get(f"{owner}.bias") if owner else None
        if not (_is_bias(one) and owner in owners):
            layers.append(Layer(one, starts[one.name], beside.words if beside is not None and not _is_bias(one) else ""))
    findings = [*_stuck(numbers, layers), *_tied(layers), *_dead(layers), *_depth(numbers, layers), *_residual(numbers, layers)]
    findings += _moving_zeros(layers)
    return Audit(numbers, layers, sorted(findings, key=lambda finding: KINDS.index(finding.kind)))


def _is_bias(one: Parameter) -> bool:
    return one.name.rpartition(".")[2] == "bias"


def _stuck(numbers: Numbers, layers: list[Layer]) -> list[Finding]:
    zeros = [layer for layer in layers if layer.start.zero and layer.never_moves]
    behind = [layer.name for layer in layers if layer.never_moves and not layer.start.zero]
    if not zeros:
        return []
    what = f"zero, without a gradient on {len(zeros[0].parameter.moved)} data sets and {numbers.steps} steps: they never move"
    if behind:
        what += f"; behind them {', '.join(behind)} never {'moves' if len(behind) == 1 else 'move'} either"
    advice = "leave one of them at zero and draw the others at random"
    return [Finding("stuck", tuple(layer.name for layer in zeros), what, advice, ("C7", "C20"))]


def _moving_zeros(layers: list[Layer]) -> list[Finding]:
    zeros = [layer for layer in layers if layer.start.zero and not layer.never_moves and layer.parameter.trained]
    signals = [layer.name for layer in layers if layer.parameter.order >= 0]
    found = []
    for layer in zeros:
        free = bool(layer.parameter.first_gradient.all())
        when = "it has a gradient from the first step" if free else "it moves once the layers that hold it have moved"
        where = "the last layer" if signals and layer.name == signals[-1] else "a layer"
        claims = ("C20",) if signals and layer.name == signals[-1] else ("C19", "C20")
        advice = "safe as it is" if not layer.tied >= HALF else "its units stay equal: draw it at random"
        found.append(Finding("zero", (layer.name,), f"{where} at zero: {when}", advice, claims))
    return found


def _tied(layers: list[Layer]) -> list[Finding]:
    found = []
    for layer in layers:
        if layer.tied >= HALF:
            what = f"{layer.tied:.0%} of its units equal another one, and still do after the steps"
            found.append(Finding("tied", (layer.name,), what, f"draw its weights at random ({layer.standard})", ("C7", "C8", "C9")))
    return found


def _dead(layers: list[Layer]) -> list[Finding]:
    found = []
    for layer in layers:
        if layer.dead >= HALF and not layer.start.zero:
            what = f"{layer.dead:.0%} of its units are below zero on every example, where {layer.parameter.activation} lets nothing through"
            advice = (
                "start its bias at zero" if layer.bias not in ("", "zero") else "center its inputs, or draw its weights with He's scale"
            )
            found.append(Finding("dead", (layer.name,), what, advice, ("C10", "C13")))
    return found


def _depth(numbers: Numbers, layers: list[Layer]) -> list[Finding]:
    # A zero layer gives no signal, but none got lost on the way.
    seen = [layer for layer in layers if layer.parameter.order >= 0 and layer.parameter.signal.mean() > 0 and layer.dead < HALF]
    if len(seen) < 3:
        return []
    found = []
    for word, values, backwards in (("signal", "signal", False), ("gradient", "slope_length", True)):
        ends = [float(getattr(layer.parameter, values).mean()) for layer in (seen[0], seen[-1])]
        start, end = ends[::-1] if backwards else ends
        if start <= 0 or end <= 0 or 1 / MANY <= end / start <= MANY:
            continue
        small = end < start
        way = f"from {seen[-1].name} back to {seen[0].name}" if backwards else f"from {seen[0].name} to {seen[-1].name}"
        what = f"the mean square of the {word} {'falls' if small else 'grows'} by a factor of {max(start / end, end / start):.3g} {way}"
        standard = seen[len(seen) // 2].standard
        advice = f"draw the layers between with {standard}'s scale for the function that follows, or normalize"
        found.append(
            Finding("vanishing" if small else "exploding", (seen[0].name, seen[-1].name), what, advice, ("C10",) if small else ("C11",))
        )
    return found


def _residual(numbers: Numbers, layers: list[Layer]) -> list[Finding]:
    first, last, growth = _longest_growth(numbers.branches)
    count = last - first
    if count < 2:
        return []
    gains = {layer.name: layer.start.stddev * math.sqrt(layer.start.fan_in) for layer in layers if layer.start.fan_in}
    closing = sorted({name for names in numbers.closing[first:last] for name in names})
    ending, others = ([gain for name, gain in gains.items() if (name in closing) == here] for here in (True, False))
    scaled = bool(ending and others) and float(np.median(ending)) <= 1.25 / math.sqrt(count) * float(np.median(others))
    if growth <= GROWTH or scaled:
        return []
    what = f"{count} residual branches multiply the variance of the stream by {growth:.3g}, and what ends them is not scaled down"
    advice = f"multiply what ends each branch by 1/sqrt({count}) = {count**-0.5:.3g}, or start it at zero"
    return [Finding("residual", tuple(closing), what, advice, ("C11", "C20"))]


def _longest_growth(branches: np.ndarray) -> tuple[int, int, float]:
    """Return first and last place of the stream that grows most, and its growth; a normalization between two branches ends a stream."""
    best, first = (0, 0, 1.0), 0
    for place in range(branches.shape[1]):
        before, after = branches[:, place, 0], branches[:, place, 2]
        if place and not np.allclose(before, branches[:, place - 1, 2], rtol=1e-4):
            first = place
        growth = float(np.mean(after / np.maximum(branches[:, first, 0], 1e-300)))
        if growth > best[2] and np.all(before > 0):
            best = first, place + 1, growth
    return best


COLUMNS = (
    *("layer", "shape", "fan_in", "fan_out", "starts as", "then", "x He", "x Glorot", "standard"),
    *("signal", "gradient", "tied", "dead", "moves"),
)


def layer_frame(audit: Audit) -> pd.DataFrame:
    """The table of layers, as texts."""
    lines = []
    for layer in audit.layers:
        one, start = layer.parameter, layer.start
        if one.order < 0 and start.kind == "constant" and not layer.never_moves:
            # The scale of a normalization, which says nothing here.
            continue
        moves = "frozen" if not one.trained else "never" if layer.never_moves else "yes"
        shape = " x ".join(map(str, one.shape)) or "1"
        texts = start.words + (f"; bias {layer.bias}" if layer.bias not in ("", "zero") else "")
        numbers = (_number(start.to_he), _number(start.to_glorot), layer.standard_scale, _mean(one.signal), _mean(one.slope))
        tied, dead = (f"{share:.0%}" if one.units else "" for share in (layer.tied, layer.dead))
        fans = ("" if fan is None else str(fan) for fan in (start.fan_in, start.fan_out))
        lines.append((one.name, shape, *fans, texts, one.activation, *numbers, tied, dead, moves))
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.2g}" if len(values) else ""


def audit_record(audit: Audit) -> dict[str, Any]:
    """The audit as numbers and texts for JSON."""
    layers = []
    for layer in audit.layers:
        one, start = layer.parameter, layer.start
        layers.append(
            {
                "name": one.name,
                "shape": list(one.shape),
                "fan_in": start.fan_in,
                "fan_out": start.fan_out,
                "starts_as": {"kind": start.kind, "words": start.words, "stddev": start.stddev},
                "bias": layer.bias or None,
                "activation": one.activation or None,
                "by_he": start.to_he,
                "by_glorot": start.to_glorot,
                "standard": layer.standard_scale or None,
                "signal_variance": one.signal.tolist(),
                "gradient_variance": one.slope.tolist(),
                "tied_units": layer.tied if one.units else None,
                "dead_units": layer.dead if one.units else None,
                "trained": one.trained,
                "never_moves": layer.never_moves,
            }
        )
    numbers = audit.numbers
    return {
        "model": numbers.model,
        "data_sets": int(len(numbers.branches)),
        "steps": numbers.steps,
        "layers": layers,
        "findings": [asdict(finding) for finding in audit.findings],
    }
