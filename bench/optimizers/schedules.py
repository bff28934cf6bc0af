"""Learning rates that change from step to step: any schedule of optax by name, whose peak is an input of the compiled program.

A schedule of optax is linear in its rates together: twice all of them gives twice its values. It is therefore the peak times the schedule
whose peak is 1 and whose other rates are counted in peaks; so the peak may be traced, which optax's own functions do not all allow.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from inspect import Parameter, signature
from typing import Any

import jax
import optax

from bench.messages import nearest, one_line, shown
from bench.optimizers.found import REFUSALS, functions, required

PEAKS = ("peak_value", "init_value", "value")
"""Arguments of optax that are the peak of a schedule: the first of them that it has."""
HORIZONS = ("decay_steps", "transition_steps")
"""Arguments of optax that are `training.steps` unless they are given."""
MOST_STEPS = 2**31 - 1
"""Optax counts steps in 32 bits."""
JOIN = "join_schedules"
RESTARTS, CYCLES = "sgdr_schedule", "cosine_kwargs"
"""Optax's cycles of warmup_cosine_decay_schedule one after the other, and the argument that lists them; here they are a join."""
SUFFIX = re.compile(r"(_decay)?(_schedules?)?")

Options = Mapping[str, Any]
"""A schedule as a file gives it, without its peak: its name under `schedule`, and optax's arguments."""


@cache
def schedules() -> dict[str, Callable[..., optax.Schedule]]:
    """Every function of optax that makes a schedule from a peak and numbers, and those that join schedules."""
    found = functions(optax, optax.Schedule)
    return {name: function for name, function, parameters in found if name in (JOIN, RESTARTS) or set(PEAKS) & set(parameters)}


@cache
def _names() -> dict[str, str]:
    """Optax's names by all names that stand for them: a suffix `_schedule`, `_decay` or `_decay_schedule` may be left out."""
    return {name[:end]: name for name in schedules() for end in range(1, len(name) + 1) if SUFFIX.fullmatch(name[end:])}


def _parameters(name: str) -> dict[str, Parameter]:
    return dict(signature(schedules()[name]).parameters)


def _peak(name: str) -> str | None:
    """The argument of a schedule that is its peak; None for a join, whose schedules have it."""
    return next((key for key in PEAKS if key in _parameters(name)), None)


def arguments_of(name: str) -> dict[str, Parameter]:
    """The parameters of a schedule that a file can give: all but its peak."""
    return {key: parameter for key, parameter in _parameters(name).items() if key != _peak(name)}


def checked(given: Options, place: str) -> dict[str, Any]:
    """Return a schedule under optax's own names; ValueError on an unknown one, or on options that cannot be its arguments."""
    name = given.get("schedule")
    if name is None:
        raise ValueError(f"{place}: a schedule needs its name under schedule; {nearest('', map(_short, schedules()))}")
    if not isinstance(name, str) or name not in _names():
        raise ValueError(f"{place}.schedule = {shown(name)}: {nearest(str(name), map(_short, schedules()))}")
    name = _names()[name]
    if name == RESTARTS:
        return checked(_joined({key: value for key, value in given.items() if key != "schedule"}, place), place)
    arguments = arguments_of(name)
    options = {key: value for key, value in given.items() if key != "schedule"}
    for key, value in options.items():
        if key not in arguments:
            hint = "it is called peak here" if key == _peak(name) else nearest(key, arguments)
            raise ValueError(f"{place}: unknown option '{one_line(key, 100)}' of {name}; {hint}")
        if name == JOIN and key == "schedules":
            options[key] = [_part(one, f"{place}.schedules[{number}]") for number, one in enumerate(_tables(value, f"{place}.{key}"))]
        else:
            allowed = _allowed(arguments[key], value, at_least_one=key == _horizon(name))
            if allowed:
                raise ValueError(f"{place}.{key} = {shown(value)}: {allowed}")
    missing = [key for key in arguments if key in required(arguments) - set(options) and not (key in HORIZONS or key.endswith("_value"))]
    if missing:
        raise ValueError(f"{place}: {_short(name)} needs {missing[0]}")
    if name == JOIN and len(options["boundaries"]) != len(options["schedules"]) - 1:
        raise ValueError(f"{place}.boundaries: one step between two schedules, {len(options['schedules']) - 1} in all")
    return {"schedule": name, **options}


def _part(given: dict[str, Any], place: str) -> dict[str, Any]:
    """Return one of several schedules, which may have a `peak` of its own; ValueError as from `checked`."""
    found = checked({key: value for key, value in given.items() if key != "peak"}, place)
    if "peak" not in given:
        return found
    own = given["peak"]
    if not isinstance(own, int | float) or isinstance(own, bool) or not 0 < own < math.inf:
        raise ValueError(f"{place}.peak = {shown(own)}: a number > 0; without it the part has the one peak beside the list of schedules")
    return {**found, "peak": float(own)}


def _joined(options: Options, place: str) -> dict[str, Any]:
    """Return the join that cycles of optax's `sgdr_schedule` are; ValueError if the options are not its cycles."""
    if unknown := next((key for key in options if key != CYCLES), None):
        raise ValueError(f"{place}: unknown option '{one_line(unknown, 100)}' of {RESTARTS}; {nearest(unknown, [CYCLES])}")
    parts, ends = [], [0]
    for number, cycle in enumerate(_tables(options.get(CYCLES), f"{place}.{CYCLES}")):
        steps: Any = cycle.get("decay_steps")
        if not _is_whole(steps, 1):
            raise ValueError(f"{place}.{CYCLES}[{number}].decay_steps = {shown(steps)}: a whole number from 1 to {MOST_STEPS:,}")
        parts.append({"schedule": "warmup_cosine", **{"peak" if key == "peak_value" else key: value for key, value in cycle.items()}})
        ends.append(ends[-1] + steps)
    return {"schedule": JOIN, "schedules": parts, "boundaries": ends[1:-1]}


def _tables(value: Any, place: str) -> list[dict[str, Any]]:
    if not isinstance(value, list | tuple) or not value or not all(isinstance(one, dict) for one in value):
        raise ValueError(f"{place} = {shown(value)}: a list of schedules, each a table")
    return list(value)


def _short(name: str) -> str:
    return min((alias for alias, full in _names().items() if full == name), key=len)


def _horizon(name: str) -> str | None:
    """The number of steps of a schedule's last phase, which optax takes for no schedule at all where it is 0."""
    return next((key for key in reversed(arguments_of(name)) if key.endswith("_steps")), None)


def _allowed(parameter: Parameter, value: Any, at_least_one: bool) -> str:
    """Say what an argument may be if the value is not of that kind; nothing if it is."""
    kind, annotated = parameter.annotation, str(parameter.annotation)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is bool:
        return "" if isinstance(value, bool) else "true or false"
    if kind is str:
        return "" if isinstance(value, str) else "a text"
    if "dict[int" in annotated:
        scales = value.items() if isinstance(value, dict) else [("", None)]
        return "" if all(_is_step(key) and _is_scale(scale) for key, scale in scales) else 'a table like { "100" = 0.1, "200" = 0.1 }'
    if "Sequence[int]" in annotated:
        right = isinstance(value, list | tuple) and all(_is_whole(step, 0) for step in value) and sorted(value) == list(value)
        return "" if right else "a list of steps, in their order"
    if kind is int:
        return "" if _is_whole(value, int(at_least_one)) else f"a whole number from {int(at_least_one)} to {MOST_STEPS:,}"
    if parameter.name.endswith("_value"):
        return "" if number and value >= 0 else "a learning rate, at least 0"
    return "" if number else "a number"


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST_STEPS


def _is_step(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) <= 10 and int(key) <= MOST_STEPS


def _is_scale(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def settled(options: Options, steps: int) -> dict[str, Any]:
    """Return all that a schedule (as `checked` gives it) is made of in a training of this many steps, but for its peak."""
    name = options["schedule"]
    arguments = arguments_of(name)
    if name == JOIN:
        return {**options, "schedules": [settled(one, steps) for one in options["schedules"]]}
    given = {key: value for key, value in options.items() if key not in ("schedule", "peak")}
    own = {"peak": options["peak"]} if "peak" in options else {}
    lacking = required(arguments) - set(given)
    return {"schedule": name, **{key: steps if key in HORIZONS else 0.0 for key in arguments if key in lacking}, **given, **own}


def made(options: Options, peak: Any) -> optax.Schedule:
    """Return the schedule of these options (as `settled` gives them) at its peak, a positive number that may be traced."""
    shape = _shape(options, peak)
    return lambda count: peak * shape(count)


def _shape(options: Options, peak: Any) -> optax.Schedule:
    """Return the schedule in units of the peak."""
    name = options["schedule"]
    if "peak" in options:
        own = options["peak"]
        shape = _shape({key: value for key, value in options.items() if key != "peak"}, own)
        return lambda count: own / peak * shape(count)
    if name == JOIN:
        return optax.join_schedules([_shape(one, peak) for one in options["schedules"]], options["boundaries"])
    return schedules()[name](**{str(_peak(name)): 1.0, **dict(_scaled(options, peak))})


def _scaled(options: Options, peak: Any) -> Iterator[tuple[str, Any]]:
    for key, value in options.items():
        if key.endswith("_value"):
            yield key, value / peak
        elif isinstance(value, dict):
            yield key, {int(step): scale for step, scale in value.items()}
        elif key != "schedule":
            yield key, value


_ACCEPTED: set[str] = set()
"""Schedules that optax has accepted: sweeps meet the same ones in every cell."""


def check_schedule(options: Options, steps: int) -> None:
    """Raise ValueError with one line if optax refuses a schedule (as `checked` gives it) in a training of this many steps."""
    whole = settled(options, steps)
    if repr(whole) in _ACCEPTED:
        return
    try:
        # Shapes alone, so that reading an experiment does not start JAX.
        peak, count = (jax.ShapeDtypeStruct((), kind) for kind in ("float32", "int32"))
        jax.eval_shape(lambda peak, count: made(whole, peak)(count), peak, count)
    except REFUSALS as error:
        arguments = {key: value for key, value in whole.items() if key != "schedule"}
        raise ValueError(f"optimizer.learning_rate: {whole['schedule']} refuses {shown(arguments)}: {one_line(error)}") from error
    _ACCEPTED.add(repr(whole))
