"""Run folders and reports as a forger would make them: whatever is changed, checksums and hashes are renewed."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from bench.registry import trusting
from bench.runs.parquet import as_frame, parquet_bytes
from bench.spec import Experiment, digest

Change = Callable[[pd.DataFrame], pd.DataFrame]


def manifest_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run.json").read_text())


def with_manifest(folder: Path, **changes: Any) -> None:
    """`run.json` with these fields changed."""
    (folder / "run.json").write_text(json.dumps({**manifest_of(folder), **changes}))


def with_rows(folder: Path, change: Change, kind: str = "lanes") -> None:
    """The rows of the first part of a kind, changed; its count and its checksum are renewed."""
    manifest = manifest_of(folder)
    part = next(part for part in manifest["parts"] if part["file"].startswith(kind))
    rows = change(as_frame(pq.read_table(folder / part["file"])))
    content = parquet_bytes(rows)
    (folder / part["file"]).write_bytes(content)
    part |= {"rows": len(rows), "sha256": hashlib.sha256(content).hexdigest()}
    with_manifest(folder, parts=manifest["parts"])


def forged(folder: Path, **changes: Any) -> None:
    """A folder whose experiment names other pieces, although its rows are those of the first one; all that can be known is consistent."""
    with trusting(()):
        before = Experiment.parse((folder / "experiment.toml").read_text())
        content = before.model_dump(mode="json", exclude_defaults=True, by_alias=True)
        experiment = Experiment.model_validate({**content, **changes})
        settings = [cell.settings.identity() for cell in experiment.cells]
        spec_hash = experiment.training_hash
    (folder / "experiment.toml").write_text(experiment.text)
    records = manifest_of(folder)["cells"]
    ids = {record["id"]: cell.id for record, cell in zip(records, experiment.cells, strict=True)}
    for record, cell, kept in zip(records, experiment.cells, settings, strict=True):
        assert cell.id == digest(kept, 12)
        record |= {"id": cell.id, "axes": cell.axes, "settings": kept}
    for kind in ("lanes", "curves"):
        with_rows(folder, lambda rows: rows.assign(cell=rows["cell"].map(ids)), kind)
    axes = {cell.id: cell.axes for cell in experiment.cells}
    with_rows(folder, lambda rows: _with_axes(rows.drop(columns=list(before.axes)), axes))
    with_manifest(folder, cells=records, spec_hash=spec_hash)


def _with_axes(rows: pd.DataFrame, axes: dict[str, dict[str, Any]]) -> pd.DataFrame:
    names = next(iter(axes.values()))
    return rows.assign(**{name: rows["cell"].map(lambda cell, name=name: axes[cell][name]) for name in names})
