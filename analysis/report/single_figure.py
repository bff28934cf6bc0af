"""One figure of a run, drawn again as its user wants it."""

import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from analysis.figures.check import check_figures
from analysis.figures.default import figures_of
from analysis.figures.style import styled
from analysis.judging.judge import judge
from analysis.report.compact import compact
from analysis.report.drawing import FORMATS, draw
from analysis.report.result import Result
from analysis.report.rules import figure_title, rules_of
from analysis.report.write import stored_verdicts
from analysis.rows.load import Run, load, naming_missing_columns
from bench.messages import nearest, shown
from bench.registry import trusting
from bench.spec import Figure

SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*x\s*(\d+(?:\.\d+)?)\s*")
SMALLEST, LARGEST = 0.5, 40.0
"""Ends of the widths and heights that are drawn, in inches."""


@naming_missing_columns
def write_figure(
    folder: Path, name: str, out: Path, kind: str, size: str | None, style: Path | None, data: Path | None, trust: Collection[str] = ()
) -> list[Path]:
    """Draw a figure of a run folder or report into `out/NAME.KIND`, and write its numbers to `data`; returns the files that were written.

    `size`: a text like `3.3x2.5`, width and height in inches. ValueError if there is no such figure, format, size or style.
    """
    if kind not in FORMATS:
        raise ValueError(f"--format {kind}: {nearest(kind, FORMATS)}")
    inches = _inches(size) if size is not None else None
    run = compact(load(folder, trust, interim=True))
    check_figures(run.experiment, run.lanes, run.curves)
    figures = {figure.name: figure for figure in figures_of(run.experiment)}
    if name not in figures:
        raise ValueError(f"{folder}: no figure {shown(name)}; {nearest(name, figures) if figures else 'its experiment file has none'}")
    with styled(style), trusting(trust):
        draw(run, figures[name], title_for(run, figures[name]), out / name, (kind,), inches, data)
    written = (out / f"{name}.{kind}", data)
    return [file for file in written if file is not None and file.exists()]


def title_for(run: Run, figure: Figure) -> str:
    """Return the title of a figure, by the verdicts that the run's report holds, otherwise by those that its rows give."""
    if not figure.shows:
        return ""
    laws, verdicts = stored_verdicts(run.folder) if run.manifest.of_report else judge(run)
    result = Result(run, laws, verdicts, pd.DataFrame())
    return figure_title(result, rules_of(result), figure)


def _inches(size: str) -> tuple[float, float]:
    """Return the width and height that a text names; ValueError if it names none that can be drawn."""
    found = SIZE.fullmatch(size)
    if found is None or not all(SMALLEST <= float(side) <= LARGEST for side in found.groups()):
        raise ValueError(f"--size {shown(size)}: WIDTHxHEIGHT in inches, each {SMALLEST:g} to {LARGEST:g}, for example 3.3x2.5")
    return float(found[1]), float(found[2])
