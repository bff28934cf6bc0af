"""A run that is not complete can be reported, and is marked as such everywhere."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from analysis.report.terminal import verdict_page
from analysis.report.write import write_report
from analysis.rows.load import load
from tests.runs.small import (
    CLAIM,
    again,
    change,
    parts,
    rewritten,
)

JUDGED: dict[str, Any] = {
    "claim": [{**CLAIM, "family": "C9"}, {**CLAIM, "id": "zero-too", "where": {"initializer": "zeros"}}],
    "figure": [
        {"name": "time", "kind": "ecdf", "x": "steps_to_solve", "color": "initializer", "caption": "Time."},
        {"name": "loss", "kind": "curve", "y": "loss", "color": "initializer", "caption": "Loss."},
        *(
            {"name": f"of-{name}", "kind": "curve", "y": "loss", "color": "initializer", "where": {"initializer": name}, "caption": "Loss."}
            for name in ("zeros", "glorot_normal")
        ),
    ],
}


def unfinished(folder: Path, first: int, last: int) -> None:
    """The run as it would be if it had been cut off with these rows."""
    again(folder, JUDGED)
    [path] = parts(folder, "lanes")
    rewritten(folder, "lanes", pq.read_table(path).slice(first, last - first))


@pytest.mark.parametrize(("first", "last", "share"), [(30, 63, "41%"), (40, 80, "50%")])
def test_an_unfinished_run_is_reported_as_such(
    first: int, last: int, share: str, finished: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.report.write.in_processes", map)
    unfinished(folder, first, last)
    empty = tmp_path / "empty" / "nothing-yet"
    shutil.copytree(folder, empty)
    change(empty, parts=[])
    found = write_report([folder, empty], tmp_path / "reports")
    note = f"interim: {share} of runs"
    page, answer = ((tmp_path / "reports" / name).read_text() for name in (f"{folder.name}/README.md", "README.md"))
    assert page.split("\n\n")[1].startswith(f"**Interim ({folder.name} {note})")
    assert answer.split("\n\n")[1].startswith(f"**Interim ({folder.name} {note})")
    assert len(re.findall(r"\| [^|]*, interim \|", page)) == 2
    assert verdict_page(found, Path("page"))[0].endswith(f"{folder.name} {note}")
    for name in ("time", "loss"):
        assert note in (tmp_path / "reports" / folder.name / "figures" / f"{name}.svg").read_text()
    empty_figures = [path.stem for path in (tmp_path / "reports").glob("*/figures/of-*.svg") if "have not ended yet" in path.read_text()]
    assert len(empty_figures) == (first == 40)
    assert json.loads((tmp_path / "reports" / folder.name / "claims.json").read_text())["interim"] == note
    assert load(folder, interim=True).share_done == (last - first) / 80


@pytest.mark.parametrize(("rows", "of", "said"), [(41, 100, "41%"), (1, 1000, "0.1%"), (995, 1000, "99.5%"), (99_999, 100_000, "99.9%")])
def test_an_interim_run_is_never_all_of_it(rows: int, of: int, said: str, folder: Path) -> None:
    run = load(folder, interim=True)
    lanes = run.lanes.iloc[np.zeros(rows, int)]
    unfinished = replace(run, lanes=lanes, manifest=run.manifest.model_copy(update={"complete": False, "lanes": of}))
    assert unfinished.interim == f"interim: {said} of runs"


def test_a_run_that_is_complete_again_is_not_called_interim(folder: Path, tmp_path: Path) -> None:
    unfinished(folder, 0, 79)
    again(folder, JUDGED)
    write_report([folder], tmp_path / "reports")
    page = (tmp_path / "reports" / folder.name / "README.md").read_text()
    assert "nterim" not in page and "edited after training runs existed" in page
