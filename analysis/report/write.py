"""Reports: all pages, tables and figures, generated from stored rows."""

import gc
import io
import json
import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pydantic import TypeAdapter

from analysis.escape import csv_text
from analysis.figures.check import check_figures
from analysis.figures.default import figures_of
from analysis.figures.headline import comparisons, headline
from analysis.judging.judge import judge
from analysis.judging.verdict import Verdict
from analysis.laws import Law
from analysis.report.answer_page import answer_page, answers_the_thread, jointly
from analysis.report.answer_table import answer_frame
from analysis.report.citation import figure_source, source_of_several
from analysis.report.compact import compact
from analysis.report.drawing import FORMATS, draw, save
from analysis.report.experiment_page import experiment_page
from analysis.report.experiment_tables import tables
from analysis.report.format import latex
from analysis.report.handout import A4, handout
from analysis.report.interim import interim_note
from analysis.report.pictures import is_illustrated, write_pictures
from analysis.report.result import Result
from analysis.report.rules import call_now, condition_frame, figure_title, rule_frame, rules_of, rules_of_thread, write_rules
from analysis.report.written import REPORT, check_target, checksum, publish, refuse_links, staging
from analysis.rows.load import load, naming_missing_columns
from analysis.rows.measures import check_measures
from analysis.rows.summary import ESTIMATORS, summarize
from bench.messages import one_line
from bench.registry import trusting
from bench.runs.files import MOST_TEXT, read_inside, write_whole
from bench.runs.manifest import Part, read_manifest
from bench.runs.parquet import release_unused, write_rows

T = TypeVar("T")
TAKEN = ("figures", "tables", "site", "throughput")
"""Names of folders beside the reports, which no experiment may have."""


def write_report(folders: list[Path], out: Path, trust: Collection[str] = ()) -> list[Result]:
    """Judge runs and write a page for each into `out`, and the answer page about all reports there; returns the results of these runs.

    A run without an ended training run is left out, unless there are no others. Modules in `trust` may be imported although a folder names
    them. ValueError if two folders are runs of one experiment, or if the name of an experiment is taken.
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
    """The values of a function of each folder, in as many processes as there are CPUs; those with the most rows are begun first."""
    cleared = partial(_cleared, function)
    if len(folders) == 1:
        yield cleared(folders[0])
        return
    rows = {folder: sum(part.rows for part in read_manifest(folder).parts) for folder in folders}
    with _processes(min(len(folders), os.cpu_count() or 1)) as processes:
        begun = {folder: processes.submit(cleared, folder) for folder in sorted(folders, key=rows.__getitem__, reverse=True)}
        yield from (begun[folder].result() for folder in folders)


def _processes(count: int) -> ProcessPoolExecutor:
    """Processes that share nothing with this one; they start with their first work."""
    return ProcessPoolExecutor(count, get_context("spawn"), _keep_modules)


def _keep_modules() -> None:
    """Spare the collector the way through all that this process has imported, which it keeps."""
    gc.freeze()


def _cleared(function: Callable[[Path], T], folder: Path) -> T:
    """The value of a function of a folder, whose rows are then no longer in memory.

    Drawing leaves an exception behind that refers to itself and to all that was known where it was raised, and so to the rows.
    """
    value = function(folder)
    gc.collect()
    release_unused()
    return value


def write_answer(results: list[Result], out: Path, formats: Collection[str] = FORMATS) -> None:
    """Write the answer page, its tables and figures into an empty folder; verdicts are corrected over the families of all experiments.

    Pictures and matrices, which take half of the time, are drawn in another process meanwhile if there are pictures.
    """
    results = jointly(results)
    if not is_illustrated(results):
        _write_answer(results, out, formats, call_now)
        return
    with _processes(1) as beside:
        drawn = [beside.submit(write_pictures, out / "figures", formats)]
        _write_answer(results, out, formats, lambda function, *arguments: drawn.append(beside.submit(function, *arguments)))
        for one in drawn:
            one.result()


def _write_answer(results: list[Result], out: Path, formats: Collection[str], call: Callable[..., None]) -> None:
    source = source_of_several([result.run for result in results])
    table = comparisons([result.run for result in results])
    if len(table):
        save(headline(table), out / "figures" / "headline", formats, interim_note(results), source=source)
        if answers_the_thread(results):
            save(handout(results, table), out / "figures" / "answer", formats, interim_note(results), source=source, size=A4)
    rules = rules_of_thread(results)
    frames = {"verdicts": answer_frame(results), "rules": rule_frame(rules), "conditions": condition_frame(rules)}
    for name, frame in frames.items():
        if len(frame):
            _write_table(frame, out / "tables" / name)
    write_rules(rules, out, formats, interim_note(results), source, call)
    write_whole(out / "README.md", answer_page(results, bool(len(table))).encode())


def standing(out: Path) -> list[Result]:
    """The reports of a folder with their stored verdicts; ValueError with one line if one of them is damaged."""
    found = []
    for path in sorted(out.glob("*/claims.json")):
        refuse_links(out, path.relative_to(out))
        laws, verdicts = stored_verdicts(path.parent)
        try:
            summary = pd.read_csv(io.BytesIO(read_inside(path.parent, "summary.csv", MOST_TEXT)))
        except (ValueError, OSError) as error:
            raise ValueError(f"{path.parent}: summary.csv cannot be read: {one_line(error)}") from error
        found.append(Result(load(path.parent, interim=True), laws, verdicts, summary))
    return sorted(found, key=lambda result: result.name)


def stored_verdicts(report: Path) -> tuple[list[Law], list[Verdict]]:
    """Return the laws and verdicts that a report holds; ValueError with one line if they are damaged."""
    try:
        stored = json.loads(read_inside(report, "claims.json", MOST_TEXT))
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{report}: claims.json cannot be read: {one_line(error)}") from error
    try:
        return TypeAdapter(list[Law]).validate_python(stored["laws"]), [Verdict.of(record) for record in stored["claims"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{report / 'claims.json'}: damaged, or of another version of initbench; make that report anew: initbench report {report}"
        ) from error


@naming_missing_columns
def write_experiment(source: Path, out: Path, formats: Collection[str] = FORMATS, trust: Collection[str] = ()) -> str:
    """Judge a run and write its report into an empty folder of its name in `out`; returns the name."""
    run = compact(load(source, trust, interim=True))
    check_measures(run.experiment, run.lanes)
    check_figures(run.experiment, run.lanes, run.curves)
    laws, verdicts = judge(run)
    result = Result(run, laws, verdicts, summarize(run))
    folder = out / result.name
    made = tuple(one.id for one in run.manifest.in_use)
    parts = [_store(folder / "lanes.parquet", run.lanes, made)]
    if len(run.curves):
        parts.append(_store(folder / "curves.parquet", run.curves, made))
    manifest = run.manifest.model_copy(update={"parts": tuple(parts), "share": None})
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
    frames = tables(result)
    for name, table in frames.items():
        _write_table(table, folder / "tables" / name)
    rules = rules_of(result)
    write_rules(rules, folder, formats, interim_note([result]), figure_source(run))
    for figure in figures_of(run.experiment):
        with trusting(trust):
            draw(run, figure, figure_title(result, rules, figure), folder / "figures" / figure.name, formats)
    write_whole(folder / "README.md", experiment_page(result, frames).encode())
    return result.name


def _addressed(summary: pd.DataFrame, source: dict[str, Any]) -> pd.DataFrame:
    """The summary with the origin of each line: experiment, rows, versions, device and commit."""
    device, git = source["device"], source["git"]
    return summary.assign(
        spec_hash=source["spec_hash"],
        rows_sha256=source["rows_sha256"],
        versions=", ".join(f"{name} {version}" for name, version in source["versions"].items()),
        device=f"{device['count']} x {device['kind']}",
        commit=git["commit"],
    )


def _described(summary: pd.DataFrame) -> pd.DataFrame:
    """The columns of the summary, with the columns of the rows that each is computed from, and how."""
    known = [(name, *ESTIMATORS.get(name, ("", "of the cell"))) for name in summary]
    return pd.DataFrame(known, columns=["column", "computed from", "estimator"])


def _write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table in LaTeX and CSV."""
    write_whole(path.with_suffix(".tex"), latex(table).encode())
    write_whole(path.with_suffix(".csv"), csv_text(table).encode())


def _store(path: Path, rows: pd.DataFrame, made: tuple[str, ...]) -> Part:
    """Write rows as Parquet, and return their entry in the manifest; `made` names their provenances."""
    write_whole(path, partial(write_rows, rows))
    return Part(file=path.name, rows=len(rows), sha256=checksum(path), provenance=made)
