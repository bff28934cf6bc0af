"""Rows of one run folder taken over into another: of the shards of a run, or of runs of the same experiment on several machines."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.messages import first_few
from bench.runs.folder import RunFolder
from bench.runs.manifest import Manifest, Part, read_manifest
from bench.runs.numbering import Numbering
from bench.runs.parquet import LANE, read_table
from bench.runs.spans import Spans

SUMS = ("programs", "compilations", "compile_seconds", "run_seconds", "seed_steps")
"""Costs in a manifest that add up."""


@dataclass
class Taken:
    """What was taken over from a run folder."""

    new: int = 0
    """Number of training runs that were not there before."""
    again: int = 0
    """Number of training runs that were there already, with the same rows to the last bit."""
    faults: list[str] = field(default_factory=list)
    """Parts that were left out because they are missing or damaged."""


def take_over(store: RunFolder, source: Path, numbering: Numbering, mixed: bool = False) -> Taken:
    """Take the rows and curves of a run folder into another one of the same experiment, which is begun if it is new.

    Nothing that the folders name is imported. ValueError if the source holds another experiment, if its rows were made otherwise without
    `mixed`, or if a training run that both have differs in a bit.
    """
    theirs = read_manifest(source)
    if store.new:
        store.save(_begun(theirs))
    ours = store.manifest
    _check_alike(store, source, theirs, mixed)
    widths = tuple(one or other for one, other in zip(ours.block_width, theirs.block_width, strict=True))
    store.change(provenance=ours.provenance | theirs.provenance, complete=False, block_width=widths)
    taken = _Taking(store, source, theirs, numbering).taken
    if taken.new:
        spent = {name: getattr(ours, name) + getattr(theirs, name) for name in SUMS}
        rate = spent["seed_steps"] / spent["run_seconds"] if spent["run_seconds"] else 0.0
        store.change(**spent, seed_steps_per_second=rate, peak_memory_bytes=max(ours.peak_memory_bytes, theirs.peak_memory_bytes))
    return taken


def _begun(theirs: Manifest) -> Manifest:
    """Return the manifest of a run that begins like another one."""
    nothing = dict.fromkeys((*SUMS, "seed_steps_per_second", "peak_memory_bytes"), 0)
    return theirs.changed(parts=(), complete=False, ended=None, **nothing)


def _check_alike(store: RunFolder, source: Path, theirs: Manifest, mixed: bool) -> None:
    """Raise ValueError if a folder holds another experiment than the store, or, unless `mixed`, rows that were made otherwise."""
    ours = store.manifest
    if (ours.spec_hash, ours.lanes) != (theirs.spec_hash, theirs.lanes):
        raise ValueError(f"{source}: holds another experiment than {store.folder}")
    found = ours.made_otherwise(theirs)
    for one, other in zip(ours.block_width, theirs.block_width, strict=True):
        found += [f"{one} training runs in a block, now {other}"] if one and other and one != other else []
    if found and not mixed:
        raise ValueError(
            f"{source}: its training runs were made otherwise than those of {store.folder} ({first_few(found)}); --mixed takes them over "
            "and marks the results as mixed"
        )


class _Taking:
    """The parts of a run folder on their way into another one; only one part of each is in memory at a time."""

    def __init__(self, store: RunFolder, source: Path, theirs: Manifest, numbering: Numbering) -> None:
        self._store, self._source, self._theirs, self._numbering = store, source, theirs, numbering
        self._ours = [(part, self._numbers(read_table(store.folder, part))) for part in store.manifest.parts if part.kind == "lanes"]
        self.taken = Taken()
        there = Spans.joined(Spans.of(self._numbers(table)) for _, table in self._sound("lanes"))
        left = there - Spans.joined(Spans.of(numbers) for _, numbers in self._ours)
        self.taken.new = len(left)
        # Curves are taken first, so that a training run that is listed has its curve.
        for part, table in self._sound("curves"):
            self._append(part, table, left)
        for part, table in self._sound("lanes"):
            here = Spans.of(self._numbers(table))
            self._check_again(part, table, here - left)
            self.taken.again += len(here - left)
            self._append(part, table, here & left)
            left -= here

    def _numbers(self, table: pa.Table) -> np.ndarray:
        """Return the numbers of the training runs of rows; ValueError if one is not of the experiment."""
        numbers = self._numbering.of(table.select(LANE).to_pandas())
        if (numbers < 0).any():
            raise ValueError(f"{self._source}: has training runs that are not of the experiment in {self._store.folder}")
        return numbers

    def _sound(self, kind: str) -> Iterator[tuple[Part, pa.Table]]:
        """Yield the parts of a kind with their rows; of those that are damaged, say so once and leave them out."""
        for part in self._theirs.parts:
            if part.kind == kind:
                try:
                    yield part, read_table(self._source, part)
                except (ValueError, FileNotFoundError) as error:
                    if str(error) not in self.taken.faults:
                        self.taken.faults.append(str(error))

    def _append(self, part: Part, table: pa.Table, wanted: Spans) -> None:
        """Write the rows of wanted training runs to the store."""
        rows = table.filter(pa.array(wanted.contains(self._numbers(table))))
        if len(rows):
            self._store.append({part.kind: rows}, part.provenance)
            if part.kind == "lanes":
                self._ours.append((self._store.manifest.parts[-1], self._numbers(rows)))

    def _check_again(self, part: Part, table: pa.Table, again: Spans) -> None:
        """Raise ValueError if one of these training runs has another row in the store than in a part of the source."""
        theirs = self._numbers(table)
        for stored, numbers in self._ours:
            if not (common := again & Spans.of(numbers)):
                continue
            first, second = (
                rows.take(pa.array(places[common.contains(own[places])]))
                for rows, own in ((read_table(self._store.folder, stored), numbers), (table, theirs))
                for places in (np.argsort(own),)
            )
            if not first.equals(second):
                raise ValueError(
                    f"{self._source / part.file}: has other rows than {self._store.folder / stored.file} of the same training runs; one of "
                    "the two was made wrongly: initbench replay says which"
                )
