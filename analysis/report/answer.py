"""The answer in sentences and as a chart, from verdicts and the texts of `answer.toml`."""

import tomllib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any

from analysis.judging.family import exploratory
from analysis.judging.verdict import Verdict


def paragraph(verdicts: Mapping[str, str], every: Sequence[Verdict]) -> str:
    """The answer in sentences.

    Each clause of `answer.toml` stands for a claim. It is there if it has words for the verdict on its claim, and if the single verdicts
    that it needs are what its words say.
    """
    clauses = [
        (one[verdicts[one["claim"]]], one["claim"])
        for one in answer_text()["clause"]
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
    """The verdicts of a family that the words of a clause are about."""
    where = need.get("where", {})
    return [
        verdict
        for verdict in every
        if verdict.family == family
        and fnmatchcase(verdict.id, need["id"])
        and all(fnmatchcase(verdict.condition.get(axis, ""), pattern) for axis, pattern in where.items())
    ]


def is_met(need: dict[str, Any], family: str, every: Sequence[Verdict]) -> bool:
    """Whether there are verdicts that the words of a clause are about, and all (or some) of them are what it needs."""
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
    leaves = [leaf for leaf in content["leaf"] if all(is_judged(need, need["claim"], every) for need in leaf["needs"])]
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
        text = leaf["says"] if all(is_met(need, need["claim"], every) for need in leaf["needs"]) else "Not settled"
        lines.append(f'  {leaf["id"]}["{text} ({", ".join(dict.fromkeys(need["claim"] for need in leaf["needs"]))})"]')
    behind = [verdict for leaf in leaves for need in leaf["needs"] for verdict in spoken_of(need, need["claim"], every)]
    note = "\n\nExploratory: a criterion behind this chart was changed after rows existed." if exploratory(behind) else ""
    return "\n".join([*lines, "```"]) + note


def answer_text() -> dict[str, Any]:
    """The content of `answer.toml`: clauses, steps and leaves of the chart, and rows for the terminal."""
    return tomllib.loads((files("analysis.report") / "answer.toml").read_text(encoding="utf-8"))
