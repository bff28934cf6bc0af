"""The pages of single claims, from the tables and verdicts of committed reports."""

import json
from pathlib import Path

import pandas as pd

from analysis.escape import markdown_text
from analysis.judging.family import corrected
from analysis.judging.verdict import Verdict
from analysis.report.format import condition, interval, markdown, marked, measure, number, outcome, runs
from analysis.report.rules import picture_name
from analysis.site.sources import adapted

FOLDER = Path("claims")


def write_claims(reports: Path, target: Path) -> dict[str, str]:
    """Write a page for each claim of the thread that these reports judge, and one that lists them; returns their titles by claim."""
    (target / FOLDER).mkdir(parents=True)
    lines = pd.read_csv(reports / "tables" / "verdicts.csv", dtype=str, keep_default_na=False).set_index("claim")
    found = _verdicts(reports)
    titles = {claim: f"{claim}: {line['says']}" for claim, line in lines.iterrows()}
    for claim, line in lines.iterrows():
        # Its matrix is shown as on the answer page, with which it came.
        text, _ = adapted(_page(str(claim), line, found, reports), page_of(str(claim)), reports.parent)
        (target / page_of(str(claim))).write_text(text, encoding="utf-8")
    table = lines.reset_index()[["claim", "says", "answer", "verdict", "rule"]]
    table["claim"] = [f"[{claim}]({claim.lower()}.md)" for claim in table["claim"]]
    listed = markdown(marked(table), made=("claim",))
    text = f"# Claims\n\nThe claims of the discussion that the experiments test, each with a page.\n\n{listed}\n"
    (target / FOLDER / "README.md").write_text(text, encoding="utf-8")
    return titles


def page_of(claim: str) -> Path:
    """Return the path of the page of a claim."""
    return FOLDER / f"{claim.lower()}.md"


def _verdicts(reports: Path) -> list[tuple[str, Verdict]]:
    """Return all verdicts with the names of their experiments, corrected over their families as on the answer page."""
    contents = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(reports.glob("*/claims.json"))}
    named = [(name, Verdict.of(record)) for name, content in contents.items() for record in content["claims"]]
    return list(zip((name for name, _ in named), corrected([verdict for _, verdict in named]), strict=True))


def _page(claim: str, line: pd.Series, found: list[tuple[str, Verdict]], reports: Path) -> str:
    own = [(name, verdict) for name, verdict in found if verdict.family == claim]
    matrix = reports / "figures" / f"{picture_name(claim)}.png"
    parts = [
        f"# {claim}: {markdown_text(line['says'])}",
        f"**Answer: {markdown_text(line['answer'])}.** {markdown_text(line['verdict']).capitalize()}; {markdown_text(line['conditions'])}.",
        markdown_text(line["rule"]),
        f"![The conditions of {claim}](../reports/figures/{matrix.name})" if matrix.is_file() else "",
        f"Typical numbers: {markdown_text(line['typical number'])}. Behind them stand {markdown_text(line['n'])}.",
        "## Verdicts",
        markdown(marked(_frame(own)), made=("report",)),
        "How to read them: [all claims and their rules](../reports/README.md#verdicts).",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _frame(own: list[tuple[str, Verdict]]) -> pd.DataFrame:
    """The table with one line per criterion and condition."""
    return pd.DataFrame(
        [
            {
                "report": f"[{name}](../reports/{name}/README.md)",
                "says": verdict.says,
                "where": condition(verdict),
                "verdict": outcome(verdict),
                "measured": f"{measure(verdict)} {number(verdict)}",
                "interval": interval(verdict),
                "n": runs(verdict),
            }
            for name, verdict in own
        ]
    )
