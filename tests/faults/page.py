"""`docs/faults.md`, the table of all faults, and `docs/faults.json`, from which it is written."""

import json
from pathlib import Path
from typing import Any

import jax

from bench.runs.environment import current_provenance, now
from tests.faults.record import Record, families

FOLDER = Path(__file__).resolve().parents[2] / "docs"
COMMAND = "python -m tests.faults"
HEADINGS = ("Fault", "How it is injected", "Times", "What happened", "Rows lost", "Rows doubled", "Rows changed", "Measured")
COUNTS = ("tried", "lost", "doubled", "changed")


def write_page(records: dict[str, Record], folder: Path = FOLDER) -> Path:
    """Write the page anew with these records in place of older ones of the same families; return its path."""
    folder.mkdir(exist_ok=True)
    file, target = folder / "faults.json", folder / "faults.md"
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    found |= {name: _measured(record) for name, record in records.items()}
    kept = {name: found[name] for name in families if name in found}
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    target.write_text(page(kept), encoding="utf-8")
    return target


def page(records: dict[str, dict[str, Any]]) -> str:
    """The page as Markdown."""
    rows = [
        (one["fault"], one["how"], f"{one['tried']:,}", one["summary"], *(f"{one[count]:,}" for count in COUNTS[1:]), one["measured"])
        for one in records.values()
    ]
    table = [" | ".join(row) for row in (HEADINGS, ("---",) * len(HEADINGS), *rows)]
    broken = [line for one in records.values() for line in one["broken"]]
    text = f"""# What faults cost

Each fault below was injected into runs of a small experiment, and what was left was compared, row by row and byte by byte, with a run
that nothing disturbed. The page is generated. This command injects all faults anew, or those of the families that it is given, and writes
it (half an hour on two cores):

    {COMMAND} [FAMILY...]

{"".join(f"| {row} |" + chr(10) for row in table)}
"Rows" are rows of training runs and points of their curves, of all tries together. {len(broken)} promises were broken.
"""
    return text + "".join(f"\n- `{line}`" for line in broken[:50]) + ("\n" if broken else "")


def _measured(record: Record) -> dict[str, Any]:
    here = current_provenance(jax.devices())
    changed = " with changes" if here.git.dirty else ""
    where = f"jax {here.versions['jax']}, {here.device.count} x {here.device.kind}"
    return {
        "fault": record.fault,
        "how": record.how,
        "summary": record.summary,
        "broken": record.broken,
        "measured": f"{now()[:10]}, commit {(here.git.commit or 'unknown')[:8]}{changed}, {where}",
        **{count: getattr(record, count) for count in COUNTS},
    }
