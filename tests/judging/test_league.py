"""A league with one more row."""

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.judging.checks import check
from analysis.judging.league import INITIALIZER, RATE, league_experiment, standings
from analysis.judging.verdict import Outcome
from bench.spec import catalog
from tests.report.test_answer_page import BLANK

OWN = """
def sign_scaled(key, shape, dtype, gain: float = 1.0):
    import jax
    return gain * shape[0] ** -0.5 * jax.random.rademacher(key, shape, dtype)
"""


def test_the_protocol_is_that_of_the_committed_league_with_one_more_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_league_inits.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    protocol, wanted = catalog.read("x10-league"), league_experiment("own_league_inits:sign_scaled", {"gain": 2.0})
    check(wanted)
    assert wanted.axes[INITIALIZER] == [*protocol.axes[INITIALIZER], "sign_scaled (own)"]
    assert wanted.axes[RATE] == protocol.axes[RATE]
    # Every training run of the protocol is one of this league too.
    assert {cell.id for cell in protocol.cells} < {cell.id for cell in wanted.cells} and len(wanted.seeds) == len(protocol.seeds)
    quick = league_experiment("own_league_inits:sign_scaled", {}, quick=True)
    assert {cell.id for cell in quick.cells} & {cell.id for cell in protocol.cells} and len(quick.cells) == 364
    with pytest.raises(ValueError, match="is a row of the league already"):
        league_experiment("he_normal", {})
    with pytest.raises(ValueError, match="league: initializer: unknown key 'gian'; did you mean 'gain'"):
        league_experiment("own_league_inits:sign_scaled", {"gian": 2.0})


def test_where_it_wins_ties_and_loses() -> None:
    wanted = catalog.read("x10-league")
    others = wanted.axes[INITIALIZER][:-1]
    place = {"case": "1 hidden layer", "model.activation": "tanh"}
    outcomes: list[tuple[Outcome, Outcome]] = [("supported", "refuted"), ("refuted", "refuted"), ("refuted", "supported")]
    verdicts = []
    for number, other in enumerate(others):
        wins, loses = outcomes[number] if number < len(outcomes) else ("undecided", "refuted")
        verdicts += [
            replace(BLANK, id="wins", condition={**place, INITIALIZER: other}, verdict=wins, estimate=0.7, low=0.6, high=0.8),
            replace(BLANK, id=f"loses-{number}", condition=place, verdict=loses),
        ]
    found = standings(wanted, verdicts)
    assert found["result"].tolist() == ["wins", "ties", "loses", *["undecided"] * (len(others) - 3)]
    assert found["against"].tolist() == others
    assert found.loc[0, ["activation", "network", "better", "low", "high"]].tolist() == ["tanh", "1 hidden layer", 0.7, 0.6, 0.8]
