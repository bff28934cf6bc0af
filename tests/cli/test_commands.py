"""The command line: from an experiment file to a report, and one line with exit code 2 for bad input."""

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from typer.main import get_command

import bench
import initbench.cli.run
from bench.initializers import initializer
from bench.runs.estimate import Trial
from bench.spec import catalog
from initbench.cli.app import COMMANDS, app
from initbench.stop import Stopped
from tests.commands import MINE, call


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own file, in a folder outside the repository."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_from_a_file_to_a_report_and_again_from_its_rows(mine: Path, tmp_path: Path) -> None:
    assert call("run", mine, "--out", "runs").exit_code == 0
    lanes = pd.concat(pd.read_parquet(part) for part in Path("runs/mine/lanes").glob("part-*.parquet"))
    assert len(lanes) == 100
    assert list(lanes.columns[:6]) == ["experiment", "cell", "initializer", "data_seed", "init_seed", "outcome"]
    done = call("report", "runs", "--out", "reports")
    assert done.exit_code == 0, done.output
    assert "supported" in done.output and "reports/README.md" in done.output
    page = Path("reports/mine/README.md").read_text()
    assert "✓ supported" in page and "lanes" in page
    assert re.search(r"\| Random starts that find XOR\. \| 0\.75 \| 0\.\d+ \[.*\], n = 50 \| Somebody \(1999\) \| Other widths\. \|", page)
    for figure in ("time", "curves", "share", "again"):
        for kind in ("svg", "pdf", "png"):
            assert (Path("reports/mine/figures") / f"{figure}.{kind}").stat().st_size > 1000
    claims = json.loads(Path("reports/mine/claims.json").read_text())["claims"]
    # A deterministic start on one data set has one loss, which fifty random starts are held against.
    assert [(claim["verdict"], claim["n_draws"], claim["n_distinct"]) for claim in claims] == [("supported", 50, 50), ("supported", 50, 1)]
    assert claims[0]["n_lanes"] == 50
    summary = pd.read_csv("reports/mine/summary.csv")
    assert summary["independent"].tolist() == [1, 50]
    again = call("report", "reports/mine", "--out", "second", "--html")
    assert again.exit_code == 0, again.output
    assert "second/site/index.html" in again.output and Path("second/site/mine/figures/time.png").exists()
    for name in ("README.md", "summary.csv", "claims.json", "tables/cells.tex", "figures/time.svg"):
        assert (Path("second/mine") / name).read_bytes() == (Path("reports/mine") / name).read_bytes(), name


def test_a_report_renewed_alone_leaves_the_others_on_the_answer_page(mine: Path) -> None:
    Path("other.toml").write_text(mine.read_text().replace('name = "mine"', 'name = "other"'))
    for name in ("mine", "other"):
        assert call("run", f"{name}.toml", "--seeds", 8, "--out", "runs").exit_code == 0
    assert call("report", "runs", "--out", "reports").exit_code == 0
    both = Path("reports/README.md").read_text()
    assert "[mine](mine/README.md)" in both and "[other](other/README.md)" in both
    assert call("report", "reports/other", "--out", "reports").exit_code == 0
    assert Path("reports/README.md").read_text() == both


def test_what_is_unreported_stays_in_the_run_folder(mine: Path) -> None:
    mine.write_text(
        'unreported = ["grad_norm", "weight_norm", "curves"]\n'
        + mine.read_text().replace('kind = "curve"\ny = "loss"', 'kind = "rate"\nx = "initializer"')
    )
    assert call("run", mine, "--seeds", 8, "--out", "runs").exit_code == 0
    for source, target in (("runs", "reports"), ("reports/mine", "second")):
        done = call("report", source, "--out", target)
        assert done.exit_code == 0, done.output
        columns = set(pd.read_parquet(f"{target}/mine/lanes.parquet").columns)
        assert {"loss_final", "effective_rank_final"} < columns
        assert not {"grad_norm_initial", "grad_norm_final", "weight_norm_final"} & columns
        assert not Path(f"{target}/mine/curves.parquet").exists()
    assert "weight_norm_final" in pd.read_parquet("runs/mine/lanes").columns


MAP = """
[seeds]
map = { x = { path = "initializer.gain", from = 0.5, to = 2 }, y = { path = "optimizer.learning_rate", from = 0.1, to = 1, log = true } }
"""


def test_a_map_has_whole_lattices(mine: Path) -> None:
    text = mine.read_text().partition("[seeds]")[0].replace('task = "xor"', 'task = "xor"\ninitializer = "glorot_normal"') + MAP
    mine.write_text(text)
    for seeds, lanes in ((1, 1), (4, 4), (5, 16), (1000, 1024)):
        assert f"1 cells, {lanes:,} training runs" in call("run", mine, "--seeds", seeds, "--dry-run").output


def test_reproduce_trains_and_judges(mine: Path) -> None:
    done = call("reproduce", mine, "--seeds", 20, "--out", "here")
    assert done.exit_code == 0, done.output
    assert Path("here/runs/mine/run.json").exists() and Path("here/reports/README.md").exists()


def test_dry_run_trains_nothing(mine: Path) -> None:
    done = call("run", mine, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "2 cells, 100 training runs, 1 programs" in done.output
    assert not Path("results").exists()


def test_a_dry_run_tries_few_programs_and_promises_nothing(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.runs.estimate.ALL_TRIALS_SECONDS", 0.0)
    mine.write_text(mine.read_text().partition("[[claim]]")[0] + '"training.dtype" = ["float32", "float64"]\n')
    done = call("run", mine, "--dry-run")
    said = " ".join(done.output.split())
    assert "4 cells, 200 training runs, 2 programs; about" in said and "(from a trial of 1 programs)" in said and "at most" not in said
    # Where no training run steps nothing is promised at all.
    monkeypatch.setattr("bench.runs.estimate._trial", lambda *arguments: Trial(*4 * [float("nan")]))
    assert "unknown time of training" in " ".join(call("run", mine, "--dry-run").output.split())


def test_list_names_everything_as_json() -> None:
    names = [entry["name"] for entry in json.loads(call("list", "experiments", "--json").stdout)]
    assert names == catalog.names()
    assert [entry["name"] for entry in json.loads(call("list", "initializers", "--json").stdout)] == list(initializer)
    assert {"tasks", "models", "probes", "optimizers", "laws"} < set(json.loads(call("list", "--json").stdout))


def test_list_says_formula_source_law_and_options_of_a_piece() -> None:
    [found] = [entry for entry in json.loads(call("list", "initializers", "--json").stdout) if entry["name"] == "normal"]
    assert found["formula"] == "W ~ N(0, stddev^2)." and found["options"] == "stddev (number > 0, default 1)"
    told = {kind: " ".join(call("list", kind, "--long").stdout.split()) for kind in ("initializers", "schemes", "activations")}
    assert (
        "formula: W ~ N(0, 2 / fan_in). source: He et al., 2015, arXiv 1502.01852. law: the variance is 2 / fan_in." in told["initializers"]
    )
    assert "source: Tallec and Ollivier, 2018, arXiv 1804.11188." in told["schemes"] and "formula: max(x, 0)^2." in told["activations"]
    assert "formula" not in call("list", "initializers").stdout


def test_list_shows_options_of_any_kind_of_thing() -> None:
    def options(name: str) -> str:
        [[entry]] = json.loads(call("list", name, "--json").stdout).values()
        assert entry["name"] == name
        return entry["options"]

    assert "b1 (number, default 0.9)" in options("adam") and "nesterov (true or false, default false)" in options("adam")
    assert "learning_rate" not in options("adamw") and "mask" not in options("adamw")
    schedule = options("warmup_cosine_decay_schedule")
    assert schedule.startswith("peak (number, required)") and 'decay_steps (whole number, default "training.steps")' in schedule
    assert "dropout (number >= 0 and < 1, default 0)" in options("mlp") and "test_share (number" in options("digits")
    assert "Needs x: an axis of the grid" in " ".join(call("list", "phase").stdout.split())
    for kind in ("optimizers", "schedules", "clippings", "models", "tasks", "probes", "losses", "figures", "laws"):
        assert call("list", kind, "--long").exit_code == 0
    missed = call("list", "he_norml")
    assert missed.exit_code == 2 and "did you mean 'he_normal'?" in missed.stderr


def test_doctor_passes_its_self_test() -> None:
    done = call("doctor")
    assert done.exit_code == 0
    assert "self-test: passed" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "mine.tomll"), "unknown experiment 'mine.tomll'"),
        (("run", "absent.toml"), "absent.toml: cannot be read"),
        (("run", "x01-least-sqares"), "did you mean 'x01-least-squares'"),
        (("run", "mine.toml", "--set", "training.stepz=3"), "did you mean 'steps'"),
        (("run", "mine.toml", "--set", "training.steps"), "KEY=VALUE"),
        (("run", "mine.toml", "--set", "training.batch_size=9"), "training.batch_size = 9"),
        (("run", "mine.toml", "--set", "initializer={name='normal', zero_layers=[5]}"), "zero_layers = [5]"),
        (("run", "mine.toml", "--set", "laws=['lawless']"), "unknown law 'lawless'"),
        (("run", "mine.toml", "--out", "mine.toml"), "mine.toml"),
        (("report", "nowhere"), "no run here"),
        (("reproduce", "nothing"), "unknown experiment 'nothing'"),
        (("list", "initialisers"), "did you mean 'initializers'"),
    ],
)
def test_bad_input_gives_one_line_and_exit_code_2(mine: Path, arguments: tuple[str, ...], said: str) -> None:
    done = call(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.startswith("initbench: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.output


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_an_unwritable_folder_gives_one_line(mine: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    done = call("run", mine, "--out", locked)
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr


def test_a_changed_row_is_not_reported(mine: Path) -> None:
    call("run", mine, "--out", "runs", "--seeds", 20)
    [part] = Path("runs/mine/lanes").glob("*.parquet")
    part.write_bytes(part.read_bytes().replace(b"PAR1", b"PAR2"))
    done = call("report", "runs", "--out", "reports")
    assert done.exit_code == 2
    assert "corrupt" in done.stderr


def test_the_user_s_own_initializer_and_probe(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(mine.parent)
    Path("my_things.py").write_text(
        "import jax, jax.numpy as jnp\n"
        "def signs(key, shape, dtype, size: float = 1.0):\n"
        "    return size * jax.random.rademacher(key, shape, dtype)\n"
        "def largest_unit(units):\n"
        "    return jnp.max(jnp.abs(units))\n"
    )
    text = MINE.replace('["zeros", "glorot_normal"]', '[{ name = "my_things:signs", size = 0.5 }]').split("[[claim]]")[0]
    mine.write_text('probes = ["tie_spread", "my_things:largest_unit"]\n' + text)
    done = call("run", mine, "--out", "runs", "--seeds", 20)
    assert done.exit_code == 0, done.output
    [part] = Path("runs/mine/lanes").glob("*.parquet")
    lanes = pd.read_parquet(part)
    assert (lanes["largest_unit_initial"] == 0.5).all()
    assert set(lanes["initializer"]) == {"my_things:signs(size=0.5)"}


def test_one_figure_is_drawn_again_as_its_user_wants_it(mine: Path) -> None:
    mine.write_text(mine.read_text().partition("[[figure]]")[0])
    assert call("run", mine, "--seeds", 8, "--out", "runs").exit_code == 0
    Path("own.mplstyle").write_text("lines.linewidth: 3\n")
    done = call("figure", "runs/mine", "loss", "--size", "3x2", "--format", "png", "--style", "own.mplstyle", "--data", "loss.csv")
    assert done.exit_code == 0 and "loss.png" in done.output, done.output
    assert plt.imread("loss.png").shape[:2] == (400, 600)
    shown = pd.read_csv("loss.csv")
    assert set(shown["series"]) == {"zero", "Glorot"} and shown["x"].notna().all()
    # The same figure, with the same numbers, comes from the report.
    assert call("report", "runs", "--out", "reports").exit_code == 0
    assert Path("reports/mine/figures/loss.svg").exists()
    assert call("figure", "reports/mine", "loss", "--data", "again.csv").exit_code == 0
    assert Path("again.csv").read_text() == Path("loss.csv").read_text()
    for wrong, said in (
        (("figure", "runs/mine", "los"), "no figure 'los'; did you mean 'loss'?"),
        (("figure", "runs/mine", "loss", "--size", "big"), "--size 'big': WIDTHxHEIGHT in inches"),
        (("figure", "runs/mine", "loss", "--format", "gif"), "--format gif: allowed: pdf, png, svg"),
        (("figure", "runs/mine", "loss", "--style", "none.mplstyle"), "none.mplstyle: not a style file"),
    ):
        done = call(*wrong)
        assert done.exit_code == 2 and said in " ".join(done.output.split()), done.output
    assert "# mine\n" in Path("reports/README.md").read_text() and "@misc{mine," in Path("reports/README.md").read_text()


def test_a_new_experiment_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("new", "first").exit_code == 0
    text = Path("first.toml").read_text()
    assert call("run", "first.toml", "--seeds", 16).exit_code == 0 and call("report").exit_code == 0
    page = Path("results/reports/first/README.md").read_text()
    assert "figures/solved.png" in page and "Most random starts learn XOR." in page
    for name, said in (("first", "first.toml: is there already"), ("../second", "name = '../second'"), ("a b", "name = 'a b'")):
        done = call("new", name)
        assert done.exit_code == 2 and said in done.output
    assert Path("first.toml").read_text() == text and not Path("../second.toml").exists()


def test_the_version_and_the_short_help() -> None:
    assert re.fullmatch(r"initbench \d+\.\d+\.\d+\S*\n", call("--version").output)
    assert "--seeds" in call("run", "-h").output


@pytest.mark.parametrize(("example", "arguments"), [(example, example.split()) for _, example in COMMANDS])
def test_the_help_of_each_command_has_an_example_that_it_takes(example: str, arguments: list[str]) -> None:
    command = get_command(app).commands[arguments[0]]  # type: ignore[attr-defined]
    command.make_context(arguments[0], arguments[1:])
    assert f"Example: initbench {example}" in " ".join(call(arguments[0], "--help").output.split())
    assert call(*arguments, "--wrong").exit_code == 2


def test_a_signal_ends_what_was_started_for_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The context of the cluster is left, in which jobs of a batch system are canceled, before the command ends."""
    left: list[str] = []

    @contextmanager
    def elsewhere(*arguments: object, **options: object) -> Iterator[object]:
        try:
            yield object()
        finally:
            left.append("cluster")

    def stopped(*arguments: object, **options: object) -> None:
        raise Stopped(signal.SIGINT)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(initbench.cli.run, "executor", elsewhere)
    monkeypatch.setattr(initbench.cli.run, "leave", lambda code: left.append("process"))
    monkeypatch.setattr(bench, "run", stopped)
    Path("mine.toml").write_text(MINE)
    done = call("run", "mine.toml", "--on", "local:1")
    assert done.exit_code == 130 and left == ["cluster"]
    assert "stopped by SIGINT" in done.stderr
