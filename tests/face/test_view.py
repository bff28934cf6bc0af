"""How a run shows itself: all of its texts are data, and no text of a folder becomes markup."""

import io
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from rich.console import Console

import initbench
from analysis.judging.judge import judge
from initbench.view import MOST_CELLS

EVIL = "<script>alert(1)</script>[bold red]\x1b[31m"


def told(run: initbench.Run) -> str:
    """What rich prints of a run."""
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(run)
    return console.export_text()


def test_it_shows_its_cells_in_text_and_in_html(small: initbench.Run) -> None:
    assert repr(small).splitlines() == ["Run 'small': 80 training runs in 2 cells", "results/runs/small"]
    for text in (told(small), small._repr_html_()):
        assert "80 training runs in 2 cells" in text
        assert "Glorot" in text and "never" in text and "1.000" in text
    assert small._repr_html_().count("<tr") == 3


def test_texts_of_a_folder_are_shown_as_they_are(small: initbench.Run) -> None:
    forged = small.lanes["initializer"].cat.rename_categories({"zeros": EVIL})
    run = replace(small, folder=Path(EVIL), lanes=small.lanes.assign(initializer=forged))
    run.__dict__["_summary"] = small.summary().replace({"zeros": EVIL})
    for text in (told(run), run._repr_html_(), repr(run)):
        assert "\x1b" not in text and "[bold red]" in text
    assert "<script>" not in run._repr_html_() and "&lt;script&gt;" in run._repr_html_()


def test_of_many_cells_it_shows_the_first_and_how_many_more(small: initbench.Run) -> None:
    run = replace(small)
    run.__dict__["_summary"] = small.summary().sample(MOST_CELLS + 7, replace=True, random_state=0)
    assert run._repr_html_().count("<tr") == 1 + MOST_CELLS and "and 7 more cells" in run._repr_html_()
    assert "and 7 more cells" in told(run)


def test_verdicts_are_those_of_judge(small: initbench.Run) -> None:
    [verdict] = judge(small)[1]
    [line] = small.verdicts().to_dict("records")
    assert {name: line[name] for name in ("estimate", "low", "high", "verdict", "reason", "n_draws")} == {
        name: getattr(verdict, name) for name in ("estimate", "low", "high", "verdict", "reason", "n_draws")
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_a_figure_is_given_and_the_users_own_stay_open(small: initbench.Run) -> None:
    mine = plt.figure()
    there = plt.get_fignums()
    assert small.figure("solved").axes
    with pytest.raises(ValueError, match="no figure 'sovled'; did you mean 'solved'"):
        small.figure("sovled")
    assert plt.get_fignums() == there
    plt.close(mine)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_settings_of_the_session_do_not_reach_a_report(small: initbench.Run) -> None:
    def drawn() -> bytes:
        small.figure("solved").savefig("drawn.png", dpi=50, facecolor="white")
        return Path("drawn.png").read_bytes()

    before = drawn()
    with plt.rc_context({"font.weight": "bold", "axes.xmargin": 0.4}):
        assert drawn() == before
