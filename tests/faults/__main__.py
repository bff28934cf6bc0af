"""`python -m tests.faults [FAMILY...] [--quick]`: inject all faults, or some families of them, and write `docs/faults.md`."""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults import census, clusters, damage, interruptions, mutations, shards, surroundings
from tests.faults.page import write_page
from tests.faults.record import families

__all__ = ["census", "clusters", "damage", "interruptions", "mutations", "shards", "surroundings"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="FAMILY", help=f"families: {', '.join(families)}; none: all")
    parser.add_argument("--quick", action="store_true", help="a few faults of each family; docs/faults.md stays as it is")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in families]
    if unknown:
        parser.error(f"no family '{unknown[0]}'; allowed: {', '.join(families)}")
    records = {}
    with TemporaryDirectory(prefix="faults-") as scratch:
        for name in options.names or families:
            one = families[name]
            record = one.inject(Path(scratch) / name, one.quick if options.quick else one.tries)
            records[name] = record
            print(
                f"{name}: {record.tried} tried: {record.summary}; {record.lost} lost, {record.doubled} doubled, {record.changed} changed",
                flush=True,
            )
            for line in record.broken[:10]:
                print(f"  {line}", flush=True)
    if not options.quick:
        print(write_page(records))
    return 1 if any(record.broken for record in records.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
