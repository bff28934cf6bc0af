"""Cells and seeds as lanes, and ended lanes as rows."""

import binascii

import numpy as np
import pandas as pd
import pyarrow as pa

from bench.engine.devices import precision
from bench.engine.pool import Batch, Lanes
from bench.engine.program import Inputs, Program, Status
from bench.spec import Cell, Experiment

CURVE_SEEDS = 64
"""Curves are kept of lanes whose init seed and data seed are both below this."""


class LaneTable:
    """All lanes of an experiment, numbered cell by cell: what goes into the pool, and what comes out of it."""

    def __init__(self, experiment: Experiment, plan: list[Program]) -> None:
        self.experiment = experiment
        self.data_seed, self.init_seed = experiment.seeds.pairs()
        measured = [name for program in plan for name in program.measured]
        self.probes = [name for name in dict.fromkeys(measured) if name not in ("metric", "test_loss", "test_metric", "grad_norm")]
        cells = experiment.cells
        self.axes = {
            axis: pa.array(pd.Series([cell.axes[axis] for cell in cells], dtype=_axis_type(values)))
            for axis, values in experiment.axes.items()
        }
        """The value of each axis in each cell."""
        self.tracked = list(dict.fromkeys(name for program in plan for name in program.track))

    def lanes(self, program: Program, cells: list[int], missing: np.ndarray) -> Lanes:
        """The missing lanes of a program's cells."""
        with precision(program.dtype):
            parts = [self._cell_lanes(program, self.experiment.cells[cell], cell, missing[cell]) for cell in cells]
        if len(parts) == 1:
            # What is the same for all lanes of a cell takes no memory.
            return parts[0]
        fields = zip(*(part.inputs for part in parts), strict=True)
        return Lanes(
            ids=np.concatenate([part.ids for part in parts]),
            variant=np.concatenate([part.variant for part in parts]),
            inputs=Inputs(*(np.concatenate(field) for field in fields)),
            logged=np.concatenate([part.logged for part in parts]),
        )

    def _cell_lanes(self, program: Program, cell: Cell, index: int, missing: np.ndarray) -> Lanes:
        seeds = np.flatnonzero(missing)
        data_seed, init_seed = self.data_seed[seeds], self.init_seed[seeds]
        return Lanes(
            ids=index * len(self.experiment.seeds) + seeds,
            variant=np.full(seeds.shape, program.variant_of(cell), np.int32),
            inputs=program.inputs_of(cell, data_seed, init_seed),
            logged=(data_seed < CURVE_SEEDS) & (init_seed < CURVE_SEEDS),
        )

    def _identity(self, cell: np.ndarray, seed: np.ndarray) -> dict[str, pa.Array]:
        return {
            "cell": _texts([one.id for one in self.experiment.cells], cell),
            "data_seed": pa.array(self.data_seed[seed]),
            "init_seed": pa.array(self.init_seed[seed]),
        }

    def rows(self, batch: Batch) -> pa.Table:
        """One row per ended lane, with the columns of the file format."""
        found = batch.columns
        cell, seed = np.divmod(found["lane"], len(self.experiment.seeds))
        identity = self._identity(cell, seed)
        status = found["status"]
        diverged = status == Status.DIVERGED
        count = len(status)
        nothing = np.full(count, np.nan)

        def real(name: str, blank: np.ndarray | bool = False) -> pa.Array:
            return _finite(found.get(name, nothing), blank)

        columns = {
            "experiment": _texts([self.experiment.name], np.zeros(count, int)),
            "cell": identity.pop("cell"),
            **{axis: values.take(pa.array(cell)) for axis, values in self.axes.items()},
            **identity,
            **(self.experiment.seeds.map.places(self.init_seed[seed]) if self.experiment.seeds.map else {}),
            "outcome": _texts([one.name.lower() for one in Status], status),
            "steps_to_solve": _natural(np.where(status == Status.SOLVED, found["steps_to_solve"], -1)),
            "steps_run": pa.array(found["step"].astype(np.int64)),
            "learning_rate": real("learning_rate"),
            "loss_initial": real("loss_initial"),
            "loss_final": real("loss", diverged),
            "metric_final": real("metric_final", diverged),
            "test_loss_final": real("test_loss_final", diverged),
            "test_metric_final": real("test_metric_final", diverged),
            "grad_norm_initial": real("grad_norm_initial"),
            "grad_norm_final": real("grad_norm_final", diverged),
        }
        for name in self.probes:
            columns[f"{name}_initial"] = real(f"{name}_initial")
            columns[f"{name}_final"] = real(f"{name}_final", diverged)
        if "tie_spread" in self.tracked:
            columns["break_step"] = _natural(found["break_step"])
        columns["params_digest"] = _hexadecimal(found["params_digest"])
        return pa.table(columns)

    def curves(self, batch: Batch) -> pa.Table:
        """One row per kept lane and logged step."""
        points = batch.curves
        lane = points.get("lane", np.zeros(0, np.int64))
        nothing = np.full(len(lane), np.nan)
        seen = {name: _finite(points.get(name, nothing)) for name in ("loss", *self.tracked)}
        place = np.divmod(lane, len(self.experiment.seeds))
        return pa.table({**self._identity(*place), "step": pa.array(points.get("step", lane).astype(np.int64)), **seen})


def _texts(names: list[str], index: np.ndarray) -> pa.Array:
    """These names, by their numbers."""
    return pa.array(names, pa.large_string()).take(pa.array(index))


def _finite(numbers: np.ndarray, blank: np.ndarray | bool = False) -> pa.Array:
    """These numbers, missing where they are not finite or shall be blank."""
    return pa.array(numbers.astype(np.float64, copy=False), mask=~np.isfinite(numbers) | blank)


def _natural(numbers: np.ndarray) -> pa.Array:
    """These numbers, missing where they are negative."""
    return pa.array(numbers.astype(np.int64), mask=numbers < 0)


def _hexadecimal(words: np.ndarray) -> pa.Array:
    """Each row of 32-bit words as text."""
    size = 8 * words.shape[1]
    places = size * np.arange(len(words) + 1, dtype=np.int64)
    text = binascii.hexlify(words.astype(">u4").tobytes())
    return pa.LargeStringArray.from_buffers(len(words), pa.py_buffer(places), pa.py_buffer(text))


def _axis_type(values: list[object]) -> type:
    """The narrowest column type that holds every value of an axis."""
    kinds = {type(value) for value in values}
    if kinds <= {int}:
        return int
    if kinds <= {int, float}:
        return float
    return bool if kinds == {bool} else str
