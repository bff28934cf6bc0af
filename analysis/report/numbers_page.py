"""The page, the tables and the record of judged numbers of other people."""

import json
import math
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.escape import csv_text, markdown_text
from analysis.figures.samples import sample_figure
from analysis.judging.numbers import Judged, Question
from analysis.report.drawing import save
from analysis.report.format import markdown
from analysis.report.written import check_target, publish, staging
from analysis.rows.samples import Sample
from analysis.stats.intervals import Interval
from analysis.stats.power import MOST, POWER
from bench.runs.files import write_whole

DIGITS = 2
"""Significant digits of the half-width of an interval, to which its numbers are rounded."""
SMALLEST = 1e-6
"""p-value below which only that is said."""
METHOD = (
    "A verdict comes from the interval of the number that the last column names: better or worse if all of it lies beyond the margin, no "
    "difference larger than the margin if all of it lies within, undecided otherwise. Intervals are those of one question by itself; the "
    "verdicts stand after Holm's correction (1979) for the number of questions. p is the least error probability at which the interval "
    "decides. P(better) is the probability that a run of the setting is better than one of the other, equal ones counting one half, by "
    "pairs where seeds are shared; its interval assumes no distribution."
)
STUDENT = (
    "Intervals of means (Student, 1908; Welch, 1947) take means of so many runs for nearly normal. With few runs of a skewed metric look "
    "at P(better) as well."
)
SHARES = (
    "Shares of one setting have the exact interval of Clopper and Pearson (1934); differences over pairs Gaffke's (2005), whose coverage "
    "is shown by simulation, and without pairs Newcombe's (1998, method 10)."
)
ORDER = "Where a run failed there is no mean: it is worse than every run that did not fail, and the order of the runs decides."
NEEDED = (
    "Seeds needed: for each setting, so that the question is decided with a probability of {power:.0%} if the effect is as measured here, "
    "at the strictest level of the correction; from Student's distribution, or for shares and orders from the normal one, with a "
    "correction for continuity. An effect as measured is itself uncertain, and so is this number."
)


def setting_frame(judged: Judged) -> pd.DataFrame:
    """The table of settings: runs, failed runs, and the estimates with their intervals."""
    level = 1 - judged.alpha
    lines = []
    for sample in judged.samples.samples:
        line = {"setting": sample.name, "n": f"{len(sample.values):,}", "failed": f"{sample.failed:,}"}
        if (share := sample.share(level)) is not None:
            line["share"] = estimate_text(share)
        mean = sample.mean(level)
        line["mean"] = "a run failed" if mean is None else estimate_text(mean)
        line["median"] = estimate_text(sample.median(level))
        lines.append(line)
    frame = pd.DataFrame(lines)
    return frame.drop(columns=[name for name in ("failed",) if (frame[name] == "0").all()])


def question_frame(judged: Judged) -> pd.DataFrame:
    """The table of questions with their verdicts."""
    return pd.DataFrame(
        [
            {
                "question": f"{question.setting} against {question.against}",
                "verdict": question.verdict + (f": {question.reason}" if question.reason else ""),
                "difference": "by order" if question.difference is None else estimate_text(question.difference, signed=True),
                "P(better)": "{:.2f} [{:.2f}, {:.2f}]".format(*question.better),
                "p": p_text(question.p_value),
                "seeds": _seeds(question),
            }
            for question in judged.questions
        ]
    )


def estimate_text(found: Interval, signed: bool = False) -> str:
    """An estimate with its interval, all with as many decimals as the width of the interval is worth."""
    spread = (found.high - found.low) / 2
    sign = "+" if signed else ""
    return f"{_rounded(found.estimate, spread, sign)} [{_rounded(found.low, spread, sign)}, {_rounded(found.high, spread, sign)}]"


def p_text(p_value: float) -> str:
    """A p-value with two significant digits; the smallest ones are not told apart."""
    return f"< {SMALLEST:g}" if p_value < SMALLEST else f"{p_value:.2f}" if p_value >= 0.1 else f"{p_value:.2g}"


def _rounded(value: float, spread: float, sign: str) -> str:
    """A number rounded to the last digits that an interval of this half-width leaves certain."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if not 0 < spread < math.inf:
        return f"{value:{sign}.4g}"
    decimals = DIGITS - 1 - math.floor(math.log10(spread))
    if -3 <= decimals <= 6 and abs(value) < 1e9:
        return f"{value:{sign},.{max(decimals, 0)}f}"
    size = math.floor(math.log10(abs(value))) if value else 0
    return f"{value:{sign}.{min(max(decimals + size + 1, 1), 12)}g}"


def _seeds(question: Question) -> str:
    """The number of seeds that there are, and that would be needed."""
    n, other = question.n
    there = f"{n:,}{' pairs' if question.paired else '' if n == other else f' and {other:,}'}"
    if question.verdict != "undecided":
        return there
    return f"{there}; " + (f"about {question.seeds_needed:,} needed" if question.seeds_needed else f"more than {MOST:,} needed")


def numbers_page(judged: Judged) -> str:
    """The page of judged numbers in Markdown."""
    samples, level = judged.samples, 1 - judged.alpha
    kinds = {question.measure for question in judged.questions}
    measured = question_frame(judged).assign(**{"decided by": [question.measure for question in judged.questions]})
    notes = [METHOD]
    if any("means" in kind for kind in kinds):
        notes.append(STUDENT)
    if samples.share:
        notes.append(SHARES)
    if any(kind.startswith("P(") for kind in kinds):
        notes.append(ORDER)
    if any(question.verdict == "undecided" for question in judged.questions):
        notes.append(NEEDED.format(power=POWER))
    caption = f"The runs of each setting, with the {100 * level:g}% interval of their mean, median or share."
    sections = [
        f"# {markdown_text(samples.file)}",
        "\n".join(f"- {markdown_text(line)}" for line in (*samples.said, *decided_lines(judged))),
        "## Verdicts",
        markdown(measured),
        "## Settings",
        markdown(setting_frame(judged)),
        f"![{caption}](figures/settings.png)",
        f"*{caption}* Vector files: [SVG](figures/settings.svg), [PDF](figures/settings.pdf).",
        "## How it was decided",
        *notes,
        "The verdicts are about these runs. That two settings were trained alike but for what their names say, and that runs are "
        "independent of one another, no table can show.",
        "## Provenance",
        f"The numbers are those of `{samples.sha256}` (SHA-256 of the file), judged by initbench {version('initbench')}. All numbers of "
        "this page: [judged.json](judged.json); tables: [questions.csv](tables/questions.csv), [settings.csv](tables/settings.csv).",
    ]
    return "\n\n".join(sections) + "\n"


def decided_lines(judged: Judged) -> tuple[str, ...]:
    """Return the settings that are compared, the margin and the level, in words."""
    margin = f"margin {judged.margin:g}" if judged.margin else "no margin (--margin)"
    return (f"judged: {judged.samples.wording}, {judged.compared}; {margin}, {100 * (1 - judged.alpha):g}% confidence",)


def record(judged: Judged) -> dict[str, Any]:
    """Everything that was judged, as JSON values: null for what there is not, and a text for an infinite number."""
    samples, level = judged.samples, 1 - judged.alpha
    return {
        "file": samples.file,
        "sha256": samples.sha256,
        "read": list(samples.said),
        "metric": samples.metric,
        "higher_is_better": samples.higher,
        "judged": samples.wording,
        "compared": judged.compared,
        "alpha": judged.alpha,
        "margin": judged.margin,
        "settings": [_setting(sample, level) for sample in samples.samples],
        "questions": [_question(question) for question in judged.questions],
    }


def _setting(sample: Sample, level: float) -> dict[str, Any]:
    estimates = {"mean": sample.mean(level), "median": sample.median(level), "share": sample.share(level)}
    return {
        "setting": sample.name,
        "n": len(sample.values),
        "failed": sample.failed,
        **{name: _json(one) for name, one in estimates.items()},
    }


def _question(question: Question) -> dict[str, Any]:
    plain = ("setting", "against", "verdict", "alone", "measure", "p_value", "paired", "seeds_needed")
    numbers = {"n": list(question.n), "difference": _json(question.difference), "better": _json(question.better)}
    return {**{name: getattr(question, name) for name in plain}, **numbers}


def _json(found: Interval | None) -> dict[str, Any] | None:
    """An interval as JSON values."""
    if found is None:
        return None
    numbers = {name: getattr(found, name) for name in ("estimate", "low", "high")}
    return {name: value if math.isfinite(value) else str(value) for name, value in numbers.items()}


def write_numbers(judged: Judged, out: Path) -> Path:
    """Write the page, its figure, its tables and the record into a folder, and return the page.

    ValueError with one line, before anything is written, if the folder has files of these names that no report wrote.
    """
    check_target(out, ("README.md", "judged.json"))
    with staging(out) as made:
        write_whole(made / "judged.json", json_text(judged).encode())
        write_whole(made / "tables" / "questions.csv", csv_text(question_frame(judged)).encode())
        write_whole(made / "tables" / "settings.csv", csv_text(setting_frame(judged)).encode())
        save(sample_figure(judged.samples, 1 - judged.alpha), made / "figures" / "settings")
        write_whole(made / "README.md", numbers_page(judged).encode())
        publish(made, out)
    return out / "README.md"


def json_text(judged: Judged) -> str:
    """The record as a text of ASCII characters, none of which controls a terminal."""
    return json.dumps(record(judged), indent=2, allow_nan=False) + "\n"
