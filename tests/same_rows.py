"""`python -m tests.same_rows CHECKOUT [NAME...] [--seeds N] [--out DIR]`: train the committed experiments in another checkout and in
this one, and say where a row or a point of a curve is not the same to the last bit. A run that `--out` holds is not trained again.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.spec import catalog

ROOT = Path(__file__).parents[1]
ORDER = ("cell", "data_seed", "init_seed", "step")
"""Columns that name a row, or a point of a curve."""


def train(checkout: Path, name: str, seeds: int, out: Path) -> Path:
    """The run folder of an experiment, trained by the code of a checkout; RuntimeError with its last words if that fails."""
    command = [sys.executable, "-m", "initbench", "run", name, "--seeds", str(seeds), "--out", str(out), "--mixed"]
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


def main() -> int:
    """Compare, experiment by experiment; 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.same_rows", description=__doc__)
    parser.add_argument("checkout", type=Path, metavar="CHECKOUT", help="the root of another checkout of this project")
    parser.add_argument("names", nargs="*", metavar="NAME", help="experiments; none: all that come with the package")
    parser.add_argument("--seeds", type=int, default=100, help="seeds per cell (default: 100)")
    parser.add_argument("--out", type=Path, default=Path("results/same_rows"), help="where the runs go")
    options = parser.parse_args()
    worst = 0
    for name in options.names or catalog.names():
        theirs, ours = (
            digests(train(checkout.resolve(), name, options.seeds, (options.out / side).resolve()))
            for side, checkout in (("before", options.checkout), ("after", ROOT))
        )
        different = sorted(column for column in theirs.keys() | ours.keys() if theirs.get(column) != ours.get(column))
        worst |= bool(different)
        print(f"{name}: {'differs in ' + ', '.join(different) if different else f'{len(ours)} columns, the same bytes'}", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main())
