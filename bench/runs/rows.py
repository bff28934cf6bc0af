"""Cells and seeds as lanes of the engine, and ended lanes as rows of the file format."""

import binascii
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa

from bench.engine.pool import Batch, Lanes
from bench.hardware import precision
from bench.lane.descent import Kind
from bench.lane.ends import Certifier
from bench.lane.program import Program
from bench.lane.state import Inputs, Status
from bench.probes import breaking
from bench.runs.numbering import Numbering
from bench.runs.spans import Spans
from bench.spec import COMMON, ROW_COLUMNS, Experiment

CURVE_SEEDS = 64
"""Curves are kept of lanes whose init seed and data seed are both among so many first ones."""

END_NUMBERS = {
    "end_loss": ("loss", 4),
    "end_index": ("negative", 9),
    "end_flat": ("flat", 9),
    "end_distance": ("distance", 2),
    "end_time": ("time", 2),
}
"""Columns about the end of a lane that has failed: the field of `End`, and how many of its digits are kept."""


class LaneTable:
    """All lanes of an experiment, numbered cell by cell: how they enter a pool, and how they become rows when they have ended."""

    def __init__(self, experiment: Experiment, programs: list[Program]) -> None:
        self.experiment = experiment
        self.seeds = len(experiment.seeds)
        self.numbering = Numbering([cell.id for cell in experiment.cells], experiment.seeds)
        position = {cell.id: index for index, cell in enumerate(experiment.cells)}
        measured = [name for program in programs for name in program.measured]
        self.probes = [name for name in dict.fromkeys(measured) if name not in COMMON]
        cells = experiment.cells
        self.axes = {
            axis: pa.array(pd.Series([cell.axes[axis] for cell in cells], dtype=axis_type(values)))
            for axis, values in experiment.axes.items()
        }
        """The value of each axis in each cell."""
        self.cells = [[position[cell.id] for cell in program.cells] for program in programs]
        """Numbers of the cells of each program."""
        self.log_steps = {cell: program.log_steps for cells, program in zip(self.cells, programs, strict=True) for cell in cells}
        """Steps at which the curves of each cell are logged."""
        self._certifier_of = {
            cell: certifier
            for cells, certifier in zip(self.cells, [Certifier(program) if program.ends else None for program in programs], strict=True)
            for cell in cells
        }
        self.tracked = list(dict.fromkeys(name for program in programs for name in program.track))

    def lanes(self, program: Program, numbers: np.ndarray) -> Lanes:
        """Return the lanes of a program that have these numbers, in this order; lanes of one cell must stand together."""
        cell, seed = np.divmod(numbers, self.seeds)
        edges = [0, *(np.flatnonzero(np.diff(cell)) + 1), len(cell)]
        with precision(program.dtype):
            parts = [self._cell_lanes(program, int(cell[first]), seed[first:last]) for first, last in pairwise(edges)]
        if len(parts) == 1:
            # Inputs that are the same for all lanes of a cell are broadcast and take no memory.
            return parts[0]
        fields = zip(*(part.inputs for part in parts), strict=True)
        return Lanes(
            ids=np.concatenate([part.ids for part in parts]),
            variant=np.concatenate([part.variant for part in parts]),
            inputs=Inputs(*(np.concatenate(field) for field in fields)),
            logged=np.concatenate([part.logged for part in parts]),
        )

    def of_program(self, index: int) -> Spans:
        """Return the numbers of all lanes of a program."""
        return Spans.joined(Spans.between(cell * self.seeds, (cell + 1) * self.seeds) for cell in self.cells[index])

    def seeds_of(self, numbers: np.ndarray) -> pd.DataFrame:
        """Return the cells and seeds of the lanes of these numbers."""
        cell, seed = np.divmod(numbers, self.seeds)
        return pa.table(self._identity(cell, seed)).to_pandas()

    def logged(self, numbers: np.ndarray) -> np.ndarray:
        """Return whether the curve of each of these lanes is kept."""
        return self.numbering.below(numbers, CURVE_SEEDS)

    def _cell_lanes(self, program: Program, index: int, seed: np.ndarray) -> Lanes:
        cell = self.experiment.cells[index]
        data_seed, init_seed = self.experiment.seeds.at(seed)
        numbers = index * self.seeds + seed
        return Lanes(
            ids=numbers,
            variant=np.full(seed.shape, program.variant_of(cell), np.int32),
            inputs=program.inputs_of(cell, data_seed, init_seed),
            logged=self.logged(numbers),
        )

    def _identity(self, cell: np.ndarray, seed: np.ndarray) -> dict[str, pa.Array]:
        data_seed, init_seed = self.experiment.seeds.at(seed)
        return {
            "cell": _texts([one.id for one in self.experiment.cells], cell),
            "data_seed": pa.array(data_seed),
            "init_seed": pa.array(init_seed),
        }

    def rows(self, batch: Batch) -> pa.Table:
        """Return one row per ended lane, with the columns of the file format."""
        found = batch.columns
        cell, seed = np.divmod(found["lane"], self.seeds)
        status = found["status"]
        diverged = status == Status.DIVERGED
        nothing = np.full(len(status), np.nan)

        def real(name: str, blank: np.ndarray | bool = False) -> pa.Array:
            return _finite(found.get(name, nothing), blank)

        values = {
            **self._identity(cell, seed),
            "experiment": _texts([self.experiment.name], np.zeros(len(status), int)),
            "outcome": _texts([one.name.lower() for one in Status], status),
            "steps_to_solve": _natural(np.where(status == Status.SOLVED, found["steps_to_solve"], -1)),
            "steps_run": pa.array(found["step"].astype(np.int64)),
            "params_digest": _hexadecimal(found["params_digest"]),
            **({"break_step": _natural(found["break_step"])} if breaking(self.tracked) is not None else {}),
            **(self._ends(found) if self.experiment.ends else {}),
        }
        for column in ROW_COLUMNS:
            if column.type == "real" and column.source != "ends":
                name = "loss" if column.name == "loss_final" else column.name
                values[column.name] = real(name, diverged if column.null == "diverged" else False)
        probes: dict[str, pa.Array] = {}
        for name in self.probes:
            probes[f"{name}_initial"] = real(f"{name}_initial")
            probes[f"{name}_final"] = real(f"{name}_final", diverged)
        lattice = self.experiment.seeds.map
        after = {
            "cell": {axis: of_cells.take(pa.array(cell)) for axis, of_cells in self.axes.items()},
            "init_seed": lattice.places(self.experiment.seeds.at(seed)[1]) if lattice else {},
            "grad_norm_final": probes,
        }
        columns: dict[str, pa.Array] = {}
        for name in (column.name for column in ROW_COLUMNS if column.name in values):
            columns |= {name: values[name], **after.get(name, {})}
        return pa.table(columns)

    def _ends(self, found: dict[str, np.ndarray]) -> dict[str, pa.Array]:
        """Return the columns about the ends of lanes, of which those are certified that have failed."""
        cell, seed = np.divmod(found["lane"], self.seeds)
        kind = found["status"].astype(np.int64)
        numbers = {name: np.full(len(kind), np.nan) for name in END_NUMBERS}
        failed = np.isin(kind, (Status.UNSOLVED, Status.STUCK))
        for index in np.unique(cell[failed]):
            here = np.flatnonzero(failed & (cell == index))
            certifier, data_seed = self._certifier_of[index], self.experiment.seeds.at(seed[here])[0]
            assert certifier is not None
            end = certifier.ends(self.experiment.cells[index], data_seed, found["params"][here])
            kind[here] = len(Status) + end.kind
            for name, (field, digits) in END_NUMBERS.items():
                numbers[name][here] = _rounded(getattr(end, field), digits)
        names = [one.name.lower() for one in (*Status, *Kind)]
        return {"end": _texts(names, kind), **{name: _finite(values) for name, values in numbers.items()}}

    def curves(self, batch: Batch) -> pa.Table:
        """Return one row per logged step of each lane whose curve is kept."""
        points = batch.curves
        lane = points.get("lane", np.zeros(0, np.int64))
        nothing = np.full(len(lane), np.nan)
        seen = {name: _finite(points.get(name, nothing)) for name in ("loss", *self.tracked)}
        place = np.divmod(lane, self.seeds)
        return pa.table({**self._identity(*place), "step": pa.array(points.get("step", lane).astype(np.int64)), **seen})


def _texts(names: list[str], index: np.ndarray) -> pa.Array:
    """Return the name of each number as an array of texts."""
    return pa.array(names, pa.large_string()).take(pa.array(index))


def _finite(numbers: np.ndarray, blank: np.ndarray | bool = False) -> pa.Array:
    """Return numbers as float64, null where they are not finite or where `blank` says so."""
    return pa.array(numbers.astype(np.float64, copy=False), mask=~np.isfinite(numbers) | blank)


def _rounded(numbers: np.ndarray, digits: int) -> np.ndarray:
    """Return numbers with this many significant digits: further ones would depend on the processor."""
    return np.array([float(f"{number:.{digits - 1}e}") for number in numbers.astype(float)])


def _natural(numbers: np.ndarray) -> pa.Array:
    """Return numbers as int64, null where they are negative."""
    return pa.array(numbers.astype(np.int64), mask=numbers < 0)


def _hexadecimal(words: np.ndarray) -> pa.Array:
    """Return each row of 32-bit words as a hexadecimal text."""
    size = 8 * words.shape[1]
    places = size * np.arange(len(words) + 1, dtype=np.int64)
    text = binascii.hexlify(words.astype(">u4").tobytes())
    return pa.LargeStringArray.from_buffers(len(words), pa.py_buffer(places), pa.py_buffer(text))


def axis_type(values: list[object]) -> type:
    """Return the narrowest column type that holds every value of an axis."""
    kinds = {type(value) for value in values}
    if kinds <= {int}:
        return int
    if kinds <= {int, float}:
        return float
    return bool if kinds == {bool} else str
