"""The manifest: a broken one, or one that does not agree with itself or with the rows, is refused in one line."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from analysis.rows.load import load
from tests.folders import manifest_of, with_manifest
from tests.runs.outcomes import LANES, refused


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy of the run."""
    return Path(shutil.copytree(original / "run", tmp_path / "run"))


def test_both_kinds_of_folder_are_read(folder: Path, report: Path) -> None:
    ours, theirs = load(folder), load(report)
    assert set(ours.lanes["outcome"]) == {"solved", "unsolved", "stuck", "diverged"}
    assert len(ours.lanes) == len(theirs.lanes) == LANES
    assert (ours.lanes["steps_run"] == theirs.lanes["steps_run"]).all() and (ours.curves["step"] == theirs.curves["step"]).all()
    assert not ours.edited_since
    with (folder / "experiment.toml").open("a") as file:
        file.write('[[claim]]\nid = "new"\nsays = "New."\nmeasure = "solved"\nat_least = 0.5\npool = ["case"]\n')
    assert load(folder).edited_since


def test_two_parts_of_which_one_is_listed_twice_are_refused(folder: Path) -> None:
    parts = manifest_of(folder)["parts"]
    with_manifest(folder, parts=[*parts, parts[0]])
    assert "is listed twice" in refused(folder)


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
    "lanes": (25, "24 rows of training runs, but the experiment has 25"),
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
