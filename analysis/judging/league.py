"""A league with one more row: an initializer of somebody's own against the standard ones, by the protocol of `x10-league`."""

import tomllib
from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.judging.verdict import Verdict
from bench.spec import Experiment, catalog
from bench.spec.document import write_document

PROTOCOL = "x10-league"
QUICK_CASES, QUICK_SEEDS = 2, 64
INITIALIZER, RATE = "initializer", "optimizer.learning_rate"


def league_experiment(name: str, options: dict[str, Any], seeds: int | None = None, quick: bool = False) -> Experiment:
    """Return the experiment that holds an initializer (`module:name`, or one of the package) against those of the league.

    `quick`: the two shallowest networks with 64 seeds. ValueError if the initializer cannot be used, or is a row of the league already.
    """
    content = tomllib.loads(catalog.read(PROTOCOL).text)
    rows = content["grid"][INITIALIZER]
    ours = {"name": name, **options}
    if ours in rows:
        raise ValueError(f"initializer '{name}' is a row of the league already; give it other options, or take another")
    label = f"{name.rpartition(':')[2]} (own)"
    league = catalog.read(PROTOCOL).axes[INITIALIZER]
    content["grid"][INITIALIZER] = [*rows, {"label": label, **ours}]
    if quick:
        content["case"] = content["case"][:QUICK_CASES]
    wanted = seeds if seeds is not None else QUICK_SEEDS if quick else content["seeds"]["init"]
    figure = next(figure for figure in content["figure"] if figure["kind"] == "league")
    best = {"measure": "test_loss_final", "best": RATE}
    text = write_document(
        {
            **content,
            "name": f"league-{''.join(letter if letter.isalnum() else '-' for letter in name.rpartition(':')[2])}",
            "question": f"Where does {label} win, tie and lose against the standard initializers, each at its best learning rate?",
            "seeds": {**content["seeds"], "init": wanted},
            "published": [],
            "claim": [
                {
                    "id": "wins",
                    "says": f"{label} tends to end with a smaller test loss.",
                    "where": {INITIALIZER: league},
                    "by": ["case", "model.activation", INITIALIZER],
                    "greater_than": {"where": {INITIALIZER: label}},
                    **best,
                },
                *(
                    {
                        "id": f"loses-{number}",
                        "says": f"{label} tends to end with a larger test loss than {other}.",
                        "where": {INITIALIZER: label},
                        "by": ["case", "model.activation"],
                        "greater_than": {"where": {INITIALIZER: other}},
                        **best,
                    }
                    for number, other in enumerate(league)
                ),
            ],
            "figure": [{**figure, "shows": ["wins"], "caption": f"{figure['caption']} The last row is the one that joined."}],
        }
    )
    return Experiment.parse(text, "league")


def standings(experiment: Experiment, verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Return where the row that joined wins, ties, loses, or nothing is decided: a line per initializer, activation function and depth.

    `better`, `low` and `high` are the probability that it ends with the smaller test loss, with its 95% interval. A tie is a probability
    that is shown to lie within the margin of 1/2.
    """
    league = experiment.axes[INITIALIZER][:-1]
    losing = {
        (league[int(verdict.id.partition("-")[2])], *verdict.condition.values()): verdict for verdict in verdicts if verdict.id != "wins"
    }
    lines = []
    for wins in verdicts:
        if wins.id == "wins":
            place = [wins.condition[axis] for axis in ("case", "model.activation")]
            other = wins.condition[INITIALIZER]
            lines.append((other, *reversed(place), _result(wins, losing[other, *place]), wins.estimate, wins.low, wins.high, wins.reason))
    return pd.DataFrame(lines, columns=["against", "activation", "network", "result", "better", "low", "high", "reason"])


def _result(wins: Verdict, loses: Verdict) -> str:
    if "supported" in (wins.verdict, loses.verdict):
        return "wins" if wins.verdict == "supported" else "loses"
    return "ties" if wins.verdict == loses.verdict == "refuted" else "undecided"
