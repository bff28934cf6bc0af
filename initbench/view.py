"""A run as a user looks at it: its tables, figures and report, and how it shows itself."""

from dataclasses import fields
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, Self

import pandas as pd
from matplotlib.figure import Figure
from rich.console import Group
from rich.table import Table
from rich.text import Text

from analysis.escape import plain_text
from analysis.figures.check import check_figures
from analysis.figures.default import figures_of
from analysis.judging.judge import judge
from analysis.judging.verdict import Verdict
from analysis.report.compact import compact
from analysis.report.drawing import drawn
from analysis.report.experiment_tables import cell_frame
from analysis.report.result import Result
from analysis.report.single_figure import title_for
from analysis.report.write import write_report
from analysis.rows import load as rows
from analysis.rows.measures import check_measures
from analysis.rows.summary import summarize
from bench.messages import nearest, shown
from bench.registry import trusting
from bench.runs.storage import local_place

MOST_CELLS = 20
"""Number of cells that are shown; of more, the first ones."""
WORDS = ("measure", "criterion", "verdict")
"""Fields of a verdict that are words, in the order of the table's columns."""
NUMBERS = ("estimate", "low", "high", "level", "p_value", "n_lanes", "n_draws")
"""Fields of a verdict that are numbers, in the order of the table's columns."""


class Run(rows.Run):
    """A run: `folder`, `experiment` and `manifest`, its rows `lanes` (one per training run) and its `curves` (one per logged step).

    >>> import initbench as ib
    >>> found = ib.load("results/runs/small")
    >>> found
    Run 'small': 80 training runs in 2 cells
    results/runs/small
    >>> list(found.curves.columns)
    ['cell', 'data_seed', 'init_seed', 'step', 'loss']
    """

    @classmethod
    def of(cls, run: rows.Run) -> Self:
        """Return a run with the methods of this class."""
        return cls(**{field.name: getattr(run, field.name) for field in fields(rows.Run)})

    def summary(self) -> pd.DataFrame:
        """Return a line per cell: outcomes, steps to solve and final losses, with 95% intervals.

        >>> import initbench as ib
        >>> ib.load("results/runs/small").summary()[["initializer", "lanes", "stuck", "diverged"]]
             initializer  lanes  stuck  diverged
        0          zeros     40    1.0       0.0
        1  glorot_normal     40    0.0       0.0
        """
        return self._summary.copy()

    def verdicts(self) -> pd.DataFrame:
        """Return a line per claim and condition: the verdict, the number that was measured, and its interval.

        `n_lanes` is the number of training runs, `n_draws` that of independent draws among them. ValueError if a claim asks for what the
        rows do not have.

        >>> import initbench as ib
        >>> ib.load("results/runs/small").verdicts()[["claim", "verdict", "n_lanes"]]
            claim    verdict  n_lanes
        0  random  supported       40
        """
        return pd.DataFrame(
            [_line(verdict) for verdict in self._verdicts], columns=["claim", "says", "condition", *WORDS, *NUMBERS, "reason"]
        )

    def figure(self, name: str) -> Figure:
        """Return a figure of the experiment file, or of those that fit its grid if it declares none.

        ValueError if there is no such figure, or if it does not fit these rows.

        >>> import initbench as ib
        >>> found = ib.load("results/runs/small")
        >>> found.figures
        ['solved', 'steps', 'loss', 'curves']
        >>> found.figure("solved").savefig("solved.pdf")
        """
        run = compact(self)
        check_figures(run.experiment, run.lanes, run.curves)
        known = {figure.name: figure for figure in figures_of(run.experiment)}
        if name not in known:
            raise ValueError(f"{self.folder}: no figure {shown(name)}; {nearest(str(name), known) if known else 'its experiment has none'}")
        with trusting(self.trust):
            return drawn(run, known[name], title_for(run, known[name]))

    @property
    def figures(self) -> list[str]:
        """Names of the figures."""
        return [figure.name for figure in figures_of(self.experiment)]

    def report(self, out: Path | str = "results/reports") -> Path:
        """Write the report of this run into `out`, and return the path of its page.

        >>> import initbench as ib
        >>> ib.load("results/runs/small").report().as_posix()
        'results/reports/small/README.md'
        """
        target = local_place(out)
        write_report([self.folder], target, self.trust)
        return target / self.experiment.name / "README.md"

    def __repr__(self) -> str:
        return f"{self._headline}\n{plain_text(self.folder)}"

    def __rich__(self) -> Group:
        """Return the headline, a table of the cells and the folder, for `rich.print`."""
        table = Table()
        for column in self._cells.columns:
            table.add_column(_text(column))
        for line in self._cells.itertuples(index=False):
            table.add_row(*map(_text, line))
        return Group(*map(_text, (self._headline, "")), table, *map(_text, self._foot))

    def _repr_html_(self) -> str:
        """Return the same as HTML, for a notebook; every text in it is escaped."""
        table = self._cells.map(plain_text).rename(columns=plain_text).to_html(index=False, border=0)
        return f"<p><b>{escape(self._headline)}</b></p>{table}" + "".join(f"<p>{escape(plain_text(line))}</p>" for line in self._foot)

    @cached_property
    def _summary(self) -> pd.DataFrame:
        return summarize(self)

    @cached_property
    def _verdicts(self) -> list[Verdict]:
        check_measures(self.experiment, self.lanes)
        return _judged(self.folder, self)

    @cached_property
    def _cells(self) -> pd.DataFrame:
        """The first cells as a report shows them."""
        return cell_frame(Result(self, [], [], self._summary.iloc[:MOST_CELLS]))

    @property
    def _headline(self) -> str:
        cells = len(self.experiment.cells)
        count = f"{len(self.lanes):,} training runs in {cells:,} cell{'' if cells == 1 else 's'}"
        return ", ".join(part for part in (f"Run '{self.experiment.name}': {count}", self.interim) if part)

    @property
    def _foot(self) -> list[str]:
        more = len(self._summary) - MOST_CELLS
        return [*([f"and {more:,} more cells"] if more > 0 else []), str(self.folder)]


@rows.naming_missing_columns
def _judged(folder: Path, run: Run) -> list[Verdict]:
    """Judge a run of this folder; ValueError if its rows lack a column."""
    return judge(run)[1]


def _line(verdict: Verdict) -> dict[str, Any]:
    condition = ", ".join(f"{axis} = {value}" for axis, value in verdict.condition.items())
    fields = {name: getattr(verdict, name) for name in (*WORDS, *NUMBERS, "reason")}
    return {"claim": verdict.id, "says": verdict.says, "condition": condition, **fields}


def _text(text: object) -> Text:
    """Return a text from which rich reads no markup, and which cannot control the terminal."""
    return Text(plain_text(text))
