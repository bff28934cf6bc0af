"""Verdicts for a terminal of 80 columns and 24 lines."""

from collections.abc import Sequence
from pathlib import Path

from analysis.judging.family import exploratory, families, overall
from analysis.judging.verdict import Outcome, Verdict
from analysis.report.answer import rows
from analysis.report.interim import interim_note
from analysis.report.result import Result

COLUMNS, LINES = 80, 24
NAME, VERDICT = 41, 12
"""Number of columns for the name of a claim and for its verdict; the rest counts its conditions."""

MARK = "*"
EXPLORATORY = f"{MARK} exploratory: a criterion was changed after rows existed"


def verdict_page(results: Sequence[Result], page: Path) -> list[str]:
    """The answer in a few lines, one line per claim, and the path of the page; at most 80 columns and 23 lines, as the prompt takes one.

    Claims of the thread come first. Claims that do not fit are counted.
    """
    every = [verdict for result in results for verdict in result.verdicts]
    runs = sum(len(result.run.lanes) for result in results if result.trains)
    interim = f"; {note}" if (note := interim_note(results)) else ""
    trained = sum(result.trains for result in results)
    where = f"{trained} experiment{'' if trained == 1 else 's'}"
    head = [f"{runs:,} training runs in {where}{interim}", *_answers(every), ""]
    claims = [
        _cut(f"{name:<{NAME}.{NAME}} {verdict + MARK * exploratory(found):<{VERDICT}} {_when(found)}")
        for name, verdict, found in _claims(results)
    ]
    foot = [EXPLORATORY] if exploratory(every) else []
    foot.append(f"Intervals, figures, conditions: {page}")
    room = LINES - 1 - len(head) - len(foot)
    if len(claims) > room:
        left = len(claims) - room + 1
        claims = [*claims[: room - 1], f"... and {left} more claims"]
    # The path is to be copied, and therefore not cut.
    return [*map(_cut, head), *claims, *foot]


def _answers(every: Sequence[Verdict]) -> list[str]:
    """Which architectures may start at zero, as far as these verdicts say it."""
    lines = [
        f"  {row.starts_at_zero + ' ':.<{NAME - 1}} {', '.join(filter(None, (row.answer, row.note)))}{MARK * row.exploratory}"
        for row in rows(every)
    ]
    return ["May they start at zero?", *lines] if lines else []


def _claims(results: Sequence[Result]) -> list[tuple[str, Outcome, list[Verdict]]]:
    """Names and verdicts of the claims: first those of the thread by their numbers, then each experiment's own."""
    judged: dict[str, list[Verdict]] = {}
    own: dict[tuple[str, str], list[Verdict]] = {}
    for result in results:
        for verdict in result.verdicts:
            if verdict.family in families():
                judged.setdefault(verdict.family, []).append(verdict)
            else:
                own.setdefault((result.name, verdict.id), []).append(verdict)
    thread = [
        (f"{name:<4}{family.short}", overall(judged[name], family), judged[name]) for name, family in families().items() if name in judged
    ]
    return [*thread, *((name, overall(found), found) for (_, name), found in own.items())]


def _when(verdicts: Sequence[Verdict]) -> str:
    """The number of conditions under which a claim holds, fails, and is open, which means undecided or withheld."""
    if len(verdicts) == 1:
        return ""
    found = [verdict.verdict for verdict in verdicts]
    hold, fail = found.count("supported"), found.count("refuted")
    return f"{hold} hold {fail} fail {len(found) - hold - fail} open"


def _cut(line: str) -> str:
    """The line, shortened to the width of the terminal."""
    return line if len(line) <= COLUMNS else f"{line[: COLUMNS - 3]}..."
