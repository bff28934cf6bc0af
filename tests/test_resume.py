"""A run goes on where it was cut off, repairs what was lost, and mixes nothing unsaid."""

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bench.runs.folder
import bench.runs.rows
from analysis.report.terminal import verdict_page
from analysis.report.write import write_report
from analysis.rows.load import load
from bench import run
from bench.runs.folder import RunFolder
from bench.runs.manifest import read_manifest
from bench.runs.parts import LANE, read_rows
from bench.runs.plan import plan
from bench.runs.trainer import Trainer
from bench.spec import Seeds
from tests.conftest import experiment
from tests.folders import with_rows

SMALL: dict[str, Any] = {"seeds": {"init": 40}, "grid": {"initializer": ["zeros", "glorot_normal"]}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run, to be copied."""
    return run(experiment(**SMALL), tmp_path_factory.mktemp("finished"))


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A complete run of its own."""
    return Path(shutil.copytree(finished, tmp_path / finished.name))


def again(folder: Path, changes: dict[str, Any] | None = None, **options: Any) -> list[str]:
    """Run the experiment of a folder once more; what it said."""
    said: list[str] = []

    def watch(progress: Any) -> None:
        said[:] = progress.said

    run(experiment(**{**SMALL, **(changes or {})}), folder.parent, watch=watch, **options)
    return said


def change(folder: Path, **changes: Any) -> None:
    """Change fields of the manifest."""
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def parts(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / kind).glob("part-*"))


def sums(folder: Path) -> list[tuple[str, str]]:
    return [(part.file, part.sha256) for part in read_manifest(folder).parts]


def lost_curves(folder: Path) -> None:
    shutil.rmtree(folder / "curves")


def damaged(kind: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        [path] = parts(folder, kind)
        path.write_bytes(path.read_bytes()[:-8] + b"corrupt!")

    return damage


def removed_lanes(folder: Path) -> None:
    [path] = parts(folder, "lanes")
    path.unlink()


def shortened_curves(folder: Path) -> None:
    """A part whose checksum is right, and which lacks the last point of one curve and a point within another."""
    [path] = parts(folder, "curves")
    rows = pq.read_table(path)
    rows = pa.concat_tables([rows.slice(0, 2), rows.slice(3, len(rows) - 4)])
    rewritten(folder, "curves", rows)


def unlisted(kind: str) -> Callable[[Path], None]:
    def take_off(folder: Path) -> None:
        change(folder, parts=[part for part in json.loads((folder / "run.json").read_text())["parts"] if not part["file"].startswith(kind)])

    return take_off


def rewritten(folder: Path, kind: str, rows: pa.Table) -> None:
    """The part of a kind with other rows, and the checksum of these."""
    with RunFolder.locked(folder) as store:
        part = store._write(kind, rows, store.manifest.parts[0].provenance)
        store.known = store.manifest.model_copy(update={"complete": False})
        store.change(parts=[*(old for old in store.manifest.parts if old.kind != kind), part])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lost_curves, "curves/part-000000-"),
        (damaged("curves"), "corrupt"),
        (damaged("lanes"), "corrupt"),
        (removed_lanes, "lanes/part-000000-"),
        (shortened_curves, "curves of 2 training runs"),
        (unlisted("curves"), "curves of 80 training runs"),
        (unlisted("lanes"), ""),
    ],
)
def test_whatever_is_missing_is_made_again_byte_by_byte(harm: Callable[[Path], None], said: str, finished: Path, folder: Path) -> None:
    harm(folder)
    notes = again(folder)
    assert said in " ".join(notes)
    assert sums(folder) == sums(finished)
    assert [path.name for path in parts(folder, "curves")] == [path.name for path in parts(finished, "curves")]
    assert read_manifest(folder).complete
    assert again(folder) == []


def test_curves_that_go_while_it_runs_are_made_again(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = RunFolder.append

    def append_and_lose(store: RunFolder, *arguments: Any, **changes: Any) -> None:
        append(store, *arguments, **changes)
        shutil.rmtree(store.folder / "curves", ignore_errors=True)
        monkeypatch.setattr(RunFolder, "append", append)

    monkeypatch.setattr(RunFolder, "append", append_and_lose)
    notes = again(tmp_path / finished.name)
    assert "went while the run was under way" in " ".join(notes)
    assert sums(tmp_path / finished.name) == sums(finished)


def test_what_cannot_be_read_now_is_not_given_up(finished: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = bench.runs.folder.read_table

    def failing(folder: Path, part: Any) -> pa.Table:
        raise OSError(f"{folder / part.file}: cannot be read: Input/output error")

    before = (folder / "run.json").read_bytes()
    monkeypatch.setattr(bench.runs.folder, "read_table", failing)
    with pytest.raises(OSError, match="cannot be read"):
        again(folder)
    assert (folder / "run.json").read_bytes() == before
    assert parts(folder, "curves")
    failed: list[str] = []

    def wrong_once(folder: Path, part: Any) -> pa.Table:
        if part.file not in failed:
            failed.append(part.file)
            raise ValueError(f"{part.file}: corrupt")
        return read(folder, part)

    monkeypatch.setattr(bench.runs.folder, "read_table", wrong_once)
    assert again(folder) == []
    assert sums(folder) == sums(finished)


def test_training_runs_that_stand_there_twice_are_kept_once(finished: Path, folder: Path) -> None:
    [path] = parts(folder, "lanes")
    rows = pq.read_table(path)
    with RunFolder.locked(folder) as store:
        store.known = store.manifest.model_copy(update={"complete": False})
        kept = [part for part in store.manifest.parts if part.kind == "curves"]
        made = store.manifest.parts[0].provenance
        store.change(parts=[*kept, store._write("lanes", rows.slice(0, 30), made), store._write("lanes", rows.slice(20, 40), made)])
    assert "twice" in " ".join(again(folder))
    assert sums(folder) == sums(finished)


def test_rows_of_other_experiments_are_given_up(finished: Path, folder: Path) -> None:
    [path] = parts(folder, "lanes")
    rows = pq.read_table(path)
    rewritten(folder, "lanes", rows.set_column(1, "cell", pa.array(["0" * 12] * len(rows), pa.large_string())))
    assert "not of this experiment" in " ".join(again(folder))
    assert sums(folder) == sums(finished)


def test_a_run_that_does_not_repeat_is_an_error(folder: Path) -> None:
    [path] = parts(folder, "lanes")
    rows = pq.read_table(path)
    losses = rows["loss_final"].to_numpy().copy()
    losses[45] *= 2
    rewritten(folder, "lanes", rows.set_column(rows.column_names.index("loss_final"), "loss_final", pa.array(losses)))
    lost_curves(folder)
    with pytest.raises(ValueError, match=r"training run [0-9a-f]{12}:0:5 ran again .* differs from its row: loss_final is"):
        again(folder)


# Provenance


def otherwise(folder: Path, **changes: Any) -> None:
    """Rewrite the manifest as if its rows had been made with these fields of the provenance."""
    content = read_manifest(folder)
    made = content.latest.model_copy(update=changes)
    parts = tuple(part.model_copy(update={"provenance": (made.id,)}) for part in content.parts)
    changed = content.model_copy(update={"provenance": {made.id: made}, "parts": parts})
    (folder / "run.json").write_text(changed.text)


def test_rows_made_otherwise_are_not_mixed_unless_asked(finished: Path, folder: Path) -> None:
    more = {"seeds": {"init": 44}}
    cpu, flags = "x86_64 nobody-0-0 an_extension_of_no_cpu", "--xla_cpu_enable_fast_math=true"
    otherwise(folder, cpu_features=cpu, own={"mine": "0" * 64}, xla_flags=flags)
    before = (folder / "run.json").read_bytes()
    assert again(folder) == [] and (folder / "run.json").read_bytes() == before
    said = r"made otherwise \(CPU: .*an_extension_of_no_cpu.*; XLA flags: .*fast_math.*; 'mine' .*--mixed .*--fresh"
    with pytest.raises(ValueError, match=said) as refused:
        again(folder, more)
    assert len(str(refused.value)) < 1000
    assert (folder / "run.json").read_bytes() == before
    assert "mixed with training runs" in " ".join(again(folder, more, mixed=True))
    manifest = read_manifest(folder)
    assert len(manifest.provenance) == 2 and any("an_extension_of_no_cpu" in difference for difference in manifest.mixed)
    # Rows of each provenance stay apart; what each was made under is known.
    found = {part.provenance: part.rows for part in manifest.parts if part.kind == "lanes"}
    old, new = manifest.provenance
    assert found == {(old,): 80, (new,): 8}
    lanes = read_rows(folder, manifest)
    assert lanes.duplicated(LANE).sum() == 0 and len(lanes) == 88
    assert again(folder, more, fresh=True) == []
    assert len(read_manifest(folder).provenance) == 1 and read_manifest(folder).lanes == 88


def test_curves_that_were_lost_elsewhere_are_made_again_with_their_rows(finished: Path, folder: Path) -> None:
    shortened_curves(folder)
    with_rows(folder, lambda rows: rows.assign(loss_initial=0.5))
    otherwise(folder, cpu_features="x86_64 nobody-0-0 an_extension_of_no_cpu")
    with pytest.raises(ValueError, match="made otherwise"):
        again(folder)
    again(folder, mixed=True)
    manifest = read_manifest(folder)
    old, new = manifest.provenance
    assert {part.provenance: part.rows for part in manifest.parts if part.kind == "lanes"} == {(old,): 78, (new,): 2}
    rows = {name: read_rows(where, read_manifest(where)).set_index(LANE) for name, where in (("now", folder), ("before", finished))}
    here = rows["now"][rows["now"]["loss_initial"] != 0.5]
    assert len(here) == 2 and here.equals(rows["before"].loc[here.index])
    assert manifest.complete and again(folder) == []


def test_what_changes_no_bits_may_differ(finished: Path, folder: Path) -> None:
    more = {"seeds": {"init": 44}}
    device = read_manifest(folder).latest.device
    otherwise(folder, platform="elsewhere", python="3.99", device=device.model_copy(update={"count": 96}))
    assert again(folder, more) == []
    whole = again(folder.parent / "whole" / folder.name, more)
    assert whole == []
    assert [part.sha256 for part in read_manifest(folder).parts] == [
        part.sha256 for part in read_manifest(folder.parent / "whole" / folder.name).parts
    ]
    assert not read_manifest(folder).mixed and len(read_manifest(folder).provenance) == 2


def test_rows_that_are_only_put_in_order_are_not_mixed(finished: Path, folder: Path) -> None:
    otherwise(folder, cpu_features="x86_64 nobody-0-0 an_extension_of_no_cpu")
    made = list(read_manifest(folder).provenance)
    change(folder, complete=False, ended=None)
    assert again(folder) == []
    assert list(read_manifest(folder).provenance) == made and read_manifest(folder).complete
    assert sums(folder) == sums(finished)


def test_fresh_removes_what_a_run_wrote_and_nothing_else(folder: Path) -> None:
    own = [folder / "notes.txt", folder / "lanes" / "my-part-of-it.parquet", folder / "curves" / "part-of-mine.txt"]
    for path in own:
        path.write_text("mine")
    (folder / "run.json").write_text("{}")
    with pytest.raises(ValueError, match="is no manifest of a run, so it is not removed"):
        again(folder, fresh=True)
    (folder / "run.json").write_text('{"schema_version": 1, "parts": "broken"}')
    with pytest.raises(ValueError, match="schema_version = 1"):
        again(folder)
    assert again(folder, {"training": {"steps": 5}}, fresh=True) == []
    assert [path.read_text() for path in own] == ["mine"] * 3
    assert read_rows(folder, read_manifest(folder))["steps_run"].max() == 5


# What trains, and what judges


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"grid": {"initializer": ["zeros", "glorot_normal", "he_normal"]}}, r"axis 'initializer' gained 'he_normal'"),
        ({"training": {"steps": 700, "solved_below": 0.05}}, r"training\.steps: 600 -> 700"),
        ({"optimizer": "sgd"}, r"optimizer\.learning_rate: 0\.5 -> its default"),
        ({"track": []}, r"track: \['tie_spread'\] -> \[\]"),
        ({"seeds": {"init": 40, "data": "paired"}}, r"seeds\.data: 1 -> paired"),
        ({"grid": {}, "initializer": "zeros"}, r"axis 'initializer' is gone"),
    ],
)
def test_another_experiment_is_refused_by_what_differs(changes: dict[str, Any], said: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=rf"holds another experiment of this name \({said}"):
        again(folder, changes)


CLAIM = {"id": "works", "says": "Random starts find XOR.", "measure": "solved", "where": {"initializer": "glorot_normal"}, "at_least": 0.1}


def test_claims_can_be_mended_without_training_and_it_is_noted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_training(self: Trainer) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr(Trainer, "train", no_training)
    before = read_manifest(folder)
    again(folder, {"claim": [CLAIM]})
    after = read_manifest(folder)
    assert (after.spec_hash, after.judges_hash, after.parts) == (before.spec_hash, before.judges_hash, before.parts)
    assert [edit.judges_hash for edit in after.edits] == [experiment(**SMALL, claim=[CLAIM]).judging_hash]
    assert "Random starts find XOR" in (folder / "experiment.toml").read_text()
    again(folder, {"claim": [CLAIM]})
    assert len(read_manifest(folder).edits) == 1
    # Fewer seeds than are there: nothing is forgotten.
    again(folder, {"claim": [CLAIM], "seeds": {"init": 8}})
    assert read_manifest(folder) == after and "init = 40" in (folder / "experiment.toml").read_text()


def test_seeds_can_only_grow_while_a_run_is_not_complete(folder: Path) -> None:
    damaged("lanes")(folder)
    again(folder)
    lost_curves(folder)
    with pytest.raises(ValueError, match="begun with more seeds"):
        again(folder, {"seeds": {"init": 8}})


def test_curves_that_were_lost_are_not_made_again_for_some_of_the_seeds(folder: Path) -> None:
    unlisted("curves")(folder)
    with pytest.raises(ValueError, match="begun with more seeds"):
        again(folder, {"seeds": {"init": 8}})
    again(folder)
    assert read_manifest(folder).complete


def test_a_run_can_be_ended_with_the_seeds_that_are_there(folder: Path, finished: Path) -> None:
    change(folder, lanes=1000, complete=False)
    again(folder)
    assert (read_manifest(folder).lanes, sums(folder)) == (80, sums(finished))


# Links


def test_nothing_is_written_or_removed_through_a_link(folder: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    (folder / ".lock").unlink()
    (folder / ".lock").symlink_to(notes)
    with pytest.raises(ValueError, match=r"\.lock: is a link"):
        again(folder)
    assert notes.read_text() == "mine"
    (folder / ".lock").unlink()
    (folder / f".run.json.{os.getpid()}").symlink_to(notes)
    again(folder, {"claim": [CLAIM]})
    assert notes.read_text() == "mine"
    mine = tmp_path / "my_folder"
    shutil.move(folder / "curves", mine)
    (mine / "part-0123456789ab.parquet").write_text("mine")
    (folder / "curves").symlink_to(mine)
    with pytest.raises(ValueError, match="curves: is a link"):
        again(folder)
    assert (mine / "part-0123456789ab.parquet").read_text() == "mine"


# Planning in pieces


def test_lanes_planned_in_pieces_are_the_same(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.runs.rows, "PIECE", 16)
    assert again(tmp_path / finished.name) == []
    assert sums(tmp_path / finished.name) == sums(finished)


def test_two_thousand_million_seeds_take_no_memory_before_they_run() -> None:
    wanted = experiment(seeds={"init": 2_000_000_000}, grid={"initializer": ["zeros", "glorot_normal"]})
    planned = plan(wanted)
    table = planned.lanes
    done = np.arange(1_000, 3_000_000_000, 999_983)
    first = next(table.missing([0, 1], done))
    lanes = table.lanes(planned.programs[0], first)
    assert len(lanes) <= bench.runs.rows.PIECE and lanes.ids[0] == 0 and 1_000 not in lanes.ids
    far = table.lanes(planned.programs[0], np.array([1_999_999_999, 3_999_999_999]))
    assert far.inputs.init_seed.tolist() == [1_999_999_999] * 2 and far.variant.tolist() == [0, 1]
    rows = table.seeds_of(np.array([5, 3_999_999_999]))
    assert table.numbers(rows).tolist() == [5, 3_999_999_999]


def test_places_of_seeds_are_those_of_their_pairs() -> None:
    for seeds in (Seeds(init=7), Seeds(init=3, data=5), Seeds(init=6, data="paired")):
        data, init = seeds.pairs()
        assert seeds.places(data, init).tolist() == list(range(len(seeds)))
        assert (seeds.places(data, init + 7) == -1).all() and (seeds.places(data - 10, init) == -1).all()
    with pytest.raises(ValueError, match="at most"):
        Seeds(init=1 << 30, data=1 << 20)


# Interim reports

JUDGED: dict[str, Any] = {
    "claim": [{**CLAIM, "family": "C9"}, {**CLAIM, "id": "zero-too", "where": {"initializer": "zeros"}}],
    "figure": [
        {"name": "time", "kind": "ecdf", "x": "steps_to_solve", "color": "initializer", "caption": "Time."},
        {"name": "loss", "kind": "curve", "y": "loss", "color": "initializer", "caption": "Loss."},
        *(
            {"name": f"of-{name}", "kind": "curve", "y": "loss", "color": "initializer", "where": {"initializer": name}, "caption": "Loss."}
            for name in ("zeros", "glorot_normal")
        ),
    ],
}


def unfinished(folder: Path, first: int, last: int) -> None:
    """The run as it would be if it had been cut off with these rows."""
    again(folder, JUDGED)
    [path] = parts(folder, "lanes")
    rewritten(folder, "lanes", pq.read_table(path).slice(first, last - first))


@pytest.mark.parametrize(("first", "last", "share"), [(30, 63, "41%"), (40, 80, "50%")])
def test_an_unfinished_run_is_reported_as_such(
    first: int, last: int, share: str, finished: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.report.write.in_processes", map)
    unfinished(folder, first, last)
    empty = tmp_path / "empty" / "nothing-yet"
    shutil.copytree(folder, empty)
    change(empty, parts=[])
    found = write_report([folder, empty], tmp_path / "reports")
    note = f"interim: {share} of runs"
    page, answer = ((tmp_path / "reports" / name).read_text() for name in (f"{folder.name}/README.md", "README.md"))
    assert page.split("\n\n")[1].startswith(f"**Interim ({folder.name} {note})")
    assert answer.split("\n\n")[1].startswith(f"**Interim ({folder.name} {note})")
    assert len(re.findall(r"\| [^|]*, interim \|", page)) == 2
    assert verdict_page(found, Path("page"))[0].endswith(f"{folder.name} {note}")
    for name in ("time", "loss"):
        assert note in (tmp_path / "reports" / folder.name / "figures" / f"{name}.svg").read_text()
    empty_figures = [path.stem for path in (tmp_path / "reports").glob("*/figures/of-*.svg") if "have not ended yet" in path.read_text()]
    assert len(empty_figures) == (first == 40)
    assert json.loads((tmp_path / "reports" / folder.name / "claims.json").read_text())["interim"] == note
    assert load(folder, interim=True).share_done == (last - first) / 80


@pytest.mark.parametrize(("rows", "of", "said"), [(41, 100, "41%"), (1, 1000, "0.1%"), (995, 1000, "99.5%"), (99_999, 100_000, "99.9%")])
def test_an_interim_run_is_never_all_of_it(rows: int, of: int, said: str, folder: Path) -> None:
    run = load(folder, interim=True)
    lanes = run.lanes.iloc[np.zeros(rows, int)]
    unfinished = replace(run, lanes=lanes, manifest=run.manifest.model_copy(update={"complete": False, "lanes": of}))
    assert unfinished.interim == f"interim: {said} of runs"


def test_a_run_that_is_complete_again_is_not_called_interim(folder: Path, tmp_path: Path) -> None:
    unfinished(folder, 0, 79)
    again(folder, JUDGED)
    write_report([folder], tmp_path / "reports")
    page = (tmp_path / "reports" / folder.name / "README.md").read_text()
    assert "nterim" not in page and "edited after training runs existed" in page
