"""Values that `--set` puts into an experiment file."""

import tomllib
from typing import Any

import pytest

from bench import Experiment
from bench.spec.catalog import names, read
from tests.spec.example import TEXT


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("training.steps", 7, lambda e: e.cells[0].settings.training.steps),
        ("optimizer.momentum", 0.9, lambda e: e.cells[0].settings.optimizer.options["momentum"]),
        ("seeds.init", 3, lambda e: e.seeds.init),
    ],
)
def test_set_replaces_a_value(path: str, value: Any, found: Any) -> None:
    assert found(Experiment.parse(TEXT, overrides={path: value})) == value


def test_set_on_an_axis_narrows_it_and_drops_what_was_asked_about_the_rest() -> None:
    kept = Experiment.parse(TEXT, overrides={"model.widths": [8]})
    assert kept.axes["model.widths"] == ["[8]"]
    assert len(kept.claim) == 1
    assert Experiment.parse(TEXT, overrides={"model.widths": [2]}).claim == ()


def test_set_chooses_a_labeled_value_by_its_label_or_content_and_keeps_the_label() -> None:
    text = TEXT.replace("[[2], [3], [4], [8]]", '[{ label = "two", value = [2] }, [3], { label = "eight", value = [8] }]').replace(
        '"model.widths" = [8]', '"model.widths" = "eight"'
    )
    chosen: list[Any] = ["eight", [8]]
    for value in chosen:
        kept = Experiment.parse(text, overrides={"model.widths": value})
        assert kept.axes["model.widths"] == ["eight"] and len(kept.claim) == 1
        assert {cell.id for cell in kept.cells} < {cell.id for cell in Experiment.parse(text).cells}
    others: list[tuple[Any, str]] = [("two", "two"), ([3], "[3]"), ([5], "[5]"), ({"label": "five", "value": [5]}, "five")]
    for value, label in others:
        kept = Experiment.parse(text, overrides={"model.widths": value})
        assert kept.axes["model.widths"] == [label] and kept.claim == ()


@pytest.mark.parametrize("name", names())
def test_set_narrows_any_axis_of_a_committed_experiment(name: str) -> None:
    """What claims, figures and published numbers say of the other values goes with them."""
    text = read(name).text
    for axis, values in tomllib.loads(text).get("grid", {}).items():
        for value in (values[0], values[-1]) if isinstance(values, list) else ():
            kept = Experiment.parse(text, overrides={axis: value})
            assert len(kept.axes[axis]) == 1
            assert {shown for figure in kept.figure or () for shown in figure.shows} <= {*(claim.id for claim in kept.claim), *kept.laws}
