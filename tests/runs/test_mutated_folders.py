"""Folders that are changed at random are refused in one line, or read as before."""

import hashlib
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.rows.load import Run, load
from tests.folders import manifest_of, with_manifest, with_rows
from tests.runs.outcomes import every_outcome

MUTATIONS = int(os.environ.get("INITBENCH_MUTATIONS", "40"))
"""How many mutated folders are tried; 2,000 take some minutes."""
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


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every outcome, `mine/run`, and its report, `mine/xor-test`."""
    return every_outcome(tmp_path_factory.mktemp("mine"))


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
