"""`python -m tests.same_rows BEFORE [NAME...] [--seeds N] [--out DIR]`: train the experiments of another checkout, as its files have
them, in that checkout and in this one, and say where a row or a point of a curve is not the same to the last bit. If BEFORE is a folder of
reports, their experiments are trained here and their rows stand for the other checkout, as far as a report keeps them. A run that `--out`
holds is not trained again.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.report.compact import compact
from analysis.rows.load import load
from bench.spec.document import read_document, write_document

ROOT = Path(__file__).parents[1]
ORDER = ("cell", "data_seed", "init_seed", "step")
"""Columns that name a row, or a point of a curve."""
JUDGING = ("laws", "claim", "figure", "published")
"""Parts of an experiment file that do not train."""


def experiment_files(before: Path) -> dict[str, Path]:
    """The experiment files of a checkout or of a folder of reports, by the names of the experiments."""
    if (before / "bench").is_dir():
        return {file.stem: file for file in sorted((before / "bench" / "experiments").glob("*.toml"))}
    return {file.parent.name: file for file in sorted(before.glob("*/experiment.toml"))}


def training_part(file: Path, out: Path) -> Path:
    """Write an experiment file without what judges and draws, whose laws and kinds of figures may have other names in another checkout."""
    content = read_document(file.read_text(encoding="utf-8"))
    target = out / "experiments" / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(write_document({key: value for key, value in content.items() if key not in JUDGING}), encoding="utf-8")
    return target


def train(checkout: Path, name: str, file: Path, seeds: int, out: Path) -> Path:
    """The run folder of an experiment, trained by the code of a checkout; RuntimeError with its last words if that fails."""
    command = [sys.executable, "-m", "initbench", "run", str(file), "--seeds", str(seeds), "--out", str(out), "--mixed"]
    done = subprocess.run(
        command, cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{checkout.name}: {name}: {(done.stdout + done.stderr)[-500:]}")
    return out / name


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each column of the lanes and of the curves of a run, in the order of cells and seeds; dtypes count."""
    found = {}
    for kind in ("lanes", "curves"):
        parts = sorted((folder / kind).glob("*.parquet"))
        if not parts:
            continue
        table = pa.concat_tables([pq.read_table(part) for part in parts])
        table = table.sort_by([(name, "ascending") for name in ORDER if name in table.column_names]).combine_chunks()
        for name in table.column_names:
            sink = pa.BufferOutputStream()
            column = pa.table({name: table[name]}).replace_schema_metadata(None)
            with pa.ipc.new_stream(sink, column.schema) as writer:
                writer.write_table(column)
            found[f"{kind}: {name}"] = hashlib.sha256(sink.getvalue()).hexdigest()
    return found


def same(before: Path, after: Path) -> tuple[int, list[str]]:
    """The number of columns of the lanes and curves of two run folders, and the names of those that differ."""
    theirs, ours = digests(before), digests(after)
    return len(ours), sorted(column for column in theirs.keys() | ours.keys() if theirs.get(column) != ours.get(column))


def same_as_reported(report: Path, folder: Path) -> tuple[int, list[str]]:
    """The number of columns that a report keeps, and the names of those in which a training run of the folder is not as in the report.

    The folder may hold fewer seeds than the report; a training run that the report does not have is a difference in every column.
    """
    reported, trained, columns, different = load(report), compact(load(folder)), 0, []
    for kind, theirs, ours in (("lanes", reported.lanes, trained.lanes), ("curves", reported.curves, trained.curves)):
        if ours.empty:
            continue
        key = [name for name in ORDER if name in ours]
        both = ours[key].astype(object).merge(theirs.astype({name: object for name in key}), on=key, how="left")
        for name in sorted((set(ours) | set(theirs)) - set(key)):
            columns += 1
            if name not in ours or name not in theirs or not _equal(both[name], ours[name]):
                different.append(f"{kind}: {name}")
    return columns, different


def _equal(theirs: pd.Series, ours: pd.Series) -> bool:
    """Whether two columns have the same bits, or the same texts; a float64 may stand for the float32 of the same value."""
    if ours.dtype.kind == "f":
        return bool(theirs.to_numpy(float).tobytes() == ours.to_numpy(float).tobytes())
    return theirs.astype(object).where(theirs.notna(), None).tolist() == ours.astype(object).where(ours.notna(), None).tolist()


def main() -> int:
    """Compare, experiment by experiment; 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.same_rows", description=__doc__)
    parser.add_argument("before", type=Path, metavar="BEFORE", help="the root of another checkout of this project, or a folder of reports")
    parser.add_argument("names", nargs="*", metavar="NAME", help="experiments; none: all that BEFORE has")
    parser.add_argument("--seeds", type=int, default=100, help="seeds per cell (default: 100)")
    parser.add_argument("--out", type=Path, default=Path("results/same_rows"), help="where the runs go")
    options = parser.parse_args()
    before, out, worst = options.before.resolve(), options.out.resolve(), 0
    files = experiment_files(before)
    for name in options.names or files:
        file = files[name] if files[name].is_relative_to(before / name) else training_part(files[name], out)
        ours = train(ROOT, name, file, options.seeds, out / "after")
        if (before / name / "lanes.parquet").exists():
            columns, different = same_as_reported(before / name, ours)
        else:
            columns, different = same(train(before, name, file, options.seeds, out / "before"), ours)
        worst |= bool(different)
        print(f"{name}: {'differs in ' + ', '.join(different) if different else f'{columns} columns, the same bytes'}", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main())
