"""Kinds of figures of a user's own: what is wrong with one is told before anything trains, and `initbench check` tries it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.judging.checks import check
from analysis.report.drawing import drawn
from analysis.rows.load import load
from bench import Experiment
from bench.runs.train import run
from initbench import pieces
from tests.commands import MINE, call
from tests.conftest import experiment

WRONG = {
    "nowhere:figured": "No module named 'nowhere'",
    "pieces:figurd": "has no 'figurd'; did you mean 'figured'",
    "pieces:figured_of_one": "it does not take figure; write def figured_of_one(run, figure)",
    "pieces:figured_of_more": "its argument 'size' has no value; write size = ... beside its name, or give it a default",
    "pieces:made": "is not a function or class; a figure kind is called as (run, figure)",
}


def drawing(kind: str | dict[str, Any]) -> Experiment:
    return experiment(figure=[{"name": "mine", "kind": kind, "caption": ""}])


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_with_a_kind_is_told_before_training(kind: str) -> None:
    with pytest.raises(ValueError, match="^experiment 'xor-test': figure 'mine': figure kind '") as raised:
        check(drawing(kind))
    assert WRONG[kind] in str(raised.value) and "\n" not in str(raised.value)


def test_a_right_kind_passes() -> None:
    check(drawing("pieces:figured"))


def test_a_plan_alone_tells_it_too(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE.replace('kind = "rate"', 'kind = "nowhere:figured"'))
    done = call("run", tmp_path / "mine.toml", "--dry-run")
    assert done.exit_code == 2 and len(done.stderr.splitlines()) == 1 and "No module named 'nowhere'" in done.stderr


def test_check_tries_a_kind() -> None:
    kept = pieces.check("pieces:figured")
    assert (kept.kind, kept.guessed, [one.state for one in kept.contracts]) == ("figure", True, ["kept", "kept"])
    assert [one.state for one in pieces.check("pieces:figured_of_one", "figure").contracts] == ["broken", "untried"]
    broken = pieces.check("pieces:figured_nothing").contracts[1]
    assert broken.state == "broken" and "it returns a NoneType, which is no matplotlib Figure" in broken.why
    elsewhere = pieces.check("pieces:figured_elsewhere").contracts[1]
    assert elsewhere.state == "untried" and "KeyError: 'somewhere'" in elsewhere.why
    assert [one.state for one in pieces.check("pieces:figured", options={"size": 2}).contracts] == ["broken", "untried"]
    assert [one.state for one in pieces.check("pieces:figured_of_more", options={"size": 2.0}).contracts] == ["kept", "kept"]


def test_a_kind_has_options() -> None:
    check(drawing({"name": "pieces:figured_of_more", "size": 2}))
    with pytest.raises(ValueError, match="^experiment 'xor-test': figure 'mine': kind: .*sizes") as raised:
        check(drawing({"name": "pieces:figured_of_more", "size": 2, "sizes": 3}))
    assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match="figure 'mine': kind: .*bins"):
        check(drawing({"name": "ecdf", "bins": 3}))


def test_the_options_of_a_kind_reach_it(tmp_path: Path) -> None:
    given = {"name": "mine", "kind": {"name": "pieces:figured_of_more", "size": 2.5}, "caption": ""}
    found = load(run(experiment(figure=[given]), tmp_path), ["pieces"])
    figures = found.experiment.figure or ()
    assert np.asarray(drawn(found, figures[0]).axes[0].lines[0].get_ydata()).tolist() == [0, 2.5]
    assert (figures[0].kind_name, figures[0].kind) == ("pieces:figured_of_more", given["kind"])
