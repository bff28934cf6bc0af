"""The contracts that a piece of a user's own must keep, tried one by one, and what its kind is.

Every contract is one that training relies on; what a piece of the package keeps by its tests, a user's own shows here.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import optax
import pandas as pd

from bench.imports import described, imported
from bench.lane.views import VIEWS
from bench.models.bridges import is_model
from bench.registry import PieceError, Registry, importing
from bench.runs.trials import KINDS, Trial, Untried, lacking, trials
from bench.tasks.definition import Task

State = Literal["kept", "broken", "untried"]


@dataclass(frozen=True)
class Contract:
    """One contract, and whether the piece keeps it."""

    says: str
    state: State
    why: str = ""
    """The finding; of a broken contract the fault, and its place."""
    fix: str = ""
    """Advice on what to write instead, if it is broken."""


def kind_of(name: str, options: Mapping[str, Any]) -> str:
    """Guess the kind of a user's piece from its type, its signature, or what it returns; ValueError if none fits, or it cannot be imported.

    `options` are those that it is given. `PieceError` if the module cannot be imported.
    """
    found = _found(name)
    if is_model(found) or not callable(found):
        return "model"
    try:
        parameters = inspect.signature(found.__init__ if inspect.isclass(found) else found).parameters
    except ValueError as error:
        raise ValueError(f"'{name}': {error}; say which kind it is: --kind KIND") from error
    names = set(parameters)
    for kind, needed in (
        ("loss", {"outputs", "targets"}),
        ("scheme", {"params", "network", "x"}),
        ("initializer", {"key", "shape"}),
        ("optimizer", {"learning_rate"}),
        ("figure", {"run", "figure"}),
    ):
        if needed <= names:
            return kind
    required = {
        one.name for one in parameters.values() if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    } - set(options)
    if required and required <= set(VIEWS):
        return "probe"
    if required == {"x"}:
        return "activation"
    if names & {"rngs", "inputs"}:
        return "model"
    if not required:
        return _kind_of_result(name, found, options)
    raise ValueError(f"'{name}': its arguments {', '.join(sorted(required))} are those of no kind of piece; say which it is: --kind KIND")


def _found(name: str) -> Any:
    """Import the value of a name; `PieceError` if it cannot be imported."""
    with importing():
        try:
            _PIECE[name]
        except PieceError as error:
            module, _, attribute = name.partition(":")
            if "cannot be imported" in str(error):
                raise
            return getattr(imported(module), attribute)
    module, _, attribute = name.partition(":")
    return getattr(imported(module), attribute)


_PIECE = Registry("piece")
"""Pieces whose kind is not known yet."""


def _kind_of_result(name: str, found: Any, options: Mapping[str, Any]) -> str:
    try:
        made = found(**options)
    except Exception as error:
        called = f"called with {', '.join(options)}" if options else "called without arguments"
        raise ValueError(f"'{name}': {called} it raises {described(error)}; say which kind it is: --kind KIND") from error
    if is_model(made):
        return "model"
    if isinstance(made, Task | pd.DataFrame | Mapping | tuple | list) and not isinstance(made, optax.GradientTransformation):
        return "task"
    if callable(made) and {"key", "shape"} <= set(inspect.signature(made).parameters):
        return "initializer"
    raise ValueError(f"'{name}': it returns a {type(made).__name__}, which is no piece; say which kind it is: --kind KIND")


def contracts(
    kind: str,
    name: str,
    options: dict[str, Any],
    inputs: int,
    outputs: int,
    others: Mapping[str, Callable[[str, dict[str, Any]], Iterable[Trial]]] | None = None,
) -> tuple[list[Contract], dict[str, list[str]]]:
    """Try the contracts of a piece; also return, for a model, the views that it does not offer with the probes that need them.

    `others` are further kinds, each with what gives the trials of a name with options. `PieceError` if the piece cannot be imported.
    ValueError if the kind is unknown, or takes no options and is given some.
    """
    others = others or {}
    if kind not in KINDS and kind not in others:
        raise ValueError(f"--kind {kind}: allowed: {', '.join((*KINDS, *others))}")
    with importing():
        found = list(_tried(others[kind](name, options) if kind in others else trials(kind, name, options, inputs, outputs)))
        kept = all(one.state != "broken" for one in found)
        return found, lacking(name, options, inputs, outputs) if kind == "model" and kept else {}


def _tried(trials: Iterable[Trial]) -> Iterator[Contract]:
    """Try all contracts; one that fails for the same reason as one above it has not been tried."""
    told: set[str] = set()
    for trial in trials:
        try:
            yield Contract(trial.says, "kept", trial.seen() or "")
        except Untried as why:
            yield Contract(trial.says, "untried", str(why))
        except ValueError as error:
            what, fix = (error.what, error.fix) if isinstance(error, PieceError) else (str(error), "")
            if what in told:
                yield Contract(trial.says, "untried", "for the same reason as above")
                continue
            told.add(what)
            yield Contract(trial.says, "broken", what, fix or trial.fix)
