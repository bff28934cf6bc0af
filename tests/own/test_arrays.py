"""Users' own arrays and files in training: large ones are held once per device, changed ones are noticed, and readers leave them alone."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
import tomlkit

from analysis.rows.load import load
from analysis.rows.replay import replay
from bench import Experiment, run
from bench.engine.compiled import Compiled
from bench.engine.data_placement import SHARED, data_placement
from bench.lane.data import MOST_CONSTANT_BYTES, data_bytes
from bench.models.activations import ACTIVATIONS
from bench.runs.manifest import read_manifest
from bench.runs.own import own_digests
from tests.conftest import XOR, Rows
from tests.own.user import planned

LARGE: dict[str, Any] = {
    "model": {"name": "mlp", "widths": [2]},
    "training": {"steps": 4, "batch_size": 200},
    "optimizer": {"name": "sgd", "learning_rate": 0.01},
    "seeds": {"init": 5},
    "track": [],
}


def of(task: Any, **changes: Any) -> Experiment:
    return Experiment.parse(tomlkit.dumps({**XOR, "track": [], **changes, "task": task}))


def test_large_data_are_held_once_per_device_and_train_alike_on_any_number_of_them(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[int] = []
    lowered = Compiled._lowered

    def measured(compiled: Compiled, function: Any, *shapes: Any, donate: tuple[int, ...] = ()) -> Any:
        made = lowered(compiled, function, *shapes, donate=donate)
        texts.append(len(made.as_text()))
        return made

    monkeypatch.setattr(Compiled, "_lowered", measured)
    [program] = planned(task="pieces:large", **LARGE)
    size = data_bytes(program.data_shapes)
    assert data_placement(program) is SHARED and size > MOST_CONSTANT_BYTES
    found = rows(of("pieces:large", **LARGE))
    one_device = rows(of({"name": "pieces:large", "undeclared": True}, **LARGE), "one", devices=jax.devices()[:1])
    assert len(texts) == 2 * Compiled.compilations and max(texts) < size / 4
    columns = ["init_seed", "loss_initial", "loss_final", "metric_final", "params_digest"]
    pd.testing.assert_frame_equal(found[columns], one_device[columns])
    assert program.fixed_data is not None
    x, y = program.fixed_data.x, program.fixed_data.y
    _, state = program.starts[0](program.inputs_of(program.cells[0], np.zeros(5, int), np.arange(5)))
    first, last = (state.params["layers"][layer] for layer in (0, 1))
    activate = ACTIVATIONS[program.network.built.activation]
    for seed in range(5):
        outputs = activate(x @ first["kernel"][seed] + first["bias"][seed]) @ last["kernel"][seed] + last["bias"][seed]
        assert found["loss_initial"][seed] == pytest.approx(float(np.mean((outputs - y) ** 2)), rel=1e-5)


def test_a_changed_file_is_refused_and_a_reader_opens_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({"a": np.arange(12), "b": np.arange(12) ** 2, "label": ["no", "yes", "maybe"] * 4})
    table.to_csv("data/mine.csv", index=False)
    task = {"name": "file", "path": "data/mine.csv", "target": "label", "test_fraction": 0.25, "split": "seed"}
    wanted = of(task, training={"steps": 20}, seeds={"init": 2, "data": 3})
    folder = run(wanted, tmp_path / "runs")
    [record] = read_manifest(folder).cells
    assert record.classes == ("maybe", "no", "yes") and record.seeded and record.resamples
    [provenance] = read_manifest(folder).provenance.values()
    assert set(provenance.own) == {"data/mine.csv"}
    # The same file by another path, and after a change of folder.
    monkeypatch.chdir(tmp_path / "data")
    there = {**task, "path": "../data/mine.csv"}
    assert own_digests(of(there))["../data/mine.csv"] == provenance.own["data/mine.csv"]
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ValueError, match="data of task 'file' 'data/mine.csv': a results folder names these data.*--trust 'data/mine.csv'"):
        replay(folder, lane="0")
    again = replay(folder, ["data/mine.csv"], lane="4")
    assert again.differences == [] and len(again.run.lanes) == 6

    table.assign(a=table["a"] + 1).to_csv("data/mine.csv", index=False)
    more = of(task, training={"steps": 20}, seeds={"init": 3, "data": 3})
    with pytest.raises(ValueError, match="'data/mine.csv' changed"):
        run(more, tmp_path / "runs")
    (tmp_path / "data" / "mine.csv").unlink()
    found = load(folder)
    assert found.data_sets == 3 and found.clusters.nunique() == 3 and list(found.tasks.values()) == [None]
    with pytest.raises(ValueError, match=r"'data/mine.csv': there is no such file"):
        of(task)


def test_arrays_of_a_function_are_part_of_the_provenance() -> None:
    first, second, both = (
        own_digests(of({"name": "pieces:arrays"}, grid={"task.scale": scales}))["pieces:arrays"] for scales in ([1.0], [2.0], [1.0, 2.0])
    )
    assert len({first, second, both}) == 3
    [program] = planned(task={"name": "pieces:table"}, track=[])
    assert program.task.inputs == 1 and program.constant_data is not None
