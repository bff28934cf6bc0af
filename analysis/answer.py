"""The answer page: every claim of the thread with its verdict."""

import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any

import pandas as pd

from analysis.claims import Verdict, deciding, overall
from analysis.result import Result
from analysis.words import MARKS, condition, interval, markdown, number, place

FEW = 8
"""So many conditions are named one by one."""
MANY_VALUES = 20


def answer_page(results: list[Result], has_headline: bool) -> str:
    """The answer in markdown."""
    lanes = sum(result.run.manifest["lanes"] for result in results)
    seconds = sum(result.run.manifest["run_seconds"] + result.run.manifest["compile_seconds"] for result in results)
    devices = sorted({f"{r.run.manifest['device']['count']} x {r.run.manifest['device']['kind']}" for r in results})
    names = " ".join(result.name for result in results)
    picture = (
        "![Share of lanes that learn the task from zero and from random weights, for every problem trained from both"
        "](figures/headline.png)\n\n*Share of lanes that learn the task from all-zero and from random weights, with 95% intervals, "
        "for every problem that was trained from both on the same data.*"
    )
    families = _families(results)
    verdicts = {family: overall([verdict for _, verdict in found]) for family, found in families.items()}
    chart = _chart(verdicts)
    sections = [
        "# When is it safe to initialize weights to zero?",
        f"{lanes:,} training runs in {len(results)} experiments. Claims and criteria were fixed in each experiment's file before it ran; "
        "verdicts come from intervals, after the exact laws named in each report have held.",
        paragraph(verdicts, [verdict for found in families.values() for _, verdict in found]),
        "## Should this start at zero?" if chart else "",
        chart,
        "## Verdicts",
        markdown(_answer_frame(families)),
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


def _families(results: list[Result]) -> dict[str, list[tuple[Result, Verdict]]]:
    """Verdicts by the claim of the thread that they settle, with their experiments."""
    families: dict[str, list[tuple[Result, Verdict]]] = {}
    for result in results:
        for verdict in result.verdicts:
            if verdict.family != result.name:
                families.setdefault(verdict.family, []).append((result, verdict))
    return families


def paragraph(verdicts: Mapping[str, str], every: Iterable[Verdict]) -> str:
    """The answer in sentences: each clause stands for a claim, and is there if the claim has a verdict that it is written for and single
    verdicts are what its words need."""
    clauses = [
        (one[verdicts[one["claim"]]], one["claim"])
        for one in _answer_text()["clause"]
        if verdicts.get(one["claim"]) in one and all(_is_met(need, one["claim"], every) for need in one.get("needs", ()))
    ]
    sentences: list[str] = []
    for text, claim in clauses:
        linked = f"{text} ([{claim}](#{claim.lower()}))"
        if text[0].isupper() or not sentences:
            sentences.append(f"{linked[0].upper()}{linked[1:]}")
        else:
            sentences[-1] += f"; {linked}"
    return " ".join(f"{sentence}." for sentence in sentences)


def _spoken_of(need: dict[str, Any], family: str, every: Iterable[Verdict]) -> list[Verdict]:
    """The verdicts that a clause's words are about."""
    where = need.get("where", {})
    return [
        verdict
        for verdict in every
        if verdict.family == family
        and fnmatchcase(verdict.id, need["id"])
        and all(fnmatchcase(verdict.condition.get(axis, ""), pattern) for axis, pattern in where.items())
    ]


def _is_met(need: dict[str, Any], family: str, every: Iterable[Verdict]) -> bool:
    """Whether all (or some) of the verdicts that a clause's words are about, of which there must be one, are what it needs."""
    found = {verdict.verdict for verdict in _spoken_of(need, family, every)}
    return need["some"] in found if "some" in need else found == {need["all"]}


def _chart(verdicts: Mapping[str, str]) -> str:
    """A flow chart in Mermaid's language; a leaf whose claim has another verdict than it is written for says so."""
    content = _answer_text()
    if not any(leaf["claim"] in verdicts for leaf in content["leaf"]):
        return ""
    lines = ["```mermaid", "flowchart TD"]
    for step in content["step"]:
        lines.append(f'  {step["id"]}{{"{step["question"]}"}}')
        lines += [f'  {step["id"]} -- "{answer}" --> {target}' for answer, target in step["answers"].items()]
    for leaf in content["leaf"]:
        verdict = verdicts.get(leaf["claim"], "undecided")
        lines.append(f'  {leaf["id"]}["{leaf.get(verdict, "Not settled")} ({leaf["claim"]}: {MARKS[verdict]})"]')
    return "\n".join([*lines, "```"])


def _answer_text() -> dict[str, Any]:
    return tomllib.loads((files("analysis") / "answer.toml").read_text())


def _answer_frame(families: dict[str, list[tuple[Result, Verdict]]]) -> pd.DataFrame:
    statements = tomllib.loads((files("analysis") / "thread.toml").read_text())
    lines = []
    for family, found in sorted(families.items(), key=lambda item: (len(item[0]), item[0])):
        verdicts = [verdict for _, verdict in found]
        shown = deciding(verdicts)
        links = ", ".join(f"[{name}]({name}/README.md)" for name in dict.fromkeys(result.name for result, _ in found))
        lines.append(
            {
                "claim": f'<a id="{family.lower()}"></a>{family}',
                "says": statements.get(family, shown.says),
                "verdict": MARKS[overall(verdicts)],
                "deciding number": f"{shown.measure} {number(shown)} {interval(shown)}".strip(),
                "n": f"{sum(v.n_lanes for v in verdicts):,} lanes, up to {max(v.n_data_seeds for v in verdicts):,} data seeds "
                f"and {max(v.n_init_seeds for v in verdicts):,} init seeds",
                "holds": _places(verdicts, "supported"),
                "fails": _places(verdicts, "refuted"),
                "report": links,
            }
        )
    return pd.DataFrame(lines)


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
