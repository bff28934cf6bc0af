"""Names of columns and values in words, for tables and figures."""

import ast
import re
from collections.abc import Sequence
from typing import Any

from bench.spec import axis_label

LABELS = {
    "steps_to_solve": "gradient steps",
    "loss": "training loss",
    "loss_final": "final training loss",
    "test_loss_final": "final test loss",
    "initializer.first_layer_offset": "offset added to the first layer's weights",
    "weight_norm": "norm of the weights",
    "distinct_units_final": "distinct hidden units at the end",
    "model.widths": "hidden units",
    "initializer": "initial weights",
    "initializer.name": "initial weights",
    "initializer.eps": "standard deviation of the noise",
    "training.dtype": "arithmetic",
    "training.l2": "L2 penalty",
    "broken": "tie broken",
    "break_step": "steps until the tie is broken",
    "tie_spread": "spread of the units",
    "tie_range": "largest difference of two units",
    "case": "setting",
    "initializer.zero_fraction": "share of weights that start at zero",
    "signal_variance": "activations",
    "pre_activation_variance": "pre-activations",
    "gradient_variance": "slopes in the pre-activations",
    "task.k": "units of the teacher",
    "model.surplus": "more units than the teacher",
    "grad_norm_final": "norm of the gradient at the end",
    "hessian_min_final": "smallest eigenvalue at the end",
    "zero_layers_final": "weight layers that are zero at the end",
    "hessian_index_final": "downward directions at the end",
    "outcome": "training runs",
    "end": "ends",
    "end_minimum": "end at a minimum that fails",
    "end_saddle": "end at a saddle",
    "end_plateau": "end on a plateau to infinity",
    "end_late": "solved if they went on",
    "end_unknown": "end unknown",
    "end_loss": "training loss at the certified end",
    "end_time": "time until the certified end (steps times learning rate)",
    "metric_final": "training accuracy",
    "test_metric_final": "test accuracy",
    "energy_distance_final": "energy distance from the real points at the end",
    "modes_covered_final": "modes covered at the end",
    "other_grad_share_initial": "share of the first gradient on weights that are not zero",
    "training.updates": "updates of the players",
}
NAMES = {
    "he_normal": "He",
    "he_uniform": "He uniform",
    "glorot_normal": "Glorot",
    "glorot_uniform": "Glorot uniform (Keras)",
    "lecun_normal": "LeCun",
    "lecun_normal(scheme=antisymmetric)": "antisymmetric",
    "pytorch_default": "PyTorch",
    "orthogonal(scheme=lsuv)": "LSUV",
    "uniform(limit=0.1)": "U(-0.1, 0.1)",
    "normal(stddev=0.01)": "N(0, 0.01²)",
    "zero_hadamard": "ZerO",
    "constant(value=0.1)": "constant 0.1",
    "distinct": "fixed weights that differ",
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU",
    "gelu": "GELU",
    "silu": "SiLU",
}
"""Initializers and activation functions by the names under which people know them."""
ARCHITECTURES = {
    "mlp": "MLP",
    "linear": "linear model",
    "neuron": "single neuron",
    "resmlp": "residual MLP",
    "rescnn": "residual CNN",
    "cnn": "CNN",
    "cnn1d": "CNN over one axis",
    "lstm": "LSTM",
    "gru": "GRU",
    "elman": "Elman network",
    "transformer": "transformer",
    "gan": "GAN",
    "lora": "LoRA",
    "student": "student of a teacher",
    "meanfield": "MLP in mean-field scaling",
}
"""Models by the names under which people know them."""
QUANTITIES = {
    "initializer.gain": "a gain of {}",
    "initializer.eps": "noise of {}",
    "initializer.spread": "a spread of {}",
    "initializer.zero_fraction": "{} of the weights zero",
    "optimizer.learning_rate": "a learning rate of {}",
    "model.widths": "{} hidden units",
    "model.depth": "{} hidden layers",
    "initializer.zero_layers": "{} layers of zeros",
    "task.k": "{} units of the teacher",
    "model.surplus": "{} units more than the teacher",
}
"""Numbers in a sentence; a number of any other setting follows the name of its column."""
DECIMAL = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
LONGEST_OPTION = 500
"""Number of characters above which an option is shown as it stands in the column."""


def column_words(name: str) -> str:
    """The name of a column in plain words."""
    at_the_end = LABELS.get(f"{name.removesuffix('_initial')}_final", "")
    if name.endswith("_initial") and name not in LABELS and "at the end" in at_the_end:
        return at_the_end.replace("at the end", "at the start")
    return LABELS.get(name, name.rpartition(".")[2].replace("_", " "))


def quantity(name: str) -> str:
    """The place of a number in a sentence, as a text with `{}` for the number: `a gain of {}`."""
    return QUANTITIES.get(name, f"{column_words(name)} {{}}")


def quantity_words(place: str, number: float) -> str:
    """A number at its place in a sentence; one of a thing is singular: `1 hidden layer`, `1 unit more than the teacher`."""
    is_count = place.startswith("{} ") and not place.startswith("{} of ")
    one = re.sub(r"s\b", "", place, count=1) if number == 1 and is_count else place
    return one.replace("{}", number_words(number))


def bound_words(place: str, number: float, is_most: bool) -> str:
    """A bound of a number at its place in a sentence: `at least 4 hidden layers`, `a gain of at most 1`, `N ≤ 4`."""
    if place.endswith("= {}"):
        return place.replace("= {}", f"{'≤' if is_most else '≥'} {number_words(number)}")
    words = f"at {'most' if is_most else 'least'} {number_words(number)}"
    return quantity_words(place, number).replace(number_words(number), words, 1) if place.startswith("{}") else place.replace("{}", words)


def number_words(number: float) -> str:
    """A number with the fewest characters: 0.25, 10, 1e-9."""
    return f"{number:g}".replace("e-0", "e-").replace("e+0", "e")


def listed(words: Sequence[str]) -> str:
    """Several things in a sentence: `a, b, or c`."""
    return f"{', '.join(words[:-1])}, or {words[-1]}" if len(words) > 2 else " or ".join(words)


def value_words(value: Any) -> str:
    """An axis value in plain words: normal(gain=10.0) as N(0, 10²), [8] as 8, [8, 8, 8] as 8 x 3 layers."""
    text = str(value)
    if text in NAMES:
        return NAMES[text]
    if text == "zeros":
        return "zero"
    if text == "normal":
        return "N(0, 1)"
    if re.fullmatch(r"\[\d+(, \d+)*\]", text):
        sizes = text[1:-1].split(", ")
        return f"{sizes[0]} x {len(sizes)} layers" if len(sizes) > 2 and len(set(sizes)) == 1 else text[1:-1]
    name, options = named_options(text)
    if not options:
        return text.replace("_", " ")
    numbers = {key: float(option) for key, option in options.items() if DECIMAL.fullmatch(option)}
    match (name, list(numbers.items()) if len(numbers) == len(options) else None):
        case ("normal", [("gain", 1.0)]):
            return "N(0, 1)"
        case ("normal", [("gain", gain)]):
            return f"N(0, {gain:g}²)"
        case ("constant_noise", [("eps", eps)]):
            return f"constant + {eps:.0e}".replace("e-0", "e-")
        case ("constant", [("value", number)]):
            return f"constant {number:g}"
        case (_, [("gain", gain)]):
            return f"{gain:g} x {NAMES.get(name, name.replace('_', ' '))}"
    words = ", ".join(_option_words(key, option) for key, option in options.items())
    return f"{NAMES.get(name, name.replace('_', ' '))} ({words})" if name else words


def named_options(label: str) -> tuple[str, dict[str, str]]:
    """Name and options of `name(key=option, ...)`, the form in which pieces stand in a column; any other text has no options."""
    name, opening, rest = label.partition("(")
    if not opening or not rest.endswith(")"):
        return label, {}
    options: list[str] = []
    for piece in rest[:-1].split(", "):
        # A comma within brackets is a part of the option.
        if options and sum(map(options[-1].count, "([{")) > sum(map(options[-1].count, ")]}")):
            options[-1] += f", {piece}"
        else:
            options.append(piece)
    pairs = [option.partition("=") for option in options]
    return (name, {key: option for key, _, option in pairs}) if all(equals for _, equals, _ in pairs) else (label, {})


def _option_words(key: str, option: str) -> str:
    """An option in plain words; nested pieces are put into words as well."""
    try:
        content = ast.literal_eval(option) if option[:1] in ("{", "[") and len(option) < LONGEST_OPTION else None
    except (ValueError, TypeError, SyntaxError):
        content = None
    if isinstance(content, dict):
        return f"{key.replace('_', ' ')}: {value_words(axis_label(content))}"
    return f"{key.replace('_', ' ')} = {', '.join(map(str, content)) if isinstance(content, list) else option}"
