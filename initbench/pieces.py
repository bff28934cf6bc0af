"""Pieces of a user's own before training: the contracts that they keep, and how a model starts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import pandas as pd
from matplotlib.figure import Figure
from pydantic import ValidationError

from analysis.figures.audited import audit_figure
from analysis.judging import audit as judging
from analysis.rows import load as rows
from bench.messages import explain
from bench.models import model
from bench.registry import importing
from bench.runs.audit import Numbers, audit_numbers, audit_of_cell
from bench.runs.contracts import Contract, contracts, kind_of
from bench.spec import ModelSpec, TaskSpec
from bench.spec.functions import named
from initbench.own_figures import of_figure

MARKS = {"kept": "✓", "broken": "✗", "untried": "–"}
"""Marks of contracts."""


@dataclass(frozen=True)
class Check:
    """The contracts of a piece: its `name`, its `kind`, whether that was `guessed`, and each contract with what was seen.

    `lacking` names the views that a model does not offer, each with the probes that cannot be measured without it.

    >>> import initbench as ib
    >>> found = ib.check("jax.nn.initializers:he_normal")
    >>> found.kind, found.kept
    ('initializer', True)
    >>> print(found.lines[-1])
    ✓ what it says about chance is true: two keys differ
    """

    name: str
    kind: str
    guessed: bool
    contracts: list[Contract]
    lacking: dict[str, list[str]]

    @property
    def kept(self) -> bool:
        """Whether no contract is broken."""
        return not any(one.state == "broken" for one in self.contracts)

    def table(self) -> pd.DataFrame:
        """Return a line per contract: what it says, its state (kept, broken, untried), why, and what to write instead."""
        return pd.DataFrame([asdict(one) for one in self.contracts], columns=[field.name for field in fields(Contract)])

    @property
    def lines(self) -> list[str]:
        """The lines that `initbench check` prints."""
        lines = [f"{self.name}: {self.kind}{' (guessed; else say --kind)' if self.guessed else ''}"]
        for one in self.contracts:
            lines.append(f"{MARKS[one.state]} {one.says}{f': {one.why}' if one.why else ''}")
            lines += [f"  instead: {one.fix}"] if one.fix else []
        lines += [f"  without {view}: no {', '.join(probes)}" for view, probes in self.lacking.items()]
        return [*lines, *(["How to offer what is missing: the beginning of bench/models/protocol.py."] if self.lacking else [])]

    def __repr__(self) -> str:
        return "\n".join(self.lines)


def check(
    piece: str | Callable[..., Any],
    kind: str | None = None,
    *,
    inputs: int = 4,
    outputs: int = 2,
    options: Mapping[str, Any] | None = None,
) -> Check:
    """Try every contract that a piece of a user's own must keep, as `initbench check` does; nothing is written.

    The piece is a name, `module:name`, or the function or class itself; `options` are its own. Its kind, such as "initializer", is guessed
    unless it is said. `inputs` and `outputs` are those of a model.

    >>> import initbench as ib
    >>> ib.check("jax.nn.initializers:glorot_normal").table()["state"].unique().tolist()
    ['kept']

    ValueError with one line if the piece cannot be imported, or its kind cannot be guessed.
    """
    name = _named(piece)
    given = dict(options or {})
    wanted = kind or kind_of(name, given)
    return Check(name, wanted, kind is None, *contracts(wanted, name, given, inputs, outputs, {"figure": of_figure}))


@dataclass(frozen=True)
class Audit(judging.Audit):
    """A judged start of a model: its `numbers`, its `layers` in the order of computation, and the `findings`, of which some are `faults`.

    >>> import initbench as ib
    >>> found = ib.audit("mlp", 8, options={"widths": [4]})
    >>> [layer.name for layer in found.layers]
    ['layers.0.kernel', 'layers.1.kernel']
    >>> found.table()["moves"].unique().tolist()
    ['yes']
    """

    cell: str = ""
    """The cell of a run folder that was looked at, in words."""

    @classmethod
    def of(cls, numbers: Numbers, cell: str = "") -> Self:
        """Judge the numbers of a model."""
        found = judging.audited(numbers)
        return cls(found.numbers, found.layers, found.findings, cell)

    @property
    def headline(self) -> str:
        """The model, its examples and the number of data sets of the audit, in one line."""
        takes = "a batch of examples" if self.numbers.batch else "one example"
        said = f"{self.numbers.model}: takes {takes}; {len(self.numbers.branches)} data sets, {self.numbers.dtype}"
        return f"{said}; {self.cell}" if self.cell else said

    @property
    def lines(self) -> list[str]:
        """The findings, a line for each, as `initbench audit` prints them."""
        lines = []
        for one in self.findings:
            mark = "✓" if one.kind == "zero" else "✗"
            lines.append(f"{mark} {', '.join(one.layers)}: {one.what}. {one.advice} ({', '.join(one.claims)}).")
        return lines if self.faults else [*lines, "no fault found"]

    def table(self) -> pd.DataFrame:
        """Return a line per layer, as texts: its law, scale, signal, gradient, tied and dead units, and whether it moves."""
        return judging.layer_frame(self)

    def record(self) -> dict[str, Any]:
        """Return all numbers and findings as `initbench audit --json` prints them."""
        return judging.audit_record(self)

    def figure(self) -> Figure:
        """Draw the mean squares of signal and gradient by layer."""
        return audit_figure(self.numbers)

    def __repr__(self) -> str:
        return "\n".join([self.headline, *self.lines])


def audit(
    subject: str | Path | Callable[..., Any],
    shape: int | tuple[int, ...] | None = None,
    *,
    outputs: int = 1,
    symbols: int = 0,
    task: str | Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    cell: str = "",
    trust: Iterable[str] = (),
) -> Audit:
    """Look at how a model starts, layer by layer, as `initbench audit` does: nothing is trained for good, and nothing is written.

    The model is a name, `module:name` or one of the package, the class or function itself, or a run folder, of which a `cell` is looked at
    by its id or the beginning of it. `shape` is that of one example, and examples are whole numbers below `symbols` if that is not 0; a
    `task` gives examples and loss in their place. `options` are the model's. Pieces that a folder names are imported from the
    modules in `trust`.

    >>> import initbench as ib
    >>> ib.audit("mlp", 8, options={"widths": [4]})
    mlp: takes one example; 4 data sets, float64
    no fault found

    ValueError with one line if there is no such model, or if it cannot take such examples.
    """
    if not callable(subject) and (isinstance(subject, Path) or ":" not in subject and subject not in model and Path(subject).is_dir()):
        return _of_folder(Path(subject), cell, trust)
    raw = {"name": _named(subject), **(options or {})}
    with importing():
        spec, data = _read(ModelSpec, raw), None if task is None else _read(TaskSpec, named(task, "task"))
        return Audit.of(audit_numbers(spec, (shape,) if isinstance(shape, int) else shape, outputs, symbols, data))


def _of_folder(folder: Path, cell: str, trust: Iterable[str]) -> Audit:
    """Look at the model of a cell of a run folder, as its training runs start; the first cell if none is named."""
    run = rows.load(folder, trust)
    cells = run.experiment.cells
    chosen = [one for one in cells if one.id.startswith(cell)]
    if not chosen:
        raise ValueError(f"--cell {cell}: {folder} has the cells {', '.join(one.id for one in cells)}")
    run.check_trusted(chosen[:1])
    numbers = audit_of_cell(chosen[0], run.lanes[run.lanes["cell"] == chosen[0].id])
    return Audit.of(numbers, f"cell {chosen[0].id}, {len(cells)} in all")


def _named(piece: Any) -> str:
    """Return the name of a piece; ValueError with one line if it has none that can be imported."""
    name = named(piece, "piece")
    if not isinstance(name, str):
        raise ValueError(f"a piece is a name, module:name, or a function or class, not a {type(piece).__name__}")
    return name


def _read(kind: Any, raw: Any) -> Any:
    """Read the name and the options of a piece; ValueError with one line if something is wrong."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ValueError(explain(error, kind)) from error
