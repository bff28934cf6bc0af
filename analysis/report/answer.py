"""The answer in rows, sentences and a chart, from verdicts and the texts of `answer.toml`."""

import tomllib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from importlib.resources import files
from itertools import groupby
from typing import Any, Literal, NamedTuple

import pandas as pd

from analysis.judging.family import exploratory
from analysis.judging.verdict import Verdict

Part = Literal["random", "why", "use"]


class Row(NamedTuple):
    """A row of the answer: weights that may, or may not, start at zero."""

    starts_at_zero: str
    answer: str
    note: str
    """Words that a terminal adds to the answer; empty if none."""
    because: str
    claims: tuple[str, ...]
    exploratory: bool


def rows(every: Sequence[Verdict]) -> list[Row]:
    """The rows of the answer whose experiments are there; "not settled" where the verdicts are not those that a row is written for."""
    found = []
    for row in answer_text()["row"]:
        if not all(is_judged(need, "", every) for need in row["needs"]):
            continue
        claims = tuple(dict.fromkeys(need["claim"] for need in row["needs"]))
        behind = exploratory([verdict for need in row["needs"] for verdict in spoken_of(need, "", every)])
        is_so = all(is_met(need, "", every) for need in row["needs"])
        answer, note, because = (row["answer"], row.get("note", ""), row["because"]) if is_so else ("not settled", "", "")
        found.append(Row(row["starts_at_zero"], answer, note, because, claims, behind))
    return found


def answer_rows(every: Sequence[Verdict]) -> pd.DataFrame:
    """The table of the answer in Markdown: neighbors with the same answer are one line."""
    lines = []
    for answer, group in groupby(rows(every), key=lambda row: row.answer):
        said = [
            f"**{row.starts_at_zero}**{': ' * bool(row.because)}{row.because} ({_linked(row.claims)}{', exploratory' * row.exploratory})"
            for row in group
        ]
        lines.append((f"**{answer}**", "<br>".join(said)))
    return pd.DataFrame(lines, columns=["safe?", "what starts at zero"])


def sentences(part: Part, whole: Mapping[str, str], every: Sequence[Verdict]) -> str:
    """The sentences of one part of the answer, with links to their claims.

    Each stands for a claim. It is there if it has words for the verdict on its claim (`whole`), and if the single verdicts that it needs
    are what its words say.
    """
    found = []
    for one in answer_text()["sentence"]:
        claim = one["claim"]
        if one["part"] == part and whole.get(claim) in one and all(is_met(need, claim, every) for need in one.get("needs", ())):
            marked = exploratory([verdict for verdict in every if verdict.family == claim])
            found.append(f"{one[whole[claim]][:-1]} ({_linked((claim,))}{', exploratory' * marked}).")
    return " ".join(found)


def _linked(claims: Sequence[str]) -> str:
    """Names of claims as links: to their line of the table, or to the page of the experiment whose own claim it is."""
    return ", ".join(f"[{claim}](#{claim.lower()})" if claim[1:].isdigit() else f"[{claim}]({claim}/README.md)" for claim in claims)


def spoken_of(need: dict[str, Any], family: str, every: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts that the words of a row, sentence or leaf are about; of the claim `family` if a need names none."""
    where, family = need.get("where", {}), need.get("claim", family)
    return [
        verdict
        for verdict in every
        if verdict.family == family
        and fnmatchcase(verdict.id, need["id"])
        and all(fnmatchcase(verdict.condition.get(axis, ""), pattern) for axis, pattern in where.items())
    ]


def is_met(need: dict[str, Any], family: str, every: Sequence[Verdict]) -> bool:
    """Whether there are verdicts that the words are about, and all (or some) of them are what it needs."""
    wanted = need["some"] if "some" in need else need["all"]
    met = [
        verdict.verdict == wanted
        and ("at_least" not in need or verdict.low >= need["at_least"])
        and ("at_most" not in need or verdict.high <= need["at_most"])
        for verdict in spoken_of(need, family, every)
    ]
    return any(met) if "some" in need else bool(met) and all(met)


def is_judged(need: dict[str, Any], family: str, every: Sequence[Verdict]) -> bool:
    """Whether there is a verdict that a need is about, whatever its outcome."""
    return bool(spoken_of(need, family, every))


def chart(every: Sequence[Verdict]) -> str:
    """A flow chart in the language of Mermaid.

    A leaf has its own words if the verdicts that it rests on are those that it needs, and "Not settled" otherwise. Leaves without verdicts
    are left out, and so are questions that lead to none.
    """
    content = answer_text()
    leaves = [leaf for leaf in content["leaf"] if all(is_judged(need, "", every) for need in leaf["needs"])]
    there = {leaf["id"] for leaf in leaves}
    steps: list[dict[str, Any]] = []
    # In the file, a question stands before those that it leads to.
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
        text = leaf["says"] if all(is_met(need, "", every) for need in leaf["needs"]) else "Not settled"
        lines.append(f'  {leaf["id"]}["{text} ({", ".join(dict.fromkeys(need["claim"] for need in leaf["needs"]))})"]')
    behind = [verdict for leaf in leaves for need in leaf["needs"] for verdict in spoken_of(need, "", every)]
    note = "\n\nExploratory: a criterion behind this chart was changed after training runs existed." if exploratory(behind) else ""
    return "\n".join([*lines, "```"]) + note


def answer_text() -> dict[str, Any]:
    """The content of `answer.toml`: rows, sentences, steps and leaves of the chart."""
    return tomllib.loads((files("analysis.report") / "answer.toml").read_text(encoding="utf-8"))
