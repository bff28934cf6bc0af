"""The pictures of the answer: where they stand, and that they follow from the four training runs."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from analysis.figures.weights import FRAMES
from analysis.report.animation import save_animation
from analysis.report.pictures import captions, write_pictures
from analysis.report.written import LIST
from bench import Experiment, run
from tests.commands import MINE, call

NAMES = ("boundaries", "saddle", "weights")
FILES = sorted(f"{name}.{kind}" for name in NAMES for kind in ("pdf", "png", "svg"))


def small(family: str) -> Experiment:
    """An experiment whose first claim is one of the thread's."""
    text = "[[figure]]".join(MINE.split("[[figure]]")[:1]).replace('id = "random-works"', f'id = "random-works"\nfamily = "{family}"')
    return Experiment.parse(text, overrides={"seeds.init": 6, "training.steps": 20})


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of an experiment that judges C7, and of one that judges C8."""
    made = {}
    for family in ("C7", "C8"):
        folder = run(small(family), tmp_path_factory.mktemp("runs"))
        made[family] = folder.parent.parent / f"reports-{family}"
        done = call("report", folder, "--out", made[family])
        assert done.exit_code == 0, done.output
    return made


def drawn(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "figures").glob("*") if path.stem in NAMES)


def test_a_folder_that_judges_the_claim_about_zero_has_the_pictures_and_no_other(answers: dict[str, Path]) -> None:
    assert (drawn(answers["C7"]), drawn(answers["C8"])) == (FILES, [])
    page, other = ((answers[family] / "README.md").read_text() for family in ("C7", "C8"))
    why, more = (page.partition(f"## {heading}\n")[2].partition("\n## ")[0] for heading in ("Why?", "Two more pictures"))
    shown = [re.findall(r"!\[[^]]{50,}\]\(figures/(\w+)\.png\)\n\n\*", part) for part in (why, more)]
    assert shown == [["weights"], ["boundaries", "saddle"]]
    assert "saddle" not in other
    # Every link to a claim leads to a line of the table.
    assert set(re.findall(r"\]\(#(c\d+)\)", why)) == {"c7"} and '<a id="c7">' in page


def test_captions_link_to_the_claims_that_the_page_judges() -> None:
    assert [set(re.findall(r"\[(C\d+)\]", text)) for text in captions({"C7", "C9", "C1"})] == [{"C7", "C9"}] * 3
    assert "[C8](#c8)" in captions({"C8"})[0]


def test_the_weights_move_and_the_others_stand_still(answers: dict[str, Path]) -> None:
    moving = answers["C7"] / "figures" / "weights.png"
    assert moving.stat().st_size < 300_000
    with Image.open(moving) as opened:
        picture: Any = opened
        # The first picture is the one for viewers that show one.
        assert picture.n_frames == FRAMES + 1 and picture.info["loop"] == 0
        shown = np.asarray(picture.convert("RGB"))
        frames = []
        for frame in range(1, picture.n_frames):
            picture.seek(frame)
            frames.append(np.asarray(picture.convert("RGB")))
    np.testing.assert_array_equal(shown, frames[-1])
    # Each frame is drawn over the one before it.
    assert all((before != after).any() for before, after in zip(frames, frames[1:], strict=False))
    with Image.open(answers["C7"] / "figures" / "boundaries.png") as still:
        assert not getattr(still, "is_animated", False)


def test_the_same_runs_give_the_same_files(answers: dict[str, Path], tmp_path: Path) -> None:
    write_pictures(tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (answers["C7"] / "figures" / name).read_bytes(), name


def test_a_frame_that_changes_changes_the_file(tmp_path: Path) -> None:
    drawing = Figure(figsize=(1, 1))
    [line] = drawing.subplots().plot([0, 1], [0, 1])

    def file(slope: float) -> bytes:
        def show(frame: int) -> None:
            line.set_ydata([0, slope * frame / 3])

        save_animation(drawing, show, 4, tmp_path / "one.png", {})
        return (tmp_path / "one.png").read_bytes()

    assert file(1.0) == file(1.0) != file(2.0)


TAMPERED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a path": ("weights.svg", lambda path: path.write_text(path.read_text().replace("L 1", "L 2", 1)), "shows something else"),
    "a frame": ("weights.png", lambda path: path.write_bytes(path.read_bytes()[:-20]), "is not the file that was written"),
    "a boundary": ("boundaries.svg", lambda path: path.write_text(path.read_text().replace("L 1", "L 2", 1)), "shows something else"),
    "a saddle": ("saddle.pdf", lambda path: path.unlink(), "missing"),
}


def test_verify_draws_them_again(answers: dict[str, Path]) -> None:
    done = call("verify", answers["C7"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("what", TAMPERED)
def test_verify_names_a_picture_that_does_not_follow(what: str, answers: dict[str, Path], tmp_path: Path) -> None:
    reports = Path(shutil.copytree(answers["C7"], tmp_path / "reports"))
    name, tamper, said = TAMPERED[what]
    path, listed = reports / "figures" / name, reports / LIST
    tamper(path)
    if path.suffix == ".svg":
        # Somebody who also renews the list.
        content = json.loads(listed.read_text())
        content["files"][f"figures/{name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
        listed.write_text(json.dumps(content))
    done = call("verify", reports)
    assert done.exit_code == 1
    assert f"{name}: {said}" in done.output.replace("\n", " ")
