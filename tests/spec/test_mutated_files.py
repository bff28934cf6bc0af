"""Mutated experiment files: each is a valid experiment, or is refused in one short line, whatever was done to it.

`INITBENCH_EXAMPLES=10000 python -m pytest tests/spec/test_mutated_files.py` tries as many.
"""

import json
import os
import tomllib
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import date, datetime, time
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.judging.checks import check
from bench import Experiment
from bench.lane.grouping import programs
from bench.messages import one_line
from bench.spec import catalog
from tests.conftest import experiment
from tests.spec.example import TEXT

EXAMPLES = int(os.environ.get("INITBENCH_EXAMPLES", "100"))
FILES = {name: (files("bench") / "experiments" / f"{name}.toml").read_text(encoding="utf-8") for name in catalog.names()}
TEXTS = [TEXT, *sorted(FILES.values(), key=len)]
"""Short ones first, so that failures shrink to them."""


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


NASTY: tuple[Any, ...] = (
    float("nan"), float("inf"), -float("inf"), 0, 1, -1, 0.0, -0.5, 1e-320, 1e30, 1e300, -1e300, 10**9, 2**31, 2**63 - 1, -(2**63), 10**30,
    True, False, "", " ", ".", ":", ".x:y", "no.such:thing", "a:b:c", "math:pi", "zeros", "mlp", "xor", "1/curvature", "paired", "solved",
    "*", "**", "[", "\u0000", "\u001b[31m", "\u202e", "ℵ₀ ünïcode 🎲", "a\nb", "x" * 100_000, "../../up", "<script>",
    [], [[]], [1], [1, 2.5], ["a", 1], ["zeros", "zeros"], [float("nan")], [{}], [True, 1], {}, {"name": 5}, {"name": "zeros"},
    {"name": "zeros", "x": 1}, {"label": "a"}, {"label": 1}, {"from": 0, "to": 1, "count": 3}, {"from": 0, "to": 1, "count": 10**9},
    {"from": 1e-300, "to": 1e300, "count": 3, "log": True}, {"at_least": 1}, {"": {"": 1}}, nested(25), nested(100),
    date(2026, 1, 1), datetime(2026, 1, 1, 1), time(1), [date(2026, 1, 1)], list(range(3000)),
)  # fmt: skip
KEYS = (
    "", ".", "a.b", "model.", ".name", "model..x", "name", "label", "model", "model.widths", "model.widths.x", "task.name", "init",
    "x" * 3000, "ü", "\u0007",
)  # fmt: skip
PATHS = ("training.steps", "model.widths", "initializer.gain", "task", "grid", "claim", "seeds.init", "case.label", "seeds", "figure")
LETTERS = (
    "",
    "=",
    "[",
    "]",
    "{",
    "}",
    '"',
    "'",
    ".",
    ",",
    "#",
    "\\",
    "\t",
    "\u0000",
    "\u2028",
    "é",
    "[[",
    '"""',
    "0x",
    "e",
    "-",
    "inf",
    "1979-05-27",
)


def toml(value: Any) -> str:
    """A value as TOML, in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, date | time):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def written(content: dict[str, Any]) -> str:
    """A file with this content."""
    return "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in content.items())


Place = tuple[Any, Any]
"""A table or list, and a key or index of it."""


def places(tree: Any) -> list[Place]:
    found: list[Place] = []
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        found += [(tree, key), *places(tree[key])]
    return found


Choose = Callable[[int], int]
"""A number from 0 to below the given one."""


def one_of(values: Sequence[Any], choose: Choose) -> Any:
    return values[choose(len(values))]


def mutate(content: dict[str, Any], choose: Choose) -> None:
    """One change somewhere in the tree."""
    known = places(content)
    new = deepcopy(one_of(NASTY, choose))
    names = [*KEYS, *(key for _, key in known if isinstance(key, str))]
    if not known:
        content[one_of(KEYS, choose)] = new
        return
    # Half of all changes are made near the root, of which there is less than of the rest.
    tree, key = one_of(known if choose(2) else [(content, key) for key in content], choose)
    what = one_of(("replace", "replace", "delete", "rename", "double", "swap", "insert"), choose)
    if what == "replace":
        tree[key] = new
    elif what == "delete":
        del tree[key]
    elif what == "swap":
        other, place = one_of(known, choose)
        tree[key], other[place] = deepcopy(other[place]), deepcopy(tree[key])
    elif isinstance(tree, list):
        tree.insert(key, deepcopy(tree[key]) if what == "double" else new)
    elif what == "rename":
        tree[one_of(names, choose)] = tree.pop(key)
    else:
        tree[one_of(names, choose)] = deepcopy(tree[key]) if what == "double" else new


def damage(lines: list[str], choose: Choose) -> None:
    """One change of a line."""
    place = choose(len(lines))
    what = one_of(("delete", "double", "swap", "value", "letters"), choose)
    if what == "delete":
        lines[place] = ""
    elif what == "double":
        lines.insert(place, lines[place])
    elif what == "swap":
        other = choose(len(lines))
        lines[place], lines[other] = lines[other], lines[place]
    elif what == "value":
        lines[place] = f"{lines[place].partition('=')[0]}= {toml(one_of(NASTY, choose))}"
    else:
        at = choose(len(lines[place]) + 1)
        lines[place] = lines[place][:at] + one_of(LETTERS, choose) + lines[place][at + choose(8) :]


def judged(text: str, overrides: dict[str, Any] | None = None) -> Experiment | None:
    """The experiment in a text, which is the same when it is read again; None if it is refused, as it should be."""
    try:
        found = Experiment.parse(text, "mine.toml", overrides)
    except ValueError as error:
        message = str(error)
        assert message.startswith("mine.toml: ") and message.isprintable() and len(message) <= 1000, message
        return None
    again = Experiment.parse(found.text, "mine.toml")
    fields = Experiment.parse(Experiment.model_validate(tomllib.loads(found.text)).text, "mine.toml")
    for other in (again, fields):
        assert (other.training_hash, other.judging_hash) == (found.training_hash, found.judging_hash)
    try:
        check(found)
    except ValueError as error:
        assert str(error).isprintable() and len(str(error)) <= 1000, error
    return found


several = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="INITBENCH_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)


def mutated_tree(choose: Choose) -> str:
    content = tomllib.loads(one_of(TEXTS, choose))
    for _ in range(1 + choose(3) // 2):
        mutate(content, choose)
    return written(content)


def damaged_text(choose: Choose) -> str:
    lines = one_of(TEXTS, choose).splitlines()
    for _ in range(1 + choose(3) // 2):
        damage(lines, choose)
    return "\n".join(lines)


@pytest.mark.parametrize("changed", [mutated_tree, damaged_text])
@several
@given(st.data())
def test_a_mutated_file_is_an_experiment_or_refused_in_one_line(changed: Callable[[Choose], str], data: st.DataObject) -> None:
    judged(changed(lambda n: data.draw(st.integers(0, n - 1))))


@several
@given(st.sampled_from(TEXTS[:6]), st.sampled_from((*PATHS, *KEYS)), st.integers(0, len(NASTY) - 1))
def test_any_override_is_put_in_or_refused_in_one_line(text: str, path: str, index: int) -> None:
    judged(text, {path: NASTY[index]})


@pytest.mark.parametrize("size", [2**45, 2**61, 2**62, 2**63 - 1])
@pytest.mark.parametrize(
    "model",
    [
        lambda n: {"name": "mlp", "widths": [n]},
        lambda n: {"name": "cnn", "channels": [n]},
        lambda n: {"name": "cnn", "channels": [2, n]},
        lambda n: {"name": "rescnn", "channels": n},
        lambda n: {"name": "resmlp", "width": n},
        lambda n: {"name": "lora", "widths": [n]},
        lambda n: {"name": "meanfield", "width": n},
    ],
)
def test_a_model_of_a_size_that_no_machine_has_is_refused_in_one_line(model: Callable[[int], dict[str, Any]], size: int) -> None:
    with pytest.raises(ValueError, match="its parameters would be|more than 2\\^63|at most|less than") as caught:
        wanted = experiment(task={"name": "classification", "n": 8, "d": 4}, model=model(size))
        programs(wanted.cells, wanted.probes, wanted.track)
    assert "\n" not in one_line(caught.value) and len(str(caught.value)) < 1000


def test_mutations_leave_some_files_valid_and_damage_others() -> None:
    whole = tomllib.loads(TEXT)
    assert judged(written(whole)) is not None
    assert judged(written({**whole, "seeds": 5})) is None


@pytest.mark.parametrize("name", catalog.names())
def test_an_experiment_written_from_its_fields_is_the_same(name: str) -> None:
    assert judged(written(tomllib.loads(FILES[name]))) is not None
