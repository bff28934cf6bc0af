"""The table of the answer page: one line per claim of the thread."""

import pandas as pd

from analysis.escape import anchor, markdown_text
from analysis.judging.family import counts, families, overall, standing, typical
from analysis.judging.verdict import Verdict
from analysis.report.format import condition, interval, marked, number, place
from analysis.report.result import Result

FEW = 8
"""Largest number of conditions that are named one by one."""
MANY_VALUES = 20
"""Axes with more values are not counted by."""


def of_thread(results: list[Result]) -> dict[str, list[tuple[Result, Verdict]]]:
    """The verdicts of each claim of the thread, with their experiments."""
    found: dict[str, list[tuple[Result, Verdict]]] = {}
    for result in results:
        for verdict in result.verdicts:
            if verdict.family != result.name:
                found.setdefault(verdict.family, []).append((result, verdict))
    return found


def answer_frame(results: list[Result]) -> pd.DataFrame:
    """The table with one line per claim of the thread."""
    lines = []
    for family, found in sorted(of_thread(results).items(), key=lambda item: (len(item[0]), item[0])):
        verdicts = [verdict for _, verdict in found]
        rule = families().get(family)
        interim = ", interim" if any(result.run.interim for result, _ in found) else ""
        lines.append(
            {
                "claim": family,
                "says": rule.says if rule else verdicts[0].says,
                "verdict": overall(verdicts, rule) + standing(verdicts) + interim,
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
    """A verdict with its condition, number and interval."""
    where = f" ({condition(verdict)})" if verdict.condition else ""
    return f"{verdict.verdict}{where}: {verdict.measure} {number(verdict)} {interval(verdict)}".strip()


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


def _places(verdicts: list[Verdict], kind: str) -> str:
    """The conditions under which a claim has a verdict: "everywhere", their names, or, if they are many, counts by the setting that decides
    most."""
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
    """Counts by the axis whose values differ most in the share that has a verdict (largest chi-squared per value)."""
    tables = {}
    for axis in dict.fromkeys(axis for verdict in verdicts for axis in verdict.condition):
        # Cases that are called `architecture: start` are counted by architecture.
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
