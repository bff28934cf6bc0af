"""A report writes what it lists, removes what it listed, and touches nothing else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.report.write import standing
from analysis.report.written import ANSWER, LIST, publish, read_list, staging
from bench import Experiment, run
from bench.runs.files import write_whole
from tests.commands import call
from tests.report.test_reports import SMALL


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def made(folder: Path, **content: str) -> Path:
    """A folder with these files; `__` stands for a folder's slash, and the names have no ending."""
    for name, text in content.items():
        write_whole(folder / name.replace("__", "/"), text.encode())
    return folder


def published(tmp_path: Path, folder: Path, **content: str) -> None:
    with staging(tmp_path) as scratch:
        publish(made(scratch / "new", **content), folder)


def test_an_earlier_report_is_replaced_and_all_else_stays(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    published(tmp_path, folder, README="first", figures__time="a", tables__cells="b", tables__edited="c")
    made(folder, notes="mine", figures__own="mine", tables__edited="mine")
    published(tmp_path, folder, README="second", figures__time="a", claims="d")
    found = files(folder)
    listed = json.loads(found.pop(LIST))["files"]
    # What was changed since it was written is not removed either.
    assert found == {
        "README": b"second",
        "figures/time": b"a",
        "claims": b"d",
        "notes": b"mine",
        "figures/own": b"mine",
        "tables/edited": b"mine",
    }
    assert sorted(listed) == ["README", "claims", "figures/time"]
    assert list(tmp_path.iterdir()) == [folder]


def linked(folder: Path) -> None:
    """A folder of the report leads elsewhere."""
    elsewhere = made(folder.parent / "elsewhere", time="theirs")
    (folder / "figures").symlink_to(elsewhere)


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda folder: made(folder, README="mine"), "README: was not written by a report"),
        (lambda folder: made(folder, figures="mine"), "figures: is a file"),
        (lambda folder: made(folder, README__x="mine"), "README: is a folder"),
        (linked, "figures: is a link"),
        (lambda folder: (folder / "README").symlink_to(made(folder.parent / "elsewhere", README="theirs") / "README"), "README: is a link"),
        (lambda folder: (folder / LIST).symlink_to(folder / "nothing"), "is a link"),
        (lambda folder: (folder / LIST).write_text("[]"), f"{LIST}: "),
        (lambda folder: (folder / LIST).write_text(json.dumps({"files": {"../notes": 64 * "0"}})), f"{LIST}: files"),
        (lambda folder: (folder / LIST).write_text(json.dumps({"files": {"/etc/passwd": 64 * "0"}})), f"{LIST}: files"),
        (lambda folder: (folder / LIST).write_text(json.dumps({"files": {"a/../../notes": 64 * "0"}})), f"{LIST}: files"),
    ],
)
def test_files_that_no_report_wrote_and_links_are_refused_before_anything_changes(
    prepare: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    prepare(folder)
    before = files(tmp_path)
    with pytest.raises((ValueError, OSError), match=said):
        published(tmp_path, folder, README="new", figures__time="new")
    assert files(tmp_path) == before


def test_nothing_is_written_through_a_link_left_by_somebody(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "notes")
    with pytest.raises(OSError, match="link: is a link"):
        write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "notes").read_text() == "mine"


def test_a_staging_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken"), staging(tmp_path / "new" / "out") as scratch:
        made(scratch, a="b")
        raise ValueError("broken")
    assert not (tmp_path / "new" / "out").exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(Experiment.parse(SMALL, overrides={"seeds.init": 6, "training.steps": 20}), tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def reported(trained: Path) -> Path:
    """The folder of a report."""
    out = trained.parent.parent / "reports"
    assert call("report", trained, "--out", out).exit_code == 0
    return out


def test_the_user_s_own_files_are_not_overwritten(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "mine")
    made(tmp_path, figures__plot="mine", site__page="mine")
    (tmp_path / "README.md").write_text("mine")
    before = files(tmp_path)
    # The run folder itself stands where the report would.
    refused = call("report", tmp_path / "mine", "--out", tmp_path)
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (2, 1)
    assert "mine/run.json: was not written by a report" in refused.stderr
    refused = call("report", trained, "--out", tmp_path)
    assert refused.exit_code == 2 and files(tmp_path) == before
    shutil.rmtree(tmp_path / "mine")
    refused = call("report", trained, "--out", tmp_path)
    assert refused.exit_code == 2 and "README.md: was not written by a report" in refused.stderr
    assert files(tmp_path) == {name: content for name, content in before.items() if not name.startswith("mine/")}


def test_a_report_that_fails_leaves_the_earlier_one(reported: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "run", tmp_path / "reports"
    shutil.copytree(reported / "mine", source)
    shutil.copytree(reported, out)
    before = files(out)
    text = (source / "experiment.toml").read_text()
    (source / "experiment.toml").write_text(
        text.replace('kind = "ecdf"\nx = "steps_to_solve"\ncolor = "initializer"', 'kind = "surface"\npanel = "initializer"')
    )
    for target, left in ((out, before), (tmp_path / "new", {})):
        refused = call("report", source, "--out", target)
        assert refused.exit_code == 2 and "figure 'time': 'surface' does not fit these rows" in refused.stderr, refused.output
        assert len(refused.stderr.splitlines()) == 1
        assert files(target) == left


def test_a_report_from_before_there_were_lists_is_renewed(reported: Path, tmp_path: Path) -> None:
    out = tmp_path / "reports"
    shutil.copytree(reported, out)
    for folder in (out, out / "mine"):
        (folder / LIST).unlink()
    # Every front page had this title then.
    _, _, rest = (out / "README.md").read_text().partition("\n")
    (out / "README.md").write_text(f"{ANSWER}\n{rest}")
    (out / "mine" / "figures" / "own.svg").write_text("mine")
    assert call("report", out / "mine", "--out", out).exit_code == 0
    assert read_list(out) == read_list(reported) and read_list(out / "mine") == read_list(reported / "mine")
    assert (out / "mine" / "figures" / "own.svg").read_text() == "mine"


def test_a_report_through_a_link_is_neither_written_nor_verified(trained: Path, reported: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to(reported / "mine")
    before = files(reported)
    for command in (("report", trained, "--out", tmp_path), ("verify", tmp_path)):
        refused = call(*command)
        assert refused.exit_code == 2 and "mine: is a link" in refused.stderr, refused.output
    assert files(reported) == before


def test_a_report_is_not_called_as_a_folder_of_the_answer(tmp_path: Path) -> None:
    wanted = Experiment.parse(SMALL.replace('name = "mine"', 'name = "site"'), overrides={"seeds.init": 1, "training.steps": 1})
    refused = call("report", run(wanted, tmp_path), "--out", tmp_path / "out")
    assert refused.exit_code == 2 and "experiment 'site': no report can be called" in refused.stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"verdict": "', '"verdict": "un'),
        ('"condition": {}', '"condition": {"x": 5}'),
        ('"estimate": ', '"estimate": "?", "was": '),
        ('"cells": [', '"cells": [[], '),
        ('"claims": [', '"claims": [5, '),
        ('"laws": []', '"laws": [{}]'),
        ('"claims": ', '"others": '),
    ],
)
def test_a_report_of_another_kind_stops_the_answer_page_in_one_line(before: str, after: str, reported: Path, tmp_path: Path) -> None:
    shutil.copytree(reported, tmp_path / "reports")
    path = tmp_path / "reports" / "mine" / "claims.json"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(ValueError, match="claims.json: damaged, or of another version of initbench"):
        standing(tmp_path / "reports")
