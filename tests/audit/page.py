"""The page of audits of models from Flax's documentation: `python -m tests.audit.page` writes it anew."""

from pathlib import Path

import pandas as pd

from analysis.judging.audit import Audit, audited, layer_frame
from analysis.report.format import markdown
from bench.docstrings import summary
from bench.registry import importing
from bench.runs.audit import audit_numbers
from bench.spec import ModelSpec
from tests.audit import documented

PAGE = Path("docs/audit.md")
MODELS: dict[str, tuple[tuple[int, ...], int]] = {
    "MLP": ((8,), 0),
    "CNN": ((28, 28, 1), 0),
    "AutoEncoder": ((2,), 0),
    "Classifier": ((4, 6), 0),
    "MiniGPT": ((6,), 11),
}
"""Models by name, with the shape of an example and the number of symbols."""
INTRODUCTION = """# Audit of a model's start

`initbench audit MODULE:MODEL --input SHAPE` builds a model as it builds itself, several times, and looks at it on several random data
sets: what each layer starts as, told from its numbers; its scale by He's and Glorot's, and which of the two is the `standard` one for the
activation function that follows; the variance of its signal (its pre-activations) and of the gradient in them; units that are tied or
dead; and what gradient descent moves. A layer of zeros never moves if its gradient is zero on every data set, and stays so while some
steps are taken: other layers may free it. `--task T` takes a task's examples and loss, by its name or as a table of TOML, such as
`--task '{ name = "file", path = "d.csv", target = "y" }'`. `--out DIR` draws a figure, `--json` prints all numbers. A run folder in place
of a model is audited at the starts of its training runs; what it names is imported with `--trust MODULE` alone.

He's scale is the standard one if the gain 1 / sqrt(E f(z)^2) of the function f, with z from N(0, 1), is nearer to sqrt(2) than to 1, as for
ReLU and GELU. It is Glorot's if the gain is nearer to 1, as for SELU (1.00) and softplus (1.04), and for functions that treat both halves
of the signal alike, as tanh does.

A signal is read off the traced program, where a parameter meets the data, and so of any model. A loop over more than 64 time steps is
not looked into, a gate or a scale has no signal, and an activation function is named where its name or its operations tell.
The units of a layer are the axes of its signal that come from its weight; where a model mixes them with others, such as examples, nothing
is said of tied and dead units.

The models below have the layers and sizes of those that Flax's documentation describes (`tests/audit/documented.py`); this page is
written by `python -m tests.audit.page`.
"""
COLUMNS = ["layer", "shape", "starts as", "then", "x He", "x Glorot", "standard", "tied", "dead", "moves"]


def audit_of(
    name: str, module: str = "tests.audit.documented", shape: tuple[int, ...] = (8,), symbols: int = 0, **options: object
) -> Audit:
    """Audit a model of a module of the tests."""
    with importing():
        return audited(audit_numbers(ModelSpec.model_validate({"name": f"{module}:{name}", **options}), shape, symbols=symbols))


def section(name: str) -> str:
    """The part of the page about one model."""
    shape, symbols = MODELS[name]
    audit = audit_of(name, shape=shape, symbols=symbols)
    frame: pd.DataFrame = layer_frame(audit)[COLUMNS]
    # Estimates differ in their last digits between processors.
    frame["starts as"] = frame["starts as"].str.replace(r", stddev [\d.e-]+", "", regex=True)
    found = [
        f"- {'safe' if one.kind == 'zero' else one.kind}: {one.what}; {one.advice} ({', '.join(one.claims)})" for one in audit.findings
    ]
    parts = [f"## {name}", summary(getattr(documented, name)), markdown(frame), "\n".join(found) or "No fault found."]
    return "\n\n".join(parts) + "\n"


def page() -> str:
    """The text of the page."""
    return "\n".join([INTRODUCTION, *map(section, MODELS)])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
