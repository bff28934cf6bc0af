"""Options, randomness and columns of users' own pieces."""

from pathlib import Path
from typing import Any

import pytest
import tomlkit

from analysis.figures.check import check_figures
from analysis.rows.load import load
from bench import Experiment, run
from bench.initializers import draws, initializer
from bench.registry import trusting
from bench.spec import InitializerSpec
from tests.conftest import XOR, experiment
from tests.own.user import planned


def test_an_option_of_an_own_piece_is_never_taken_away() -> None:
    given = {"gain": 2.0, "bias": 0.5, "layers": 3, "scheme": "mine", "zero_layers": 4}
    spec = InitializerSpec.model_validate({"name": "pieces:sign_scaled", **given, "zero_fraction": 0.5})
    assert spec.options == given
    assert (spec.gain, spec.bias, spec.layers, spec.scheme, spec.zero_layers, spec.zero_fraction) == (1.0, None, {}, None, (), 0.5)
    # A piece without such an option has the setting, and one of ours as well.
    assert InitializerSpec.model_validate({"name": "pieces:same", "gain": 2.0}).gain == 2.0
    assert InitializerSpec.model_validate({"name": "zeros", "gain": 2.0}).gain == 2.0


def test_options_of_an_own_piece_are_read_although_it_is_not_imported() -> None:
    given = {"bias": "none", "layers": 3, "scheme": "mine", "zero_layers": 4, "gain": -2.0, "size": 0.5}
    with trusting(()):
        spec = InitializerSpec.model_validate({"name": "not_there:piece", **given, "zero_fraction": 0.5})
    assert {**spec.options, "scheme": spec.scheme} == given and spec.zero_fraction == 0.5


def test_a_map_of_a_setting_that_a_piece_has_as_an_option_is_refused() -> None:
    places = {"x": {"path": "initializer.gain", "from": 0.5, "to": 2.0}, "y": {"path": "training.l2", "from": 0.1, "to": 0.2}}
    content = {**XOR, "seeds": {"init": 4, "map": places}}
    Experiment.model_validate({**content, "initializer": "pieces:same"})
    with pytest.raises(ValueError, match="seeds.map: 'initializer.gain' is an option of 'pieces:sign_scaled'"):
        Experiment.model_validate({**content, "initializer": "pieces:sign_scaled"})


def test_an_option_that_is_called_like_a_piece_is_none(tmp_path: Path) -> None:
    content = {**XOR, "task": {"name": "pieces:keyless", "scheme": "a"}, "training": {"steps": 3}, "track": [], "seeds": {"init": 2}}
    folder = run(Experiment.parse(tomlkit.dumps(content)), tmp_path)
    with trusting(()):
        assert len(load(folder).lanes) == 2


@pytest.mark.parametrize(
    ("changes", "independent"),
    [
        ({"task": "pieces:keyless", "seeds": {"init": 1, "data": 20}}, 1),
        ({"task": {"name": "pieces:keyless", "seeded": False}, "seeds": {"init": 1, "data": 20}}, 1),
        ({"task": {"name": "pieces:keyless", "seeded": False}, "seeds": {"init": 20}, "initializer": "pieces:same"}, 1),
        ({"seeds": {"init": 20}, "initializer": {"name": "he_normal", "zero_layers": [0, 1]}}, 1),
        ({"seeds": {"init": 20}, "initializer": {"name": "he_normal", "layers": {"*": "zeros"}}}, 1),
        ({"seeds": {"init": 20}, "initializer": {"name": "he_normal", "zero_layers": [1]}}, 20),
        ({"task": "blobs", "seeds": {"init": 1, "data": 20}}, 20),
    ],
)
def test_what_does_not_depend_on_a_seed_is_one_draw(changes: dict[str, Any], independent: int, tmp_path: Path) -> None:
    wanted = Experiment.parse(tomlkit.dumps({**XOR, "training": {"steps": 3}, "track": [], **changes}))
    found = load(run(wanted, tmp_path))
    assert len(found.lanes) == 20
    assert found.clusters.nunique() == independent


def test_randomness_is_measured() -> None:
    assert draws("pieces:sign_scaled", {"gain": 1.0}) and not draws("pieces:sign_scaled", {"gain": 0.0, "layers": 0})
    assert not InitializerSpec.model_validate("pieces:same").random
    assert InitializerSpec.model_validate({"name": "zeros", "layers": {"*": "pieces:sign_scaled"}}).random


def test_traits_of_an_own_piece_are_kept() -> None:
    entry = initializer["pieces:declared"]
    assert entry.traits == {"random": False} and entry.name == "pieces:declared"
    assert "declared" not in initializer and "pieces:declared" not in set(initializer)
    assert not InitializerSpec.model_validate("pieces:declared").random


def test_two_probes_cannot_have_one_column() -> None:
    for probes, told in (
        (["pieces:largest_unit", "pieces_too:largest_unit"], "probe 'pieces_too:largest_unit': there is another column 'largest_unit'"),
        (["pieces:distinct_units"], "probe 'pieces:distinct_units': there is another column 'distinct_units'"),
        (["pieces:metric"], "probe 'pieces:metric': there is another column 'metric'"),
    ):
        with pytest.raises(ValueError, match=told):
            planned(probes=probes)


def test_figures_and_reports_know_the_columns_of_own_probes() -> None:
    curve = {"name": "a", "kind": "curve", "y": "largest_unit", "color": "initializer", "caption": "A."}
    own = ["pieces:largest_unit"]
    content = {"grid": {"initializer": ["zeros", "he_normal"]}, "probes": own, "figure": [curve], "unreported": ["largest_unit"]}
    check_figures(experiment(**content, track=own))
    with pytest.raises(ValueError, match="'largest_unit' is no column of the curves"):
        check_figures(experiment(**content, track=[]))


def test_a_compiled_probe_is_measured() -> None:
    [program] = planned(probes=["pieces:largest_unit"])
    assert "largest_unit" in program.measured
