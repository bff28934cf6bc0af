"""The commands about this installation: `list` what can be named in a file, and `doctor`, a self-test."""

import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from initbench.cli.errors import clean
from initbench.cli.inventory import Things, inventory
from initbench.cli.tables import out, plain_table

SEEDS = 64
"""Training runs of the self-test; half of them are trained once more."""
SELF_TEST = (
    'name = "doctor"\ntask = "xor"\nmodel = "mlp"\ninitializer = "he_normal"\n'
    "[training]\nsteps = 500\nsolved_below = 0.05\n[optimizer]\nlearning_rate = 0.5\n"
)


@clean
def list_things(
    what: Annotated[
        str | None, typer.Argument(metavar="[KIND or NAME]", help="One kind, for example initializers or laws; or one thing by its name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_long: Annotated[bool, typer.Option("--long", help="Print formula, source, law and options as well.")] = False,
) -> None:
    """List the names that an experiment file can use; of one thing also its formula, source, law and options."""
    things = inventory()
    if what is None or what in things:
        chosen = {kind: entries for kind, entries in things.items() if what in (None, kind)}
    else:
        chosen = _named(what, things)
        as_long = True
    if as_json:
        sys.stdout.write(json.dumps(chosen[what] if what in chosen else chosen, indent=2) + "\n")
        return
    for title, entries in chosen.items():
        table = plain_table(title)
        for entry in entries:
            table.add_row(entry["name"], entry["summary"])
            for name, text in entry.items() if as_long else ():
                if name not in ("name", "summary"):
                    table.add_row("", f"{name}: {text}")
        out.print(table)
        out.print()


def _named(name: str, things: Things) -> Things:
    """Return the things of this name; ValueError with one line if there is none."""
    found = {kind: [entry] for kind, entries in things.items() for entry in entries if entry["name"] == name}
    if found:
        return found
    from bench.messages import nearest
    from initbench.cli.listing import kinds

    own = {kind: [one.entry(name)] for kind, one in kinds().items() if name in one.names}
    if not own:
        known = [*things, *(entry["name"] for entries in things.values() for entry in entries)]
        raise ValueError(f"unknown kind or name '{name}'; {nearest(name, known)}")
    return own


@clean
def doctor() -> None:
    """Devices, versions, flags, and a self-test that trains a few training runs twice."""
    import jax

    from bench.runs.environment import current_provenance

    here = current_provenance(jax.devices())
    table = plain_table()
    table.add_row("python", platform.python_version())
    for name, version in here.versions.items():
        table.add_row(name, version)
    table.add_row("devices", f"{here.device.count} x {here.device.kind} ({here.device.platform})")
    for key in ("xla_flags", "matmul_precision", "relu_gradient_at_zero"):
        table.add_row(key, str(getattr(here, key)))
    out.print(table)
    few = SEEDS // 2
    if _digests(SEEDS, None)[:few] != _digests(few, jax.devices()[:1]):
        out.print("self-test: FAILED, the same training runs have other bits with fewer seeds on one device")
        raise typer.Exit(1)
    out.print(f"self-test: passed, {few} training runs have the same bits with more seeds and on one device")


def _digests(seeds: int, devices: list[Any] | None) -> list[str]:
    """Train the self-test with this number of seeds; returns the digest of the final parameters of each training run."""
    from bench import Experiment
    from bench import run as train
    from bench.runs.manifest import read_manifest
    from bench.runs.parquet import read_rows

    with tempfile.TemporaryDirectory() as scratch:
        where = train(Experiment.parse(SELF_TEST, overrides={"seeds.init": seeds}), Path(scratch), devices)
        return read_rows(where, read_manifest(where))["params_digest"].tolist()
