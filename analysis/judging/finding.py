"""The findings of an experiment in a few words: what each claim or law says, and whether it holds."""

import re
from collections import Counter
from collections.abc import Collection, Sequence

from analysis.judging.verdict import Outcome, Verdict
from analysis.laws import Law

DETAIL = re.compile(r": .*|,? in at least \d+% of runs| \([^()]*\d[^()]*\)", re.DOTALL)
"""The parts of a sentence that say how a statement is judged."""
VERBS: dict[Outcome, str] = {"supported": "holds", "refuted": "fails", "undecided": "is undecided", "withheld": "is withheld"}


def statement(judged: Verdict | Law) -> str:
    """Return what a claim says, or the first sentence of a law, without how it is judged."""
    return DETAIL.sub("", judged.says).rstrip(".")


def distinctions(says: Sequence[str]) -> list[str]:
    """Return of each of several sentences with the same statement the first of its parts, between commas, that tells it from the others."""
    parts = [text.partition(": ")[2].rstrip(".").split(", ") for text in says]
    place = next((place for place, same in enumerate(zip(*parts, strict=False)) if len(set(same)) > 1), 0)
    return [part[place] for part in parts]


def by_statement(verdicts: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """Group verdicts by what their claims say, in their order."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(statement(verdict), []).append(verdict)
    return found


def finding(verdicts: Sequence[Verdict]) -> str:
    """Return the statement of claims that say the same, with its verdict; alone if it holds wherever it was judged, empty if nowhere."""
    if not verdicts:
        return ""
    said = statement(verdicts[0])
    number = Counter(verdict.verdict for verdict in verdicts)
    if len(number) == 1:
        return said if number["supported"] else f"{verdicts[0].verdict.capitalize()}: {said}"
    if bool(number["supported"]) is not bool(number["refuted"]):
        decided: Outcome = "supported" if number["supported"] else "refuted"
        return f"{said}: {VERBS[decided]} wherever it is decided, in {number[decided]} of {len(verdicts)} conditions"
    parts = [f"{verb} in {number[kind]}" for kind, verb in VERBS.items() if number[kind]]
    return f"{said}: {', '.join(parts)} of {len(verdicts)} conditions"


def shown_finding(shown: Collection[str], laws: Sequence[Law], verdicts: Sequence[Verdict]) -> str:
    """Return the finding of the claims with these names, and without any of them that of the first law; empty without a law as well."""
    if found := finding([verdict for verdict in verdicts if verdict.id in shown]):
        return found
    law = next((law for law in laws if law.name in shown), None)
    return "" if law is None else statement(law) if law.holds else f"Fails: {statement(law)}"
