"""A report can be checked: its numbers against its rows, its rows against training again."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis.cli import app
from bench.records import parquet_bytes
from tests.test_cli import MINE, call


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of one experiment, and the run that they are about."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "mine.toml").write_text(MINE)
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


def solved_at_once(rows: pd.DataFrame) -> pd.DataFrame:
    rows.loc[rows["steps_to_solve"].notna().idxmax(), "steps_to_solve"] = 1
    return rows


def test_a_report_that_follows_from_its_rows_is_verified(reports: Path) -> None:
    for folder in (reports, reports / "mine"):
        done = call("verify", folder)
        assert done.exit_code == 0, done.output
        assert "1 report: every number" in done.output


TAMPERED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a number of the summary": (lambda r: _next_digit(r / "mine" / "summary.csv"), "summary.csv: cell"),
    "a claim's count": (lambda r: changed(r / "mine" / "claims.json", '"n_lanes": 24', '"n_lanes": 25'), "n_lanes: 25, recomputed 24"),
    "a verdict": (lambda r: changed(r / "mine" / "claims.json", '"supported"', '"refuted"'), "verdict: refuted, recomputed supported"),
    "a line of the page": (lambda r: changed(r / "mine" / "README.md", "supported", "refuted"), "mine/README.md: line"),
    "a table": (lambda r: changed(r / "mine" / "tables" / "cells.tex", "24", "25"), "cells.tex: line"),
    "a figure": (lambda r: changed(r / "mine" / "figures" / "time.svg", "M ", "M 1"), "time.svg: shows something else"),
    "a missing figure": (lambda r: (r / "mine" / "figures" / "time.png").unlink(), "time.png: missing"),
    "the answer": (lambda r: changed(r / "README.md", "48 training runs", "49 training runs"), "README.md: line"),
    "a byte of the rows": (lambda r: _flip(r / "mine" / "lanes.parquet"), "lanes.parquet: corrupt"),
    "rows and checksum": (lambda r: with_other_rows(r / "mine", solved_at_once), "rows_sha256"),
}


def _next_digit(path: Path) -> None:
    rows = pd.read_csv(path, dtype=str)
    rows.loc[1, "loss_median"] = rows.loc[1, "loss_median"][:-1] + str((int(rows.loc[1, "loss_median"][-1]) + 1) % 10)
    rows.to_csv(path, index=False)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("what", TAMPERED)
def test_what_does_not_follow_from_the_rows_is_named(what: str, reports: Path) -> None:
    tamper, named = TAMPERED[what]
    tamper(reports)
    done = call("verify", reports)
    assert done.exit_code == 1, done.output
    assert named in done.output


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
    with_other_rows(reports / "mine", solved_at_once)
    row = pd.read_parquet(reports / "mine/lanes.parquet")["steps_to_solve"].eq(1).idxmax()
    done = call("replay", reports / "mine", "--lane", row, "--out", tmp_path)
    assert done.exit_code == 1
    assert "steps_to_solve: stored 1, replayed" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which lane?"),
        (("--best", "--worst"), "which lane?"),
        (("--lane", 48), "numbered from 0 to 47"),
        (("--lane", "a:b:c"), "CELL:DATA_SEED:INIT_SEED"),
        (("--cell", "zz", "--seed", 1), "no such cell"),
        (("--seed", 1), "no such cell"),
    ],
)
def test_a_lane_that_there_is_not_is_said(arguments: tuple[object, ...], message: str, made: Path) -> None:
    done = call("replay", made / "reports/mine", *arguments)
    assert done.exit_code == 2, done.output
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
