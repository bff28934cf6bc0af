"""The grid: cells, their order and ids, and the order in which settings are put together."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from bench.spec import SECTIONS, grid
from tests.conftest import experiment

ORDER = """
from bench import Experiment
text = 'name = "a"\\ntask = "xor"\\nmodel = "mlp"\\n[[case]]\\nlabel = "b"\\n' + {!r}
print(Experiment.parse(text).cells[0].settings.initializer.model_dump_json())
"""


def test_a_cell_keeps_its_id_whatever_stands_beside_it() -> None:
    alone = experiment(model={"name": "mlp", "widths": [8]}).cells[0]
    among = experiment(grid={"model.widths": [[2], [8]]}).cells[1]
    assert alone.id == among.id


def test_cases_multiply_with_the_grid() -> None:
    found = experiment(case=[{"label": "a"}, {"label": "b", "optimizer.learning_rate": 0.1}], grid={"model.widths": [[2], [3]]})
    assert [(cell.axes["case"], cell.axes["model.widths"]) for cell in found.cells] == [
        ("a", "[2]"), ("a", "[3]"), ("b", "[2]"), ("b", "[3]")
    ]  # fmt: skip


def test_two_equal_cells_are_an_error() -> None:
    with pytest.raises(ValueError, match="same settings"):
        experiment(grid={"initializer": ["zeros", "zeros"]}).cells  # noqa: B018


def test_a_case_is_applied_in_the_order_written() -> None:
    last_gain = '"initializer" = "he_normal"\n"initializer.gain" = 2.0\n"initializer.bias" = 0.5\n'
    last_whole = '"initializer.gain" = 2.0\n"initializer" = "he_normal"\n"initializer.bias" = 0.5\n'
    for lines, gain in ((last_gain, 2.0), (last_whole, 1.0)):
        # Two orders of a set of these three keys.
        for seed in ("0", "5"):
            environment = {**os.environ, "PYTHONHASHSEED": seed}
            done = subprocess.run([sys.executable, "-c", ORDER.format(lines)], env=environment, capture_output=True, text=True, check=True)
            assert (json.loads(done.stdout)["gain"], json.loads(done.stdout)["bias"]) == (gain, 0.5)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"grid": {"initializer.gain": [3.0], "initializer": ["he_normal"]}}, "grid: 'initializer' would take back 'initializer.gain'"),
        (
            {"case": [{"label": "a", "initializer.gain": 2.0}], "grid": {"initializer.gain": [3.0]}},
            "grid: 'initializer.gain' would take back 'initializer.gain'",
        ),
        (
            {"case": [{"label": "a", "model": {"name": "mlp", "widths": [2]}}], "grid": {"model.widths": [[4]]}},
            "grid: 'model.widths' would take back 'model.widths'",
        ),
        ({"case": [{"label": "a", "model.widths": [2]}], "grid": {"model": ["mlp"]}}, "grid: 'model' would take back 'model.widths'"),
    ],
)
def test_an_axis_that_would_take_back_what_is_set_before_it_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        experiment(**changes)
    experiment(grid={"initializer": ["he_normal"], "initializer.gain": [3.0]})
    experiment(case=[{"label": "a", "model": "mlp"}], grid={"model.widths": [[2]]})


def test_a_section_is_validated_once_for_all_cells_that_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    validated = grid.validated

    def counted(section: str, raw: Any) -> Any:
        seen.append(section)
        return validated(section, raw)

    monkeypatch.setattr(grid, "validated", counted)
    wanted = experiment(grid={"optimizer.learning_rate": {"from": 0.1, "to": 1, "count": 100}, "initializer.gain": [0.5, 1.0, 2.0]})
    assert len(wanted.cells) == 300
    # Once as each stands in the file, and once for each value.
    assert {section: seen.count(section) - 1 for section in SECTIONS} == {
        "task": 1, "model": 1, "initializer": 3, "optimizer": 100, "training": 1
    }  # fmt: skip
