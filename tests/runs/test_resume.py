"""A run goes on with the experiment that it was begun with, and mixes no rows that were made otherwise unless asked to."""

from pathlib import Path
from typing import Any

import pytest

from bench.runs.manifest import read_manifest
from bench.runs.parquet import LANE, read_rows
from bench.runs.this_process import ThisProcess
from tests.conftest import experiment
from tests.folders import with_rows
from tests.runs.small import CLAIM, SMALL, again, change, damaged, lost_curves, shortened_curves, sums, unlisted


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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"grid": {"initializer": ["zeros", "he_normal"]}},
            r"axis 'initializer' lost 'glorot_normal'; axis 'initializer' gained 'he_normal'",
        ),
        ({"grid": {"initializer": ["zeros"]}}, r"axis 'initializer' lost 'glorot_normal'"),
        ({"grid": {**SMALL["grid"], "model.widths": [[3], [4]]}}, r"axis 'model\.widths' is new"),
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


def test_claims_can_be_mended_without_training_and_it_is_noted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_training(self: ThisProcess, *given: object) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr(ThisProcess, "train", no_training)
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


WIDER = {"initializer": ["he_normal", "zeros", "glorot_normal"]}


def test_values_that_join_an_axis_train_alone_and_end_as_if_they_had_always_been_there(folder: Path, tmp_path: Path) -> None:
    before = read_manifest(folder)
    trained = read_rows(folder, before)
    again(folder, {"grid": WIDER})
    grown = read_manifest(folder)
    assert grown.complete and [cell.axes["initializer"] for cell in grown.cells] == WIDER["initializer"]
    assert grown.seed_steps > before.seed_steps
    # What was there has not been trained again: the steps that were added are those of the new cell.
    rows = read_rows(folder, grown)
    old = rows["cell"].isin({cell.id for cell in before.cells})
    assert old.sum() == len(trained) and (~old).sum() == 40
    whole = tmp_path / "whole" / folder.name
    again(whole, {"grid": WIDER})
    assert sums(whole) == sums(folder)
    # A folder that was begun with more values is not cut down.
    with pytest.raises(ValueError, match="axis 'initializer' lost 'he_normal'"):
        again(folder)


def test_layers_in_another_order_are_another_experiment(tmp_path: Path) -> None:
    layers = {"*.kernel": "zeros", "layers.0.*": "he_normal"}
    folder = tmp_path / "xor-test"
    start = {"name": "glorot_normal", "layers": layers}
    again(folder, {"grid": {}, "initializer": start, "training": {"steps": 2}})
    with pytest.raises(ValueError, match=r"initializer\.layers stand in another order"):
        again(folder, {"grid": {}, "initializer": {**start, "layers": dict(reversed(layers.items()))}, "training": {"steps": 2}})
    assert again(folder, {"grid": {}, "initializer": start, "training": {"steps": 2}}) == []


OWN_LATE = """
import jax


def signs(key, shape, dtype, table: str = "late.csv"):
    return jax.random.rademacher(key, shape, dtype)
"""


def test_own_code_and_data_join_with_new_cells_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("own_late.py").write_text(OWN_LATE)
    folder, short = tmp_path / "xor-test", {"training": {"steps": 2}}
    again(folder, {**short, "grid": {"initializer": ["zeros"]}})
    grown = {**short, "grid": {"initializer": ["zeros", "own_late:signs"]}}
    again(folder, grown)
    old, new = read_manifest(folder).provenance.values()
    assert list(old.own) == [] and list(new.own) == ["own_late"] and read_manifest(folder).mixed == []
    assert again(folder, {**grown, "seeds": {"init": 44}}) == []
    # The same cells with a data file that was not there before are another matter.
    Path("late.csv").write_text("1")
    with pytest.raises(ValueError, match=r"made otherwise \('late\.csv' was not used before\)"):
        again(folder, {**grown, "seeds": {"init": 48}})
