"""Reports: everything that a reader sees, generated from stored rows."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
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

from analysis.answer import answer_frame, answer_page, jointly  # noqa: E402
from analysis.claims import judge  # noqa: E402
from analysis.figures import figure_kind  # noqa: E402
from analysis.figures.headline import comparisons, headline  # noqa: E402
from analysis.figures.style import log_ticks, rc, to_columns  # noqa: E402
from analysis.load import Run, load  # noqa: E402
from analysis.page import experiment_page, tables  # noqa: E402
from analysis.result import Result  # noqa: E402
from analysis.summary import ESTIMATORS, summarize  # noqa: E402
from analysis.theory import Law  # noqa: E402
from analysis.verdict import Verdict  # noqa: E402
from analysis.words import condition, interval, latex, number, outcome  # noqa: E402
from bench.records import STEPS_OR_NULL, parquet_bytes, read_manifest, write_whole  # noqa: E402

T = TypeVar("T")
EXACT = ("loss_initial", "loss_final", "learning_rate")
"""Columns that laws compare to more digits than float32 has."""
FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
    "png": {"dpi": 200},
}
DIGEST = 16
"""Digits that a report keeps of each lane's digest: 64 bits."""


@dataclass(frozen=True)
class Pages:
    """What was written, and the rows of the verdict table for the terminal."""

    folder: Path
    rows: list[tuple[str, ...]]


def write_report(folders: list[Path], out: Path) -> Pages:
    """Judge these runs and write a page for each into `out`, and the answer page about all reports there."""
    known = [read_manifest(folder)["experiment"] for folder in folders]
    if len(set(known)) < len(known):
        twice = next(name for name in known if known.count(name) > 1)
        raise ValueError(f"several of these folders are runs of '{twice}'; a report is about one")
    names = list(in_processes(partial(write_experiment, out=out), folders))
    results = standing(out)
    write_answer(results, out)
    rows = [row for result in results if result.name in names for row in _terminal_rows(result)]
    return Pages(out, rows)


def in_processes(function: Callable[[Path], T], folders: list[Path]) -> Iterator[T]:
    """A function of each of several folders, as many at a time as there are CPUs."""
    if len(folders) == 1:
        yield function(folders[0])
        return
    with ProcessPoolExecutor(min(len(folders), os.cpu_count() or 1), get_context("spawn")) as processes:
        yield from processes.map(function, folders)


def write_answer(results: list[Result], out: Path, formats: Collection[str] = FORMATS) -> None:
    """The answer page and its figure; its verdicts are corrected over the families of all these experiments."""
    results = jointly(results)
    table = comparisons([result.run for result in results])
    if len(table):
        save(headline(table), out / "figures" / "headline", formats)
    shutil.rmtree(out / "tables", ignore_errors=True)
    if len(verdicts := answer_frame(results)):
        _write_table(verdicts, out / "tables" / "verdicts")
    write_whole(out / "README.md", answer_page(results, bool(len(table))).encode())


def standing(out: Path) -> list[Result]:
    """The reports of a folder, as they were judged."""
    found = []
    for path in sorted(out.glob("*/claims.json")):
        stored = json.loads(path.read_text())
        try:
            verdicts = [Verdict.of(record) for record in stored["claims"]]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: of another version of initbench; make that report anew: initbench report {path.parent}") from error
        laws = [Law(**law) for law in stored["laws"]]
        found.append(Result(load(path.parent), laws, verdicts, pd.read_csv(path.parent / "summary.csv")))
    return sorted(found, key=lambda result: result.name)


def compact(run: Run) -> Run:
    """The rows as a report keeps them: float32 but for the columns that laws compare exactly. All numbers are computed from these."""
    lanes = run.lanes.copy()
    for name, column in _narrow(lanes).items():
        if name not in EXACT or column.astype(np.float64).equals(lanes[name]):
            lanes[name] = column
    lanes = lanes.drop(columns=[name for name in lanes if lanes[name].isna().all() and name not in (*EXACT, *STEPS_OR_NULL)])
    lanes = lanes.drop(columns=[name for name in lanes if _is_left_out(name, run.experiment.unreported)])
    lanes["params_digest"] = lanes["params_digest"].str[:DIGEST]
    curves = run.curves.assign(**_narrow(run.curves))
    if "curves" in run.experiment.unreported:
        curves = curves.iloc[:0]
    return replace(run, lanes=lanes, curves=curves)


def _is_left_out(column: str, unreported: tuple[str, ...]) -> bool:
    return any(column.startswith(f"{name}_") or fnmatch(column, name) for name in unreported)


def _narrow(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """The float64 columns that float32 can hold, as float32."""
    largest = np.finfo(np.float32).max
    return {name: column.astype(np.float32) for name, column in rows.select_dtypes("float64").items() if not (column.abs() > largest).any()}


def write_experiment(source: Path, out: Path, formats: Collection[str] = FORMATS) -> str:
    """Judge a run, write its page and all that belongs to it into a folder of its name, and return the name."""
    run = compact(load(source))
    laws, verdicts = judge(run)
    result = Result(run, laws, verdicts, summarize(run))
    folder = out / result.name
    if folder.resolve() != run.folder.resolve():
        shutil.rmtree(folder / "figures", ignore_errors=True)
    stored = run.lanes.astype({axis: str for axis in run.experiment.axes})
    parts = [_store(folder / "lanes.parquet", stored)]
    if len(run.curves):
        parts.append(_store(folder / "curves.parquet", run.curves))
    else:
        (folder / "curves.parquet").unlink(missing_ok=True)
    manifest = {**run.manifest, "parts": parts}
    write_whole(folder / "run.json", (json.dumps(manifest, indent=2) + "\n").encode())
    write_whole(folder / "experiment.toml", run.experiment.text.encode())
    origin = {
        "spec_hash": run.manifest["spec_hash"],
        "rows_sha256": parts[0]["sha256"],
        "versions": run.manifest["versions"],
        "device": run.manifest["device"],
        "git": run.manifest["git"],
    }
    write_whole(folder / "summary.csv", _addressed(result.summary, origin).to_csv(index=False, float_format="%.9g").encode())
    write_whole(folder / "summary.columns.csv", _described(result.summary).to_csv(index=False).encode())
    claims = {
        **origin,
        "training_runs": run.manifest["lanes"] if result.trains else 0,
        "laws": [asdict(law) for law in result.laws],
        "claims": [verdict.record() for verdict in result.verdicts],
    }
    write_whole(folder / "claims.json", (json.dumps(claims, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
    shutil.rmtree(folder / "tables", ignore_errors=True)
    for name, table in tables(result).items():
        _write_table(table, folder / "tables" / name)
    for figure in run.experiment.figure:
        with mpl.rc_context(rc()):
            drawing = figure_kind[figure.kind].target(run, figure)
        save(drawing, folder / "figures" / figure.name, formats)
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
    write_whole(path.with_suffix(".csv"), table.to_csv(index=False).encode())


def _store(path: Path, rows: pd.DataFrame) -> dict[str, Any]:
    content = parquet_bytes(rows)
    write_whole(path, content)
    return {"file": path.name, "rows": len(rows), "sha256": hashlib.sha256(content).hexdigest()}


def save(drawing: Figure, path: Path, formats: Collection[str] = FORMATS) -> None:
    """Write a figure in these formats, without dates, so that the same figure is the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(rc()):
        # One layout for all formats.
        to_columns(drawing)
        log_ticks(drawing)
        drawing.draw_without_rendering()
        drawing.set_layout_engine("none")
        for kind in formats:
            drawing.savefig(path.with_suffix(f".{kind}"), **FORMATS[kind])
    plt.close(drawing)


def _terminal_rows(result: Result) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for verdict in result.verdicts:
        where = condition(verdict)
        rows.append(
            (
                f"{verdict.family} {verdict.id}" + (f" ({where})" if where else ""),
                outcome(verdict),
                f"{verdict.measure} {number(verdict)}",
                interval(verdict),
                f"{verdict.n_lanes:,}",
                f"{verdict.n_data_seeds:,}",
            )
        )
    return rows
