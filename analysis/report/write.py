"""Reports: everything that a reader sees, generated from stored rows."""

import hashlib
import io
import json
import os
import warnings
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from pydantic import TypeAdapter  # noqa: E402

from analysis.escape import csv_text  # noqa: E402
from analysis.figures import figure_kind  # noqa: E402
from analysis.figures.check import check_figures  # noqa: E402
from analysis.figures.headline import comparisons, headline  # noqa: E402
from analysis.figures.style import ONE_COLUMN, log_ticks, note_below, rc, to_columns  # noqa: E402
from analysis.judging.judge import judge  # noqa: E402
from analysis.judging.verdict import Verdict  # noqa: E402
from analysis.laws import Law  # noqa: E402
from analysis.report.answer_page import answer_frame, answer_page, jointly  # noqa: E402
from analysis.report.experiment_page import experiment_page, interim_note, tables  # noqa: E402
from analysis.report.format import latex  # noqa: E402
from analysis.report.result import Result  # noqa: E402
from analysis.report.written import REPORT, check_target, publish, refuse_links, staging  # noqa: E402
from analysis.rows.load import Run, load, naming_missing_columns  # noqa: E402
from analysis.rows.measures import check_measures, left_out, named_columns  # noqa: E402
from analysis.rows.summary import ESTIMATORS, summarize  # noqa: E402
from bench.messages import one_line  # noqa: E402
from bench.registry import trusting  # noqa: E402
from bench.runs.files import (  # noqa: E402
    MOST_TEXT,
    read_inside,
    write_whole,  # noqa: E402
)
from bench.runs.manifest import (
    Part,  # noqa: E402
    read_manifest,  # noqa: E402
)
from bench.runs.parts import STEPS_OR_NULL, parquet_bytes  # noqa: E402
from bench.spec import Figure as FigureSpec  # noqa: E402

T = TypeVar("T")
EXACT = ("loss_initial", "loss_final", "learning_rate")
"""Columns that laws compare to more digits than float32 has."""
FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
    "png": {"dpi": 200},
}
TAKEN = ("figures", "tables", "site", "throughput")
"""Folders beside the reports: no experiment's report is called so."""
DIGEST = 16
"""Digits that a report keeps of each lane's digest: 64 bits."""


def write_report(folders: list[Path], out: Path, trust: Collection[str] = ()) -> list[Result]:
    """Judge these runs, write a page for each into `out` and the answer page about all reports there, and return what these came to.

    A run of which nothing has ended yet is left out, unless it is the only one. `trust`: modules that may be imported although a folder
    names them.
    """
    folders = [folder for folder in folders if read_manifest(folder).parts] or folders
    known = [read_manifest(folder).experiment for folder in folders]
    if len(set(known)) < len(known):
        twice = next(name for name in known if known.count(name) > 1)
        raise ValueError(f"several of these folders are runs of '{twice}'; a report is about one")
    for name in known:
        if name in TAKEN:
            raise ValueError(f"experiment '{name}': no report can be called {', '.join(TAKEN)}; give it another name")
        refuse_links(out, Path(name))
        check_target(out / name, REPORT)
    check_target(out, ("README.md",))
    with staging(out) as made:
        names = list(in_processes(partial(write_experiment, out=made, trust=trust), folders))
        for name in names:
            publish(made / name, out / name)
    results = standing(out)
    with staging(out) as made:
        write_answer(results, made)
        publish(made, out)
    return [result for result in jointly(results) if result.name in names]


def in_processes(function: Callable[[Path], T], folders: list[Path]) -> Iterator[T]:
    """A function of each of several folders, as many at a time as there are CPUs."""
    if len(folders) == 1:
        yield function(folders[0])
        return
    with ProcessPoolExecutor(min(len(folders), os.cpu_count() or 1), get_context("spawn")) as processes:
        yield from processes.map(function, folders)


def write_answer(results: list[Result], out: Path, formats: Collection[str] = FORMATS) -> None:
    """The answer page and its figure, into an empty folder; its verdicts are corrected over the families of all these experiments."""
    results = jointly(results)
    table = comparisons([result.run for result in results])
    if len(table):
        save(headline(table), out / "figures" / "headline", formats, interim_note(results))
    if len(verdicts := answer_frame(results)):
        _write_table(verdicts, out / "tables" / "verdicts")
    write_whole(out / "README.md", answer_page(results, bool(len(table))).encode())


def standing(out: Path) -> list[Result]:
    """The reports of a folder, as they were judged."""
    found = []
    for path in sorted(out.glob("*/claims.json")):
        refuse_links(out, path.relative_to(out))
        try:
            stored = json.loads(read_inside(path.parent, path.name, MOST_TEXT))
            summary = pd.read_csv(io.BytesIO(read_inside(path.parent, "summary.csv", MOST_TEXT)))
        except (ValueError, OSError, RecursionError) as error:
            raise ValueError(f"{path.parent}: claims.json or summary.csv cannot be read: {one_line(error)}") from error
        try:
            verdicts = [Verdict.of(record) for record in stored["claims"]]
            laws = TypeAdapter(list[Law]).validate_python(stored["laws"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: damaged, or of another version of initbench; make that report anew: initbench report {path.parent}"
            ) from error
        found.append(Result(load(path.parent, interim=True), laws, verdicts, summary))
    return sorted(found, key=lambda result: result.name)


def compact(run: Run) -> Run:
    """The rows as a report keeps them: float32 but for the columns that laws compare exactly. All numbers are computed from these."""
    lanes = run.lanes.copy()
    for name, column in _narrow(lanes).items():
        if name not in EXACT or column.astype(np.float64).equals(lanes[name]):
            lanes[name] = column
    # A column that claims and figures name is there even if every training run has diverged.
    kept = {*EXACT, *STEPS_OR_NULL, *named_columns(run.experiment)}
    lanes = lanes.drop(columns=[name for name in lanes if lanes[name].isna().all() and name not in kept])
    lanes = lanes.drop(columns=[name for name in lanes if left_out(name, run.experiment.unreported)])
    lanes["params_digest"] = lanes["params_digest"].str[:DIGEST]
    curves = run.curves.assign(**_narrow(run.curves))
    if "curves" in run.experiment.unreported:
        curves = curves.iloc[:0]
    return replace(run, lanes=lanes, curves=curves)


def _narrow(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """The float64 columns that float32 can hold, as float32."""
    largest = np.finfo(np.float32).max
    return {name: column.astype(np.float32) for name, column in rows.select_dtypes("float64").items() if not (column.abs() > largest).any()}


@naming_missing_columns
def write_experiment(source: Path, out: Path, formats: Collection[str] = FORMATS, trust: Collection[str] = ()) -> str:
    """Judge a run, write its page and all that belongs to it into an empty folder of its name in `out`, and return the name."""
    run = compact(load(source, trust, interim=True))
    check_measures(run.experiment, run.lanes)
    check_figures(run.experiment, run.lanes, run.curves)
    laws, verdicts = judge(run)
    result = Result(run, laws, verdicts, summarize(run))
    folder = out / result.name
    stored = run.lanes.astype({axis: str for axis in run.experiment.axes})
    made = tuple(one.id for one in run.manifest.in_use)
    parts = [_store(folder / "lanes.parquet", stored, made)]
    if len(run.curves):
        parts.append(_store(folder / "curves.parquet", run.curves, made))
    manifest = run.manifest.model_copy(update={"parts": tuple(parts)})
    write_whole(folder / "run.json", manifest.text.encode())
    write_whole(folder / "experiment.toml", run.experiment.text.encode())
    origin = {
        "spec_hash": run.manifest.spec_hash,
        "rows_sha256": parts[0].sha256,
        "versions": run.manifest.latest.versions,
        "device": run.manifest.latest.device.model_dump(),
        "git": run.manifest.latest.git.model_dump(),
    }
    write_whole(folder / "summary.csv", csv_text(_addressed(result.summary, origin), "%.9g").encode())
    write_whole(folder / "summary.columns.csv", csv_text(_described(result.summary)).encode())
    claims = {
        **origin,
        **({"interim": run.interim} if run.interim else {}),
        "training_runs": len(run.lanes) if result.trains else 0,
        "laws": [asdict(law) for law in result.laws],
        "claims": [verdict.record() for verdict in result.verdicts],
    }
    write_whole(folder / "claims.json", (json.dumps(claims, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
    for name, table in tables(result).items():
        _write_table(table, folder / "tables" / name)
    for figure in run.experiment.figure:
        with trusting(trust):
            _draw(run, figure, folder / "figures" / figure.name, formats)
    write_whole(folder / "README.md", experiment_page(result).encode())
    return result.name


def _addressed(summary: pd.DataFrame, source: dict[str, Any]) -> pd.DataFrame:
    """Each line with where it comes from: experiment, rows, versions, device and commit."""
    device, git = source["device"], source["git"]
    return summary.assign(
        spec_hash=source["spec_hash"],
        rows_sha256=source["rows_sha256"],
        versions=", ".join(f"{name} {version}" for name, version in source["versions"].items()),
        device=f"{device['count']} x {device['kind']}",
        commit=git["commit"],
    )


def _described(summary: pd.DataFrame) -> pd.DataFrame:
    """Per column of the summary what it is computed from, and how; the others say which cell the line is about."""
    known = [(name, *ESTIMATORS.get(name, ("", "of the cell"))) for name in summary]
    return pd.DataFrame(known, columns=["column", "computed from", "estimator"])


def _write_table(table: pd.DataFrame, path: Path) -> None:
    write_whole(path.with_suffix(".tex"), latex(table).encode())
    write_whole(path.with_suffix(".csv"), csv_text(table).encode())


def _store(path: Path, rows: pd.DataFrame, made: tuple[str, ...]) -> Part:
    content = parquet_bytes(rows)
    write_whole(path, content)
    return Part(file=path.name, rows=len(rows), sha256=hashlib.sha256(content).hexdigest(), provenance=made)


def _draw(run: Run, figure: FigureSpec, path: Path, formats: Collection[str]) -> None:
    """Draw a figure of the experiment file; ValueError with one line if its kind does not fit these rows.

    Of a run that is not complete what it needs may be among the rows that are not there yet; it is then left empty.
    """
    kind = figure_kind[figure.kind]
    try:
        with _style():
            drawing = kind.target(run, figure)
        save(drawing, path, formats, run.interim)
    except OSError:
        raise
    except Exception as error:
        # What a kind needs of a model or a task beyond its keys cannot be listed: whatever it stumbles over, these rows are not for it.
        plt.close("all")
        if run.interim:
            save(_empty(), path, formats, run.interim)
            return
        raise ValueError(f"figure '{figure.name}': '{figure.kind}' does not fit these rows: {type(error).__name__}: {error}") from error


def _empty() -> Figure:
    drawing = plt.figure(figsize=(ONE_COLUMN, 1), layout="constrained")
    drawing.text(0.5, 0.5, "The training runs that this figure needs have not ended yet.", ha="center", va="center", fontsize=8)
    return drawing


@contextmanager
def _style() -> Iterator[None]:
    """Our fonts and lines; a script that the font does not have is drawn as boxes, and labels that leave no room overlap."""
    with mpl.rc_context(rc()), warnings.catch_warnings():
        for message in ("Glyph .* missing from font", "constrained_layout not applied"):
            warnings.filterwarnings("ignore", message, UserWarning)
        yield


def save(drawing: Figure, path: Path, formats: Collection[str] = FORMATS, note: str = "") -> None:
    """Write a figure in these formats, without dates, so that the same figure is the same file; `note` stands in a line below it."""
    with _style():
        # One layout for all formats.
        to_columns(drawing)
        log_ticks(drawing)
        if note:
            note_below(drawing, note)
        drawing.draw_without_rendering()
        drawing.set_layout_engine("none")
        for kind in formats:
            content = io.BytesIO()
            drawing.savefig(content, format=kind, **FORMATS[kind])
            write_whole(path.with_name(f"{path.name}.{kind}"), content.getvalue())
    plt.close(drawing)
