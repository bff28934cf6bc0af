"""The front page of a folder of reports: every claim of the thread with its verdict, or the experiments of somebody's own."""

from dataclasses import replace

import pandas as pd

from analysis.escape import latex_text, markdown_text
from analysis.judging.family import corrected, families, overall
from analysis.judging.verdict import Verdict
from analysis.report.answer import answer_rows, chart, rows, sentences
from analysis.report.answer_table import answer_frame, linked
from analysis.report.citation import AUTHOR, LICENSE, TITLE, entry
from analysis.report.experiment_page import trained_by
from analysis.report.experiment_tables import claim_frame
from analysis.report.format import markdown, marked
from analysis.report.interim import interim_banner
from analysis.report.pictures import captions, is_illustrated
from analysis.report.result import Result
from analysis.report.rules import of_thread, rules_of_thread, rules_section
from analysis.report.zeros_table import zeros_frame

HEADLINE = (
    "![Share of training runs that learn the task from zero and from random weights, for every problem trained from both"
    "](figures/headline.png)\n\n*Share of training runs that learn the task from all-zero and from random weights, with 95% intervals, "
    "for every problem that was trained from both on the same data.*\n"
    "Vector files: [SVG](figures/headline.svg), [PDF](figures/headline.pdf); redrawn from the rows by "
    "`initbench report . --out .` in this folder."
)
HANDOUT = " The answer on one page: [PDF](figures/answer.pdf)."
ZEROS = (
    "A part learns from zero if at least 99% of runs learn, and never if at most 1% do. *Only ... random*: all other weights are zero. "
    "*Zero last* and *zero first* are the last and the first layer of each residual branch, *zero both* is both. "
    "*Zero gamma* is the scale of its last normalization. *ReZero* and *SkipInit* are a factor on each branch that starts at zero. "
    "The networks, tasks and budgets stand in the reports of [C20](#c20)."
)
QUESTION = "When is it safe to initialize weights to zero?"
LICENSED = (
    f"Figures, tables and pages of these reports are licensed {LICENSE}, the code Apache-2.0. "
    "The files of their figures state experiment, version and hash."
)
EACH = "Each experiment's page has an entry of its own. For the whole:"
CLAIMS = (
    "Claims and criteria stand in the file that each experiment ran with; a verdict is exploratory if one of its criteria was changed "
    "after rows existed, and confirmed if it then stood in the file before training runs on fresh seeds. Verdicts come from intervals, "
    "after the exact laws named in each report have held."
)
VERDICTS = (
    "A claim that was tested under several conditions is conditional when some hold and some fail, and undecided when what is "
    "undecided could make it so. The numbers shown are those of the middle condition that holds and of the middle one that fails. "
    "Each interval is that of one comparison by itself. A verdict stands after Holm's correction for the number of all comparisons of "
    "its claim, across experiments. Each training run counts once. "
    "The table for a paper: [LaTeX](tables/verdicts.tex), [CSV](tables/verdicts.csv)."
)


def answer_page(results: list[Result], has_headline: bool) -> str:
    """The front page in Markdown; `has_headline` says whether the headline figure was drawn.

    It is titled and cited as the answer to the thread's question only if these reports judge a claim of the thread.
    """
    judged = of_thread(results)
    every = [verdict for result in results for verdict in result.verdicts]
    whole = {name: overall([verdict for _, verdict in found], families().get(name)) for name, found in judged.items()}
    answer, zeros = answer_rows(every), zeros_frame(every)
    pictures = captions(whole) if is_illustrated(results) else []
    why = [text for text in (sentences("why", whole, every), *pictures[:1]) if text]
    sections = [
        f"# {markdown_text(title(results))}",
        interim_banner(results),
        markdown(answer, made=tuple(answer)) if len(answer) else "",
        f"{trained_runs(results)}{_marked_rows(every)}",
        f"{HEADLINE}{HANDOUT if answers_the_thread(results) else ''}" if has_headline else "",
        *_under("Random instead?", sentences("random", whole, every)),
        *_under("Why?", *why),
        *_under("What to use", sentences("use", whole, every)),
        *_under("Should this start at zero?", *filter(None, [chart(every)])),
        *_under("What may start at zero, by architecture", *([markdown(zeros), ZEROS] if len(zeros) else [])),
        *_under("Two more pictures", *pictures[1:]),
        *(["## Verdicts", CLAIMS, *_verdicts(results)] if every else []),
        rules_section(rules_of_thread(results), "When each claim holds"),
        "## Experiments",
        _experiments(results),
        "## How it was run",
        _reproduction(results),
        "## Limits",
        _limits(results),
        "## Cite",
        _citation(results),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def trained_runs(results: list[Result]) -> str:
    """The numbers of training runs and experiments behind these reports, as a sentence."""
    trained = [result.run.manifest.lanes for result in results if result.trains]
    return f"From {sum(trained):,} training runs in {len(trained)} experiment{'s' if len(trained) != 1 else ''}."


def _marked_rows(every: list[Verdict]) -> str:
    """The meaning of "exploratory", if a row of the answer is marked so."""
    is_marked = any(row.exploratory for row in rows(every))
    text = " Exploratory: its criterion was changed after training runs existed, and no fresh ones have confirmed it yet."
    return text if is_marked else ""


def _under(heading: str, *texts: str) -> list[str]:
    """Texts under a heading; nothing if there are none."""
    return [f"## {heading}", *texts] if any(texts) else []


def _verdicts(results: list[Result]) -> list[str]:
    """The tables of verdicts: of the claims of the thread, and of every other claim with the experiment that judges it."""
    found = []
    if of_thread(results):
        found += [markdown(linked(answer_frame(results)), made=("claim", "report")), VERDICTS]
    own = [
        claim_frame(replace(result, verdicts=verdicts)).assign(claim=f"[{result.name}]({result.name}/README.md)")
        for result in results
        if (verdicts := [verdict for verdict in result.verdicts if verdict.family == result.name])
    ]
    if own and not answers_the_thread(results):
        found.append(markdown(marked(pd.concat(own).rename(columns={"claim": "experiment"})), made=("experiment",)))
    return found


def title(results: list[Result]) -> str:
    """The title of the front page: the question of the thread, the question of a single experiment, or the names of several."""
    if answers_the_thread(results):
        return QUESTION
    names = ", ".join(result.name for result in results)
    return results[0].run.experiment.question or names if len(results) == 1 else names


def answers_the_thread(results: list[Result]) -> bool:
    """Whether one of these reports judges a claim of the thread."""
    return any(verdict.family in families() for result in results for verdict in result.verdicts)


def _experiments(results: list[Result]) -> str:
    """The table of experiments, with their questions and the laws that they rest on."""
    lines = [
        (
            f"[{result.name}]({result.name}/README.md)",
            result.run.experiment.question,
            f"{result.run.manifest.lanes:,}",
            ", ".join(f"{law.name}: {law.number}" for law in result.laws if law.name in result.run.experiment.laws) or "none",
        )
        for result in results
    ]
    return markdown(pd.DataFrame(lines, columns=["experiment", "question", "training runs", "laws"]), made=("experiment",))


def _reproduction(results: list[Result]) -> str:
    """The command that repeats the experiments, and what they took."""
    manifests = [result.run.manifest for result in results]
    seconds = sum(manifest.run_seconds + manifest.compile_seconds for manifest in manifests)
    devices = sorted({f"{device.count} x {markdown_text(device.kind)}" for manifest in manifests for device in manifest.devices})
    names = " ".join(trained_by(result.name) for result in results)
    return (
        f"`initbench reproduce {names}`, in this folder: {seconds:,.0f} s of compilation and training on {', '.join(devices)}. "
        "Versions, flags and commits stand in each report."
    )


def jointly(results: list[Result]) -> list[Result]:
    """The results with their verdicts corrected for the number of comparisons of each family across all of them."""
    verdicts = iter(corrected([verdict for result in results for verdict in result.verdicts]))
    return [replace(result, verdicts=[next(verdicts) for _ in result.verdicts]) for result in results]


def _limits(results: list[Result]) -> str:
    """The tasks, budgets and networks beyond which the verdicts need not hold."""
    cells = [cell.settings for result in results for cell in result.run.experiment.cells]
    tasks = markdown_text(", ".join(sorted({settings.task.name for settings in cells})))
    return (
        f"The verdicts are about what these experiments trained: the tasks {tasks}; "
        f"at most {max(settings.training.steps for settings in cells):,} steps; "
        "networks that are small enough to be trained thousands of times. What holds for them need not hold for larger ones. "
        "A training run that is unsolved when its budget is spent has not been shown to be unsolvable. Where n counts one data set, the "
        "interval is about starts on that data set; where it counts several, it is by data set."
    )


def _citation(results: list[Result]) -> str:
    """An entry for BibTeX on the whole; one's own experiments are cited by their own title, with the software that ran them."""
    version = latex_text(", ".join(sorted({result.run.manifest.latest.versions.get("initbench", "unknown") for result in results})))
    year = latex_text(max(result.run.manifest.ended or "" for result in results)[:4])
    runs = trained_runs(results).removeprefix("From ").removesuffix(".")
    if not answers_the_thread(results):
        note = f"{runs}, trained and judged with initbench {version}"
        own = entry("misc", results[0].name, title=latex_text(title(results)), year=year, note=note)
        return f"The author is yours to fill in. {EACH}\n\n{own}"
    whole = entry("software", "initbench", author=f"{{{AUTHOR}}}", title=TITLE, version=version, year=year, note=runs)
    return f"{EACH}\n\n{whole}\n\n{LICENSED}"
