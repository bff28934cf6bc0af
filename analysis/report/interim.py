"""Notes on results that rest on runs that are not complete."""

from collections.abc import Sequence

from analysis.report.result import Result


def interim_note(results: Sequence[Result]) -> str:
    """The experiments that are not complete, with the share of their training runs that has ended; empty if all are complete."""
    return "; ".join(f"{result.name} {result.run.interim}" for result in results if result.run.interim)


def interim_banner(results: Sequence[Result]) -> str:
    """The warning above results that rest on runs that are not complete; empty if all are complete."""
    note = interim_note(results)
    if not note:
        return ""
    return (
        f"**Interim ({note}).** These training runs are the ones that have ended so far. Runs that end early come first, so every "
        "number may still change, and no verdict is final."
    )
