"""The answer in the project's README, copied from the committed reports: `python -m analysis.report.readme`."""

import json
from pathlib import Path

import pandas as pd

from analysis.judging.family import corrected, counts, families, overall, standing
from analysis.judging.verdict import Verdict
from analysis.report.answer import paragraph
from analysis.report.format import markdown, marked

BEGIN, END = "<!-- answer -->", "<!-- /answer -->"


def answer(reports: Path) -> str:
    """The answer in sentences, the verdicts on the claims of the thread, and the headline figure."""
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(reports.glob("*/claims.json"))]
    every = corrected([Verdict.of(record) for content in contents for record in content["claims"]])
    judged = {name: [verdict for verdict in every if verdict.family == name] for name in families()}
    whole = {name: overall(found, families()[name]) for name, found in judged.items() if found}
    rows = [(name, families()[name].says, f"{verdict}{standing(judged[name])}", counts(judged[name])) for name, verdict in whole.items()]
    table = markdown(marked(pd.DataFrame(rows, columns=["", "claim", "verdict", "conditions"])))
    picture = "![Share of training runs that learn the task from zero and from random weights](reports/figures/headline.png)"
    text = paragraph(whole, every).replace("](#", "](reports/README.md#")
    return f"{text}\n\nFrom {sum(content['training_runs'] for content in contents):,} training runs:\n\n{table}\n\n{picture}"


def updated(text: str, reports: Path) -> str:
    """The text of the README with a renewed answer."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{answer(reports)}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    readme = Path("README.md")
    readme.write_text(updated(readme.read_text(encoding="utf-8"), Path("reports")), encoding="utf-8")
