"""The first page of the site: the answer, from the answer page of the reports."""

import re
from pathlib import Path

from analysis.report.static_pages import chart_list
from analysis.site.sources import CHART

REST = "\n## Verdicts\n"
"""Where the part of the answer page begins that is for those who check it."""
CITE = "\n## Cite\n"
CLAIM = re.compile(r"\]\(#(c\d+)\)")
LOCAL = re.compile(r"\]\((?=[a-z][\w.-]*/)")
LEAF = re.compile(r"\b(C\d+|x\d\d-[a-z0-9-]+)\b(?=[,)])")
MORE = """## More

- [Explorer](explorer.md): every cell of every experiment, with its curves and training runs.
- [Train XOR in your browser](try.md) from zero, from one constant, and from random weights.
- [Claims](claims/README.md): each with its verdicts; [rules](reports/README.md#when-each-claim-holds) say when each holds.
- [All experiments](reports/README.md#experiments), with what they trained.
"""


def home(reports: Path) -> str:
    """Return the first page in Markdown, with links as they hold at the top of the project."""
    text = (reports / "README.md").read_text(encoding="utf-8")
    answer, _, rest = text.partition(REST)
    cite = rest.partition(CITE)[2]
    answer, cite = (CLAIM.sub(r"](claims/\1.md)", LOCAL.sub(f"]({reports.name}/", part)) for part in (answer, cite.strip()))
    page = f"{answer}\n\n{MORE}\n## Cite\n\n{cite}\n"
    return CHART.sub(lambda found: _linked(chart_list(found[1])), page)


def _linked(chart: str) -> str:
    """Return the chart with a link for each claim and experiment that its leaves name."""

    def link(found: re.Match[str]) -> str:
        name = found[1]
        return f'<a href="claims/{name.lower()}.html">{name}</a>' if name[0] == "C" else f'<a href="reports/{name}/index.html">{name}</a>'

    return LEAF.sub(link, chart)
