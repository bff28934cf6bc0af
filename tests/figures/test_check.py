"""Each kind of figure says what its keys name, and a file is checked by that before anything trains."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from analysis.figures import figure_kind
from analysis.figures.check import KEYS, MORE_KEYS, WORDS, check_figures, keys_of
from bench import Experiment
from bench.spec import catalog
from tests.commands import MINE, call
from tests.conftest import experiment

REPORTS = Path(__file__).parents[2] / "reports"
ROWS = ("cell", "initializer", "outcome", "loss_final", "steps_to_solve", "params_digest")
GRID: dict[str, Any] = {"initializer": ["zeros", "glorot_normal"], "optimizer.learning_rate": [0.1, 0.5]}


def drawing(**figure: Any) -> Experiment:
    return experiment(initializer=None, grid=GRID, figure=[{"name": "one", "caption": "", **figure}])


@pytest.mark.parametrize("kind", figure_kind)
def test_every_kind_says_what_it_needs_and_is_refused_without(kind: str) -> None:
    traits = figure_kind[kind].traits
    assert set(traits) <= {*KEYS, *MORE_KEYS, "axes", "columns", "rates", "curves", "map", "marks"}
    for key in KEYS:
        wanted = traits.get(key)
        assert wanted is None or isinstance(wanted, tuple) or wanted.removesuffix("?") in WORDS
    needed = [key for key in KEYS if isinstance(traits.get(key), tuple) or traits.get(key, "?")[-1] != "?"]
    assert keys_of(figure_kind[kind])
    if needed:
        with pytest.raises(ValueError, match=f"figure 'one': {needed[0]}: missing; kind '{kind}' needs"):
            check_figures(drawing(kind=kind), ROWS, ("loss",))


@pytest.mark.parametrize("name", catalog.names())
def test_the_figures_of_the_package_s_experiments_name_what_is_there(name: str) -> None:
    rows, curves = (REPORTS / name / f"{kind}.parquet" for kind in ("lanes", "curves"))
    check_figures(catalog.read(name), pq.read_schema(rows).names, pq.read_schema(curves).names if curves.exists() else [])


@pytest.mark.parametrize("name", ["x01-least-squares", "x07-noise-ladder", "x21-zero-fraction"])
def test_columns_are_foretold_before_there_are_rows(name: str) -> None:
    check_figures(catalog.read(name))


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        ({"kind": "edcf", "x": "loss_final"}, "unknown kind 'edcf'; did you mean 'ecdf'"),
        ({"kind": "ecdf", "x": "loss_finl", "color": "initializer"}, "x = 'loss_finl' is no column of the rows; did you mean 'loss_final'"),
        ({"kind": "ecdf", "x": "initializer", "color": "initializer"}, "x = 'initializer' is no column of the rows"),
        ({"kind": "ecdf", "x": "loss_final", "color": "task"}, "color = 'task' is no axis of the grid"),
        ({"kind": "rate", "x": "initializer", "panel": "outcome"}, "panel = 'outcome' is no axis of the grid"),
        ({"kind": "share", "x": "initializer", "y": "broken"}, "y = 'broken' is no share of training runs"),
        ({"kind": "curve", "y": "tie_spread", "color": "initializer"}, "y = 'tie_spread' is no column of the curves"),
        ({"kind": "born_dead", "y": "loss", "color": "initializer"}, "y = 'loss' is no value"),
        (
            {"kind": "still_zero", "x": "initializer", "color": "initializer"},
            "kind 'still_zero' needs a column of the rows 'zero_share_initial'",
        ),
        ({"kind": "trend", "x": "initializer.name", "y": "loss_final"}, "x = 'initializer.name': no setting"),
        ({"kind": "trend", "x": "nothing", "y": "loss_final"}, "x = 'nothing': no setting"),
        (
            {"kind": "surface", "panel": "initializer", "color": "initializer"},
            "kind 'surface' does not read the key 'color'; it reads: panel",
        ),
        (
            {"kind": "trend", "x": "initializer", "y": "loss_final", "lines": {"a": 1}},
            "does not read the key 'lines'; it reads: x, y, color, panel, log",
        ),
        ({"kind": "modes", "log": True}, "kind 'modes' does not read the key 'log'; it reads: none"),
        ({"kind": "map"}, "kind 'map' needs seeds.map"),
        ({"kind": "starts", "x": "solved"}, "kind 'starts' needs an axis of the grid 'case'"),
    ],
)
def test_what_a_figure_names_and_is_not_there_is_said(figure: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match="experiment 'xor-test': figure 'one': ") as raised:
        check_figures(drawing(**figure), ROWS, ("step", "loss"))
    assert said in str(raised.value)


def test_a_figure_of_a_setting_and_of_all_that_is_there_is_accepted() -> None:
    check_figures(drawing(kind="trend", x="optimizer.learning_rate", y="loss_final", color="initializer"), ROWS, ("loss",))
    check_figures(drawing(kind="spread", x="initializer", y="loss_final", color="outcome"), ROWS, ("loss",))


@pytest.mark.parametrize("name", ["../../plot", "/tmp/plot", "a.1", "", "a/b", ".x", "x" * 101, "a\nb"])
def test_a_figure_s_name_is_no_path(name: str) -> None:
    with pytest.raises(ValueError, match="String should match pattern"):
        drawing(name=name, kind="rate", x="initializer")


def test_two_figures_do_not_write_the_same_file() -> None:
    both = [{"name": name, "kind": "rate", "x": "initializer", "caption": ""} for name in ("Share", "share")]
    with pytest.raises(ValueError, match="the name is used twice"):
        check_figures(experiment(initializer=None, grid=GRID, figure=both))


def test_a_figure_without_its_keys_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE.replace('x = "steps_to_solve"\n', ""))
    done = call("run", tmp_path / "mine.toml", "--out", tmp_path / "runs")
    assert done.exit_code == 2 and not (tmp_path / "runs").exists()
    assert "figure 'time': x: missing; kind 'ecdf' needs a column of the rows" in done.stderr and len(done.stderr.splitlines()) == 1
