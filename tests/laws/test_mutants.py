"""Engines with one mistake each: a law or a promise finds every one of them, and nothing wrong with the engine as it is."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis.laws import check_law
from analysis.rows.load import load
from bench import run
from bench.engine import rounds
from bench.engine.compiled import Compiled
from bench.initializers import scaling
from bench.lane import step as step_module
from bench.lane import update as update_module
from bench.lane.program import Program
from bench.runs.manifest import read_manifest
from bench.runs.parquet import read_rows
from bench.runs.rows import LaneTable
from tests.conftest import experiment
from tests.engine.comparison import same_lanes

Mutation = Callable[[pytest.MonkeyPatch], None]
DESCENT: dict[str, Any] = {
    "task": {"name": "blobs", "n": 8},
    "model": {"name": "mlp", "widths": [3]},
    "optimizer": {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    "training": {"steps": 40},
    "seeds": {"init": 10, "data": "paired"},
    "probes": [],
    "track": [],
}
SETTINGS: dict[str, dict[str, Any]] = {
    "momentum_descent": DESCENT,
    "weight_norms": {
        **DESCENT,
        "initializer": "he_normal",
        "model": {"name": "mlp", "widths": [16]},
        "probes": ["weight_norm"],
        "training": {"steps": 1},
        "seeds": {"init": 1000},
    },
    "ols_steps": {
        "task": {"name": "regression", "n": 8, "column_scales": [1.0, 0.3], "excess": True},
        "model": "linear",
        "optimizer": {"name": "sgd", "learning_rate": "1/curvature"},
        "training": {"steps": 3000, "solved_below": 1e-8, "dtype": "float64"},
        "seeds": {"init": 10, "data": "paired"},
        "probes": [],
        "track": [],
    },
}
"""By law: a small experiment in which it holds."""


def of_gradient(change: Callable[[Any], Any]) -> Mutation:
    def mutate(patch: pytest.MonkeyPatch) -> None:
        true = step_module.gradient

        def gradient(*arguments: Any, **options: Any) -> Any:
            found = true(*arguments, **options)
            return found._replace(gradients=change(found.gradients))

        patch.setattr(step_module, "gradient", gradient)

    return mutate


def without_bias(gradients: Any) -> Any:
    return jax.tree_util.tree_map_with_path(lambda path, leaf: 0 * leaf if path[-1].key == "bias" else leaf, gradients)


def too_much_variance(patch: pytest.MonkeyPatch) -> None:
    true = scaling._normal
    patch.setattr(scaling, "_normal", lambda key, shape, dtype, variance: true(key, shape, dtype, 1.05 * variance))


def no_momentum(patch: pytest.MonkeyPatch) -> None:
    true = update_module.make_optimizer
    patch.setattr(update_module, "make_optimizer", lambda name, options, *rest: true(name, {**options, "momentum": 0.0}, *rest))


def loss_of_the_step_before(patch: pytest.MonkeyPatch) -> None:
    true = Program.advance

    def advance(self: Program, fixed: Any, state: Any, *rest: Any) -> Any:
        new, seen = true(self, fixed, state, *rest)
        return new._replace(loss=jnp.where(state.step == 0, new.loss, state.loss)), seen

    patch.setattr(Program, "advance", advance)


def stuck_too_early(patch: pytest.MonkeyPatch) -> None:
    """An update that changes little is taken for one that changes nothing."""

    def same(new: Any, old: Any, over_block: Any) -> Any:
        pairs = zip(jax.tree.leaves(new), jax.tree.leaves(old), strict=True)
        return jnp.all(jnp.stack([jnp.all(jnp.abs(a - b) < 1e-4) for a, b in pairs]))

    patch.setattr(step_module, "_same", same)


def of_inputs(change: Callable[[Any, np.ndarray], Any]) -> Mutation:
    """What lanes start from, by their inputs and slots."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        true = Compiled.fill

        def fill(self: Compiled, slots: Any, variant: Any, group: Any, inputs: Any, index: np.ndarray) -> Any:
            return true(self, slots, variant, group, change(inputs, index), index)

        patch.setattr(Compiled, "fill", fill)

    return mutate


def shuffled_rows(patch: pytest.MonkeyPatch) -> None:
    true = LaneTable.rows

    def rows(self: LaneTable, batch: Any) -> Any:
        lanes = batch.columns["lane"]
        return true(self, batch._replace(columns={**batch.columns, "lane": np.roll(np.sort(lanes), 1)[np.argsort(np.argsort(lanes))]}))

    patch.setattr(LaneTable, "rows", rows)


def padding_in_real_slots(patch: pytest.MonkeyPatch) -> None:
    """The lanes that fill up a block are written to slots as well."""
    true = rounds.put
    patch.setattr(rounds, "put", lambda tree, new, index: true(tree, new, index % len(jax.tree.leaves(tree)[0])))


BY_LAW: dict[str, tuple[str, Mutation]] = {
    "a gradient 0.1% too large": ("momentum_descent", of_gradient(lambda gradients: jax.tree.map(lambda leaf: 1.001 * leaf, gradients))),
    "no gradient of the biases": ("momentum_descent", of_gradient(without_bias)),
    "momentum forgotten": ("momentum_descent", no_momentum),
    "the loss of the step before": ("momentum_descent", loss_of_the_step_before),
    "data seeds ignored": ("momentum_descent", of_inputs(lambda inputs, index: inputs._replace(data_seed=0 * inputs.data_seed))),
    "rows of other seeds": ("momentum_descent", shuffled_rows),
    "He's variance 5% too large": ("weight_norms", too_much_variance),
    "stuck declared too early": ("ols_steps", stuck_too_early),
}
BY_PROMISE: dict[str, Mutation] = {
    "seeds by position": of_inputs(lambda inputs, index: inputs._replace(init_seed=index.astype(np.uint32))),
    "padding in real slots": padding_in_real_slots,
}


def law_holds(name: str, folder: Path) -> bool:
    return check_law(name, load(run(experiment(**SETTINGS[name]), folder))).holds


def keeps_its_bits(folder: Path) -> None:
    """The promise: same lane, same bits, whatever the number of seeds and of devices, in one go or resumed."""
    few, many = (experiment(**{**DESCENT, "seeds": {"init": seeds}}) for seeds in (70, 200))
    one = jax.devices()[:1]
    run(few, folder / "resumed", devices=one)
    resumed, whole = (
        read_rows(out, read_manifest(out)) for out in (run(many, folder / "resumed", devices=one), run(many, folder / "whole"))
    )
    same_lanes(resumed, whole)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_law_holds_for_the_engine(name: str, tmp_path: Path) -> None:
    assert law_holds(name, tmp_path)


@pytest.mark.parametrize("mutant", BY_LAW)
def test_a_law_finds_the_mutant(mutant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, mutate = BY_LAW[mutant]
    mutate(monkeypatch)
    # Some of these rows cannot be, and are refused when they are read; here the law has to find them by itself.
    for check in ("check_lanes", "check_curves"):
        monkeypatch.setattr(sys.modules[load.__module__], check, lambda *of: None)
    assert not law_holds(name, tmp_path)


def test_the_engine_keeps_its_promise(tmp_path: Path) -> None:
    keeps_its_bits(tmp_path)


@pytest.mark.parametrize("mutant", BY_PROMISE)
def test_the_promise_finds_the_mutant(mutant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    BY_PROMISE[mutant](monkeypatch)
    # Lanes that end twice are found by the run itself, which gives up.
    with pytest.raises((AssertionError, OSError)):
        keeps_its_bits(tmp_path)
