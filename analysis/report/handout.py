"""The answer on one page in PDF, for handouts: the rows of the answer, the headline figure and the verdict on each claim."""

import textwrap

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from analysis.escape import plain_lines
from analysis.figures.headline import draw_headline
from analysis.report.answer import rows
from analysis.report.answer_page import title, trained_runs
from analysis.report.answer_table import answer_frame
from analysis.report.citation import AUTHOR, LICENSE
from analysis.report.result import Result

A4 = (8.27, 11.69)
"""Width and height of the page in inches."""
COLORS = {"yes": "#00694B", "no": "#A63A00"}
ROW, LINE = 104, 118
"""Characters of a line of the answer, and of a claim with its answer."""


def _shown(text: str) -> str:
    """A text that matplotlib draws as it is, line by line."""
    return plain_lines(text).replace("$", r"\$")


def handout(results: list[Result], table: pd.DataFrame) -> Figure:
    """Return the page for these reports, whose verdicts are corrected over their families; `table` is that of the headline figure."""
    claims, judged = answer_frame(results), rows([verdict for result in results for verdict in result.verdicts])
    page = plt.figure(figsize=A4)
    page.text(0.06, 0.965, _shown(title(results)), fontsize=16, fontweight="bold", va="top")
    height = 0.93
    for row in judged:
        said = f"{row.starts_at_zero}: {row.because}" if row.because else row.starts_at_zero
        text = textwrap.fill(said, ROW)
        page.text(0.06, height, row.answer, fontsize=8.5, fontweight="bold", va="top", color=COLORS.get(row.answer, "0.3"))
        page.text(0.12, height, _shown(text), fontsize=8.5, va="top")
        height -= 0.0145 * (text.count("\n") + 1) + 0.003
    lines = [textwrap.fill(f"{line['claim']}  {line['says']}", LINE) for _, line in claims.iterrows()]
    room = 0.0125 * sum(text.count("\n") + 1 for text in lines) + 0.06
    # The figure has the part of the page between the answer and the claims.
    page.set_layout_engine("constrained", rect=(0.05, room + 0.01, 0.9, height - room - 0.02))
    draw_headline(page, table)
    height = room - 0.01
    for text, (_, line) in zip(lines, claims.iterrows(), strict=True):
        page.text(0.06, height, _shown(text), fontsize=7, va="top")
        page.text(0.94, height, line["answer"], fontsize=7, va="top", ha="right", fontweight="bold")
        height -= 0.0125 * (text.count("\n") + 1)
    page.text(
        0.06,
        0.02,
        f"{AUTHOR}: initbench. {trained_runs(results)} Each answer has rules, intervals and counts on its page. {LICENSE}.",
        fontsize=7,
    )
    return page
