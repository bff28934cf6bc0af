"""A report can be checked: its numbers against its rows, its rows against training again."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis.figures.replay import loss_curve
from analysis.report.drawing import save
from analysis.report.written import LIST
from analysis.rows.compare import compare
from analysis.rows.load import load
from analysis.rows.replay import Replay
from bench.runs.manifest import read_manifest
from bench.runs.parquet import parquet_bytes
from initbench.cli.app import app
from tests.commands import MINE, call

COMMITTED = Path(__file__).parents[2] / "reports"
SMALL = "[[figure]]".join(MINE.split("[[figure]]")[:2])
"""With one figure."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of one experiment, and the run that they are about."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "mine.toml").write_text(SMALL)
    done = CliRunner().invoke(app, ["reproduce", str(folder / "mine.toml"), "--seeds", "24", "--out", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def reports(made: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(made / "reports", tmp_path / "reports"))


def changed(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def with_other_rows(report: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Rows that were changed by somebody who also renewed their checksum."""
    content = parquet_bytes(change(pd.read_parquet(report / "lanes.parquet")))
    (report / "lanes.parquet").write_bytes(content)
    manifest = json.loads((report / "run.json").read_text())
    manifest["parts"][0]["sha256"] = hashlib.sha256(content).hexdigest()
    (report / "run.json").write_text(json.dumps(manifest))


def steeper(rows: pd.DataFrame) -> pd.DataFrame:
    """What only training again can refute: another gradient at the end."""
    rows.loc[30, "grad_norm_final"] *= 2
    return rows


def test_a_report_that_follows_from_its_rows_is_verified(reports: Path) -> None:
    for folder in (reports, reports / "mine"):
        done = call("verify", folder)
        assert done.exit_code == 0, done.output
        assert "1 report: every number" in done.output


def test_every_number_has_an_address(reports: Path) -> None:
    report = reports / "mine"
    content = json.loads((report / "claims.json").read_text())
    rows = pd.read_parquet(report / "lanes.parquet")
    checksum = hashlib.sha256((report / "lanes.parquet").read_bytes()).hexdigest()
    assert content["rows_sha256"] == checksum and content["git"] and content["versions"]["jax"]
    for claim in content["claims"]:
        assert claim["estimator"] and claim["columns"]
        assert set(claim["columns"]) <= set(rows) and {*claim["cells"], *claim["against"]} <= set(rows["cell"])
        assert rows["cell"].isin(claim["cells"]).sum() >= claim["n_lanes"] > 0
    summary = pd.read_csv(report / "summary.csv")
    assert set(summary["cell"]) == set(rows["cell"])
    assert (summary["rows_sha256"] == checksum).all() and (summary["spec_hash"] == content["spec_hash"]).all()
    described = pd.read_csv(report / "summary.columns.csv")
    sources = {"spec_hash", "rows_sha256", "versions", "device", "commit"}
    assert set(described["column"]) == set(summary) - sources
    computed = described.loc[described["computed from"].notna(), "column"]
    assert {"solved", "solved_low", "steps_median", "loss_median", "loss_iqm"} <= set(computed)
    assert f"initbench report {load(report).experiment.name} --out ." in (report / "README.md").read_text()


@pytest.mark.parametrize(("factor", "code"), [(1 + 2**-51, 0), (1 + 1e-9, 1), (-1, 1)])
def test_last_digits_of_a_number_may_be_those_of_another_processor(factor: float, code: int, reports: Path) -> None:
    claims, listed = reports / "mine" / "claims.json", reports / "mine" / LIST
    content = json.loads(claims.read_text(encoding="utf-8"))
    low = next(claim["low"] for claim in content["claims"] if 0 < claim["low"] < 1)
    before = hashlib.sha256(claims.read_bytes()).hexdigest()
    assert low * factor != low
    changed(claims, f'"low": {low!r}', f'"low": {low * factor!r}')
    changed(listed, before, hashlib.sha256(claims.read_bytes()).hexdigest())
    assert call("verify", reports / "mine").exit_code == code


def test_names_of_paths_in_a_drawing_may_be_those_of_another_processor(reports: Path) -> None:
    drawing = reports / "mine" / "figures" / "time.svg"
    names = sorted(set(re.findall(r"\b[mp][0-9a-f]{10}\b", drawing.read_text(encoding="utf-8"))))
    assert len(names) > 1

    def renamed(new: list[str]) -> int:
        text = drawing.read_text(encoding="utf-8")
        for name, other in zip(names, new, strict=True):
            text = text.replace(name, other)
        listed = reports / "mine" / LIST
        before = hashlib.sha256(drawing.read_bytes()).hexdigest()
        drawing.write_text(text, encoding="utf-8")
        changed(listed, before, hashlib.sha256(drawing.read_bytes()).hexdigest())
        return call("verify", reports / "mine").exit_code

    assert renamed([f"{name[0]}{number:010x}" for number, name in enumerate(names)]) == 0
    names = [f"{name[0]}{number:010x}" for number, name in enumerate(names)]
    # Two paths of one name are another drawing.
    assert renamed([names[0]] * len(names)) == 1


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a number of the summary": (lambda r: _next_digit(r / "mine" / "summary.csv"), "summary.csv: cell"),
    "a claim's count": (lambda r: changed(r / "mine" / "claims.json", '"n_lanes": 24', '"n_lanes": 25'), "n_lanes: 25, recomputed 24"),
    "a verdict": (lambda r: changed(r / "mine" / "claims.json", '"supported"', '"refuted"'), "verdict: refuted, recomputed supported"),
    "a line of the page": (lambda r: changed(r / "mine" / "README.md", "supported", "refuted"), "mine/README.md: line"),
    "a table": (lambda r: changed(r / "mine" / "tables" / "cells.tex", "24", "25"), "cells.tex: line"),
    "a figure": (lambda r: changed(r / "mine" / "figures" / "time.svg", "M ", "M 1"), "time.svg: shows something else"),
    "a table as CSV": (
        lambda r: changed(r / "mine" / "tables" / "cells.csv", "24", "25"),
        "cells.csv: line 2, runs: 25, recomputed 24",
    ),
    "a stranger's claim": (
        lambda r: changed(r / "mine" / "claims.json", '"condition": {}', '"condition": [1]'),
        "condition: [1], recomputed {}",
    ),
    "a long claim": (lambda r: changed(r / "mine" / "claims.json", '"id": "', f'"id": "{"x" * 5000}'), "claims.json: claims["),
    "a deep claim": (lambda r: (r / "mine" / "claims.json").write_text("[" * 100_000), "claims.json: is no JSON"),
    "a broken table": (lambda r: (r / "mine" / "tables" / "verdicts.csv").write_text(""), "No columns to parse"),
    "a figure of other rows": (
        lambda r: (r / "mine" / "figures" / "more.svg").write_text("<svg/>"),
        "more.svg: does not come from these rows",
    ),
    "no answer": (lambda r: (r / "README.md").unlink(), "README.md: missing"),
    "a missing figure": (lambda r: (r / "mine" / "figures" / "time.png").unlink(), "time.png: missing"),
    "an emptied picture": (lambda r: (r / "mine" / "figures" / "time.png").write_bytes(b""), "time.png: is not the file that was written"),
    "the list": (lambda r: changed(r / "mine" / "written.json", '"claims.json": "', '"claims.json": "0'), "written.json: files"),
    "another checksum": (lambda r: _other_checksum(r / "written.json"), "written.json: README.md is listed as"),
    "the answer": (lambda r: changed(r / "README.md", "48 training runs", "49 training runs"), "README.md: line"),
    "a byte of the rows": (lambda r: _flip(r / "mine" / "lanes.parquet"), "lanes.parquet: corrupt"),
    "rows and checksum": (lambda r: with_other_rows(r / "mine", steeper), "rows_sha256"),
}


def _next_digit(path: Path) -> None:
    rows = pd.read_csv(path, dtype=str)
    rows.loc[1, "loss_median"] = rows.loc[1, "loss_median"][:-1] + str((int(rows.loc[1, "loss_median"][-1]) + 1) % 10)
    rows.to_csv(path, index=False)


def _other_checksum(path: Path) -> None:
    content = json.loads(path.read_text())
    content["files"]["README.md"] = 64 * "0"
    path.write_text(json.dumps(content))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("what", TAMPERED)
def test_what_does_not_follow_from_the_rows_is_named(what: str, reports: Path) -> None:
    tamper, named = TAMPERED[what]
    tamper(reports)
    done = call("verify", reports / "mine" if "claim" in what else reports)
    assert done.exit_code == 1, done.output
    assert named in done.output
    assert max(map(len, done.output.splitlines())) <= 1100


LATEX = r"""\documentclass{article}
\usepackage{array,booktabs,longtable}
\usepackage[margin=2cm]{geometry}
\begin{document}
\footnotesize
%s
\end{document}
"""


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX")
def test_the_committed_tables_are_set_by_latex_on_a_page(tmp_path: Path) -> None:
    paths = sorted(COMMITTED.glob("**/tables/*.tex"))
    assert len(paths) > 50
    (tmp_path / "all.tex").write_text(LATEX % "\n\n".join(path.read_text() for path in paths))
    done = subprocess.run(["pdflatex", "-interaction=batchmode", "-halt-on-error", "all"], cwd=tmp_path, check=False)
    log = (tmp_path / "all.log").read_text(errors="replace")
    assert done.returncode == 0, log[-2000:]
    wider = [float(points) for points in re.findall(r"Overfull .hbox .([\d.]+)pt too wide", log)]
    assert not [points for points in wider if points > 100], log


@pytest.mark.parametrize("name", ["mine/claims.json", "mine/summary.csv", "mine/written.json", "written.json"])
def test_a_pipe_in_a_report_is_not_waited_for(name: str, reports: Path) -> None:
    (reports / name).unlink()
    os.mkfifo(reports / name)
    done = subprocess.run(
        [sys.executable, "-m", "initbench", "verify", str(reports)], cwd=COMMITTED.parent, capture_output=True, text=True, timeout=120
    )
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr


def test_a_folder_without_reports_is_said(tmp_path: Path) -> None:
    done = call("verify", tmp_path)
    assert done.exit_code == 2
    assert "no report here" in done.stderr


@pytest.mark.parametrize("choice", [("--lane", 30), ("--best",), ("--worst",), ("--seed", 7, "--cell")])
@pytest.mark.parametrize("source", ["runs/mine", "reports/mine"])
def test_a_lane_trained_again_has_the_bits_of_its_row(choice: tuple[object, ...], source: str, made: Path, tmp_path: Path) -> None:
    if choice[-1] == "--cell":
        choice = (*choice, pd.read_parquet(made / "reports/mine/lanes.parquet")["cell"].iloc[-1][:6])
    done = call("replay", made / source, *choice, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "bit by bit" in done.output
    assert len(list(tmp_path.glob("mine-*.png"))) == 1


def test_a_row_that_training_does_not_give_is_named(reports: Path, tmp_path: Path) -> None:
    with_other_rows(reports / "mine", steeper)
    done = call("replay", reports / "mine", "--lane", 30, "--out", tmp_path)
    assert done.exit_code == 1
    assert "grad_norm_final: stored" in done.output and "1 columns differ" in done.output


@pytest.mark.parametrize("last", [4.96e287, np.inf])
def test_the_curve_of_a_lane_that_diverges_in_float64_can_be_drawn(last: float, made: Path, tmp_path: Path) -> None:
    run = load(made / "reports/mine")
    row = run.lanes.iloc[0]
    curve = pd.DataFrame({"step": [0, 200, 383], "loss": [1.2, 4.9e104, last]})
    save(loss_curve(Replay("lane", run, row, row, curve, [], "")), tmp_path / "curve")
    assert (tmp_path / "curve.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which training run?"),
        (("--best", "--worst"), "which training run?"),
        (("--lane", 48), "numbered from 0 to 47"),
        (("--lane", "a:b:c"), "CELL:DATA_SEED:INIT_SEED"),
        (("--cell", "zz", "--seed", 1), "no such cell"),
        (("--seed", 1), "--seed 1: needs --cell CELL"),
        (("--best", "--data-seed", 1), "goes with --cell"),
    ],
)
def test_a_lane_that_there_is_not_is_said(arguments: tuple[object, ...], message: str, made: Path) -> None:
    done = call("replay", made / "reports/mine", *arguments)
    assert done.exit_code == 2, done.output
    assert message in done.stderr and len(done.stderr.splitlines()) == 1


def changed_run(made: Path, tmp_path: Path, before: str, after: str) -> Path:
    """The same experiment but for a setting."""
    path = tmp_path / "other.toml"
    tmp_path.mkdir(exist_ok=True)
    path.write_text(SMALL.partition("[[claim]]")[0].replace(before, after))
    assert call("run", path, "--seeds", 24, "--out", tmp_path / "runs").exit_code == 0
    return tmp_path / "runs" / "mine"


def test_a_run_is_the_same_as_its_report(made: Path) -> None:
    found = compare(made / "runs/mine", made / "reports/mine")
    assert [(match.lanes, match.paired, match.same_bits) for match in found.matches] == [(24, True, 1.0)] * 2
    assert found.differs == []
    done = call("compare", made / "runs/mine", made / "reports/mine")
    assert done.exit_code == 0 and "100.0%" in done.output


def test_runs_that_differ_are_paired_by_seeds(made: Path, tmp_path: Path) -> None:
    found = compare(made / "runs/mine", changed_run(made, tmp_path, "steps = 1500", "steps = 150"))
    zero, random = found.matches
    # A zero start is as bad after 150 steps, to the last bit; a random one solves XOR less often, never more.
    assert (zero.same_bits, zero.loss_larger.n) == (1.0, 0)
    assert random.solved_b < random.solved_a
    assert (random.solved_more.estimate, random.solved_more.n) == (0.0, round(24 * (random.solved_a - random.solved_b)))
    assert random.loss_larger.estimate == 1.0
    worst = found.disagreements.iloc[0]
    assert (worst["outcome_a"], worst["outcome_b"]) == ("solved", "unsolved")


def test_runs_are_made_alike_only_if_all_of_their_rows_are(made: Path) -> None:
    one = read_manifest(made / "runs/mine")
    other = one.latest.model_copy(update={"matmul_precision": "other"})
    part = one.parts[0].model_copy(update={"provenance": (other.id,)})
    # The newest rows are made alike.
    mixed = one.model_copy(update={"provenance": {other.id: other, **one.provenance}, "parts": (part, *one.parts[1:])})
    assert mixed.latest == one.latest and one.made_otherwise(one) == []
    assert "precision of matrix products" in one.made_otherwise(mixed)[0] and mixed.made_otherwise(one)


def test_two_initializers_are_compared_on_the_same_seeds(made: Path, tmp_path: Path) -> None:
    folders = []
    for name in ("he_normal", "glorot_uniform"):
        assert call("run", made / "mine.toml", "--seeds", 24, "--set", f"initializer={name}", "--out", tmp_path / name).exit_code == 0
        folders.append(tmp_path / name / "mine")
    [match] = compare(*folders).matches
    assert match.paired and match.lanes == 24 and match.same_bits == 0
    assert match.loss_larger.n == 24


def test_runs_without_a_cell_in_common_are_not_compared(made: Path, tmp_path: Path) -> None:
    other = changed_run(made, tmp_path, "widths = [4]", "widths = [5]")
    assert compare(made / "runs/mine", other).matches[0].paired  # the same initializers
    nothing = changed_run(made, tmp_path / "again", '["zeros", "glorot_normal"]', '["he_normal", "orthogonal"]')
    done = call("compare", made / "runs/mine", nothing)
    assert done.exit_code == 2 and "2 cells and no axis in common" in done.stderr


@pytest.mark.parametrize(
    "axis", ['"training.steps" = [30, 60]', '"initializer.gain" = [0.5, 1, 2.0]', '"training.freeze_zeros" = [true, false]']
)
def test_axes_that_are_no_text_come_back_from_a_report(axis: str, tmp_path: Path) -> None:
    path = tmp_path / "numbers.toml"
    path.write_text(SMALL.partition("[grid]")[0].replace('task = "xor"', 'task = "xor"\ninitializer = "he_normal"') + f"[grid]\n{axis}\n")
    assert call("reproduce", path, "--seeds", 6, "--out", tmp_path).exit_code == 0
    from_run, from_report = (load(tmp_path / kind / "mine") for kind in ("runs", "reports"))
    for name in from_run.experiment.axes:
        assert from_report.lanes[name].notna().all()
        assert from_report.lanes[name].tolist() == from_run.lanes[name].tolist()
    assert call("verify", tmp_path / "reports").exit_code == 0
