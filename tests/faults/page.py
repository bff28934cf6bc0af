"""`docs/faults.md`: the table of all faults."""

from pathlib import Path

import jax

from bench.runs.environment import current_provenance, now
from tests.faults.record import Record

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
COMMAND = "python -m tests.faults"
HEADINGS = ("Fault", "How it is injected", "Times", "What happened", "Rows lost", "Rows doubled", "Rows changed")


def write_page(records: list[Record]) -> Path:
    """Write the page; its path."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(records), encoding="utf-8")
    return PAGE


def page(records: list[Record]) -> str:
    """The page as Markdown."""
    here = current_provenance(jax.devices())
    rows = [(one.fault, one.how, f"{one.tried:,}", one.summary, f"{one.lost:,}", f"{one.doubled:,}", f"{one.changed:,}") for one in records]
    table = [" | ".join(row) for row in (HEADINGS, ("---",) * len(HEADINGS), *rows)]
    broken = [line for one in records for line in one.broken]
    changed = ", with changes that are not committed" if here.git.dirty else ""
    text = f"""# What faults cost

Each fault below was injected into runs of a small experiment, and what was left was compared, row by row and byte by byte, with a run
that nothing disturbed. The page is generated; this command injects all faults anew and writes it (some minutes):

    {COMMAND}

Measured on {now()[:10]} with initbench {here.versions["initbench"]} at commit {here.git.commit or "unknown"}{changed},
jax {here.versions["jax"]}, {here.device.count} x {here.device.kind}, Python {here.python}.

{"".join(f"| {row} |" + chr(10) for row in table)}
"Rows" are rows of training runs and points of their curves, of all tries together. {len(broken)} promises were broken.
"""
    return text + "".join(f"\n- `{line}`" for line in broken[:50]) + ("\n" if broken else "")
