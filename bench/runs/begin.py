"""The manifest and the experiment file of a run that begins, or goes on."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.lane.data import problem
from bench.lane.program import Program
from bench.runs.environment import now
from bench.runs.folder import RunFolder
from bench.runs.manifest import SCHEMA_VERSION, CellRecord, Edit, Manifest, Share
from bench.runs.plan import Plan
from bench.runs.provenance import Provenance, differences
from bench.runs.rows import CURVE_SEEDS
from bench.spec import Cell, Experiment

SUMS = ("programs", "compilations", "compile_seconds", "run_seconds", "seed_steps")
"""Costs in a manifest that add up where rows of several runs are joined."""
COSTS = (*SUMS, "seed_steps_per_second", "peak_memory_bytes")


def with_costs(before: Manifest, spent: Mapping[str, float], peak_bytes: int) -> dict[str, Any]:
    """Return the changes of a manifest by costs that were spent since: `SUMS` add up, of the memory the larger peak counts."""
    total = {name: getattr(before, name) + spent[name] for name in SUMS}
    rate = total["seed_steps"] / total["run_seconds"] if total["run_seconds"] else 0.0
    return {**total, "seed_steps_per_second": rate, "peak_memory_bytes": max(before.peak_memory_bytes, peak_bytes)}


def begin(store: RunFolder, plan: Plan, here: Provenance | None, share: Share | None = None) -> None:
    """Write the manifest of a run that is under way; `here` is None if nothing is trained and the rows are only put in order.

    `share` is that of the experiment which the folder is to hold; None: all.
    """
    experiment, programs = plan.experiment, plan.programs
    if store.new:
        assert here is not None
        store.save(_new_manifest(plan, here, share))
    elif here is not None:
        # Widths shape the bits, so they are kept with the rows; they are chosen anew where there are no rows, or rows made otherwise.
        before = store.manifest
        alike = bool(before.in_use) and not any(differences(made, here) for made in before.in_use)
        known = {made.id: made for made in before.in_use if made.id != here.id} | {here.id: here}
        store.change(
            complete=False,
            share=share,
            **_of_cells(plan),
            provenance=known,
            block_width=kept_widths(before, programs) if alike else (0,) * len(programs),
        )
    else:
        # The folder may have been begun with more seeds, of which it has no rows.
        store.change(share=share, lanes=experiment.lanes)
    judge_by(store, experiment)


def begin_from(store: RunFolder, plan: Plan, theirs: Manifest) -> None:
    """Write the manifest of a run that takes over rows of a folder with the manifest `theirs`, and begins like that one if it is new."""
    before = begun_like(theirs) if store.new else store.manifest
    store.save(before.changed(complete=False, **_of_cells(plan), block_width=kept_widths(before, plan.programs)))


def begun_like(theirs: Manifest) -> Manifest:
    """Return the manifest of a run of the whole experiment that begins like another one and has no rows yet."""
    return theirs.changed(parts=(), share=None, complete=False, ended=None, **dict.fromkeys(COSTS, 0))


def judge_by(store: RunFolder, experiment: Experiment) -> None:
    """Store the experiment file; a change of claims or laws after rows existed is noted in the manifest."""
    store.write_experiment(experiment.text)
    manifest, judges_hash = store.manifest, experiment.judging_hash
    if manifest.judged_by == judges_hash:
        return
    if any(part.kind == "lanes" for part in manifest.parts):
        store.change(edits=(*manifest.edits, Edit(when=now(), judges_hash=judges_hash)))
    else:
        store.change(judges_hash=judges_hash, criteria=experiment.criteria, edits=())


def kept_widths(before: Manifest, programs: Sequence[Program]) -> tuple[int, ...]:
    """Return the width of each program's blocks from the folder, whose cells may be some of the programs' cells; 0 if it has none."""
    place = {cell.id: number for number, cell in enumerate(before.cells)}
    firsts = [min((place[cell.id] for cell in program.cells if cell.id in place), default=None) for program in programs]
    known = sorted((first, index) for index, first in enumerate(firsts) if first is not None)
    if len(known) != len(before.block_width):
        return (0,) * len(programs)
    widths = {index: width for (_, index), width in zip(known, before.block_width, strict=True)}
    return tuple(widths.get(index, 0) for index in range(len(programs)))


def _new_manifest(plan: Plan, here: Provenance, share: Share | None) -> Manifest:
    experiment, programs = plan.experiment, plan.programs
    return Manifest(
        schema_version=SCHEMA_VERSION,
        experiment=experiment.name,
        judges_hash=experiment.judging_hash,
        criteria=experiment.criteria,
        provenance={here.id: here},
        started=now(),
        ended=None,
        complete=False,
        share=share,
        curve_seeds=CURVE_SEEDS,
        block_width=(0,) * len(programs),
        parts=(),
        **_of_cells(plan),
    )


def _of_cells(plan: Plan) -> dict[str, Any]:
    """Return the fields of the manifest that follow from the cells, which may become more."""
    program_of = {cell.id: program for program in plan.programs for cell in program.cells}
    return {
        "spec_hash": plan.experiment.training_hash,
        "dtype": ", ".join(sorted({program.dtype for program in plan.programs})),
        "lanes": plan.experiment.lanes,
        "cells": tuple(_record(cell, program_of[cell.id]) for cell in plan.experiment.cells),
    }


def _record(cell: Cell, program: Program) -> CellRecord:
    label = ", ".join(f"{axis} = {value}" for axis, value in cell.axes.items())
    settings = cell.settings
    seeded = program.seeded[program.task_of[program.variant_of(cell)]]
    made = problem(settings.task)
    return CellRecord(
        id=cell.id,
        label=label,
        axes=cell.axes,
        draws=settings.initializer.random,
        seeded=seeded,
        resamples=made.resamples,
        classes=made.class_names,
        settings=settings.identity(),
    )
