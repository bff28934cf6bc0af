"""What a folder says of itself is checked: its manifest, its files, its rows and its curves."""

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.report.write import write_experiment
from analysis.rows.load import Run, load
from bench import Experiment, run
from tests.conftest import XOR
from tests.folders import manifest_of, with_manifest, with_rows
from tests.test_cli import call

MUTATIONS = int(os.environ.get("INITBENCH_MUTATIONS", "40"))
"""How many mutated folders are tried; 2,000 take some minutes."""
LANES, SEEDS = 24, 6
CASES = [
    {"label": "learns"},
    {"label": "stuck", "initializer": "zeros"},
    {"label": "short", "training.steps": 7},
    {"label": "diverges", "optimizer.learning_rate": 1e30},
]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every outcome, `mine/run`, and its report, `mine/xor-test`."""
    wanted = {**XOR, "case": CASES, "probes": ["distinct_units"], "training": {"steps": 500, "solved_below": 0.1}}
    folder = tmp_path_factory.mktemp("mine")
    shutil.move(run(Experiment.model_validate({**wanted, "seeds": {"init": SEEDS}}), folder), folder / "run")
    write_experiment(folder / "run", folder, ())
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original / "run", tmp_path / "run"))


@pytest.fixture
def report(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original / "xor-test", tmp_path / "report"))


def refused(folder: Path) -> str:
    """Why a folder is not read: one line that names it."""
    with pytest.raises(ValueError) as caught:
        load(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert len(message) < 1000 + 4 * len(str(folder)) and len(message.splitlines()) == 1
    return message


def test_both_kinds_of_folder_are_read(folder: Path, report: Path) -> None:
    ours, theirs = load(folder), load(report)
    assert set(ours.lanes["outcome"]) == {"solved", "unsolved", "stuck", "diverged"}
    assert len(ours.lanes) == len(theirs.lanes) == LANES
    assert (ours.lanes["steps_run"] == theirs.lanes["steps_run"]).all() and (ours.curves["step"] == theirs.curves["step"]).all()
    assert not ours.edited_since
    with (folder / "experiment.toml").open("a") as file:
        file.write('[[claim]]\nid = "new"\nsays = "New."\nmeasure = "solved"\nat_least = 0.5\npool = ["case"]\n')
    assert load(folder).edited_since


# Rows whose checksum was renewed -------------------------------------------------------------------------------------


def first(rows: pd.DataFrame, **where: object) -> int:
    return int(np.flatnonzero(np.all([rows[name] == value for name, value in where.items()], axis=0))[0])


def with_value(name: str, value: object, **where: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        rows.loc[first(rows, **where), name] = value
        return rows

    return change


def exchanged(rows: pd.DataFrame) -> pd.DataFrame:
    """Two cells under each other's label."""
    return rows.assign(case=rows["case"].replace({"learns": "stuck", "stuck": "learns"}))


ROWS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "a lane twice": (lambda rows: pd.concat([rows, rows.iloc[[3]]], ignore_index=True), "run.json: parts: 25 rows of lanes"),
    "a lane in place of another": (lambda rows: rows.iloc[[0, 1, 2, 2, *range(4, LANES)]].reset_index(drop=True), ":0:2: is there twice"),
    "one seed again and again": (lambda rows: rows.assign(init_seed=0), "is there twice"),
    "a lane less": (lambda rows: rows.iloc[1:], "parts: 23 rows of lanes"),
    "another order": (lambda rows: rows.iloc[::-1].reset_index(drop=True), "not in the order"),
    "cells swapped": (exchanged, "case is not that of the cell"),
    "a cell that does not exist": (with_value("cell", "0123456789ab", init_seed=3), "has no such cell"),
    "a seed that does not exist": (with_value("init_seed", 64, init_seed=5), "has no such seeds"),
    "a data seed that does not exist": (with_value("data_seed", 1, init_seed=5), "has no such seeds"),
    "another experiment": (with_value("experiment", "other", init_seed=5), "is of another experiment"),
    "no outcome": (with_value("outcome", "great", outcome="solved"), "outcome is none of solved, unsolved, stuck, diverged"),
    "another outcome": (with_value("outcome", "solved", outcome="unsolved"), "steps_to_solve stands with solved training runs"),
    "beyond the budget": (with_value("steps_run", 501, outcome="solved"), "steps_run is not between 0 and the budget"),
    "before the beginning": (with_value("steps_run", -1, outcome="stuck"), "steps_run is not between 0 and the budget"),
    "before its budget": (with_value("steps_run", 6, case="short"), "is unsolved before its budget"),
    "stuck at its budget": (with_value("outcome", "stuck", case="short"), "is stuck, but its budget is spent"),
    "solved early": (with_value("steps_to_solve", 1, outcome="solved"), "goes on after it is solved"),
    "solved and never": (with_value("steps_to_solve", None, outcome="solved"), "steps_to_solve stands with solved training runs"),
    "a loss that is null": (
        with_value("loss_final", None, outcome="stuck"),
        "loss_final is null for diverged training runs, and for no others",
    ),
    "a loss of a diverged lane": (with_value("loss_final", 0.5, outcome="diverged"), "loss_final is null for diverged training runs"),
    "a metric of a diverged lane": (with_value("metric_final", 1.0, outcome="diverged"), "metric_final is null for diverged training runs"),
    "a loss that is too large": (with_value("loss_final", 0.11, outcome="solved"), "is solved with a loss that is too large"),
    "a loss that is small enough": (with_value("loss_final", 0.01, outcome="stuck"), "is not solved with a loss that is small enough"),
    "an infinite number": (with_value("grad_norm_initial", np.inf, outcome="stuck"), "grad_norm_initial is infinite"),
    "another learning rate": (with_value("learning_rate", 0.25, outcome="stuck"), "learning_rate is not that of the cell"),
    "a break after the end": (with_value("break_step", 501, outcome="solved"), "break_step is not between 0 and steps_run"),
    "no digest": (with_value("params_digest", "x" * 16, outcome="solved"), "params_digest is no digest"),
    "digests that are null": (with_value("params_digest", None, outcome="solved"), "params_digest is no digest"),
    "a column less": (lambda rows: rows.drop(columns="steps_run"), "column 'steps_run' is missing"),
    "a column more": (lambda rows: rows.assign(accuracy=1.0), "column 'accuracy' is none of the experiment"),
    "an unknown probe": (lambda rows: rows.assign(weight_norm_initial=1.0), "column 'weight_norm_initial' is none of the experiment"),
    "text for numbers": (lambda rows: rows.assign(steps_run=rows["steps_run"].astype(str)), "column 'steps_run' is of type"),
    "seeds as fractions": (lambda rows: rows.assign(init_seed=rows["init_seed"] + 0.5), "column 'init_seed' is of type float64"),
    "a loss that its curve has not": (with_value("loss_initial", 0.3, outcome="stuck"), "its curve and loss_initial do not agree"),
}
OF_RUNS = {
    "half of a probe": (lambda rows: rows.drop(columns="distinct_units_final"), "column 'distinct_units_final' is missing"),
    "no metric": (lambda rows: rows.drop(columns="metric_final"), "column 'metric_final' is missing"),
}


@pytest.mark.parametrize("what", [*ROWS, *OF_RUNS])
def test_rows_that_cannot_be_are_refused(what: str, folder: Path, report: Path) -> None:
    change, message = {**ROWS, **OF_RUNS}[what]
    for where in (folder, report) if what in ROWS else (folder,):
        with_rows(where, change)
        assert message in refused(where)


CURVES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "none of a lane": (lambda rows: rows[rows["init_seed"] != 3], "they are not those of the 24 training runs"),
    "a point less": (lambda rows: rows.drop(index=3), "points of its curve are missing"),
    "no beginning": (lambda rows: rows.drop(index=0), "does not begin at step 0"),
    "no end": (lambda rows: rows.drop(index=len(rows) - 1), "curve"),
    "a point twice": (lambda rows: rows.iloc[[0, 1, 1, *range(2, len(rows))]], "steps of its curve do not increase"),
    "a loss that is null": (with_value("loss", None, step=1), "loss of its curve is null before its end"),
    "another loss at the beginning": (with_value("loss", 0.3, step=0), "its curve and loss_initial do not agree"),
    "a column less": (lambda rows: rows.drop(columns="loss"), "column 'loss' is missing"),
    "a tracked probe less": (lambda rows: rows.drop(columns="tie_spread"), "tie_spread stands with break_step"),
    "a column more": (lambda rows: rows.assign(more=1.0), "column 'more' is none of the experiment"),
    "no rows": (lambda rows: rows.iloc[:0], "24 training runs have one, but there are none"),
}


@pytest.mark.parametrize("what", CURVES)
def test_curves_that_cannot_be_are_refused(what: str, folder: Path, report: Path) -> None:
    change, message = CURVES[what]
    for where in (folder, report):
        with_rows(where, lambda rows: change(rows).reset_index(drop=True), "curves")
        assert message in refused(where)


def test_a_run_without_its_curves_is_refused(folder: Path) -> None:
    with_manifest(folder, parts=[part for part in manifest_of(folder)["parts"] if part["file"].startswith("lanes")])
    assert "24 training runs have one, but there are none" in refused(folder)


def test_two_parts_of_which_one_is_listed_twice_are_refused(folder: Path) -> None:
    parts = manifest_of(folder)["parts"]
    with_manifest(folder, parts=[*parts, parts[0]])
    assert "is listed twice" in refused(folder)


# The manifest --------------------------------------------------------------------------------------------------------

BROKEN = {
    "a list": ("[]", "schema_version = None"),
    "a number": ("3", "schema_version = None"),
    "no JSON": ("{", "cannot be read"),
    "no text": ("\udcff", "cannot be read"),
    "nested deep": ("[" * 10_000, "cannot be read"),
    "nested deep inside": ('{"schema_version": 3, "cells": ' + "[" * 10_000 + "]" * 10_000 + "}", "cannot be read"),
    "a long number": ("1" * 10_000, "cannot be read"),
    "an empty object": ("{}", "schema_version = None"),
    "nothing else": ('{"schema_version": 3}', "experiment: Field required"),
    "an older version": ('{"schema_version": 2}', "schema_version = 2; this version reads 3"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_manifest_that_is_none_is_refused(what: str, folder: Path) -> None:
    text, message = BROKEN[what]
    (folder / "run.json").write_bytes(text.encode(errors="surrogateescape"))
    assert message in refused(folder)


def at(manifest: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The manifest with another value at a dotted path."""
    *parents, last = (int(key) if key.isdigit() else key for key in path.split("."))
    inner: Any = manifest
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return manifest


WRONG: dict[str, tuple[object, str]] = {
    "parts.0.file": ("/etc/passwd", "parts[0].file"),
    "parts.1.file": ("lanes/../../x.parquet", "parts[1].file"),
    "parts.0.rows": (-1, "parts[0].rows"),
    "parts.0.sha256": (5, "parts[0].sha256"),
    "parts.0.provenance": ([], "parts[0].provenance"),
    "cells": ("xxx", "cells = 'xxx'"),
    "cells.0.draws": (False, "is not the experiment's cell"),
    "cells.1.draws": (True, "is not the experiment's cell"),
    "cells.0.axes": ({"case": "stuck"}, "axes are not those"),
    "cells.0.id": ("0123456789ab", "is not the digest of its settings"),
    "cells.0.settings": ({}, "is not the digest of its settings"),
    "lanes": (25, "24 rows of lanes, but the experiment has 25"),
    "curve_seeds": (5, "they are not those of the 20 training runs"),
    "experiment": ("../../x", "experiment = '../../x'"),
    "spec_hash": ("0" * 64, "changed after the run"),
    "dtype": ("float64", "dtype = 'float64': the experiment has float32"),
    "ended": (None, "a complete run has an end"),
    "started": ("2026-99-99T99:99:99+00:00", "started: month must be in 1..12"),
    "run_seconds": (float("nan"), "NaN is no number of JSON"),
    "peak_memory_bytes": ("x" * 100_000, "peak_memory_bytes"),
    "more": (1, "unknown key 'more'"),
}


@pytest.mark.parametrize("path", WRONG)
def test_a_wrong_value_of_the_manifest_is_named(path: str, folder: Path) -> None:
    value, message = WRONG[path]
    (folder / "run.json").write_text(json.dumps(at(manifest_of(folder), path, value)))
    assert message in refused(folder)


def test_a_key_that_stands_twice_is_refused(folder: Path) -> None:
    path = folder / "run.json"
    path.write_text(path.read_text().replace('"lanes":', '"lanes": 5, "lanes":', 1))
    assert "key 'lanes' stands there twice" in refused(folder)


# Files ---------------------------------------------------------------------------------------------------------------


def part_of(folder: Path, kind: str = "lanes") -> Path:
    return next((folder / kind).glob("*.parquet"))


def linked(path: Path) -> None:
    elsewhere = path.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def enlarged(path: Path) -> None:
    os.truncate(path, 1 << 40)


FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a linked part": (lambda folder: linked(part_of(folder)), "is a link"),
    "a linked folder": (lambda folder: linked(folder / "lanes"), "lanes is a link"),
    "a linked manifest": (lambda folder: linked(folder / "run.json"), "is a link"),
    "a linked experiment": (lambda folder: linked(folder / "experiment.toml"), "is a link"),
    "a pipe for a part": (lambda folder: piped(part_of(folder)), "is no regular file"),
    "a pipe for a manifest": (lambda folder: piped(folder / "run.json"), "is no regular file"),
    "a part of a terabyte": (lambda folder: enlarged(part_of(folder)), "bytes; at most"),
    "an experiment of a terabyte": (lambda folder: enlarged(folder / "experiment.toml"), "bytes; at most"),
    "an experiment that is no text": (lambda folder: bytes_to(folder / "experiment.toml", b"name = '\xff'"), "is not UTF-8"),
    "no experiment": (lambda folder: (folder / "experiment.toml").unlink(), "cannot be read: No such file"),
    "a part less": (lambda folder: part_of(folder, "curves").unlink(), "cannot be read: No such file"),
    "half of a part": (lambda folder: os.truncate(part_of(folder), 1000), "corrupt"),
}


def bytes_to(path: Path, content: bytes) -> None:
    path.write_bytes(content)


@pytest.mark.parametrize("what", FILES)
def test_what_is_no_plain_file_of_the_folder_is_not_read(what: str, folder: Path) -> None:
    spoil, message = FILES[what]
    spoil(folder)
    assert message in refused(folder)


def with_content(folder: Path, table: pa.Table | bytes, rows: int = LANES) -> None:
    """Another file in place of the lanes, with its checksum."""
    sink = pa.BufferOutputStream()
    if isinstance(table, pa.Table):
        pq.write_table(table, sink, compression="zstd")
        table = sink.getvalue().to_pybytes()
    part_of(folder).write_bytes(table)
    parts = manifest_of(folder)["parts"]
    parts[0] |= {"rows": rows, "sha256": hashlib.sha256(table).hexdigest()}
    with_manifest(folder, parts=parts)


def test_a_small_file_that_would_fill_the_memory_is_not_unpacked(folder: Path) -> None:
    zeros = pa.array(np.zeros(1 << 24, np.int64))
    with_content(folder, pa.table({"cell": zeros}))
    assert "has 16,777,216 rows, but run.json counts 24" in refused(folder)
    # One text of 8 MiB in 24 rows takes no more memory than once; as many texts of it would.
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(LANES, np.int32)), pa.array(["x" * (1 << 23)]))
    with_content(folder, pa.table({"cell": long.cast(pa.string())}))
    assert part_of(folder).stat().st_size < 10_000
    assert "texts of column 'cell' would take too much memory" in refused(folder)
    with_content(folder, pa.table({"cell": [b"x"] * LANES}))
    assert "column 'cell' is of type binary" in refused(folder)
    with_content(folder, b"PAR1 is no parquet file PAR1")
    assert "Parquet" in refused(folder)


def test_rows_for_which_this_machine_is_too_small_are_not_unpacked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", lambda name: 60)
    assert "rows of" in (message := refused(folder)) and "this machine has" in message


def test_a_run_that_is_not_complete_is_read_when_asked_for(folder: Path) -> None:
    """Its rows stand in the order in which they were made, and lanes that were cut off have left beginnings of curves."""
    whole = load(folder)
    with_manifest(folder, complete=False)
    assert "not complete" in refused(folder)
    cut_off = [3, 11]
    with_rows(folder, lambda rows: rows.drop(index=cut_off).sample(frac=1, random_state=1).reset_index(drop=True))
    with_rows(folder, lambda rows: pd.concat([rows, rows.head(5)]).sample(frac=1, random_state=1).reset_index(drop=True), "curves")
    found = load(folder, interim=True)
    pd.testing.assert_frame_equal(found.lanes, whole.lanes.drop(index=cut_off).reset_index(drop=True))
    left = whole.curves.merge(found.lanes[["cell", "data_seed", "init_seed"]])
    pd.testing.assert_frame_equal(found.curves, left)
    with_rows(folder, lambda rows: pd.concat([rows, rows.head(1)], ignore_index=True))
    with pytest.raises(ValueError, match="is there twice"):
        load(folder, interim=True)


def test_a_missing_column_is_one_line_of_the_report(report: Path) -> None:
    """Which probes a model shows something to is known to the model alone."""
    with (report / "experiment.toml").open("a") as file:
        file.write('[[figure]]\nname = "units"\nkind = "ecdf"\nx = "distinct_units_final"\ncolor = "case"\ncaption = "Units."\n')
    with_rows(report, lambda rows: rows.drop(columns=["distinct_units_initial", "distinct_units_final"]))
    done = call("report", report, "--out", report.parent)
    assert done.exit_code == 2 and len(done.stderr.splitlines()) == 1 and "distinct_units_final" in done.stderr


# Mutations -----------------------------------------------------------------------------------------------------------

JUNK: tuple[Any, ...] = (None, True, -1, 0, 1, 2**70, 0.5, 1e308, "", "x" * 5000, "0" * 64, "../x", [], {}, [[]], {"a": 1}, "\x07\x1b[2J")
UNKNOWABLE = ("metric_final", "grad_norm_initial", "grad_norm_final", "distinct_units_initial", "distinct_units_final")
"""Columns of which only training again tells whether a number is right; so does the digest, and the step at which ties broke."""


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every container of a JSON tree with each of its keys."""
    found = []
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        found.append((tree, key))
        found += places(value) if isinstance(value, dict | list) else []
    return found


def mutate_manifest(chance: random.Random, folder: Path) -> None:
    manifest = manifest_of(folder)
    tree, key = chance.choice(places(manifest))
    match chance.choice(["junk", "delete", "copy", "twice", "shuffle"]):
        case "junk":
            tree[key] = chance.choice(JUNK)
        case "delete":
            del tree[key]
        case "copy":
            other, name = chance.choice(places(manifest))
            tree[key] = json.loads(json.dumps(other[name]))
        case "twice" if isinstance(tree, list):
            tree.append(tree[key])
        case "shuffle" if isinstance(tree, list):
            chance.shuffle(tree)
        case _:
            tree[f"{key}_" if isinstance(tree, dict) else key] = 1
    (folder / "run.json").write_text(json.dumps(manifest))


def mutate_rows(chance: random.Random, folder: Path) -> None:
    kind = chance.choice(["lanes", "curves"])

    def change(rows: pd.DataFrame) -> pd.DataFrame:
        row, other = chance.randrange(len(rows)), chance.randrange(len(rows))
        name = chance.choice(list(rows.columns))
        match chance.choice(["value", "null", "number", "column", "type", "drop", "twice", "swap", "sort", "rename", "more"]):
            case "value":
                rows.loc[row, name] = rows.loc[other, name]
            case "null":
                rows.loc[row, name] = None
            case "number" if pd.api.types.is_numeric_dtype(rows[name]):
                value = chance.choice([-1, 0, 1, 10**9, rows.loc[row, name]]) if rows[name].notna()[row] else 1
                rows.loc[row, name] = value + chance.choice([0, 1, 2])
            case "column":
                return rows.drop(columns=name)
            case "type":
                rows[name] = rows[name].astype(str)
            case "drop":
                return rows.drop(index=row).reset_index(drop=True)
            case "twice":
                return pd.concat([rows, rows.iloc[[row]]], ignore_index=True)
            case "swap":
                order = list(range(len(rows)))
                order[row], order[other] = order[other], order[row]
                return rows.iloc[order].reset_index(drop=True)
            case "sort":
                return rows.sort_values(name, kind="stable").reset_index(drop=True)
            case "rename":
                return rows.rename(columns={name: f"{name}_{chance.choice(['initial', 'x'])}"})
            case _:
                rows.loc[row, "outcome"] = "solved"
        return rows

    with_rows(folder, change, kind)


def mutate_file(chance: random.Random, folder: Path) -> None:
    parts = manifest_of(folder)["parts"]
    names = ["run.json", "experiment.toml", *(part["file"] for part in parts)]
    path, other = folder / chance.choice(names), folder / chance.choice(names)
    content = bytearray(path.read_bytes())
    match chance.choice(["byte", "cut", "other", "nothing", "line"]):
        case "byte":
            content[chance.randrange(len(content))] = chance.randrange(256)
        case "cut":
            content = content[: chance.randrange(len(content))]
        case "other":
            content = bytearray(other.read_bytes())
        case "nothing":
            content = bytearray()
        case _:
            lines = bytes(content).split(b"\n")
            lines.insert(chance.randrange(len(lines)), chance.choice(lines))
            content = bytearray(b"\n".join(lines))
    path.write_bytes(content)
    if chance.random() < 0.5:
        # Somebody who has renewed the checksum as well.
        for part in parts:
            part["sha256"] = hashlib.sha256((folder / part["file"]).read_bytes()).hexdigest()
        if path.name != "run.json":
            with_manifest(folder, parts=parts)


def check_unchanged(found: Run, before: Run) -> None:
    """What is read of a mutated folder is what was there before, but for numbers that only training again can refute."""
    free = [name for name in (*UNKNOWABLE, "params_digest", "break_step") if name in found.lanes]
    kept = [name for name in before.lanes if name not in (*UNKNOWABLE, "params_digest", "break_step")]
    pd.testing.assert_frame_equal(found.lanes.drop(columns=free), before.lanes[kept])
    pd.testing.assert_frame_equal(found.curves.drop(columns=["loss", "tie_spread"]), before.curves.drop(columns=["loss", "tie_spread"]))
    assert found.draws == before.draws
    assert [cell.settings for cell in found.experiment.cells] == [cell.settings for cell in before.experiment.cells]


@settings(max_examples=MUTATIONS, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(chance=st.randoms(use_true_random=False), kind=st.sampled_from(["run", "xor-test"]))
def test_a_mutated_folder_is_refused_in_one_line_or_read_as_before(chance: random.Random, kind: str, original: Path) -> None:
    before, folder = load(original / kind), original / "mutated"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original / kind, folder)
    chance.choice([mutate_manifest, mutate_rows, mutate_file])(chance, folder)
    try:
        found = load(folder)
    except ValueError as error:
        message = str(error).replace(str(folder), "")
        assert len(message) < 1000 and len(message.splitlines()) == 1
    else:
        check_unchanged(found, before)
