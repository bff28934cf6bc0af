"""Figures of a report, drawn and written in all formats."""

import io
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from analysis.escape import csv_text
from analysis.figures import figure_kind
from analysis.figures.check import kind
from analysis.figures.numbers import numbers_of
from analysis.figures.style import ONE_COLUMN, legends_below, log_ticks, note_below, rc, title_above, to_columns
from analysis.report.citation import figure_source
from analysis.rows.load import Run
from analysis.words import column_words
from bench.registry import PieceError
from bench.runs.files import write_whole
from bench.spec import Figure as FigureSpec

FORMATS: dict[str, dict[str, Any]] = {"svg": {}, "pdf": {}, "png": {"dpi": 200}}
"""Options of each format."""
UNDATED: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
"""Metadata of each format beside the source; none of them has a date."""
IN_PDF = {"Title": "Title", "Source": "Subject", "Rights": "Keywords"}
"""The keys of a PDF file under which it states its source."""

if mpl.get_backend(auto_select=False) is None:
    # Figures are files, and no window is opened; a notebook has chosen a backend of its own.
    mpl.use("Agg")


def draw(
    run: Run,
    figure: FigureSpec,
    title: str,
    path: Path,
    formats: Collection[str],
    size: tuple[float, float] | None = None,
    data: Path | None = None,
) -> None:
    """Draw a figure as `drawn` does, and write it in these formats. `data`: a file for the numbers that it shows, as CSV."""
    drawing = drawn(run, figure, title, size, data)
    with _misfit_told(figure):
        _write(drawing, path, formats, figure_source(run))


def drawn(
    run: Run,
    figure: FigureSpec,
    title: str = "",
    size: tuple[float, float] | None = None,
    data: Path | None = None,
) -> Figure:
    """Return a figure of the experiment file, of which pyplot no longer knows; ValueError with one line if it does not fit these rows.

    `size`: width and height in inches; None: one or two columns of a journal. A run that is not complete may lack the rows that the figure
    needs; a note is then drawn in its place.
    """
    try:
        with _misfit_told(figure):
            with figure_style():
                drawing = kind(figure)(run, figure)
            if not isinstance(drawing, Figure):
                raise figure_kind[figure.kind_name].fault(f"it returns a {type(drawing).__name__}, which is no matplotlib Figure")
            if data is not None:
                write_whole(data, csv_text(numbers_of(drawing)).encode())
            _lay_out(drawing, ". ".join(filter(None, [run.interim, _marks(figure)])), size, title)
    except ValueError:
        if not run.interim:
            raise
        drawing = _empty()
        _lay_out(drawing, run.interim, size)
    plt.close(drawing)
    return drawing


def _marks(figure: FigureSpec) -> str:
    """The words for the marks of a figure; empty for a kind of the user's own that does not say so."""
    return str(figure_kind[figure.kind_name].traits.get("marks", "")).format(y=column_words(figure.y or ""))


@contextmanager
def _misfit_told(figure: FigureSpec) -> Iterator[None]:
    """Tell errors of drawing a figure in one line (ValueError), and close what was drawn until then."""
    before = plt.get_fignums()
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        # A kind may need more of a model or task than its keys say, which cannot be listed: any error means a misfit.
        for number in set(plt.get_fignums()) - set(before):
            plt.close(number)
        if isinstance(error, PieceError):
            raise
        what = f"figure '{figure.name}': '{figure.kind_name}' does not fit these rows"
        raise ValueError(f"{what}: {type(error).__name__}: {error}") from error


def _empty() -> Figure:
    """A figure that says that its training runs have not ended yet."""
    drawing = plt.figure(figsize=(ONE_COLUMN, 1), layout="constrained")
    drawing.text(0.5, 0.5, "The training runs that this figure needs have not ended yet.", ha="center", va="center", fontsize=8)
    return drawing


@contextmanager
def figure_style() -> Iterator[None]:
    """The fonts and lines of all figures. A script that the font lacks is drawn as boxes, and labels without room overlap."""
    with mpl.rc_context(), warnings.catch_warnings():
        # Settings of a session, such as a notebook's, are none of a report's.
        mpl.rcdefaults()
        mpl.rcParams.update(rc())
        for message in ("Glyph .* missing from font", "constrained_layout not applied"):
            warnings.filterwarnings("ignore", message, UserWarning)
        yield


def save(
    drawing: Figure,
    path: Path,
    formats: Collection[str] = FORMATS,
    note: str = "",
    title: str = "",
    source: Mapping[str, str] | None = None,
    size: tuple[float, float] | None = None,
) -> None:
    """Write a figure in these formats, with a title above and `note` in a line below it, and close it.

    The same figure gives the same files. `source`: what they state of it, see `analysis.report.citation.figure_source`. `size`: width and
    height in inches; None: the width of one or two columns of a journal.
    """
    _lay_out(drawing, note, size, title)
    _write(drawing, path, formats, source or {})
    plt.close(drawing)


def _lay_out(drawing: Figure, note: str = "", size: tuple[float, float] | None = None, title: str = "") -> None:
    """Give a figure its size and ticks, a title above and `note` in a line below it; its layout is then the same in all formats.

    `size`: width and height in inches; None: the width of one or two columns of a journal.
    """
    with figure_style():
        if size is None:
            to_columns(drawing)
        else:
            drawing.set_size_inches(size)
        log_ticks(drawing)
        top = title_above(drawing, title, grows=size is None) if title else 1.0
        if note:
            note_below(drawing, note, grows=size is None)
        drawing.draw_without_rendering()
        drawing.set_layout_engine("none")
        legends_below(drawing, top)


def _write(drawing: Figure, path: Path, formats: Collection[str], source: Mapping[str, str]) -> None:
    with figure_style():
        for kind in formats:
            content = io.BytesIO()
            stated = {IN_PDF[key] if kind == "pdf" else key: text for key, text in source.items()}
            drawing.savefig(content, format=kind, metadata={**UNDATED[kind], **stated}, **FORMATS[kind])
            write_whole(path.with_name(f"{path.name}.{kind}"), content.getvalue())
