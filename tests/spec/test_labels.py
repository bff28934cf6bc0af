"""Labels of a grid's values: they stand in the rows, and change nothing that is trained."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.words import value_words
from bench import Experiment
from bench.spec.document import write_document
from tests.conftest import XOR, Rows, experiment

CLAIM = {"id": "one", "says": "?", "measure": "solved", "at_least": 0.5}
STARTS = [{"label": "zero", "name": "zeros"}, {"label": "wide", "name": "normal", "gain": 10.0}]
LAYERS = [{"label": "none", "value": []}, {"label": "first", "value": [0]}]
AXES: dict[str, list[Any]] = {
    "initializer": ["he_normal", {"name": "zeros"}, {"name": "constant", "value": 0.5}, {"name": "normal", "gain": 10.0}],
    "initializer.zero_layers": [[], [0], [1], [0, 1]],
    "training.steps": [10, 20, 30],
    "training.solved_below": [0.5, 0.25],
    "model": ["mlp", {"name": "mlp", "widths": [2]}, {"name": "mlp", "widths": [2], "activation": "tanh"}],
    "optimizer": [{"name": "sgd", "learning_rate": 0.1}, {"learning_rate": 0.2}],
    "training.freeze_zeros": [True, False],
}


def labeled(label: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and "name" in value:
        return {"label": label, **value}
    return {"label": label, "value": value}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_labeled_grid_has_the_cells_of_the_same_grid_without_labels(data: st.DataObject) -> None:
    axes = data.draw(st.lists(st.sampled_from(sorted(AXES)), min_size=1, max_size=3, unique=True).map(sorted))
    plain = {axis: data.draw(st.lists(st.sampled_from(AXES[axis]), min_size=1, unique_by=repr)) for axis in axes}
    letters = st.text(st.characters(categories=("L", "P", "S")), min_size=1, max_size=20).map(lambda text: f"x{text}")
    grid = {}
    for axis, values in plain.items():
        labels = data.draw(st.lists(letters | st.none(), min_size=len(values), max_size=len(values), unique_by=lambda one: one or object()))
        grid[axis] = [value if label is None else labeled(label, value) for label, value in zip(labels, values, strict=True)]
    try:
        before = experiment(grid=plain)
    except ValueError as error:
        with pytest.raises(ValueError, match=".") as caught:
            experiment(grid=grid)
        assert ("same settings" in str(error)) == ("same settings" in str(caught.value))
        return
    after = experiment(grid=grid)
    assert [cell.id for cell in after.cells] == [cell.id for cell in before.cells]
    assert [cell.settings for cell in after.cells] == [cell.settings for cell in before.cells]
    again = Experiment.parse(after.text)
    assert again.axes == after.axes and again.training_hash == after.training_hash
    for axis, values in grid.items():
        given_labels = [value["label"] if isinstance(value, dict) and "label" in value else None for value in values]
        assert all(label in (None, found) for label, found in zip(given_labels, after.axes[axis], strict=True))


def test_rows_carry_labels_and_where_asks_for_them(rows: Rows) -> None:
    claims = [{**CLAIM, "where": {"initializer": "wide", "initializer.zero_layers": ["none", "first"]}, "by": ["initializer.zero_layers"]}]
    wanted = experiment(grid={"initializer": STARTS, "initializer.zero_layers": LAYERS}, claim=claims, seeds={"init": 4})
    assert wanted.axes == {"initializer": ["zero", "wide"], "initializer.zero_layers": ["none", "first"]}
    found = rows(wanted)
    assert found.groupby(["initializer", "initializer.zero_layers"], observed=True).size().tolist() == [4] * 4
    assert found.loc[found["initializer"] == "zero", "outcome"].isin(["stuck"]).all()


def test_labels_pass_as_they_stand() -> None:
    for label in ("zero", "first layer", "wide, but not too wide", "x = 3 (twice)", "50%"):
        assert value_words(label) == label


@pytest.mark.parametrize(
    ("axis", "values", "message"),
    [
        ("initializer", [{"label": "a", "name": "zeros"}, {"label": "a", "name": "ones"}], "unknown initializer 'ones'"),
        (
            "initializer",
            [{"label": "a", "name": "zeros"}, {"label": "a", "name": "normal"}],
            "two values have the same label, 'a'",
        ),
        ("initializer.zero_layers", [{"label": "[0]", "value": [1]}, [0]], "two values have the same label, '[0]'"),
        (
            "initializer",
            [{"label": "", "name": "zeros"}],
            "grid: initializer: label = '': a line that is not blank, of 1 to 200 characters",
        ),
        ("initializer", [{"label": "x" * 201, "name": "zeros"}], "a line that is not blank, of 1 to 200 characters"),
        ("initializer", [{"label": "a\nb", "name": "zeros"}], "label = 'a\\nb': a line that is not blank, of 1 to 200 characters"),
        ("initializer", [{"label": " ", "name": "zeros"}], "label = ' ': a line that is not blank"),
        ("initializer", [{"label": 5, "name": "zeros"}], "label = 5: a line that is not blank, of 1 to 200 characters"),
        ("training.steps", [{"label": "1e2", "value": 5}], "label = '1e2': a label is no number"),
        ("training.steps", [{"label": "few"}], "a label stands beside the name of a piece, or beside 'value' alone"),
        ("training.steps", [{"label": "few", "value": 5, "unit": 1}], "or beside 'value' alone"),
        ("optimizer", [{"label": "fast", "learning_rate": 1.0}], "or beside 'value' alone"),
        ("training.steps", [{"label": "few", "value": -5}], "training: steps = -5: Input should be greater than 0"),
        ("initializer", [{"label": "a", "value": {"label": "b", "name": "zeros"}}], "initializer: unknown key 'label'"),
    ],
)
def test_a_label_that_is_wrong_or_ambiguous_gives_one_line(axis: str, values: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        Experiment.parse(write_document({**XOR, "grid": {axis: values}}), "mine.toml")
    assert str(caught.value).startswith("mine.toml: ") and "\n" not in str(caught.value)
    assert message in str(caught.value)


def test_a_where_asks_for_a_label_and_not_for_its_value() -> None:
    for wanted, hint in (([0], "'first', 'none'"), ("firts", "did you mean ''first''")):
        with pytest.raises(ValueError, match=".") as caught:
            experiment(grid={"initializer.zero_layers": LAYERS}, claim=[{**CLAIM, "where": {"initializer.zero_layers": wanted}}])
        assert hint in str(caught.value)


SOURCE = """
import jax

def start(key, shape, dtype, label: str = "a"):
    return jax.numpy.zeros(shape, dtype)
"""


def test_a_piece_with_an_option_label_takes_no_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "with_label.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    for axis in ("initializer", "initializer.layers.output"):
        with pytest.raises(ValueError, match=f"'with_label:start' has an option 'label' of its own; the axis '{axis}.label' sets it"):
            experiment(grid={axis: [{"label": "b", "name": "with_label:start"}]})
    wanted = experiment(initializer="with_label:start", grid={"initializer.label": ["b", "c"]})
    assert wanted.axes == {"initializer.label": ["b", "c"]}
