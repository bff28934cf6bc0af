"""The answer in the project's README, copied from the committed reports: `python -m analysis.report.readme`."""

import json
import re
from pathlib import Path

from analysis.judging.family import corrected, families, overall
from analysis.judging.verdict import Verdict
from analysis.report.answer import answer_rows, sentences
from analysis.report.format import markdown

BEGIN, END = "<!-- answer -->", "<!-- /answer -->"
LOCAL = re.compile(r"\]\((?=(#|x))")
"""Where a link begins that leads to a place of the answer page or to the page of an experiment."""


def answer(reports: Path) -> str:
    """The answer in rows and sentences, and the headline figure."""
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(reports.glob("*/claims.json"))]
    every = corrected([Verdict.of(record) for content in contents for record in content["claims"]])
    judged = {name: [verdict for verdict in every if verdict.family == name] for name in families()}
    whole = {name: overall(found, families()[name]) for name, found in judged.items() if found}
    answer = answer_rows(every)
    parts = [
        markdown(answer, made=tuple(answer)),
        sentences("why", whole, every),
        "![Share of training runs that learn the task from zero and from random weights](reports/figures/headline.png)",
        sentences("random", whole, every),
        f"From {sum(content['training_runs'] for content in contents):,} training runs. "
        "[The whole answer](reports/README.md): what to use, a chart, the verdicts on 23 claims with their intervals.",
    ]
    return LOCAL.sub(lambda found: "](reports/README.md" if found[1] == "#" else "](reports/", "\n\n".join(parts))


def updated(text: str, reports: Path) -> str:
    """The text of the README with a renewed answer."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{answer(reports)}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    readme = Path("README.md")
    readme.write_text(updated(readme.read_text(encoding="utf-8"), Path("reports")), encoding="utf-8")
