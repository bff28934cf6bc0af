"""Kinds of figures of a user's own: what is wrong with one is told before anything trains, and `initbench check` tries it."""

from pathlib import Path

import pytest

from analysis.judging.checks import check
from bench import Experiment
from initbench import pieces
from tests.commands import MINE, call
from tests.conftest import experiment

WRONG = {
    "nowhere:figured": "No module named 'nowhere'",
    "pieces:figurd": "has no 'figurd'; did you mean 'figured'",
    "pieces:figured_of_one": "it does not take figure; write def figured_of_one(run, figure)",
    "pieces:figured_of_more": "missing a required argument: 'size'; write def figured_of_more(run, figure)",
    "pieces:made": "is not a function or class; a figure kind is called as (run, figure)",
}


def drawing(kind: str) -> Experiment:
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
    with pytest.raises(ValueError, match="--option size: figure 'pieces:figured' takes no options"):
        pieces.check("pieces:figured", options={"size": 2})
