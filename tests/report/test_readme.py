"""What the README says is what the committed reports say, and what it shows works as it is printed."""

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis.report.readme import updated
from bench.lane.grouping import programs
from bench.lane.network import dotted
from initbench import Experiment, judge, load, summarize
from initbench.cli.app import app
from tests.docs.blocks import block as one_block

README = Path("README.md").read_text()


def block(language: str, contains: str, page: str = README) -> str:
    """The fenced block of this language that contains a text."""
    return one_block(language, contains, page)


def test_the_readme_s_answer_is_that_of_the_committed_reports() -> None:
    assert updated(README, Path("reports")) == README


def test_the_readme_s_experiment_initializer_and_python_lines_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    text = block("toml", 'name = "mine"')
    Path("mine.toml").write_text(text)
    Path("my_inits.py").write_text(block("python", "def sign_scaled"))
    # As it is printed, but for fewer seeds; then with the initializer of the next section in its place.
    for setting in ([], ["--set", block("toml", "my_inits:sign_scaled").strip().replace("initializer = ", "initializer=")]):
        done = CliRunner().invoke(app, ["run", "mine.toml", "--seeds", "30", "--out", f"runs{len(setting)}", *setting])
        assert done.exit_code == 0, done.output
        reported = CliRunner().invoke(app, ["report", f"runs{len(setting)}/mine", "--out", f"reports{len(setting)}"])
        assert reported.exit_code == 0, reported.output
    ran: dict[str, Any] = {}
    exec(block("python", "import initbench as ib").replace('"mine.toml"', '"mine.toml", seeds=30'), ran)
    found = load("results/runs/mine")
    pd.testing.assert_frame_equal(summarize(found), summarize(load("runs0/mine")))
    assert len(judge(found)[1]) == 3
    # The last lines are about the second run: two starts of 200 seeds.
    assert len(ran["run"].lanes) == 400 and ran["run"].summary()["initializer"].tolist() == ["my_inits:sign_scaled", "zeros"]


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_named_parameters_of_the_docs_are_those_of_the_model() -> None:
    wanted = Experiment.parse('name = "named"\ntask = "digits"\n' + block("toml", 'name = "lstm"', Path("docs/experiments.md").read_text()))
    [program] = programs(wanted.cells, (), ())
    assert {name for name in program.network.weight_names if name.endswith("x.kernel")} == set(map(dotted, program.recipe.frozen))


@pytest.mark.parametrize("path", sorted(Path("reports").glob("*/claims.json")), ids=lambda path: path.parent.name)
def test_the_gate_laws_of_a_committed_report_hold(path: Path) -> None:
    content = json.loads(path.read_text())
    gates = tomllib.loads((path.parent / "experiment.toml").read_text()).get("laws", [])
    assert [law["name"] for law in content["laws"] if law["name"] in gates and not law["holds"]] == []
    assert not any(claim["reason"].startswith("law not met") for claim in content["claims"])


def test_what_is_to_be_cited_says_the_same_everywhere() -> None:
    citation = dict(re.findall(r"^([a-z-]+): \"?(.+?)\"?$", Path("CITATION.cff").read_text(), re.MULTILINE))
    archive = json.loads(Path(".zenodo.json").read_text())
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    assert citation["title"] == archive["title"]
    assert citation["version"] == archive["version"] == project["version"]
    assert citation["license"].lower() == archive["license"]
