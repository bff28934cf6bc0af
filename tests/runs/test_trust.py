"""A results folder is data: nothing that it names is imported, unless the user says so."""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench.registry
from analysis.judging.checks import check
from analysis.laws.law import starts
from analysis.report.verify import differences
from analysis.report.write import write_report
from analysis.rows.compare import compare
from analysis.rows.load import load
from bench import Experiment, run
from bench.registry import trusting
from bench.runs.join import join
from bench.runs.status import Looker
from bench.spec import modules_named
from tests.commands import call
from tests.conftest import XOR
from tests.folders import forged

STRANGER = """
from pathlib import Path
Path("pwned").touch()
def piece(command=""):
    raise SystemExit(command)
"""
COMMAND = {"name": "os:system", "command": "touch pwned"}
MODULE = {"name": "stranger:piece"}
NORMAL = "glorot_normal"
KINDS: dict[str, dict[str, Any]] = {
    "task": {"task": COMMAND},
    "task by its module": {"task": MODULE},
    "loss": {"task": {"name": "xor", "loss": "stranger:piece"}},
    "task of cases": {"case": [{"label": "a", "task": COMMAND}, {"label": "b", "task": MODULE}], "grid": {}},
    "task of a grid": {"grid": {"task": [COMMAND, MODULE]}},
    "model": {"model": COMMAND},
    "model of a grid": {"grid": {"model": [COMMAND, MODULE]}},
    "activation": {"model": {"name": "mlp", "widths": [3], "activation": "stranger:piece"}},
    "initializer": {"initializer": {**COMMAND, "gain": 2.0}},
    "initializer of cases": {"case": [{"label": "a", "initializer": COMMAND}, {"label": "b", "initializer": MODULE}], "grid": {}},
    "initializer of a layer": {"initializer": {"name": NORMAL, "layers": {"layers.0": COMMAND, "layers.1": MODULE}}},
    "layers of a grid": {"grid": {"initializer.layers": [{"layers.0": COMMAND}, {"layers.0": MODULE}]}},
    "scheme": {"initializer": {"name": NORMAL, "scheme": "stranger:piece"}},
    "optimizer": {"optimizer": {**COMMAND, "learning_rate": 0.5}},
    "probe": {"probes": ["os:system", "stranger:piece"]},
    "probe with options": {"probes": [COMMAND]},
    "loss with options": {"task": {"name": "xor", "loss": COMMAND}},
    "tracked probe": {"track": ["tie_spread", "stranger:piece"]},
}


@pytest.fixture(scope="module")
def innocent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two cells."""
    wanted = Experiment.model_validate(
        {**XOR, "probes": [], "training": {"steps": 30, "solved_below": 0.05}, "seeds": {"init": 6}, "grid": {"training.l2": [0.0, 0.001]}}
    )
    return run(wanted, tmp_path_factory.mktemp("innocent"))


@pytest.fixture
def folder(innocent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, beside a module that leaves a mark when it is imported."""
    (tmp_path / "stranger.py").write_text(STRANGER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("stranger", None)
    # A process that has trusted a module once goes on trusting it; here each test is a process of its own.
    monkeypatch.setattr(bench.registry, "_admitted", set())
    return Path(shutil.copytree(innocent, tmp_path / "run"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_a_folder_names_runs(kind: str, folder: Path) -> None:
    forged(folder, **KINDS[kind])
    if kind == "task of cases":
        # One kind through the command line and the answer page, which take most of the time.
        for command in (("report", folder, "--out", "reports"), ("verify", "reports"), ("list",)):
            done = call(*command)
            assert done.exit_code == 0, done.output
        assert call("compare", folder, "reports/xor-test").exit_code == 0
    elif kind in ("model", "activation", "initializer of a layer", "probe"):
        write_report([folder], Path("reports"))
        assert differences(Path("reports/xor-test")) == []
    assert compare(folder, folder).matches[0].same_bits == 1
    joined = join([folder], Path("joined"))
    assert not joined.missing and load(joined.folder, interim=True).manifest.complete
    [status], broken = Looker([folder]).look()
    assert status.ended and not broken
    again = call("replay", folder, "--lane", 0)
    assert again.exit_code == 2
    assert len(again.stderr.splitlines()) == 1 and len(again.stderr) < 1000
    module = "os" if "os:system" in (folder / "experiment.toml").read_text() else "stranger"
    assert f"'{module}'" in again.stderr and f"--trust {module}" in again.stderr
    assert not Path("pwned").exists() and "stranger" not in sys.modules


@pytest.mark.parametrize("kind", ["model", "activation", "initializer of a layer", "task by its module"])
def test_an_audit_of_a_folder_imports_nothing_that_it_names(kind: str, folder: Path) -> None:
    forged(folder, **KINDS[kind])
    done = call("audit", folder)
    assert done.exit_code == 2 and len(done.stderr.splitlines()) == 1 and "--trust " in done.stderr
    assert not Path("pwned").exists() and "stranger" not in sys.modules
    if kind == "task by its module":
        # Negative control: with trust it is imported, and leaves its mark.
        call("audit", folder, "--trust", "stranger")
        assert Path("pwned").exists()


def test_a_kind_of_figure_that_a_folder_names_does_not_run(folder: Path) -> None:
    forged(folder, figure=[{"name": "mine", "kind": "stranger:piece", "caption": "Mine."}])
    done = call("report", folder, "--out", "reports")
    assert done.exit_code == 2 and "--trust stranger" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not Path("pwned").exists() and "stranger" not in sys.modules
    # Nor does a check before training, of the experiment as it was read from the folder.
    with pytest.raises(ValueError, match="figure 'mine': figure kind 'stranger:piece': .*--trust stranger"):
        check(load(folder).experiment)
    assert not Path("pwned").exists() and "stranger" not in sys.modules
    call("report", folder, "--out", "reports", "--trust", "stranger")
    assert Path("pwned").exists()


@pytest.mark.parametrize("swapped", [('name = "sgd"', 'name = "os:system"'), ('task = "xor"', 'task = "stranger:piece"')])
def test_a_file_that_names_another_piece_than_was_trained_is_refused(swapped: tuple[str, str], folder: Path) -> None:
    file = folder / "experiment.toml"
    assert file.read_text().count(swapped[0]) == 1
    file.write_text(file.read_text().replace(*swapped))
    done = call("report", folder, "--out", "reports")
    assert done.exit_code == 2 and len(done.stderr.splitlines()) == 1
    assert not Path("reports").exists()


def test_what_the_user_s_own_file_names_runs(folder: Path) -> None:
    """Negative control: the mark is left where code is meant to be imported."""
    Path("own.toml").write_text('name = "own"\ntask = "stranger:piece"\nmodel = "linear"\ninitializer = "zeros"\n')
    call("run", "own.toml", "--out", "runs")
    assert Path("pwned").exists()


OWN = """
import jax
from matplotlib.figure import Figure

def signs(key, shape, dtype, size: float = 0.5):
    return size * jax.random.rademacher(key, shape, dtype)

def empty(run, figure):
    return Figure()
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_a_module_of_the_user_s_own_goes_on_with_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_signs.py").write_text(OWN)
    content: dict[str, Any] = {**XOR, "name": "mine", "initializer": {"name": "own_signs:signs", "size": 0.25}, "seeds": {"init": 12}}
    content |= {
        "training": {"steps": 60},
        "probes": [],
        "track": [],
        "figure": [{"name": "nothing", "kind": "own_signs:empty", "caption": "Nothing."}],
    }
    Path("mine.toml").write_text(Experiment.model_validate(content).text)
    done = call("reproduce", "mine.toml", "--out", ".")
    assert done.exit_code == 0, done.output
    assert call("report", "runs", "--out", "again").exit_code == 2
    assert call("verify", "reports", "--trust", "own_signs").exit_code == 0
    for trust, code in (((), 2), (("--trust", "own_signs"), 0)):
        assert call("replay", "runs/mine", "--best", *trust).exit_code == code
    assert modules_named(Experiment.model_validate(content)) == ["own_signs"]
    mine = load("runs/mine")
    cell = mine.experiment.cells[0]
    assert mine.draws == {cell.id: True} and mine.clusters.nunique() == 12 and mine.starts.cells == []
    with pytest.raises(ValueError, match="^runs/mine: initializer 'own_signs:signs'.*--trust own_signs$"):
        mine.check_trusted([cell])
    trusted = load("runs/mine", trust=["own_signs"])
    assert trusted.experiment.cells[0].id == cell.id == Experiment.model_validate(content).cells[0].id
    assert [one.id for one in trusted.starts.cells] == [cell.id]
    with pytest.raises(ValueError, match="--trust own_signs"):
        starts(mine, cell, mine.lanes)
    drawn = starts(trusted, trusted.experiment.cells[0], trusted.lanes).params
    assert set(np.unique(drawn["layers"][0]["kernel"])) == {-0.25, 0.25}


def test_a_folder_is_read_the_same_whatever_was_imported_before(folder: Path) -> None:
    content = {**XOR, "initializer": {"name": "jax.nn.initializers:zeros"}}
    with trusting(()):
        fresh = Experiment.model_validate(content)
    Experiment.model_validate(content)
    with trusting(()):
        later = Experiment.model_validate(content)
    assert fresh.cells == later.cells and later.cells[0].settings.initializer.options == {}
