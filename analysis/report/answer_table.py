"""The table of the answer page: one line per claim of the thread."""

import pandas as pd

from analysis.escape import anchor, markdown_text
from analysis.judging.family import counts, families, overall, standing, typical
from analysis.judging.verdict import Outcome, Verdict
from analysis.report.format import in_words, marked
from analysis.report.result import Result
from analysis.report.rules import Learned, of_thread, rules_of_thread

ANSWERS: dict[Outcome, str] = {"supported": "yes", "refuted": "no", "conditional": "depends", "undecided": "open", "withheld": "open"}


def answer_frame(results: list[Result]) -> pd.DataFrame:
    """The table with one line per claim of the thread."""
    lines = []
    rules = rules_of_thread(results)
    for family, found in of_thread(results).items():
        verdicts = [verdict for _, verdict in found]
        entry = families().get(family)
        whole = overall(verdicts, entry)
        interim = ", interim" if any(result.run.interim for result, _ in found) else ""
        lines.append(
            {
                "claim": family,
                "says": entry.says if entry else verdicts[0].says,
                "answer": _answer(whole, rules.get(family)),
                "verdict": whole + standing(verdicts) + interim,
                "rule": rules[family].text if family in rules else "",
                "conditions": counts(verdicts),
                "typical number": "; ".join(in_words(one) for one in typical(verdicts, entry)),
                "n": _runs(found),
                "report": ", ".join(dict.fromkeys(result.name for result, _ in found)),
            }
        )
    return pd.DataFrame(lines)


def _answer(whole: Outcome, learned: Learned | None) -> str:
    """The answer in a few words; that of a conditional claim is what its rule says of all that it does not name."""
    if learned is None:
        return ANSWERS[whole]
    return "yes, unless" if learned.rule.otherwise else "no, unless"


def _runs(found: list[tuple[Result, Verdict]]) -> str:
    """Number of training runs behind a claim, and the largest number of independent draws behind one of its verdicts."""
    runs = _lanes([(result, verdict) for result, verdict in found if result.trains])
    most = max((verdict for _, verdict in found), key=lambda verdict: verdict.n_draws)
    trained = f"{runs:,} training runs" if runs else "no training"
    return f"{trained}, up to {most.n_draws:,} independent draws ({most.data})"


def _lanes(found: list[tuple[Result, Verdict]]) -> int:
    """Number of training runs behind these verdicts, each counted once; verdicts on parts of cells count no more than the parts."""
    total = 0
    for result in {id(result): result for result, _ in found}.values():
        own = [verdict for one, verdict in found if one is result]
        cells = {cell for verdict in own for cell in verdict.cells}
        total += min(int(result.run.lanes["cell"].isin(cells).sum()), sum(verdict.n_lanes for verdict in own))
    return total


def linked(table: pd.DataFrame) -> pd.DataFrame:
    """The table with marks, with an anchor in each line, and with links to the reports."""
    return marked(table).assign(
        claim=[f'<a id="{anchor(family)}"></a>{markdown_text(family)}' for family in table["claim"]],
        report=[", ".join(f"[{name}]({name}/README.md)" for name in names.split(", ")) for names in table["report"]],
    )
