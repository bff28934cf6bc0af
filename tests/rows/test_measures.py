"""What claims and figures name is held against the columns of the run, before it trains and when it is reported."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analysis.rows.measures import check_measures, named_columns
from bench.runs.columns import Columns
from bench.spec import catalog
from initbench.cli.app import app
from tests.commands import MINE
from tests.conftest import Rows, experiment

CASES = [{"label": "network"}, {"label": "neuron", "model": "linear"}]
CLAIM = {"id": "a", "says": "?", "at_least": 0.5}
FIGURE = {"name": "f", "kind": "ecdf", "caption": "?"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"claim": [{**CLAIM, "measure": "solvd"}]}, "claim 'a': measure: unknown measure 'solvd'; did you mean 'solved'"),
        ({"claim": [{**CLAIM, "measure": "loss_finale"}]}, "did you mean 'loss_final'"),
        ({"claim": [{**CLAIM, "measure": "loss"}]}, "unknown measure 'loss'"),
        (
            {"probes": ["weight_norm"], "claim": [{**CLAIM, "measure": "weight_norm"}]},
            "unknown measure 'weight_norm'; did you mean 'weight_norm_final'",
        ),
        # XOR has no examples to test on, and is learned without second derivatives being asked for.
        ({"claim": [{**CLAIM, "measure": "test_loss_final"}]}, "unknown measure 'test_loss_final'"),
        ({"claim": [{**CLAIM, "measure": "hessian_min_final"}]}, "unknown measure 'hessian_min_final'"),
        ({"probes": ["signal_variance"], "claim": [{**CLAIM, "measure": "signal_variance_final"}]}, "unknown measure"),
        ({"probes": ["signal_variance"], "claim": [{**CLAIM, "measure": "signal_variance_1_final"}]}, "unknown measure"),
        ({"probes": [], "claim": [{**CLAIM, "measure": "weight_norm_final"}]}, "unknown measure 'weight_norm_final'"),
        ({"track": [], "claim": [{**CLAIM, "measure": "broken"}]}, "'broken' needs track = ['tie_spread']"),
        ({"case": CASES, "claim": [{**CLAIM, "measure": "broken"}]}, "hidden units in every run"),
        (
            {"probes": ["tie_spread"], "case": CASES, "claim": [{**CLAIM, "measure": "tie_spread_final"}]},
            "the runs with case = neuron have no 'tie_spread_final'",
        ),
        ({"claim": [{**CLAIM, "measure": "solved", "needs": {"measure": "losing", "at_most": 1.0}}]}, "needs: unknown measure 'losing'"),
        (
            {"claim": [{"id": "a", "says": "?", "measure": "solved", "greater_than": {"measure": "steps"}}]},
            "greater_than: unknown measure 'steps'",
        ),
        (
            {"published": [{"says": "Ours.", "value": 1.0, "source": "x", "differs": "y", "measure": "slved"}]},
            "published 'Ours.': unknown measure 'slved'",
        ),
        ({"unreported": ["metric"], "claim": [{**CLAIM, "measure": "metric_final"}]}, "'metric_final' is left out of reports"),
    ],
)
def test_a_name_that_no_row_will_have_is_found_before_training(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        check_measures(experiment(**changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) <= 1000


def test_what_the_rows_will_have_may_be_named() -> None:
    names = ["solved", "broken", "steps_to_solve", "loss_initial", "metric_final", "grad_norm_initial", "tie_spread_final", "break_step"]
    figures = [
        {**FIGURE, "name": name.replace(".", "-"), "x": name, "color": "case", "panel": "case"}
        for name in ("loss", "tie_spread", "initializer.gain", "outcome", "weight_norm_final")
    ]
    claims = [{**CLAIM, "id": name, "measure": name, "where": {"case": "network"}} for name in names]
    wanted = experiment(case=CASES, claim=claims, figure=figures, probes=["tie_spread", "weight_norm"])
    check_measures(wanted)
    assert named_columns(wanted) >= {"outcome", "break_step", "metric_final", "tie_spread_final", "weight_norm_final"}


def test_the_columns_foretold_are_those_of_the_rows(rows: Rows) -> None:
    wanted = experiment(case=CASES, probes=["weight_norm", "tie_spread", "signal_variance"], training={"steps": 3}, seeds={"init": 2})
    found = rows(wanted)
    columns = Columns(wanted)
    for cell in wanted.cells:
        here = found[found["cell"] == cell.id]
        numeric = {name for name in here.select_dtypes("number") if here[name].notna().any()}
        # Nothing is solved within three steps; random units have no tie from the start.
        assert columns.of_rows(cell) - {"steps_to_solve"} == numeric


def test_named_measures_of_packaged_experiments_that_cost_nothing_to_check() -> None:
    for name in ("x04-single-neuron", "x09-gain-depth", "x11-xor-width", "x12-student-teacher", "x18-deep-linear", "x14-accuracy"):
        check_measures(catalog.read(name))


@pytest.mark.parametrize("command", [("run",), ("run", "--dry-run"), ("reproduce",)])
def test_the_command_line_finds_a_typing_error_before_it_trains(command: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE.replace('measure = "solved"\nat_least', 'measure = "solvd"\nat_least'), encoding="utf-8")
    done = CliRunner().invoke(app, [*command, str(file), *(() if "--dry-run" in command else ("--out", str(tmp_path / "out")))])
    assert done.exit_code == 2
    assert done.stderr.startswith("initbench: claim 'random-works': measure: unknown measure 'solvd'; did you mean 'solved'")
    assert not (tmp_path / "out").exists()


def test_a_report_finds_it_among_the_columns_that_there_are(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE, encoding="utf-8")
    call = CliRunner().invoke
    assert call(app, ["run", str(file), "--seeds", "4", "--set", "training.steps=2", "--out", str(tmp_path / "runs")]).exit_code == 0
    stored = tmp_path / "runs" / "mine" / "experiment.toml"
    stored.write_text(stored.read_text(encoding="utf-8").replace('x = "steps_to_solve"', 'x = "step_to_solve"'), encoding="utf-8")
    done = call(app, ["report", str(tmp_path / "runs"), "--out", str(tmp_path / "reports")])
    assert done.exit_code == 2
    assert "figure 'time': x = 'step_to_solve' is no column of the rows; did you mean 'steps_to_solve'" in done.stderr
    assert not (tmp_path / "reports").exists()
