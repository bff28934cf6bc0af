"""The page of one experiment."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.escape import fenced, latex_text, markdown_text, plain_text
from analysis.figures.style import value_words
from analysis.judging.family import counts, exploratory, overall, typical
from analysis.laws import Law
from analysis.report.format import condition, interval, markdown, marked, number, outcome, runs
from analysis.report.result import Result
from analysis.rows.load import Run, matching
from analysis.rows.measures import RATES, measured
from analysis.rows.summary import rate_interval
from analysis.stats.intervals import clustered_median
from bench.spec.catalog import names

MANY = 24
"""Longer tables are folded away."""


def interim_note(results: Sequence[Result]) -> str:
    """Which of these experiments are not complete, and how far they are; empty if all are."""
    return "; ".join(f"{result.name} {result.run.interim}" for result in results if result.run.interim)


def interim_banner(results: Sequence[Result]) -> str:
    """What a reader must know of results that rest on runs that are not complete."""
    note = interim_note(results)
    if not note:
        return ""
    return (
        f"**Interim ({note}).** These training runs are the ones that have ended so far. Those that end early come first, so every "
        "number may still change, and no verdict is final."
    )


def experiment_page(result: Result) -> str:
    """Question, verdicts, laws, figures, cells, setting, limits, provenance and citation, in markdown."""
    run, manifest = result.run, result.run.manifest
    experiment = run.experiment
    frames = tables(result)
    again = f"`initbench report reports/{experiment.name} --out reports`"
    figures = "\n\n".join(
        f"![{markdown_text(figure.caption)}](figures/{figure.name}.png)\n\n*{markdown_text(figure.caption)}*\n"
        + (f"Curves are kept of the first {manifest.curve_seeds} seeds. " if figure.kind == "curve" else "")
        + f"Vector files: [SVG](figures/{figure.name}.svg), [PDF](figures/{figure.name}.pdf); redrawn from the rows by {again}."
        for figure in experiment.figure
    )
    made = manifest.latest
    device = made.device
    sections = [
        f"# {experiment.name}",
        interim_banner([result]),
        _mixed(run),
        markdown_text(experiment.question),
        "## Verdicts",
        _withheld(result) + (_verdicts(result, frames["verdicts"]) if result.verdicts else "No claim is declared for this experiment."),
        "Each interval is that of one comparison by itself. Shares have the exact interval of Clopper and Pearson. Shares within "
        "independent draws, and differences over pairs, have Gaffke's, whose coverage is shown by simulation, not by proof. Medians have "
        "that of order statistics. [claims.json](claims.json) names each one. A verdict stands after Holm's correction for the "
        "number of comparisons of its family in this experiment; the answer page corrects over all experiments together."
        if result.verdicts
        else "",
        "## Laws",
        "Exact predictions that these rows must meet before a verdict is printed."
        if result.laws
        else "No exact law is declared for this experiment.",
        markdown(frames["laws"]) if result.laws else "",
        "## Beside published numbers" if experiment.published else "",
        markdown(frames["published"]) if experiment.published else "",
        "## Figures" if figures else "",
        figures,
        "## Cells",
        _folded(frames["cells"], "cells"),
        _about_cells(result),
        "## Setting",
        _registration(run) + _edited(result),
        f"<details><summary>experiment.toml</summary>\n\n{fenced(experiment.text, 'toml')}\n\n</details>",
        "## Limits",
        "The verdicts are about these cells: their data, widths, learning rates and budgets. A lane that is unsolved has not been "
        "shown to be unsolvable; a lane that is stuck has (an update changed no bit of its state).",
        "## Provenance",
        markdown(pd.DataFrame(_provenance(run), columns=["", " "])),
        f"Rows: [lanes.parquet](lanes.parquet){', [curves.parquet](curves.parquet)' if len(run.curves) else ''}; "
        "numbers, each with its cell, columns, estimator and the rows' checksum: [summary.csv](summary.csv) "
        "([its columns](summary.columns.csv)), [claims.json](claims.json); "
        f"tables: {', '.join(f'{name} ([LaTeX](tables/{name}.tex), [CSV](tables/{name}.csv))' for name in frames)}.",
        f"To train it again: `initbench run {trained_by(experiment.name)}`. "
        f"To make every figure and table on this page from the stored rows: {again}.",
        "## Cite",
        fenced(
            f"@software{{initbench_{experiment.name.replace('-', '_')},\n"
            f"  title = {{initbench: {latex_text(experiment.name)}}},\n"
            f"  version = {{{latex_text(made.versions.get('initbench', 'unknown'))}}},\n"
            f"  year = {{{latex_text((manifest.ended or '')[:4])}}},\n"
            f"  note = {{{manifest.lanes:,} lanes on {device.count} x {latex_text(device.kind)}, "
            f"jax {latex_text(made.versions.get('jax', 'unknown'))}, spec {manifest.spec_hash[:16]}}}\n}}",
            "bibtex",
        ),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def trained_by(name: str) -> str:
    """What the command line knows an experiment by: its name, or the file in its report."""
    return name if name in names() else f"{name}/experiment.toml"


def tables(result: Result) -> dict[str, pd.DataFrame]:
    """The tables of the page, by name; those without a line are left out."""
    laws = [(law.name, law.says, _standing(law, result.run), law.number, f"{law.n:,}") for law in result.laws]
    frames = {
        "verdicts": verdict_frame(result),
        "laws": pd.DataFrame(laws, columns=["law", "says", "standing", "number", "n"]),
        "published": _published(result.run),
        "cells": cell_frame(result),
    }
    return {name: frame for name, frame in frames.items() if len(frame)}


def _mixed(run: Run) -> str:
    differences = run.manifest.mixed
    if not differences:
        return ""
    # As code, so that nothing in it is markup.
    named = " ".join(plain_text("; ".join(differences)).replace("`", "'").split())
    return f"**Mixed: the training runs were not all made alike:** `{named}`"


def _registration(run: Run) -> str:
    manifest = run.manifest
    hashed = f"(hash `{manifest.spec_hash[:16]}`)"
    if not run.edited_since:
        return f"The experiment file is the registration: cells, claims and criteria stood there before the run {hashed}."
    when = f" ({', '.join(markdown_text(edit.when) for edit in manifest.edits)})" if manifest.edits else ""
    return (
        f"The experiment file is the registration: cells and seeds stood there before the run {hashed}. Claims or laws were edited after "
        f"training runs existed{when}."
    )


def _edited(result: Result) -> str:
    notes = {verdict.id: verdict.edited for verdict in result.verdicts if verdict.edited}
    said = "; ".join(f"{markdown_text(identity)} ({markdown_text(note)})" for identity, note in notes.items())
    return f" Exploratory, because their criterion was changed after rows existed: {said}." if said else ""


def _standing(law: Law, run: Run) -> str:
    if law.holds:
        return "holds"
    if law.name not in run.experiment.laws:
        return "does not hold (a claim)"
    return "does not hold so far" if run.interim else "FAILS"


def _about_cells(result: Result) -> str:
    text = (
        "Solved: share of lanes with its 95% interval (Wilson's, or Gaffke's over independent draws). Steps: median to solve, 'never' if "
        "fewer than half do. Loss: median of the final training loss over all lanes, 'diverged' where more than half did."
    )
    if "broken" in result.summary:
        text += " Tie broken: share of lanes whose equal units came apart, and the median step of those that did."
    if "distinct_minima" in result.summary:
        text += " Different ends: networks at the end of training up to the symmetries of the hidden layer; distance: of two starts' ends."
    return text


def _withheld(result: Result) -> str:
    failed = [law.name for law in result.laws if not law.holds and law.name in result.run.experiment.laws]
    if not failed:
        return ""
    if result.run.interim:
        return f"**Withheld until {', '.join(failed)} can be checked on all training runs.**\n\n"
    return f"**Withheld: {', '.join(failed)} failed; no verdict rests on these rows.**\n\n"


def _verdicts(result: Result, every: pd.DataFrame) -> str:
    """All verdicts; where they are many, first a line per claim."""
    if len(every) <= MANY:
        return markdown(marked(every))
    lines = []
    for identity in dict.fromkeys(verdict.id for verdict in result.verdicts):
        verdicts = [verdict for verdict in result.verdicts if verdict.id == identity]
        shown = typical(verdicts)
        lines.append(
            {
                "claim": verdicts[0].family if verdicts[0].family != result.name else "",
                "says": verdicts[0].says,
                "verdict": overall(verdicts) + exploratory(verdicts) + (", interim" if result.run.interim else ""),
                "conditions": counts(verdicts),
                "typical number": "; ".join(f"{one.measure} {number(one)} {interval(one)}".strip() for one in shown),
                "where": "; ".join(condition(one) for one in shown),
            }
        )
    return f"{markdown(marked(pd.DataFrame(lines)))}\n\n{_folded(marked(every), 'verdicts')}"


def _folded(table: pd.DataFrame, title: str) -> str:
    """A table, folded away under its title if it is long."""
    text = markdown(table)
    return text if len(table) <= MANY else f"<details><summary>All {len(table)} {title}</summary>\n\n{text}\n\n</details>"


def _published(run: Run) -> pd.DataFrame:
    """Published numbers beside ours: shares with 95% intervals, medians with order-statistic intervals."""
    lines = []
    for theirs in run.experiment.published:
        rows = run.lanes[matching(run.lanes, run.experiment, theirs.where)]
        if theirs.measure in RATES:
            estimate, low, high = rate_interval(run, rows, theirs.measure)
        else:
            estimate, low, high, _ = clustered_median(measured(rows, theirs.measure), run.clusters.loc[rows.index].to_numpy())
        lines.append(
            {
                "what": theirs.says,
                "published": f"{theirs.value:g}",
                "here": f"{estimate:.4g} [{low:.4g}, {high:.4g}], n = {len(rows):,}",
                "source": theirs.source,
                "what differs": theirs.differs,
            }
        )
    return pd.DataFrame(lines)


def _provenance(run: Run) -> list[tuple[str, str]]:
    manifest, made = run.manifest, run.manifest.latest
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    device, git = made.device, made.git
    commit = f"{git.commit[:12]}{', with changes' if git.dirty else ''}" if git.commit else "not recorded"
    return [
        ("lanes", f"{manifest.lanes:,}"),
        ("training", f"{manifest.run_seconds:.1f} s, {manifest.seed_steps_per_second:,.0f} seed-steps/s"),
        ("compilation", f"{manifest.compile_seconds:.1f} s for {manifest.programs} programs"),
        ("peak memory", f"{manifest.peak_memory_bytes / 2**20:,.0f} MiB"),
        ("device", f"{device.count} x {device.kind}"),
        ("precision", f"{manifest.dtype}, matrix products {made.matmul_precision}"),
        ("ReLU gradient at 0", f"{made.relu_gradient_at_zero:g}"),
        ("block widths", ", ".join(map(str, manifest.block_width))),
        ("versions", f"Python {made.python}, {versions}"),
        ("commit", commit),
        ("ended", manifest.ended or "not yet"),
    ]


def verdict_frame(result: Result) -> pd.DataFrame:
    """A line per claim and condition."""
    return pd.DataFrame(
        [
            {
                "claim": verdict.family if verdict.family != result.name else "",
                "says": verdict.says,
                "where": condition(verdict),
                "verdict": outcome(verdict) + (", interim" if result.run.interim else ""),
                "criterion": f"{verdict.measure} {verdict.criterion}" if verdict.measure not in verdict.criterion else verdict.criterion,
                "measured": number(verdict),
                "interval": interval(verdict),
                "n": runs(verdict),
            }
            for verdict in result.verdicts
        ]
    )


def _more(line: pd.Series) -> dict[str, str]:
    """What only some experiments have: ties that broke, ends up to symmetries."""
    found = {}
    if "broken" in line:
        found["tie broken"] = f"{line['broken']:.3f} [{line['broken_low']:.3f}, {line['broken_high']:.3f}]"
        none = not np.isfinite(line["break_median"])
        found["at step"] = "" if none else f"{line['break_median']:.0f} [{line['break_low']:.0f}, {line['break_high']:.0f}]"
    if "distinct_minima" in line and np.isfinite(line["distinct_minima"]):
        found["different ends"] = f"{line['distinct_minima']:.0f}"
        found["distance of two ends"] = f"{line['orbit_distance']:.3g}"
    return found


def cell_frame(result: Result) -> pd.DataFrame:
    """A line per cell."""
    lines = []
    for _, line in result.summary.iterrows():
        never = not np.isfinite(line["steps_median"])
        lines.append(
            {
                **{axis: value_words(line[axis]) for axis in result.run.experiment.axes},
                "lanes": f"{line['lanes']:,}",
                "solved": f"{line['solved']:.3f} [{line['solved_low']:.3f}, {line['solved_high']:.3f}]",
                "stuck": f"{line['stuck']:.3f}",
                "diverged": f"{line['diverged']:.3f}",
                "steps": "never" if never else f"{line['steps_median']:.0f}",
                "loss": "diverged" if np.isinf(line["loss_median"]) else f"{line['loss_median']:.3g}",
                **_more(line),
            }
        )
    return pd.DataFrame(lines)
