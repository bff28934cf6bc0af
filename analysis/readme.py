"""The answer in the project's README, copied from the committed reports: `python -m analysis.readme`."""

import json
import tomllib
from importlib.resources import files
from pathlib import Path

import pandas as pd

from analysis.answer import paragraph
from analysis.claims import Verdict, overall
from analysis.words import MARKS, markdown

BEGIN, END = "<!-- answer -->", "<!-- /answer -->"


def answer(reports: Path) -> str:
    """The answer in sentences, the verdicts on the claims of the thread, and the headline figure."""
    statements = tomllib.loads((files("analysis") / "thread.toml").read_text(encoding="utf-8"))
    families: dict[str, list[Verdict]] = {}
    lanes = 0
    for path in sorted(reports.glob("*/claims.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        lanes += json.loads((path.parent / "run.json").read_text(encoding="utf-8"))["lanes"]
        for record in content["claims"]:
            verdict = Verdict.of(record)
            if verdict.family in statements:
                families.setdefault(verdict.family, []).append(verdict)
    rows = [
        (name, statements[name], MARKS[overall(found)], f"{sum(v.verdict == 'supported' for v in found)} of {len(found)} conditions")
        for name, found in sorted(families.items(), key=lambda item: int(item[0][1:]))
    ]
    table = markdown(pd.DataFrame(rows, columns=["", "claim", "verdict", "holds in"]))
    picture = "![Share of lanes that learn the task from zero and from random weights](reports/figures/headline.png)"
    every = [verdict for found in families.values() for verdict in found]
    text = paragraph({family: overall(found) for family, found in families.items()}, every).replace("](#", "](reports/README.md#")
    return f"{text}\n\nFrom {lanes:,} training runs:\n\n{table}\n\n{picture}"


def updated(text: str, reports: Path) -> str:
    """The README's text with its answer renewed."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{answer(reports)}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    readme = Path("README.md")
    readme.write_text(updated(readme.read_text(encoding="utf-8"), Path("reports")), encoding="utf-8")
