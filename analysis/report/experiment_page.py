"""The page of one experiment."""

from collections.abc import Sequence

import pandas as pd

from analysis.escape import fenced, markdown_text, plain_text
from analysis.figures.default import figures_of
from analysis.judging.family import overall, standing, typical
from analysis.judging.finding import by_statement, distinctions, finding
from analysis.judging.verdict import Verdict
from analysis.report.citation import entry_of_run
from analysis.report.experiment_tables import claim_frame
from analysis.report.format import MARKS, in_words, markdown, marked, runs
from analysis.report.interim import interim_banner
from analysis.report.literature import with_citations
from analysis.report.result import Result
from analysis.report.rules import Learned, rules_of, rules_section
from analysis.rows.load import Run
from bench.spec import Figure
from bench.spec.catalog import names

MANY = 24
"""Number of verdicts above which a table with one line per claim stands before them."""


INTERVALS = (
    "Each interval is that of one comparison by itself. Shares have the exact interval of Clopper and Pearson. Shares within "
    "independent draws, and differences over pairs, have Gaffke's, whose coverage is shown by simulation, not by proof. Medians have "
    "that of order statistics. [claims.json](claims.json) names each one. A verdict stands after Holm's correction for the "
    "number of comparisons of its family in this experiment; the answer page corrects over all experiments together."
)
LAWS = "Exact predictions that these rows must meet before a verdict is printed."
SENSITIVITY = (
    "The same rows, judged by criteria that are half and twice as strict, and as if training had ended after half of the budget. A bound "
    "on a share is moved by its distance from the nearer end: where 1% of runs may fail, half of that or twice as many may."
)
LINEAR = (
    "Linear models of scikit-learn (logistic regression with its default penalty, or least squares), trained and tested on the data of the "
    "networks: medians over data sets. A task that a linear model solves says nothing about depth."
)
LIMITS = (
    "The verdicts are about these cells: their data, widths, learning rates and budgets. A training run that is unsolved has not been "
    "shown to be unsolvable; one that is stuck has (an update changed no bit of its state)."
)


def experiment_page(result: Result, frames: dict[str, pd.DataFrame]) -> str:
    """Findings and the figure of the first, how it was done, and the details folded away, in Markdown; `frames` are the page's tables."""
    run, experiment = result.run, result.run.experiment
    again = f"`initbench report {experiment.name} --out .`"
    rules = rules_of(result)
    first, *others = [_figure(run, figure, again) for figure in figures_of(experiment)] or [""]
    sections = [
        f"# {experiment.name}",
        interim_banner([result]),
        _mixed(run),
        markdown_text(experiment.question),
        "## Findings",
        _withheld(result) + (_findings(result, rules) if result.verdicts else "No claim is declared for this experiment."),
        first,
        "## How it was done",
        with_citations(experiment.known),
        _registration(run) + _edited(result),
        LIMITS,
        _details("experiment.toml", fenced(experiment.text, "toml")),
        *(["## Verdicts", _verdicts(result, frames["verdicts"])] if result.verdicts else []),
        _folded_section(rules_section(rules, "When they hold")),
        "## Laws",
        _details("Exact laws, and whether they hold", LAWS, markdown(frames["laws"]))
        if result.laws
        else "No exact law is declared for this experiment.",
        *(["## Beside published numbers", markdown(frames["published"])] if experiment.published else []),
        *(
            ["## How much hangs on the thresholds", _details("Other thresholds and budgets", SENSITIVITY, markdown(frames["sensitivity"]))]
            if "sensitivity" in frames
            else []
        ),
        *(["## Beside a linear model", LINEAR, markdown(frames["linear"])] if "linear" in frames else []),
        *(["## More figures", *others] if others else []),
        "## Cells",
        _details(f"All {len(frames['cells'])} cells", markdown(frames["cells"]), _about_cells(result)),
        "## Provenance",
        markdown(pd.DataFrame(_provenance(run), columns=["", " "])),
        _files(run, tuple(frames)),
        f"Commands are given in the folder that holds all reports. To train it again: `initbench run {trained_by(experiment.name)}`. "
        f"{_needed(run)}"
        f"To make every figure and table on this page from the stored rows: {again}.",
        "## Cite",
        entry_of_run(run),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _findings(result: Result, rules: dict[str, Learned]) -> str:
    """A line for what each claim says: whether it holds, the rule by which it does, or the number behind it."""
    lines = []
    for group in by_statement(result.verdicts).values():
        mark = MARKS[overall(group)].partition(" ")[0]
        learned = _learned(group, rules)
        shown = typical(group)[0]
        number = "" if learned else f" ({markdown_text(f'{in_words(shown)}; {runs(shown)}')})"
        said = f"**{markdown_text(finding(group))}**{number}{standing(group)}."
        lines.append(f"- {mark} {said}{''.join(f' {markdown_text(text)}' for text in learned)}")
    return "\n".join(lines)


def _learned(group: Sequence[Verdict], rules: dict[str, Learned]) -> list[str]:
    """The rules of claims that say the same; where there are several, each begins with the words in which its claim differs."""
    says = {verdict.id: verdict.says for verdict in group}
    if len(says) == 1:
        return [rules[name].text for name in says if name in rules]
    own = dict(zip(says, distinctions(list(says.values())), strict=True))
    return [f"{own[name][:1].upper()}{own[name][1:]}: {rules[name].text}" for name in says if name in rules]


def _figure(run: Run, figure: Figure, again: str) -> str:
    """A figure with its caption; `again` is the command that draws it."""
    return (
        f"![{markdown_text(figure.caption)}](figures/{figure.name}.png)\n\n*{markdown_text(figure.caption)}*\n"
        + (f"Curves are kept of the first {run.manifest.curve_seeds} seeds. " if figure.kind_name == "curve" else "")
        + f"Vector files: [SVG](figures/{figure.name}.svg), [PDF](figures/{figure.name}.pdf); redrawn from the rows by {again}."
    )


def _folded_section(section: str) -> str:
    """A section of a page, which is folded away below its title; empty if there is none."""
    title, _, text = section.partition("\n\n")
    return f"{title}\n\n{_details('Rules, with their exceptions and matrices', text)}" if section else ""


def _details(summary: str, *parts: str) -> str:
    """Parts of a page that are folded away."""
    text = "\n\n".join(parts)
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def _files(run: Run, names: tuple[str, ...]) -> str:
    """The files beside the page; `names` are those of the tables."""
    return (
        f"Rows: [lanes.parquet](lanes.parquet){', [curves.parquet](curves.parquet)' if len(run.curves) else ''}; "
        "numbers, each with its cell, columns, estimator and the rows' checksum: [summary.csv](summary.csv) "
        "([its columns](summary.columns.csv)), [claims.json](claims.json); "
        f"tables: {', '.join(f'{name} ([LaTeX](tables/{name}.tex), [CSV](tables/{name}.csv))' for name in names)}."
    )


def _needed(run: Run) -> str:
    """A sentence on the user's own modules and data that training needs; empty if there are none."""
    own = sorted(run.manifest.latest.own.items())
    listed = ", ".join(f"`{plain_text(name)}` (sha256 {digest[:12]})" for name, digest in own)
    return f"That needs what the rows were made with, installed or in the current folder: {listed}. " if own else ""


def trained_by(name: str) -> str:
    """The name or path by which the command line finds an experiment: its own name, or the file in its report."""
    return name if name in names() else f"{name}/experiment.toml"


def _mixed(run: Run) -> str:
    """A warning if the training runs were made with different versions or devices; else empty."""
    differences = run.manifest.mixed
    if not differences:
        return ""
    # In code nothing is markup.
    named = " ".join(plain_text("; ".join(differences)).replace("`", "'").split())
    return f"**Mixed: the training runs were not all made alike:** `{named}`"


def _registration(run: Run) -> str:
    """Whether the claims stood in the experiment file before the run."""
    manifest = run.manifest
    hashed = f"(hash `{manifest.spec_hash[:16]}`)"
    if not run.edited_since:
        return f"The experiment file is the registration: cells, claims and criteria stood there before the run {hashed}."
    when = f" ({', '.join(markdown_text(edit.when) for edit in manifest.edits)})" if manifest.edits else ""
    return (
        f"The experiment file is the registration: cells and seeds stood there before the run {hashed}. Claims or laws were edited after "
        f"training runs existed{when}."
    )


CONFIRMED = "Confirmed on other seeds, because their criterion was changed before these training runs and after earlier ones"
EXPLORATORY = "Exploratory, because their criterion was changed after rows existed"


def _edited(result: Result) -> str:
    """Whether the seeds are fresh, and the claims whose criterion was changed after rows existed."""
    first = result.run.experiment.seeds.first
    text = f" Seeds begin at {first:,}." if first else ""
    for confirmed, words in ((True, CONFIRMED), (False, EXPLORATORY)):
        notes: dict[str, dict[str, None]] = {}
        for verdict in result.verdicts:
            if verdict.edited and verdict.confirmed == confirmed:
                notes.setdefault(verdict.edited, {})[verdict.id] = None
        said = "; ".join(f"{markdown_text(', '.join(names))} ({markdown_text(note)})" for note, names in notes.items())
        text += f" {words}: {said}." if said else ""
    return text


def _about_cells(result: Result) -> str:
    """The columns of the table of cells in words."""
    text = (
        "Solved: share of training runs with its 95% interval (Wilson's, or Gaffke's over independent draws). Steps: median to solve, "
        "'never' if fewer than half do. Loss: median of the final training loss over all training runs, "
        "'diverged' where more than half did."
    )
    if {"metric_median", "test_metric_median"} & set(result.summary):
        text += " Metric: median of the final accuracy, or of R² in a regression; test metric: the same on test data."
    if "broken" in result.summary:
        text += " Tie broken: share of training runs whose equal units came apart, and the median step of those that did."
    if "distinct_minima" in result.summary:
        text += " Different ends: networks at the end of training up to the symmetries of the hidden layer; distance: of two starts' ends."
    return text


def _withheld(result: Result) -> str:
    """A warning if a law of the experiment does not hold; else empty."""
    failed = [law.name for law in result.laws if not law.holds and law.name in result.run.experiment.laws]
    if not failed:
        return ""
    if result.run.interim:
        return f"**Withheld until {', '.join(failed)} can be checked on all training runs.**\n\n"
    return f"**Withheld: {', '.join(failed)} failed; no verdict rests on these rows.**\n\n"


def _verdicts(result: Result, every: pd.DataFrame) -> str:
    """The table of all verdicts, folded away; if it is long, after a table with one line per claim."""
    claims = [markdown(marked(claim_frame(result)))] if len(every) > MANY else []
    count = f"{len(every)} verdict{'' if len(every) == 1 else 's'}"
    return _details(f"{count}, with criteria and intervals", *claims, markdown(marked(every)), INTERVALS)


def _provenance(run: Run) -> list[tuple[str, str]]:
    """Names and values of what the run was made with."""
    manifest, made = run.manifest, run.manifest.latest
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    device, git = made.device, made.git
    commit = f"{git.commit[:12]}{', with changes' if git.dirty else ''}" if git.commit else "not recorded"
    return [
        ("training runs", f"{manifest.lanes:,}"),
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
