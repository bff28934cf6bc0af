"""The page of all initializers, schemes, activation functions and tasks: `python -m analysis.report.catalogue` writes it anew.

Texts are those of the docstrings of the pieces; the figure is drawn from their weights.
"""

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from analysis.escape import markdown_text
from analysis.report.format import markdown
from bench.docstrings import facts, summary
from bench.initializers import initializer
from bench.models.activations import ACTIVATIONS, second_moment_gain
from bench.option_texts import option_texts
from bench.schemes import scheme
from bench.tasks import task

PAGE, FIGURE = Path("docs/initializers.md"), Path("docs/initializers.png")
TORCH_GAINS = {
    "identity": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "leaky_relu": math.sqrt(2 / (1 + 0.01**2)),
    "selu": 0.75,
}
"""Gains of `torch.nn.init.calculate_gain`."""
COLUMNS = ("name", "what it is", "formula", "source", "law", "options")

INTRODUCTION = """# Initializers, schemes, activation functions and tasks

This page is written by `python -m analysis.report.catalogue` from the docstrings of the pieces; `initbench list initializers --long` prints
the same. Every law and every limiting case is tested: over a million weights, for a scheme over the weights of a large network, for a task
over thousands of examples, or exactly. A fan is the number of inputs or outputs, times the positions of a receptive field. `gain`
multiplies what an initializer draws; biases are zero unless the table says otherwise or `bias` does.
"""
PICTURES = """![Weights and singular values of every initializer](initializers.png)

Each pair of panels shows 32 x 32 weights (blue below 0, white at 0, red above, up to the largest one in size) and their singular values,
the largest first, on a logarithmic axis from .01 to 100; the gray line is 1. Behind the initializers come the schemes that change such
weights, applied after `lecun_normal`: the first matrix of this size that they change in a perceptron, residual network or transformer.
"""
SCHEMES = """## Schemes

A scheme sees the whole network and the data: `initializer = { name = "orthogonal", scheme = "lsuv" }`, with options
`scheme = { name = "siren", omega = 10.0 }`. One that draws weights anew does so before `gain`, `zero_fraction` and `zero_layers` are
applied, and leaves parameters alone that `layers` gives an initializer of their own; the others come last. A scheme that does not fit a
model is refused before anything trains.
"""
FUNCTIONS = """## Activation functions

`gain = "auto"` multiplies the weights by 1 / sqrt(E f(z)^2), z ~ N(0, 1), of the model's activation function f: after weights of variance
gain^2 / fan_in, such as those of `lecun_normal` or `flax_default`, a wide layer keeps the second moment of its signal at 1. It is computed
by quadrature; PyTorch's table (`torch.nn.init.calculate_gain`) stands beside it.
"""

TASKS = """## Tasks

A task is data, a loss and a metric. Where data are drawn, the data seed draws them; z ~ N(0, 1) is a latent point.
"""


def described(name: str, target: Callable[..., Any], options: type[BaseModel] | None = None) -> dict[str, str]:
    """Return the name of a piece, the summary and the facts of its docstring, and its options, as far as it has any."""
    texts = option_texts(options) if options else {}
    listed = "; ".join(f"{option} ({text})" for option, text in texts.items())
    return {"name": name, "summary": summary(target), **facts(target), **({"options": listed} if listed else {})}


def page() -> str:
    """Return the text of the page."""
    tables = [_table(described(name, kind[name].target, kind[name].options) for name in kind) for kind in (initializer, scheme, task)]
    heads = ["## Initializers\n\n" + PICTURES, SCHEMES, FUNCTIONS, TASKS]
    parts = [f"{head}\n{table}\n" for head, table in zip(heads, [*tables[:2], _gains(), tables[2]], strict=True)]
    return "\n".join([INTRODUCTION, *parts])


def _table(entries: Iterable[dict[str, str]]) -> str:
    rows = []
    for entry in entries:
        rows.append({**entry, "name": f"`{entry['name']}`", "what it is": entry["summary"], "law": _law(entry)})
    return _markdown(pd.DataFrame(rows, columns=list(COLUMNS)).fillna(""))


def _law(entry: dict[str, str]) -> str:
    return f"{entry['law']} Limit: {entry['limit']}"


def _gains() -> str:
    rows = [
        {
            "name": f"`{name}`",
            "what it is": summary(function),
            "formula": facts(function)["formula"],
            "source": facts(function)["source"],
            "law": _law(facts(function)),
            "gain": f"{second_moment_gain(name):.4f}",
            "PyTorch's gain": f"{TORCH_GAINS[name]:.4f}" if name in TORCH_GAINS else "",
        }
        for name, function in ACTIVATIONS.items()
    ]
    return _markdown(pd.DataFrame(rows))


def _markdown(frame: pd.DataFrame) -> str:
    return markdown(frame.map(_with_code), made=tuple(frame.columns))


def _with_code(text: str) -> str:
    """Escape a text but for the names in it that stand between backticks."""
    parts = re.split("(`[^`]*`)", text)
    # Escaping takes the spaces at both ends away.
    return "".join(part if part.startswith("`") else re.sub(r"\S(.*\S)?", lambda found: markdown_text(found[0]), part) for part in parts)


if __name__ == "__main__":
    from analysis.report.catalogue_figure import figure

    PAGE.write_text(page(), encoding="utf-8")
    figure().savefig(FIGURE, dpi=100, metadata={"Software": None})
