"""Pages, figures and the terminal show other people's numbers as they are, and nothing of a file is more than a text there."""

import csv
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from analysis.figures.samples import sample_figure
from analysis.judging.numbers import judge_file
from analysis.report.drawing import save
from analysis.report.numbers_page import estimate_text, p_text
from analysis.rows.samples import Choice, read_samples
from analysis.stats.intervals import Interval
from tests.commands import call
from tests.docs.blocks import blocks

PAGE = Path("docs/judge.md")
EVIL = "=cmd|' /C calc'!A0 <script>alert(1)</script> | `x` $\\frac{1}{2}$ \x1b[31m\u202e"


def recorded() -> list[tuple[str, str]]:
    """The commands of the page with what they print."""
    texts = [one.text.removeprefix("$ initbench ") for one in blocks(PAGE.read_text(encoding="utf-8")) if one.kind == "console"]
    return [(command, output) for command, _, output in (text.partition("\n") for text in texts)]


@pytest.mark.parametrize("number", range(2))
def test_the_page_shows_what_the_command_prints(number: int) -> None:
    command, output = recorded()[number]
    done = call(*shlex.split(command))
    assert done.exit_code == 0, done.output
    assert [line.rstrip() for line in done.output.splitlines()] == output.splitlines()
    assert max(map(len, output.splitlines())) <= 80


def table(folder: Path, names: list[str]) -> Path:
    path = folder / "evil.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["init", "seed", f"loss {EVIL}"])
        rows.writerows([name, seed, seed + place] for place, name in enumerate(names) for seed in range(4))
    return path


def test_nothing_of_a_file_is_more_than_a_text(tmp_path: Path) -> None:
    path = table(tmp_path, [EVIL, "wide " * 20, "界" * 50])
    done = call("judge", path, "--lower-is-better", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output and "\u202e" not in done.output
    assert max(map(len, done.output.splitlines()[:-1])) <= 80
    assert {item.relative_to(tmp_path / "out").as_posix() for item in (tmp_path / "out").rglob("*") if item.is_file()} == {
        "README.md", "judged.json", "written.json", "tables/questions.csv", "tables/settings.csv",
        "figures/settings.svg", "figures/settings.png", "figures/settings.pdf",
    }  # fmt: skip
    page = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "<script>" not in page and "\x1b" not in page and r"\|" in page
    assert "<script>" not in (tmp_path / "out" / "figures" / "settings.svg").read_text(encoding="utf-8")
    with (tmp_path / "out" / "tables" / "settings.csv").open(encoding="utf-8", newline="") as file:
        assert all(cell[0] not in "=+@" and "\x1b" not in cell for row in csv.reader(file) for cell in row if cell)
    assert call("judge", path, "--lower-is-better", "--json").output.isascii()
    # The page is written again in its place; a file of somebody else's is not.
    assert call("judge", path, "--lower-is-better", "--out", tmp_path / "out").exit_code == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "README.md").write_text("mine")
    refused = call("judge", path, "--lower-is-better", "--out", tmp_path / "other")
    assert refused.exit_code == 2 and "was not written by a report" in refused.output
    assert (tmp_path / "other" / "README.md").read_text() == "mine"


def test_json_has_everything_and_no_number_that_json_has_not(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("init,seed,loss\n" + "".join(f"{name},{seed},{seed if name == 'a' else 'nan'}\n" for name in "ab" for seed in range(3)))
    done = call("judge", path, "--json", "--margin", 0.5)
    content = json.loads(done.output, parse_constant=pytest.fail)
    assert [one["failed"] for one in content["settings"]] == [0, 3]
    assert content["settings"][1]["mean"] is None and content["settings"][1]["median"]["estimate"] == "inf"
    [question] = content["questions"]
    assert (question["setting"], question["against"], question["verdict"], question["n"]) == ("b", "a", "undecided", [3, 3])
    assert content["margin"] == 0.5 and content["higher_is_better"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--setting", "colour"], "there is no column 'colour'"),
        (["--alpha", "2"], "--alpha 2: allowed"),
        (["--baseline", "x"], "no setting 'x'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    done = call("judge", "tests/judging/published/attention-scale.csv", *arguments)
    assert done.exit_code == 2 and message in done.output and done.output.count("\n") == 1


NASTY = {
    "huge and tiny": [1e100, -1e100, 1e-320, 0.0],
    "over many decades": [1e-90, 1.0, 1e90, 3.0],
    "all alike": [2.5, 2.5, 2.5, 2.5],
    "one that did not fail": [np.nan, 1.0, np.inf, np.nan],
    "nothing but zeros": [0.0, 0.0, 0.0, 0.0],
}


@pytest.mark.parametrize("case", NASTY)
@pytest.mark.parametrize("threshold", [None, 1.0])
def test_every_table_can_be_drawn(case: str, threshold: float | None, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("init,loss\n" + "".join(f"{name},{value!r}\n" for name in ("a$b", "b") for value in NASTY[case]))
    samples = read_samples(path, Choice(solved_below=threshold))
    save(sample_figure(samples, 0.95), tmp_path / "figure", ["png"])
    assert (tmp_path / "figure.png").stat().st_size > 1000
    assert judge_file(path, solved_below=threshold).questions[0].verdict == "undecided"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Interval(3.27925, 3.27884, 3.27967, 20), "3.27925 [3.27884, 3.27967]"),
        (Interval(12345.6, 12000.0, 12700.0, 5), "12,346 [12,000, 12,700]"),
        (Interval(0.5, -np.inf, np.inf, 2), "0.5 [-∞, ∞]"),
        (Interval(1.5, 1.5, 1.5, 2), "1.5 [1.5, 1.5]"),
        (Interval(2e-9, 1e-9, 3e-9, 5), "2e-09 [1e-09, 3e-09]"),
        (Interval(2e40, 1e40, 3e40, 5), "2e+40 [1e+40, 3e+40]"),
    ],
)
def test_numbers_have_the_digits_that_their_intervals_are_worth(found: Interval, text: str) -> None:
    assert estimate_text(found) == text


def test_small_p_values_are_not_told_apart() -> None:
    assert [p_text(value) for value in (1.0, 0.123, 0.0456, 1e-7)] == ["1.00", "0.12", "0.046", "< 1e-06"]
