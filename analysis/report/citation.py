"""How a report, or a figure of it, is cited: entries for BibTeX, and what a figure's file says of its source."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version

from analysis.escape import fenced, latex_text, plain_text
from analysis.rows.load import Run
from bench.spec import Experiment
from bench.spec.catalog import names

AUTHOR = "The initbench developers"
TITLE = "initbench: when is it safe to initialize weights to zero?"
"""Author and title of the whole, as `CITATION.cff` has them."""
LICENSE = "CC BY 4.0"
"""License of the figures and pages of the project's own experiments; the code's is Apache-2.0."""


def entry(kind: str, key: str, **fields: str) -> str:
    """Return an entry for BibTeX as a block of code; empty fields are left out, and values stand as they are."""
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return fenced(f"@{kind}{{{key},\n{lines}\n}}", "bibtex")


def entry_of_run(run: Run) -> str:
    """Return the entry of an experiment; one of somebody's own is not a part of this software, which its note names."""
    manifest, made, name = run.manifest, run.manifest.latest, run.experiment.name
    version = latex_text(made.versions.get("initbench", "unknown"))
    note = (
        f"{manifest.lanes:,} training runs on {made.device.count} x {latex_text(made.device.kind)}, "
        f"jax {latex_text(made.versions.get('jax', 'unknown'))}, spec {manifest.spec_hash[:16]}"
    )
    year = latex_text((manifest.ended or "")[:4])
    if name not in names():
        return entry("misc", name, title=latex_text(run.experiment.question or name), year=year, note=f"{note}, initbench {version}")
    key, note = f"initbench_{name.replace('-', '_')}", f"{note}{_commit(run)}"
    return entry("software", key, author=f"{{{AUTHOR}}}", title=f"initbench: {latex_text(name)}", version=version, year=year, note=note)


def _commit(run: Run) -> str:
    commit = run.manifest.latest.git.commit
    return f", commit {commit[:12]}" if commit else ""


def figure_source(run: Run) -> dict[str, str]:
    """Return the title, source and rights that a figure's file states; the figures of somebody's own experiment have no stated license."""
    made, name = run.manifest.latest, run.experiment.name
    source = f"initbench {made.versions.get('initbench', 'unknown')}, experiment {name}, spec {run.manifest.spec_hash}{_commit(run)}"
    rights = {"Rights": f"{AUTHOR}, {LICENSE}"} if name in names() else {}
    return {"Title": plain_text(run.experiment.question or name), "Source": plain_text(source), **rights}


def source_of_experiment(experiment: Experiment) -> dict[str, str]:
    """Return what a figure's file states that rests on training runs which are made for it alone."""
    source = f"initbench {version('initbench')}, experiment {experiment.name}, spec {experiment.training_hash}"
    return {"Title": experiment.question, "Source": source, "Rights": f"{AUTHOR}, {LICENSE}"}


def source_of_several(runs: Sequence[Run]) -> dict[str, str]:
    """Return what a figure's file states that rests on several experiments, or on the verdicts of one."""
    if len(runs) == 1:
        return figure_source(runs[0])
    versions = ", ".join(sorted({run.manifest.latest.versions.get("initbench", "unknown") for run in runs}))
    specs = hashlib.sha256("".join(sorted(run.manifest.spec_hash for run in runs)).encode()).hexdigest()
    rights = {"Rights": f"{AUTHOR}, {LICENSE}"} if all(run.experiment.name in names() for run in runs) else {}
    return {"Source": plain_text(f"initbench {versions}, {len(runs)} experiments, their specs {specs}"), **rights}
