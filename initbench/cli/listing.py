"""The things that an experiment file can name, by kind: names, summaries, facts, and the options of each entry."""

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pydantic import create_model

from analysis.figures import figure_kind
from analysis.figures.check import keys_of
from analysis.laws import law_text, laws
from analysis.report.catalogue import described
from bench.initializers import initializer
from bench.losses import loss
from bench.models import model
from bench.models.activations import ACTIVATIONS
from bench.optimizers import MASKS, optimizers
from bench.optimizers.clipping import clippings
from bench.optimizers.schedules import HORIZONS, arguments_of, schedules
from bench.probes import probe
from bench.registry import Registry
from bench.schemes import scheme
from bench.spec import catalog
from bench.tasks import task

WORDS = {"float": float, "ArrayLike": float, "ScalarOrSchedule": float, "int": int, "str": str, "bool": bool}
"""Types of options by the words in optax's annotations that stand for them; an annotation of several is of the first."""

Entry = dict[str, str]
"""The description of a thing: `name` and `summary`, then facts and `options`."""


class Kind(NamedTuple):
    """A kind of things that a file names."""

    names: Iterable[str]
    entry: Callable[[str], Entry]


def kinds() -> dict[str, Kind]:
    """Return all kinds by their names; an entry is made when it is asked for."""
    return {
        "activations": Kind(ACTIVATIONS, lambda name: described(name, ACTIVATIONS[name])),
        "clippings": Kind(sorted(clippings()), lambda name: _of_optax(name, clippings()[name], {})),
        "experiments": Kind(catalog.names(), lambda name: {"name": name, "summary": catalog.read(name).question}),
        "figures": Kind(figure_kind, _figure),
        "initializers": _of_registry(initializer),
        "laws": Kind(laws(), lambda name: {"name": name, "summary": law_text(name)}),
        "losses": _of_registry(loss),
        "models": _of_registry(model),
        "optimizers": Kind(sorted(optimizers()), _optimizer),
        "probes": _of_registry(probe),
        "schedules": Kind(sorted(schedules()), _schedule),
        "schemes": _of_registry(scheme),
        "tasks": _of_registry(task),
    }


def _of_registry(registry: Registry) -> Kind:
    return Kind(registry, lambda name: described(name, registry[name].target, registry[name].options))


def _figure(name: str) -> Entry:
    return {"name": name, "summary": f"{figure_kind[name].summary} Needs {keys_of(figure_kind[name])}."}


def _optimizer(name: str) -> Entry:
    parameters = inspect.signature(optimizers()[name]).parameters
    return _of_optax(name, optimizers()[name], {key: one for key, one in parameters.items() if key not in ("learning_rate", *MASKS)})


def _schedule(name: str) -> Entry:
    given = [inspect.Parameter("peak", inspect.Parameter.KEYWORD_ONLY, annotation=float), *arguments_of(name).values()]
    return _of_optax(name, schedules()[name], {one.name: one for one in given})


def _of_optax(name: str, function: Callable[..., Any], parameters: dict[str, inspect.Parameter]) -> Entry:
    """Return the entry of a function of optax with these of its parameters as options; those that a file cannot give are left out."""
    options: dict[str, Any] = {}
    for key, one in parameters.items():
        default: Any = ... if one.default is one.empty else one.default
        if default is ... and key in HORIZONS:
            default = "training.steps"
        elif default is ... and key.endswith("_value"):
            default = 0.0
        if default is ... or default is None or isinstance(default, bool | int | float | str):
            options[key] = (_type(one), default)
    summary = (function.__doc__ or "").strip().partition("\n")[0]
    return {**described(name, function, create_model(name, **options)), "summary": summary}


def _type(parameter: inspect.Parameter) -> Any:
    """Return the type of an option as far as its annotation, or else its default, tells it."""
    if isinstance(parameter.default, bool):
        return bool
    words = re.findall(r"\w+", str(parameter.annotation))
    known = [kind for word, kind in WORDS.items() if word in words]
    return known[0] if known else type(parameter.default) if isinstance(parameter.default, int | float | str) else Any
