"""A claim's positive control: what must hold before the claim can be judged."""

from typing import Any

from analysis.judging.criterion import at_least, bound_text, decision_of, meets, required_share
from analysis.judging.side import side_of
from analysis.rows.load import Run
from analysis.rows.measures import RATES
from analysis.stats.intervals import clustered_rate
from bench.spec import Claim

NONE = "no training runs to judge by"
UNEVEN = "pooled cells do not share their draws"


def failed_control(run: Run, claim: Claim, condition: dict[str, Any]) -> str:
    """Why the positive control of a claim was not met under a condition; empty if it was met, or if the claim has none."""
    needs = claim.needs
    if needs is None:
        return ""
    side = side_of(run, claim, {**claim.where, **condition, **needs.where}, needs.measure)
    if side.uneven:
        return f"control: {UNEVEN}"
    if needs.measure in RATES:
        found, decide = clustered_rate(side.values, side.clusters, 1 - claim.alpha), decision_of(needs, is_rate=True)
        wanted = f"share {needs.measure} {bound_text(needs)}"
    else:
        share = required_share(needs)
        found, decide = clustered_rate(meets(needs, side.values), side.clusters, 1 - claim.alpha), at_least(share)
        wanted = f"share {share:g} with {needs.measure} {bound_text(needs)}"
    if not found.n:
        return f"control: {NONE}"
    return "" if decide(found) else f"control not met: {wanted}, found {found.estimate:.4g} [{found.low:.4g}, {found.high:.4g}]"
