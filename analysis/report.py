"""Pages: everything that a reader sees, generated from stored rows."""

import hashlib
import json
import shutil
import tomllib
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from analysis.claims import Verdict, judge, overall  # noqa: E402
from analysis.figures import figure_kind  # noqa: E402
from analysis.figures.headline import comparisons, headline  # noqa: E402
from analysis.figures.style import rc, value_label  # noqa: E402
from analysis.load import Run, load  # noqa: E402
from analysis.summary import summarize  # noqa: E402
from analysis.theory import Law  # noqa: E402
from bench.records import parquet_bytes, write_whole  # noqa: E402

EXACT = ("loss_initial", "loss_final", "learning_rate")
"""Columns that laws compare to more digits than float32 has."""
MARKS = {
    "supported": "✓ supported",
    "refuted": "✗ refuted",
    "conditional": "◐ conditional",
    "undecided": "? undecided",
    "withheld": "– withheld (a law failed)",
}


@dataclass(frozen=True)
class Result:
    """One experiment, judged."""

    run: Run
    laws: list[Law]
    verdicts: list[Verdict]
    summary: pd.DataFrame

    @property
    def name(self) -> str:
        return self.run.experiment.name


@dataclass(frozen=True)
class Pages:
    """What was written, and the rows of the verdict table for the terminal."""

    folder: Path
    rows: list[tuple[str, ...]]


def write_report(folders: list[Path], out: Path) -> Pages:
    """Judge these runs and write the answer page and a page per experiment into `out`."""
    results = []
    for folder in folders:
        run = compact(load(folder))
        laws, verdicts = judge(run)
        results.append(Result(run, laws, verdicts, summarize(run)))
    for result in results:
        _write_experiment(result, out / result.name)
    _write_answer(results, out)
    rows = [row for result in results for row in _terminal_rows(result)]
    return Pages(out, rows)


def compact(run: Run) -> Run:
    """The rows as a report keeps them: float32 but for the columns that laws compare exactly. All numbers are computed from these."""
    lanes = run.lanes.copy()
    for name in lanes.select_dtypes("float64").columns:
        narrow = lanes[name].astype(np.float32)
        if name not in EXACT or narrow.astype(np.float64).equals(lanes[name]):
            lanes[name] = narrow
    lanes = lanes.drop(columns=[name for name in lanes if lanes[name].isna().all() and name not in EXACT and name != "steps_to_solve"])
    largest = np.finfo(np.float32).max
    narrow = [name for name, column in run.curves.select_dtypes("float64").items() if not (column.abs() > largest).any()]
    curves = run.curves.astype({name: np.float32 for name in narrow})
    return replace(run, lanes=lanes, curves=curves)


# One experiment ---------------------------------------------------------------------------------------------------


def _write_experiment(result: Result, folder: Path) -> None:
    run = result.run
    if folder.resolve() != run.folder.resolve():
        shutil.rmtree(folder / "figures", ignore_errors=True)
    stored = run.lanes.astype({axis: str for axis in run.experiment.axes})
    parts = [_store(folder / "lanes.parquet", stored)]
    if len(run.curves):
        parts.append(_store(folder / "curves.parquet", run.curves))
    manifest = {**run.manifest, "parts": parts}
    write_whole(folder / "run.json", (json.dumps(manifest, indent=2) + "\n").encode())
    write_whole(folder / "experiment.toml", run.experiment.text.encode())
    write_whole(folder / "summary.csv", result.summary.to_csv(index=False, float_format="%.9g").encode())
    claims = {
        "spec_hash": run.manifest["spec_hash"],
        "rows_sha256": parts[0]["sha256"],
        "versions": run.manifest["versions"],
        "device": run.manifest["device"],
        "git": run.manifest["git"],
        "laws": [law.__dict__ for law in result.laws],
        "claims": [verdict.record() for verdict in result.verdicts],
    }
    write_whole(folder / "claims.json", (json.dumps(_plain(claims), indent=2, ensure_ascii=False) + "\n").encode())
    for name, table in (("verdicts", _verdict_frame(result)), ("cells", _cell_frame(result))):
        write_whole(folder / "tables" / f"{name}.tex", table.to_latex(index=False, escape=True).encode())
    for figure in run.experiment.figure:
        with mpl.rc_context(rc()):
            drawing = figure_kind[figure.kind].target(run, figure)
        save(drawing, folder / "figures" / figure.name)
    write_whole(folder / "README.md", _experiment_page(result).encode())


def _store(path: Path, rows: pd.DataFrame) -> dict[str, Any]:
    content = parquet_bytes(rows)
    write_whole(path, content)
    return {"file": path.name, "rows": len(rows), "sha256": hashlib.sha256(content).hexdigest()}


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null and text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(value)
    return value


def save(drawing: Figure, path: Path) -> None:
    """Write a figure as SVG, PDF and PNG, without dates, so that the same figure is the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(rc()):
        # One layout for all three formats.
        drawing.draw_without_rendering()
        drawing.set_layout_engine("none")
        # Trimmed to what is drawn: a label that is wider than the layout thought is not cut off.
        for kind, options in (("svg", {"metadata": {"Date": None}}), ("pdf", {"metadata": {"CreationDate": None}}), ("png", {"dpi": 200})):
            drawing.savefig(path.with_suffix(f".{kind}"), bbox_inches="tight", pad_inches=0.04, **options)
    plt.close(drawing)


def _experiment_page(result: Result) -> str:
    run, manifest = result.run, result.run.manifest
    experiment = run.experiment
    laws = [(law.name, law.says, "holds" if law.holds else "FAILS", law.number, f"{law.n:,}") for law in result.laws]
    figures = "\n\n".join(
        f"![{figure.caption}](figures/{figure.name}.png)\n\n*{figure.caption}*\n"
        f"Curves are kept of the first {manifest['curve_seeds']} seeds. Vector files: [SVG](figures/{figure.name}.svg), "
        f"[PDF](figures/{figure.name}.pdf)."
        if figure.kind == "curve"
        else f"![{figure.caption}](figures/{figure.name}.png)\n\n*{figure.caption}*\n"
        f"Vector files: [SVG](figures/{figure.name}.svg), [PDF](figures/{figure.name}.pdf)."
        for figure in experiment.figure
    )
    device = manifest["device"]
    sections = [
        f"# {experiment.name}",
        experiment.question,
        "## Verdicts",
        _withheld(result) + markdown(_verdict_frame(result)),
        "Each interval is the one that decides: its confidence is corrected within the claim's family (Holm), exact for shares "
        "(Clopper and Pearson; by independent data sets where lanes share them), order statistics for medians.",
        "## Laws",
        "Exact predictions that these rows must meet before a verdict is printed."
        if laws
        else "No exact law is declared for this experiment.",
        markdown(pd.DataFrame(laws, columns=["law", "says", "", "number", "n"])) if laws else "",
        "## Figures",
        figures,
        "## Cells",
        markdown(_cell_frame(result)),
        "Solved: share of lanes with its 95% interval (Wilson's, or clustered by data seed). Steps: median to solve, 'never' if fewer "
        "than half do. Loss: median of the final training loss over lanes that did not diverge.",
        "## Setting",
        "The experiment file is the registration: cells, claims and criteria stood there before the run "
        f"(hash `{manifest['spec_hash'][:16]}`).",
        f"<details><summary>experiment.toml</summary>\n\n```toml\n{experiment.text.strip()}\n```\n\n</details>",
        "## Limits",
        "The verdicts are about these cells: their data, widths, learning rates and budgets. A lane that is unsolved has not been "
        "shown to be unsolvable; a lane that is stuck has (an update changed no bit of its state).",
        "## Provenance",
        markdown(pd.DataFrame(_provenance(run), columns=["", " "])),
        "Rows: [lanes.parquet](lanes.parquet), [curves.parquet](curves.parquet); numbers: [summary.csv](summary.csv), "
        "[claims.json](claims.json); LaTeX: [verdicts](tables/verdicts.tex), [cells](tables/cells.tex).",
        f"To train it again: `initbench run {experiment.name}`. To redraw every figure and table on this page from the stored rows: "
        f"`initbench report reports/{experiment.name} --out reports`.",
        "## Cite",
        "```bibtex\n"
        f"@software{{initbench_{experiment.name.replace('-', '_')},\n"
        f"  title = {{initbench: {experiment.name}}},\n"
        f"  version = {{{manifest['versions']['initbench']}}},\n"
        f"  year = {{{manifest['ended'][:4]}}},\n"
        f"  note = {{{manifest['lanes']:,} lanes on {device['count']} x {device['kind']}, jax {manifest['versions']['jax']}, "
        f"spec {manifest['spec_hash'][:16]}}}\n}}\n```",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _withheld(result: Result) -> str:
    failed = [law.name for law in result.laws if not law.holds and law.name in result.run.experiment.laws]
    return f"**Withheld: {', '.join(failed)} failed; no verdict rests on these rows.**\n\n" if failed else ""


def _provenance(run: Run) -> list[tuple[str, str]]:
    manifest = run.manifest
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    device, git = manifest["device"], manifest["git"]
    commit = f"{git['commit'][:12]}{', with changes' if git['dirty'] else ''}" if git["commit"] else "not recorded"
    return [
        ("lanes", f"{manifest['lanes']:,}"),
        ("training", f"{manifest['run_seconds']:.1f} s, {manifest['seed_steps_per_second']:,.0f} seed-steps/s"),
        ("compilation", f"{manifest['compile_seconds']:.1f} s for {manifest['programs']} programs"),
        ("peak memory", f"{manifest['peak_memory_bytes'] / 2**20:,.0f} MiB"),
        ("device", f"{device['count']} x {device['kind']}"),
        ("precision", f"{manifest['dtype']}, matrix products {manifest['matmul_precision']}"),
        ("ReLU gradient at 0", f"{manifest['relu_gradient_at_zero']:g}"),
        ("block widths", ", ".join(map(str, manifest["block_width"]))),
        ("versions", f"Python {manifest['python']}, {versions}"),
        ("commit", commit),
        ("ended", manifest["ended"]),
    ]


def _verdict_frame(result: Result) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "claim": verdict.family if verdict.family != result.name else "",
                "says": verdict.says,
                "where": ", ".join(value_label(value) for value in verdict.condition.values()),
                "verdict": MARKS[verdict.verdict],
                "criterion": f"{verdict.measure} {verdict.criterion}" if verdict.measure not in verdict.criterion else verdict.criterion,
                "measured": number(verdict),
                "interval": interval(verdict),
                "n": f"{verdict.n_lanes:,} lanes, {_data_sets(verdict)}",
            }
            for verdict in result.verdicts
        ]
    )


def _data_sets(verdict: Verdict) -> str:
    return f"{verdict.n_data_seeds:,} data sets" if verdict.n_data_seeds > 1 else "1 data set"


def _cell_frame(result: Result) -> pd.DataFrame:
    lines = []
    for _, line in result.summary.iterrows():
        never = not np.isfinite(line["steps_median"])
        lines.append(
            {
                **{axis: value_label(line[axis]) for axis in result.run.experiment.axes},
                "lanes": f"{line['lanes']:,}",
                "solved": f"{line['solved']:.3f} [{line['solved_low']:.3f}, {line['solved_high']:.3f}]",
                "stuck": f"{line['stuck']:.3f}",
                "diverged": f"{line['diverged']:.3f}",
                "steps": "never" if never else f"{line['steps_median']:.0f}",
                "loss": "" if np.isnan(line["loss_median"]) else f"{line['loss_median']:.3g}",
            }
        )
    return pd.DataFrame(lines)


# The answer -------------------------------------------------------------------------------------------------------


def _write_answer(results: list[Result], out: Path) -> None:
    table = comparisons([result.run for result in results])
    if len(table):
        save(headline(table), out / "figures" / "headline")
    write_whole(out / "README.md", _answer_page(results, bool(len(table))).encode())


def _answer_page(results: list[Result], has_headline: bool) -> str:
    lanes = sum(result.run.manifest["lanes"] for result in results)
    seconds = sum(result.run.manifest["run_seconds"] + result.run.manifest["compile_seconds"] for result in results)
    devices = sorted({f"{r.run.manifest['device']['count']} x {r.run.manifest['device']['kind']}" for r in results})
    names = " ".join(result.name for result in results)
    picture = (
        "![Share of lanes that learn the task from zero and from random weights, for every problem trained from both"
        "](figures/headline.png)\n\n*Share of lanes that learn the task from all-zero and from random weights, with 95% intervals, "
        "for every problem that was trained from both on the same data.*"
    )
    sections = [
        "# When is it safe to initialize weights to zero?",
        f"{lanes:,} training runs in {len(results)} experiments. Claims and criteria were fixed in each experiment's file before it ran; "
        "verdicts come from intervals, after the exact laws named in each report have held.",
        "## Verdicts",
        markdown(_answer_frame(results)),
        "A claim that was tested under several conditions is conditional when some hold and some fail. The number shown "
        "is that of a failing condition where there is one, and of the widest interval among those.",
        "## At a glance" if has_headline else "",
        picture if has_headline else "",
        "## Experiments",
        markdown(
            pd.DataFrame(
                [
                    (
                        f"[{r.name}]({r.name}/README.md)",
                        r.run.experiment.question,
                        f"{r.run.manifest['lanes']:,}",
                        ", ".join(f"{law.name}: {law.number}" for law in r.laws) or "none",
                    )
                    for r in results
                ],
                columns=["experiment", "question", "lanes", "laws"],
            )
        ),
        "## How it was run",
        f"`initbench reproduce {names}`: {seconds:,.0f} s of compilation and training on {', '.join(devices)}. "
        "Versions, flags and commits stand in each report.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _answer_frame(results: list[Result]) -> pd.DataFrame:
    statements = tomllib.loads((files("analysis") / "thread.toml").read_text())
    families: dict[str, list[tuple[Result, Verdict]]] = {}
    for result in results:
        for verdict in result.verdicts:
            if verdict.family != result.name:
                families.setdefault(verdict.family, []).append((result, verdict))
    lines = []
    for family, found in sorted(families.items(), key=lambda item: (len(item[0]), item[0])):
        verdicts = [verdict for _, verdict in found]
        shown = min(verdicts, key=_distance)
        links = ", ".join(f"[{name}]({name}/README.md)" for name in dict.fromkeys(result.name for result, _ in found))
        lines.append(
            {
                "claim": family,
                "says": statements.get(family, shown.says),
                "verdict": MARKS[overall(verdicts)],
                "deciding number": f"{shown.measure} {number(shown)} {interval(shown)}".strip(),
                "n": f"{sum(v.n_lanes for v in verdicts):,} lanes, up to {max(v.n_data_seeds for v in verdicts):,} data sets",
                "holds": _places(verdicts, "supported"),
                "fails": _places(verdicts, "refuted"),
                "report": links,
            }
        )
    return pd.DataFrame(lines)


def _distance(verdict: Verdict) -> tuple[int, float]:
    """Refuted conditions first, then those with the widest interval."""
    order = {"refuted": 0, "undecided": 1, "supported": 2}
    return order.get(verdict.verdict, 3), -(verdict.high - verdict.low) if np.isfinite(verdict.high - verdict.low) else 0.0


def _places(verdicts: list[Verdict], kind: str) -> str:
    places = [", ".join(value_label(value) for value in v.condition.values()) for v in verdicts if v.verdict == kind]
    if not places:
        return ""
    named = list(dict.fromkeys(place for place in places if place))
    if len(places) == len(verdicts) or not named:
        return "everywhere" if len(places) == len(verdicts) else f"{len(places)} of {len(verdicts)}"
    count = f"{len(places)} of {len(verdicts)}"
    return f"{count}: {'; '.join(named)}" if len(named) <= 8 else f"{count}, named in the report"


def _terminal_rows(result: Result) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for verdict in result.verdicts:
        where = ", ".join(value_label(value) for value in verdict.condition.values())
        rows.append(
            (
                f"{verdict.family} {verdict.id}" + (f" ({where})" if where else ""),
                verdict.verdict,
                f"{verdict.measure} {number(verdict)}",
                interval(verdict),
                f"{verdict.n_lanes:,}",
                f"{verdict.n_data_seeds:,}",
            )
        )
    return rows


# Text from numbers ------------------------------------------------------------------------------------------------


def number(verdict: Verdict) -> str:
    """The estimate: shares with three digits, other quantities with three significant ones."""
    if verdict.criterion.startswith("law "):
        return "holds" if verdict.estimate else "fails"
    return _digits(verdict, verdict.estimate)


def interval(verdict: Verdict) -> str:
    """The deciding interval with its confidence; laws have none."""
    if verdict.criterion.startswith("law "):
        return ""
    return f"[{_digits(verdict, verdict.low)}, {_digits(verdict, verdict.high)}] at {100 * verdict.level:.4g}%"


def _digits(verdict: Verdict, value: float) -> str:
    share = verdict.measure.startswith(("share ", "P("))
    if share:
        # A share is rounded towards the inside of [0, 1] only where it is exact.
        return f"{value:.4f}"
    return "∞" if value == np.inf else "-∞" if value == -np.inf else f"{value:.3g}"


def markdown(table: pd.DataFrame) -> str:
    """A GitHub table."""
    rows = [list(map(str, table.columns)), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows)
