"""The task that a name and its options stand for, also where a user's own function returns arrays."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.tasks import task
from bench.tasks.arrays import parts_of
from bench.tasks.definition import Task
from bench.tasks.supplied import Supply, supplied_task

MOST_KEPT = 16
"""Tasks of users' own functions that are kept, so that data are not loaded again for every look at them."""

_kept: OrderedDict[str, tuple[Callable[..., Any], Task]] = OrderedDict()


def made(name: str, options: dict[str, Any]) -> Task:
    """Return the task of this name; `PieceError` if a user's own function raises, or returns what is no data."""
    entry = task[name]
    if not entry.own:
        return entry.bind(options)()
    key = repr((name, sorted(options.items())))
    known = _kept.get(key)
    if known is not None and known[0] is entry.target:
        return known[1]
    given = entry.bind(options)()
    if isinstance(given, Task):
        found = replace(given, sample=entry.guarded(given.sample))
    else:
        try:
            parts = parts_of(given, options.get("target"))
            found = supplied_task(Supply.of(lambda seed: parts))
        except ValueError as error:
            raise entry.fault(str(error)) from error
    _kept[key] = entry.target, found
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return found


def forget() -> None:
    """Forget the tasks of users' own functions: the files that they read may have changed."""
    _kept.clear()
