"""The answer page: every claim of the thread with its verdict."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any

import pandas as pd

from analysis.escape import anchor, fenced, latex_text, markdown_text
from analysis.judging.family import corrected, counts, exploratory, families, overall, typical
from analysis.judging.verdict import Verdict
from analysis.report.experiment_page import interim_banner, trained_by
from analysis.report.format import condition, interval, markdown, marked, number, place
from analysis.report.result import Result

FEW = 8
"""So many conditions are named one by one."""
MANY_VALUES = 20


def answer_page(results: list[Result], has_headline: bool) -> str:
    """The answer in markdown."""
    lanes = sum(result.run.manifest.lanes for result in results if result.trains)
    trained = sum(result.trains for result in results)
    seconds = sum(result.run.manifest.run_seconds + result.run.manifest.compile_seconds for result in results)
    devices = sorted({f"{device.count} x {markdown_text(device.kind)}" for r in results for device in r.run.manifest.devices})
    names = " ".join(trained_by(result.name) for result in results)
    picture = (
        "![Share of lanes that learn the task from zero and from random weights, for every problem trained from both"
        "](figures/headline.png)\n\n*Share of lanes that learn the task from all-zero and from random weights, with 95% intervals, "
        "for every problem that was trained from both on the same data.*\n"
        "Vector files: [SVG](figures/headline.svg), [PDF](figures/headline.pdf); redrawn from the rows by "
        "`initbench report reports --out reports`."
    )
    judged = _families(results)
    verdicts = {name: overall([verdict for _, verdict in found], families().get(name)) for name, found in judged.items()}
    every = [verdict for result in results for verdict in result.verdicts]
    chart = _chart(every)
    sections = [
        "# When is it safe to initialize weights to zero?",
        interim_banner(results),
        f"{lanes:,} training runs in {trained} experiment{'s' if trained != 1 else ''}. "
        "Claims and criteria stand in the file that each experiment ran with; a verdict is exploratory if one of its criteria was changed "
        "after rows existed. Verdicts come from intervals, after the exact laws named in each report have held.",
        paragraph(verdicts, every),
        "## Should this start at zero?" if chart else "",
        chart,
        "## Verdicts" if judged else "",
        markdown(_linked(answer_frame(results)), made=("claim", "report")) if judged else "",
        "A claim that was tested under several conditions is conditional when some hold and some fail, and undecided when what is "
        "undecided could make it so. The numbers shown are those of the middle condition that holds and of the middle one that fails. "
        "Each interval is that of one comparison by itself; a verdict stands after Holm's correction for the number of all comparisons of "
        "its claim, across experiments. "
        "Where conditions are many, they are counted by the setting that tells most, as far as they have it, "
        "or named once for several criteria. Each training run counts once. "
        "The table for a paper: [LaTeX](tables/verdicts.tex), [CSV](tables/verdicts.csv)."
        if judged
        else "",
        "## At a glance" if has_headline else "",
        picture if has_headline else "",
        "## Experiments",
        markdown(
            pd.DataFrame(
                [
                    (
                        f"[{r.name}]({r.name}/README.md)",
                        r.run.experiment.question,
                        f"{r.run.manifest.lanes:,}",
                        ", ".join(f"{law.name}: {law.number}" for law in r.laws if law.name in r.run.experiment.laws) or "none",
                    )
                    for r in results
                ],
                columns=["experiment", "question", "lanes", "laws"],
            ),
            made=("experiment",),
        ),
        "## How it was run",
        f"`initbench reproduce {names}`: {seconds:,.0f} s of compilation and training on {', '.join(devices)}. "
        "Versions, flags and commits stand in each report.",
        "## Limits",
        _limits(results),
        "## Cite",
        _citation(results, lanes),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def jointly(results: list[Result]) -> list[Result]:
    """The same results, their verdicts corrected for the number of comparisons of each family across all of them."""
    verdicts = iter(corrected([verdict for result in results for verdict in result.verdicts]))
    return [replace(result, verdicts=[next(verdicts) for _ in result.verdicts]) for result in results]


def _families(results: list[Result]) -> dict[str, list[tuple[Result, Verdict]]]:
    """Verdicts by the claim of the thread that they settle, with their experiments."""
    found: dict[str, list[tuple[Result, Verdict]]] = {}
    for result in results:
        for verdict in result.verdicts:
            if verdict.family != result.name:
                found.setdefault(verdict.family, []).append((result, verdict))
    return found


def paragraph(verdicts: Mapping[str, str], every: Sequence[Verdict]) -> str:
    """The answer in sentences: each clause stands for a claim, and is there if the claim has a verdict that it is written for and single
    verdicts are what its words need."""
    clauses = [
        (one[verdicts[one["claim"]]], one["claim"])
        for one in _answer_text()["clause"]
        if verdicts.get(one["claim"]) in one and all(is_met(need, one["claim"], every) for need in one.get("needs", ()))
    ]
    sentences: list[str] = []
    for text, claim in clauses:
        linked = f"{text} ([{claim}](#{claim.lower()}))"
        if text[0].isupper() or not sentences:
            sentences.append(f"{linked[0].upper()}{linked[1:]}")
        else:
            sentences[-1] += f"; {linked}"
    behind = [verdict for verdict in every if verdict.family in {claim for _, claim in clauses}]
    note = " (Exploratory: a criterion behind this answer was changed after rows existed.)" if exploratory(behind) else ""
    return " ".join(f"{sentence}." for sentence in sentences) + note


def spoken_of(need: dict[str, Any], family: str, every: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts that a clause's words are about."""
    where = need.get("where", {})
    return [
        verdict
        for verdict in every
        if verdict.family == family
        and fnmatchcase(verdict.id, need["id"])
        and all(fnmatchcase(verdict.condition.get(axis, ""), pattern) for axis, pattern in where.items())
    ]


def is_met(need: dict[str, Any], family: str, every: Sequence[Verdict]) -> bool:
    """Whether all (or some) of the verdicts that a clause's words are about, of which there must be one, are what it needs."""
    wanted = need["some"] if "some" in need else need["all"]
    met = [
        verdict.verdict == wanted
        and ("at_least" not in need or verdict.low >= need["at_least"])
        and ("at_most" not in need or verdict.high <= need["at_most"])
        for verdict in spoken_of(need, family, every)
    ]
    return any(met) if "some" in need else bool(met) and all(met)


def is_judged(need: dict[str, Any], family: str, every: Sequence[Verdict]) -> bool:
    """Whether any verdict that a need speaks of is there, whatever it is."""
    return bool(spoken_of(need, family, every))


def _chart(every: Sequence[Verdict]) -> str:
    """A flow chart in Mermaid's language; a leaf says what it is written for if the verdicts that it rests on are those that it needs.

    Leaves whose experiments are not there are left out, and questions that would lead nowhere.
    """
    content = _answer_text()
    leaves = [leaf for leaf in content["leaf"] if all(is_judged(need, need["claim"], every) for need in leaf["needs"])]
    there = {leaf["id"] for leaf in leaves}
    steps: list[dict[str, Any]] = []
    # A question stands in the file before those that it leads to.
    for step in reversed(content["step"]):
        answers = {answer: target for answer, target in step["answers"].items() if target in there}
        if answers:
            steps.insert(0, {**step, "answers": answers})
            there.add(step["id"])
    if not leaves:
        return ""
    lines = ["```mermaid", "flowchart LR"]
    for step in steps:
        lines.append(f'  {step["id"]}{{"{step["question"]}"}}')
        lines += [f'  {step["id"]} -- "{answer}" --> {target}' for answer, target in step["answers"].items()]
    for leaf in leaves:
        text = leaf["says"] if all(is_met(need, need["claim"], every) for need in leaf["needs"]) else "Not settled"
        lines.append(f'  {leaf["id"]}["{text} ({", ".join(dict.fromkeys(need["claim"] for need in leaf["needs"]))})"]')
    behind = [verdict for leaf in leaves for need in leaf["needs"] for verdict in spoken_of(need, need["claim"], every)]
    note = "\n\nExploratory: a criterion behind this chart was changed after rows existed." if exploratory(behind) else ""
    return "\n".join([*lines, "```"]) + note


def _limits(results: list[Result]) -> str:
    cells = [cell.settings for result in results for cell in result.run.experiment.cells]
    tasks = markdown_text(", ".join(sorted({settings.task.name for settings in cells})))
    return (
        f"The verdicts are about what these experiments trained: the tasks {tasks}; "
        f"at most {max(settings.training.steps for settings in cells):,} steps; "
        "networks that are small enough to be trained thousands of times. What holds for them need not hold for larger ones. "
        "A training run that is unsolved when its budget is spent has not been shown to be unsolvable. Where n counts one data set, the "
        "interval is about starts on that data set; where it counts several, it is by data set."
    )


def _citation(results: list[Result], lanes: int) -> str:
    versions = ", ".join(sorted({result.run.manifest.latest.versions.get("initbench", "unknown") for result in results}))
    year = max(result.run.manifest.ended or "" for result in results)[:4]
    entry = (
        "@software{initbench,\n  title = {initbench: when is it safe to initialize weights to zero?},\n"
        "  author = {{The initbench developers}},\n"
        f"  version = {{{latex_text(versions)}}},\n  year = {{{latex_text(year)}}},\n"
        f"  note = {{{lanes:,} training runs in {sum(result.trains for result in results)} experiments}}\n}}"
    )
    return f"Each experiment's page has an entry of its own. For the whole:\n\n{fenced(entry, 'bibtex')}"


def _answer_text() -> dict[str, Any]:
    return tomllib.loads((files("analysis.report") / "answer.toml").read_text(encoding="utf-8"))


def answer_frame(results: list[Result]) -> pd.DataFrame:
    """A line per claim of the thread."""
    lines = []
    for family, found in sorted(_families(results).items(), key=lambda item: (len(item[0]), item[0])):
        verdicts = [verdict for _, verdict in found]
        rule = families().get(family)
        interim = ", interim" if any(result.run.interim for result, _ in found) else ""
        lines.append(
            {
                "claim": family,
                "says": rule.says if rule else verdicts[0].says,
                "verdict": overall(verdicts, rule) + exploratory(verdicts) + interim,
                "conditions": counts(verdicts),
                "typical number": "; ".join(_number(one) for one in typical(verdicts, rule)),
                "n": _runs(found),
                "holds": _places(verdicts, "supported"),
                "fails": _places(verdicts, "refuted"),
                "report": ", ".join(dict.fromkeys(result.name for result, _ in found)),
            }
        )
    return pd.DataFrame(lines)


def _number(verdict: Verdict) -> str:
    where = f" ({condition(verdict)})" if verdict.condition else ""
    return f"{verdict.verdict}{where}: {verdict.measure} {number(verdict)} {interval(verdict)}".strip()


def _runs(found: list[tuple[Result, Verdict]]) -> str:
    """How many training runs a claim rests on, if any was trained, and on which data the most."""
    runs = _lanes([(result, verdict) for result, verdict in found if result.trains])
    most = max((verdict for _, verdict in found), key=lambda verdict: verdict.n_draws)
    trained = f"{runs:,} training runs" if runs else "no training"
    return f"{trained}, up to {most.n_draws:,} independent draws ({most.data})"


def _lanes(found: list[tuple[Result, Verdict]]) -> int:
    """Lanes that these verdicts rest on, each counted once; where a verdict rests on a part of a cell, no more than the parts."""
    total = 0
    for result in {id(result): result for result, _ in found}.values():
        own = [verdict for one, verdict in found if one is result]
        cells = {cell for verdict in own for cell in verdict.cells}
        total += min(int(result.run.lanes["cell"].isin(cells).sum()), sum(verdict.n_lanes for verdict in own))
    return total


def _linked(table: pd.DataFrame) -> pd.DataFrame:
    """The table with marks, a place to link to in each line, and links to the reports."""
    return marked(table).assign(
        claim=[f'<a id="{anchor(family)}"></a>{markdown_text(family)}' for family in table["claim"]],
        report=[", ".join(f"[{name}]({name}/README.md)" for name in names.split(", ")) for names in table["report"]],
    )


def _places(verdicts: list[Verdict], kind: str) -> str:
    """Where a claim has this verdict: everywhere, in these conditions, or, if they are many, how often by the setting that decides most."""
    found = [verdict for verdict in verdicts if verdict.verdict == kind]
    if not found:
        return ""
    if len(found) == len(verdicts):
        return "everywhere"
    count = f"{len(found)} of {len(verdicts)}"
    named = list(dict.fromkeys(condition(verdict) for verdict in found if verdict.condition))
    if not named:
        return count
    return f"{count}: {'; '.join(named)}" if len(named) <= FEW else f"{count}: {_by_setting(verdicts, kind)}"


def _by_setting(verdicts: list[Verdict], kind: str) -> str:
    """Counts by the axis whose values differ most in how often they have this verdict (largest chi-squared per value)."""
    tables = {}
    for axis in dict.fromkeys(axis for verdict in verdicts for axis in verdict.condition):
        # Of cases that are called `architecture: start` the architecture.
        has = [(verdict.condition[axis].partition(": ")[0], verdict.verdict == kind) for verdict in verdicts if axis in verdict.condition]
        if len(has) < len(verdicts) / 2:
            continue
        table = pd.DataFrame(has, columns=["value", "has"]).groupby("value", sort=False)["has"].agg(["sum", "size"])
        if len(table) <= MANY_VALUES:
            expected = table["size"] * table["sum"].sum() / table["size"].sum()
            tables[axis] = (((table["sum"] - expected) ** 2 / expected).sum() / len(table), table)
    if not tables:
        return "named in the report"
    axis = max(tables, key=lambda name: tables[name][0])
    table = tables[axis][1]
    return "; ".join(f"{place(axis, value)} {line['sum']} of {line['size']}" for value, line in table[table["sum"] > 0].iterrows())
