"""Which cells of an experiment share a program, and so a compilation.

A program is task shapes, model, optimizer, batch size, dtype, noise and probes. Seeds, initializer, gain, learning rate (or the peak of
its schedule), penalty, budget and threshold are its inputs.
"""

from collections.abc import Iterable
from dataclasses import replace

from bench.hardware import precision
from bench.lane.checks import (
    check_first_outputs,
    check_initializers,
    check_loss,
    check_model,
    check_schemes,
    check_start,
    check_task,
    check_training,
    check_update,
)
from bench.lane.data import Problem, examined, is_of_symbols
from bench.lane.ends import Certifier
from bench.lane.initial import zeroed_parameters
from bench.lane.measure import measurable
from bench.lane.network import Network
from bench.lane.objective import NOISE, Recipe
from bench.lane.program import Program
from bench.lane.start import Variant
from bench.piece_names import Named
from bench.probes import probe
from bench.spec import Cell, Settings
from bench.spec.hashing import json_text

EXAMPLES_LAST = 64
"""Smallest number of examples of a full batch or minibatch for which arrays are laid out as (feature, example).

On a CPU, networks of 32 to 128 units are then at least as fast with full batches of 64 and 128, and faster with minibatches of these sizes
and with full batches of 256; with minibatches of 16 and 32 some are slower."""


def programs(
    cells: Iterable[Cell], probes: tuple[Named, ...] | None, track: tuple[Named, ...], own_data: bool = True, ends: bool = False
) -> list[Program]:
    """Return the programs of an experiment, in the order of its cells; ValueError if a cell cannot be built.

    `probes`: those that are measured, by name or with options; None: all that are not optional. `own_data`: whether every lane has a data
    set of its own, as with paired seeds. `ends`: whether the ends of lanes are to be certified.
    """
    groups: dict[tuple[str, str], list[Cell]] = {}
    keys: dict[str, str] = {}
    problems: dict[str, Problem] = {}
    for cell in cells:
        spec, dtype = cell.settings.task, cell.settings.training.dtype
        name = repr((spec, dtype))
        if name not in keys:
            with precision(dtype):
                found = examined(spec, dtype)
            # Large data are digested for it.
            keys[name] = key = found.key
            problems.setdefault(key, found)
        groups.setdefault((keys[name], _program_key(cell.settings)), []).append(cell)
    made = [_program(problems[key], group, probes, track, own_data) for (key, _), group in groups.items()]
    if not ends:
        return made
    for program in made:
        Certifier(program)
    return [replace(program, ends=True) for program in made]


def _program_key(settings: Settings) -> str:
    """Return a text that is equal for cells that one compiled program can run, if their tasks have the same key."""
    return repr(
        (
            settings.model.model_dump_json(),
            json_text(settings.optimizer.compiled(settings.training.steps)),
            settings.training.model_dump_json(include={"batch_size", "dtype", *NOISE, "freeze_zeros", "frozen", "updates"}),
        )
    )


def _program(problem: Problem, cells: list[Cell], probes: tuple[Named, ...] | None, track: tuple[Named, ...], own_data: bool) -> Program:
    """Build and check the program of a group of cells; ValueError if their settings do not go together."""
    settings = cells[0].settings
    dtype, (task, shapes, fixed) = settings.training.dtype, problem
    n_examples = len(shapes.x)
    behind = (settings.training.batch_size or n_examples) >= EXAMPLES_LAST
    with precision("float32"):
        network = Network(settings.model, task.inputs, task.outputs, behind, symbols=is_of_symbols(shapes))
    recipe = Recipe(network, task, settings, n_examples)
    variants = list({repr(variant): variant for variant in (Variant.of(cell.settings) for cell in cells)}.values())
    tasks = list({repr(variant.task): variant.task for variant in variants}.values())
    check_training(recipe)
    check_start(network, cells, variants)
    with precision(dtype):
        seeded = [check_task(recipe, spec, shapes, fixed) for spec in tasks]
        check_model(network, len(network.players) or task.outputs, dtype)
        check_first_outputs(recipe, settings.task)
        check_loss(recipe, shapes)
        check_update(recipe)
        check_initializers(network, variants, dtype)
        check_schemes(recipe, variants, shapes)
        measured = measurable(recipe, probe if probes is None else probes, optional=probes is not None)
        tracked = measurable(recipe, track, optional=True)
    return Program(
        cells=cells,
        recipe=recipe,
        data_shapes=shapes,
        fixed_data=fixed,
        own_data=own_data,
        variants=variants,
        tasks=tasks,
        seeded=seeded,
        zeroings=list(dict.fromkeys(zeroed_parameters(network, cell.settings.initializer) for cell in cells)),
        probes=measured,
        track=tracked,
    )
