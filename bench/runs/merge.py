"""Rows of run folders taken over into another one: of the shards of a run, or of runs of the same experiment on several machines."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.messages import first_few
from bench.runs.begin import SUMS, with_costs
from bench.runs.folder import RunFolder
from bench.runs.manifest import Manifest, Part, read_manifest
from bench.runs.numbering import BEYOND, Numbering
from bench.runs.parquet import LANE, read_table
from bench.runs.rows import CURVE_SEEDS
from bench.runs.spans import Spans

ATTEMPTS = 3
"""Most times that a folder is read whose parts go while it is read, since another process writes it."""


@dataclass
class Taken:
    """Counts of the training runs that were taken over from a run folder, and faults of its parts."""

    new: int = 0
    """Number of training runs that were not there before."""
    again: int = 0
    """Number of training runs that were there already, with the same rows to the last bit."""
    faults: list[str] = field(default_factory=list)
    """Parts that were left out because they are missing or damaged."""


class TakeOver:
    """Takes the rows and curves of run folders into another one of the same experiment; one part of each is in memory at a time.

    The folders are only read. Other processes may write them meanwhile: what is there at the time is taken.
    """

    def __init__(self, store: RunFolder, numbering: Numbering, mixed: bool = False) -> None:
        """`store` has a manifest; with `mixed` rows may have been made in ways that differ in what can change bits."""
        self._store, self._numbering, self._mixed = store, numbering, mixed

    def take(self, source: Path, widths: tuple[int, ...] | None = None) -> Taken:
        """Take over the training runs of a folder that the store lacks.

        `widths` are those of the blocks of the store's programs in the source, if its manifest lists other programs. ValueError if its rows
        were made otherwise and are not to be mixed, if it has training runs that are not of the experiment, or if a training run that both
        have differs in a bit.
        """
        new = Spans.between(0, 0)
        for _ in range(ATTEMPTS):
            theirs = read_manifest(source)
            one = _Source(source, theirs, self._numbering)
            if theirs.parts:
                self._check_alike(one, widths or theirs.block_width)
                new |= self._take(one)
            if not one.faults or read_manifest(source).parts == theirs.parts:
                break
        return Taken(len(new), len(one.there - new), one.faults)

    def _check_alike(self, source: "_Source", widths: tuple[int, ...]) -> None:
        """Raise ValueError if rows of a folder were made otherwise than those of the store, unless they are to be mixed."""
        ours = self._store.manifest
        found = ours.made_otherwise(source.manifest) if ours.in_use else []
        pairs = list(zip(ours.block_width, widths, strict=True))
        found += [f"{one} training runs in a block, now {other}" for one, other in pairs if one and other and one != other]
        if found and not self._mixed:
            raise ValueError(
                f"{source.folder}: its training runs were made otherwise than those of {self._store.folder} ({first_few(found)}); --mixed "
                "takes them over and marks the results as mixed"
            )
        self._widths = tuple(one or other for one, other in pairs)

    def _take(self, source: "_Source") -> Spans:
        """Take over what the store lacks; return the numbers of these training runs."""
        left = source.there - Spans.joined(numbers for _, numbers in self._stored)
        if left:
            theirs = source.manifest.provenance
            self._store.change(provenance=self._store.manifest.provenance | theirs, block_width=self._widths, complete=False)
            # Curves are taken first, so that a training run that is listed has its curve.
            for part, table, numbers in source.parts("curves"):
                self._append(part, table, left.contains(numbers))
            if any("/curves/" in fault for fault in source.faults):
                left -= self._numbering.first(CURVE_SEEDS)
        new = Spans.between(0, 0)
        for part, table, numbers in source.parts("lanes"):
            here = Spans.of(numbers)
            self._check_again(source.folder / part.file, table, numbers, here - left)
            if self._append(part, table, left.contains(numbers)):
                self._stored.append((self._store.manifest.parts[-1], here & left))
            new |= here & left
            left -= here
        self._add_costs(source.manifest, len(new))
        return new

    @cached_property
    def _stored(self) -> list[tuple[Part, Spans]]:
        """The parts of the store, with the numbers of their training runs."""
        ours = _Source(self._store.folder, self._store.manifest, self._numbering)
        return [(part, Spans.of(numbers)) for part, _, numbers in ours.parts("lanes")]

    def _append(self, part: Part, table: pa.Table, wanted: np.ndarray) -> bool:
        """Write wanted rows to the store; return whether there were any."""
        if wanted.any():
            self._store.append([(part.kind, table.filter(pa.array(wanted)))], part.provenance)
        return bool(wanted.any())

    def _check_again(self, file: Path, table: pa.Table, numbers: np.ndarray, again: Spans) -> None:
        """Raise ValueError if one of these training runs has another row in the store than in a file of a source."""
        for stored, known in self._stored if again else ():
            if not (common := again & known):
                continue
            ours = read_table(self._store.folder, stored)
            pairs = ((ours, self._numbering.of(ours.select(LANE).to_pandas())), (table, numbers))
            first, second = (rows.take(pa.array(_places(common, own))) for rows, own in pairs)
            if not first.equals(second):
                raise ValueError(
                    f"{file}: has other rows than {self._store.folder / stored.file} of the same training runs; one of the two was made "
                    "wrongly: initbench replay says which"
                )

    def _add_costs(self, theirs: Manifest, new: int) -> None:
        """Add the costs of a folder in proportion to the number of training runs that were taken over from it."""
        ours = self._store.manifest
        share = new / max(sum(part.rows for part in theirs.parts if part.kind == "lanes"), 1)
        if share:
            spent = {name: type(getattr(ours, name))(share * getattr(theirs, name)) for name in SUMS}
            self._store.change(**with_costs(ours, spent, theirs.peak_memory_bytes))


class _Source:
    """A run folder whose parts are read."""

    def __init__(self, folder: Path, manifest: Manifest, numbering: Numbering) -> None:
        self.folder, self.manifest, self._numbering = folder, manifest, numbering
        self.faults: list[str] = []
        """Lines about parts that are missing or damaged, each once."""

    @cached_property
    def there(self) -> Spans:
        """Numbers of the training runs whose rows can be read."""
        return Spans.joined(Spans.of(numbers) for _, _, numbers in self.parts("lanes"))

    def parts(self, kind: str) -> Iterator[tuple[Part, pa.Table, np.ndarray]]:
        """Yield the parts of a kind that can be read, with their rows and the numbers of these rows' training runs.

        ValueError if one of the training runs is not of the experiment.
        """
        for part in self.manifest.parts:
            if part.kind == kind:
                try:
                    table = read_table(self.folder, part)
                    numbers = self._numbering.of(table.select(LANE).to_pandas())
                except (ValueError, KeyError, FileNotFoundError) as error:
                    self.faults += [str(error)] if str(error) not in self.faults else []
                    continue
                if (numbers < 0).any():
                    more = (
                        "more seeds than the experiment has"
                        if (numbers == BEYOND).any()
                        else "training runs that are not of the experiment"
                    )
                    raise ValueError(f"{self.folder / part.file}: has {more}")
                yield part, table, numbers


def _places(wanted: Spans, numbers: np.ndarray) -> np.ndarray:
    """Return the places of wanted numbers, in the order of the numbers."""
    places = np.argsort(numbers, kind="stable")
    return places[wanted.contains(numbers[places])]
