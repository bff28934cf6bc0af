"""Shards and what becomes of them: joined, or taken over by a run, they are what one process leaves, byte by byte."""

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import bench.engine.pool
import bench.runs.chunks
import bench.runs.merge
from bench import run
from bench.engine.compiled import Compiled, Setting
from bench.runs.folder import RunFolder
from bench.runs.join import join
from bench.runs.manifest import Part, read_manifest
from bench.runs.numbering import Numbering
from bench.runs.parquet import read_table
from bench.runs.shards import Shard
from bench.runs.status import Looker, as_array
from bench.runs.train import TakeOver
from initbench.cli.shards import page
from tests.commands import call
from tests.conftest import experiment
from tests.faults import injection
from tests.folders import manifest_of, with_manifest, with_rows
from tests.runs.small import SMALL, again, damaged, parts, sums
from tests.runs.test_resume import otherwise


@pytest.fixture(scope="module", autouse=True)
def small_chunks() -> Iterator[None]:
    """The small run has many chunks, not one; what it compiles is kept for all shards, since compiling takes longer than all else here."""
    kept: dict[tuple[object, ...], Compiled] = {}

    def compiled(setting: Setting, layout: Any, blocks: int, mesh: Any) -> Compiled:
        key = (*(cell.id for cell in setting.program.cells), setting.width, blocks)
        if key not in kept:
            kept[key] = Compiled(setting, layout, blocks, mesh)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.runs.chunks, "MOST_LANES", 16)
        patch.setattr(compiled, "compilations", Compiled.compilations, raising=False)
        patch.setattr(bench.engine.pool, "Compiled", compiled)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Run folders whose shards are there, by the number of shards."""
    found = {}
    for count in (2, 5):
        out = tmp_path_factory.mktemp("shards")
        for index in range(count):
            found[count] = run(experiment(**SMALL), out, shard=Shard(index, count)).parents[1]
    return found


@pytest.fixture
def sharded(trained: dict[int, Path], tmp_path: Path) -> Path:
    """A run folder with five shards, to be changed."""
    return Path(shutil.copytree(trained[5], tmp_path / trained[5].name))


def shard(sharded: Path, index: int) -> Path:
    return Shard(index, 5).folder(sharded)


def content(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("count", [2, 5])
def test_shards_joined_are_the_run_of_one_process(count: int, trained: dict[int, Path], finished: Path, tmp_path: Path) -> None:
    before = content(trained[count])
    joined = join([trained[count]], tmp_path)
    assert sums(joined.folder) == sums(finished)
    assert (joined.there, joined.again, len(joined.missing), joined.folders, joined.faults) == (80, {}, 0, count, [])
    manifest, whole = read_manifest(joined.folder), read_manifest(finished)
    assert manifest.complete and manifest.share is None
    assert (manifest.seed_steps, manifest.cells) == (whole.seed_steps, whole.cells)
    assert (joined.folder / "experiment.toml").read_bytes() == (finished / "experiment.toml").read_bytes()
    # Joined once more, and beside the other shards and the whole run, the rows are there already.
    other = trained[7 - count]
    written = content(joined.folder)
    twice = join([trained[count], other, finished], tmp_path)
    assert sum(twice.again.values()) == 240 and f"80 of {finished}" in twice.overlaps
    assert content(joined.folder) == written and content(trained[count]) == before


def test_a_shard_again_does_nothing(sharded: Path) -> None:
    before = content(sharded)
    assert again(sharded, shard=Shard(3, 5)) == []
    assert content(sharded) == before
    assert not read_manifest(shard(sharded, 3)).complete


@pytest.mark.parametrize("kind", ["lanes", "curves"])
def test_a_damaged_shard_repairs_itself(kind: str, sharded: Path) -> None:
    before = sums(shard(sharded, 3))
    damaged(kind)(shard(sharded, 3))
    assert "corrupt" in " ".join(again(sharded, shard=Shard(3, 5)))
    assert sums(shard(sharded, 3)) == before and read_manifest(shard(sharded, 3)).whole
    with_manifest(shard(sharded, 3), parts=manifest_of(shard(sharded, 3))["parts"][:1])
    again(sharded, shard=Shard(3, 5))
    assert sums(shard(sharded, 3)) == before


def test_a_shard_without_chunks_ends_at_once(sharded: Path, finished: Path) -> None:
    assert "nothing to train" in " ".join(again(sharded, shard=Shard(200, 201)))
    share = read_manifest(Shard(200, 201).folder(sharded)).share
    assert share and share.whole and share.lanes == 0
    again(sharded)
    assert sums(sharded) == sums(finished)


def test_a_shard_of_more_seeds_is_refused(sharded: Path) -> None:
    before = content(sharded)
    for seeds in (44, 36):
        with pytest.raises(ValueError, match=f"is a share of 80 training runs, this makes {2 * seeds}; a run without --shard"):
            again(sharded, {"seeds": {"init": seeds}}, shard=Shard(3, 5))
    assert content(sharded) == before


def test_a_run_takes_over_what_shards_have(sharded: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(shard(sharded, 1))
    damaged("lanes")(shard(sharded, 2))
    damaged("curves")(shard(sharded, 3))
    (shard(sharded, 4) / "run.json").write_text("{")
    kept = read_manifest(shard(sharded, 0)).parts[0].rows
    said = " ".join(again(sharded))
    # All training runs of this experiment have curves, and those whose curves were lost are trained anew.
    assert f"took over {kept:,} training runs from 1 shard" in said
    assert f"{parts(shard(sharded, 2), 'lanes')[0]}: corrupt" in said and "4-of-5/run.json: " in said
    assert sums(sharded) == sums(finished)
    # Nothing is missing any more, so no shard is read.
    monkeypatch.setattr(TakeOver, "take", lambda *arguments: pytest.fail("a shard was read"))
    before = content(sharded)
    assert again(sharded) == [] and content(sharded) == before
    monkeypatch.undo()
    [lanes] = parts(sharded, "lanes")
    lanes.unlink()
    assert "took over" in " ".join(again(sharded)) and sums(sharded) == sums(finished)


def test_a_run_of_more_seeds_takes_over_what_shards_of_fewer_have(sharded: Path) -> None:
    more = {"seeds": {"init": 44}}
    assert "took over 80 training runs from 5 shards" in " ".join(again(sharded, more))
    assert read_manifest(sharded).complete and read_manifest(sharded).lanes == 88
    assert again(sharded, more) == []


def test_fresh_removes_the_shards_as_well(sharded: Path, finished: Path) -> None:
    assert again(sharded, fresh=True) == []
    assert sums(sharded) == sums(finished)
    assert not list(sharded.glob("shards/*/run.json"))


def test_a_shard_is_taken_over_while_it_is_written(sharded: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shard has the lock, and as its rows are read it puts them in order, so that the files go that its manifest listed."""
    wanted = experiment(**SMALL)
    numbering = Numbering([cell.id for cell in wanted.cells], wanted.seeds)
    writing = shard(sharded, 2)
    # A shard that is under way has its rows in the order in which they ended.
    [lanes] = parts(writing, "lanes")
    with RunFolder.locked(writing) as store:
        part = next(part for part in store.manifest.parts if part.kind == "lanes")
        rows = read_table(writing, part)
        share = store.manifest.share
        assert share
        listed = [one for one in store.manifest.parts if one.kind == "curves"]
        pieces = [store._write("lanes", piece, part.provenance) for piece in (rows.slice(6), rows.slice(0, 6))]
        store.change(parts=[*listed, *pieces], **store.manifest.under_way)
        lanes.unlink()

        def ordered(folder: Path, part: Part) -> Any:
            if folder == writing and not store.manifest.whole:
                store.put_in_order(numbering.of)
                store.change(share=share)
            return read_table(folder, part)

        monkeypatch.setattr(bench.runs.merge, "read_table", ordered)
        said = again(sharded)
        assert said == ["took over 80 training runs from 5 shards"]
    assert sums(sharded) == sums(finished)
    assert again(sharded, shard=Shard(2, 5)) == [] and again(sharded) == []


def test_gaps_are_named_and_the_rest_is_trained(sharded: Path, finished: Path, tmp_path: Path) -> None:
    shutil.rmtree(shard(sharded, 1))
    damaged("curves")(shard(sharded, 2))
    done = call("merge", sharded, "--out", tmp_path / "out")
    where = tmp_path / "out" / sharded.name
    assert done.exit_code == 1, done.output
    assert f"{parts(shard(sharded, 2), 'curves')[0]}: corrupt" in done.output and "training runs are missing: " in done.output
    assert "initializer = zeros" in done.output and f"initbench run {where / 'experiment.toml'} --out {tmp_path / 'out'}" in done.output
    assert not read_manifest(where).complete
    assert call("run", where / "experiment.toml", "--out", tmp_path / "out").exit_code == 0
    assert sums(where) == sums(finished)


def test_a_merge_that_fails_goes_on(trained: dict[int, Path], finished: Path, tmp_path: Path) -> None:
    numbers = tmp_path / "operations"
    injection.count(tmp_path / "counted", numbers)
    join([trained[2]], tmp_path / "counted")
    total = numbers.stat().st_size
    failed = 0
    for at in range(1, total, total // 6):
        injection.fail(tmp_path / str(at), at)
        try:
            join([trained[2]], tmp_path / str(at))
        except (OSError, ValueError):
            failed += 1
        injection.relent()
        assert sums(join([trained[2]], tmp_path / str(at)).folder) == sums(finished)
    assert failed >= 4


def test_what_does_not_belong_together_is_not_joined(sharded: Path, tmp_path: Path) -> None:
    def refused(said: str, *folders: Path) -> None:
        before = content(sharded)
        done = call("merge", *folders, "--out", tmp_path / "out")
        assert done.exit_code == 2 and said in done.stderr and done.stderr.count("\n") == 1, done.output
        assert content(sharded) == before
        shutil.rmtree(tmp_path / "out", ignore_errors=True)

    one, other = shard(sharded, 0), shard(sharded, 1)
    refused("no run here", tmp_path / "nowhere")
    third = Path(shutil.copytree(one, tmp_path / "other"))
    with_rows(third, lambda rows: rows.assign(loss_final=rows["loss_final"] * 2))
    refused(f"{parts(third, 'lanes')[0]}: has other rows than {tmp_path / 'out' / sharded.name}/lanes/part-", one, third)
    otherwise(other, cpu_features="x86_64 nobody-0-0 an_extension_of_no_cpu")
    refused("were made otherwise", sharded)
    assert call("merge", sharded, "--out", tmp_path / "out", "--mixed").exit_code == 0
    assert read_manifest(tmp_path / "out" / sharded.name).mixed
    shutil.rmtree(tmp_path / "out")
    for changes, said in (
        ({"optimizer": {"name": "sgd", "learning_rate": 0.4}}, "optimizer.learning_rate: 0.4 -> 0.5"),
        ({"seeds": {"init": 41}}, "82 training runs, not 80"),
    ):
        wanted = experiment(**{**SMALL, **changes})
        records = json.loads((third / "run.json").read_text())["cells"]
        cells = [
            {**record, "id": cell.id, "settings": cell.settings.identity()} for record, cell in zip(records, wanted.cells, strict=True)
        ]
        with_manifest(third, cells=cells, spec_hash=wanted.training_hash, lanes=wanted.lanes, parts=[], share=None)
        (third / "experiment.toml").write_text(wanted.text)
        refused(f"{third}: holds another experiment than {one} ({said}", one, third)


def test_status_says_what_is_there_and_what_to_submit_again(sharded: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in (1, 3):
        shutil.rmtree(shard(sharded, index))
    damaged("lanes")(shard(sharded, 4))
    looker = Looker([sharded])
    [status], broken = looker.look()
    rows = [read_manifest(shard(sharded, index)).parts[0].rows for index in (0, 2)]
    assert (status.done, status.missing_shards, broken) == (sum(rows), {5: "1,3-4"}, [])
    assert [folder.whole for folder in status.folders] == [True, True, False] and len(status.faults) == 1
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(page([status], ["a broken one"]))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80 and "--array=1,3-4" in text and "damaged" in text and "solved" in text
    assert all(f"{count:,}" in text for count in (*rows, 80))
    # A part is read once.
    monkeypatch.setattr("bench.runs.status.read_table", lambda *arguments: pytest.fail("a part was read again"))
    assert looker.look()[0][0].done == status.done
    monkeypatch.undo()
    found = json.loads(call("status", sharded, "--json").stdout)["experiments"]
    assert [(one["done"], one["missing"], one["ended"]) for one in found] == [(sum(rows), 80 - sum(rows), False)]
    assert "100.0%" in call("status", finished, "--watch").stdout
    assert as_array([0, 2, 3, 4, 9]) == "0,2-4,9"


SLURM = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_ARRAY_TASK_MAX": "7"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (SLURM, (3, 8)),
        ({**SLURM, "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_ARRAY_TASK_MAX": "3"}, (3, 5)),
        ({"JOB_COMPLETION_INDEX": "2", "JOB_COMPLETIONS": "4"}, (2, 4)),
        ({"TPU_WORKER_ID": "1", "TPU_WORKER_HOSTNAMES": "10.0.0.1,10.0.0.2"}, (1, 2)),
    ],
)
def test_a_shard_knows_its_number_from_the_batch_system(environment: dict[str, str], expected: tuple[int, int], sharded: Path) -> None:
    assert Shard.parse("auto", environment, sharded) == Shard(*expected)


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        ("auto", {}, "none of SLURM_ARRAY_TASK_ID"),
        ("auto", {"JOB_COMPLETION_INDEX": "2"}, "JOB_COMPLETIONS = ''"),
        ("auto", {"TPU_WORKER_ID": "2", "TPU_WORKER_HOSTNAMES": "a,b"}, "the last of 2 is 1"),
        ("5/5", {}, "the last of 5 is 4"),
        ("0/0", {}, "counted from 0"),
        ("1 of 5", {}, "needs I/N"),
    ],
)
def test_no_shard_is_told_in_one_line(text: str, environment: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        Shard.parse(text, environment, tmp_path)


def test_a_shard_is_not_begun_anew_and_a_dry_run_says_how_much_it_has(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(experiment(**SMALL).text)
    for options, said in ((("--shard", "1/5", "--fresh"), "--shard with --fresh"), (("--shard", "5/5"), "the last of 5 is 4")):
        done = call("run", tmp_path / "small.toml", "--out", tmp_path / "runs", *options)
        assert done.exit_code == 2 and said in done.stderr and done.stderr.count("\n") == 1
    done = call("run", tmp_path / "small.toml", "--out", tmp_path / "runs", "--shard", "1/5", "--dry-run")
    assert "shard 1 of 5, counted from 0: 20 of these training runs (25.0%)" in done.output
    assert not (tmp_path / "runs").exists()
