"""Options, randomness and columns of users' own pieces."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tomlkit

from analysis.figures.check import check_figures
from analysis.rows.load import load
from bench import Experiment, run
from bench.initializers import drawn, draws, initializer
from bench.registry import trusting
from bench.spec import InitializerSpec, ModelSpec
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


def test_a_factory_s_options_make_the_initializer_that_is_called() -> None:
    """Functions and classes that take neither key nor shape are called with the options alone, jax's and flax's own among them."""

    def kernels(name: str, **options: Any) -> np.ndarray:
        [program] = planned(initializer={"name": name, **options})
        start = program.cells[0].settings.initializer
        return drawn(initializer[name], start.options, 3, (4, 6))

    key = jax.random.key(3, impl="threefry2x32")
    scaling = {"scale": 3.0, "mode": "fan_out", "distribution": "uniform", "in_axis": [-1], "out_axis": -2, "batch_axis": []}
    expected = jax.nn.initializers.variance_scaling(3.0, "fan_out", "uniform", -1, -2)(key, (4, 6))
    np.testing.assert_array_equal(kernels("jax.nn.initializers:variance_scaling", **scaling), expected)
    np.testing.assert_array_equal(kernels("jax.nn.initializers:he_normal"), jax.nn.initializers.he_normal()(key, (4, 6)))
    np.testing.assert_array_equal(kernels("flax.nnx.initializers:constant", value=2.5), np.full((4, 6), 2.5))
    np.testing.assert_array_equal(kernels("pieces:Filled", size=3.0), np.full((4, 6), 3.0))
    assert not InitializerSpec.model_validate("flax.nnx.initializers:ones_init").random


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        (
            "jax.nn.initializers:variance_scaling",
            {"scale": 1.0, "mode": "fan", "distribution": "normal"},
            "initializer: mode = 'fan': Input",
        ),
        ("jax.nn.initializers:he_normal", {"scale": 2.0}, "unknown key 'scale'"),
        ("os:getcwd", {}, r"'os:getcwd': called with its options it returns a str, which cannot be called; an initializer is called as"),
        ("pieces:returns_a_pair", {}, r"pieces\.py, line \d+\): called with its options it returns a tuple, which cannot be called"),
        ("pieces:makes_what_takes_nothing", {}, r"TypeError: .*positional arguments.*; an initializer is called as \(key, shape, dtype\)"),
    ],
)
def test_what_is_neither_initializer_nor_factory_is_told_in_one_line(name: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        planned(initializer={"name": name, **options})
    assert "\n" not in str(caught.value)


def test_a_scheme_sees_the_targets_and_has_options_and_a_key_if_it_declares_them() -> None:
    def start(**spec: Any) -> list[np.ndarray]:
        [program] = planned(initializer={"name": "zeros", **spec})
        inputs = program.inputs_of(program.cells[0], np.array([0, 0]), np.array([5, 6]))
        one = [jax.tree.map(lambda leaf, i=i: leaf[i], inputs) for i in range(2)]
        found = [jax.tree.leaves(program.start(program.variants[0], lane)[1].params) for lane in one]
        assert program.cells[0].settings.initializer.random == any(bool(jnp.any(a != b)) for a, b in zip(*found, strict=True))
        return list(map(np.asarray, found[0]))

    # Half of the targets of XOR are 1.
    for leaf in start(scheme={"name": "pieces:scheme_of_the_targets", "size": 3.0}):
        np.testing.assert_allclose(leaf, 1.5)
    for leaf in start(scheme="pieces:scheme_of_the_targets"):
        np.testing.assert_allclose(leaf, 0.5)
    plain, scaled, part = (
        start(scheme="pieces:scheme_that_draws", **more) for more in ({}, {"gain": 3.0}, {"layers": {"layers.0": {"name": "zeros"}}})
    )
    weights = [leaf.ndim == 2 for leaf in plain]
    assert [bool(np.all(leaf)) for leaf in plain] == [True] * 4
    # A scheme that draws comes before the gain, and leaves what has an initializer of its own.
    np.testing.assert_allclose([np.max(b / a) for a, b in zip(plain, scaled, strict=True)], np.where(weights, 3, 1), rtol=1e-6)
    assert [bool(np.any(leaf)) for leaf in part] == [False, False, True, True]


@pytest.mark.parametrize(
    ("section", "piece", "option", "values"),
    [
        ("optimizer", {"name": "pieces:any_optimizer", "learning_rate": 0.1}, "b1", [0.1, 0.9]),
        ("initializer", {"name": "pieces:any_initializer"}, "scale", [1.0, 4.0]),
        ("initializer", {"name": "pieces:any_factory"}, "scale", [1.0, 4.0]),
        ("initializer", {"name": "he_normal", "scheme": {"name": "pieces:any_scheme"}}, "scheme.size", [0.5, 1.0]),
        ("task", {"name": "pieces:any_task"}, "scale", [1.0, 3.0]),
        ("task", {"name": "xor", "loss": {"name": "pieces:any_loss"}}, "loss.delta", [0.1, 0.5]),
    ],
)
def test_a_piece_that_takes_any_option_is_given_each_and_every_one_tells_its_cells_apart(
    section: str, piece: dict[str, Any], option: str, values: list[float], tmp_path: Path
) -> None:
    content = {**XOR, "training": {"steps": 3}, "track": [], "seeds": {"init": 2}, section: piece}
    wanted = Experiment.parse(tomlkit.dumps({**content, "grid": {f"{section}.{option}": values}}))
    assert len({cell.id for cell in wanted.cells}) == 2
    folder = run(wanted, tmp_path)
    with trusting(()):
        lanes = load(folder).lanes
    assert lanes.groupby(f"{section}.{option}")["loss_final"].mean().nunique() == 2


def test_a_model_and_a_probe_take_any_option() -> None:
    assert ModelSpec.model_validate({"name": "pieces:any_model", "depth": 3}).options == {"depth": 3}
    [program] = planned(model={"name": "pieces:any_model", "depth": 3}, probes=[{"name": "pieces:any_probe", "power": 3.0}])
    assert "any_probe" in program.measured


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"initializer": {"name": "pieces:any_initializer", "key": 3}}, "an option cannot be called 'key', which is an argument that the"),
        ({"optimizer": {"name": "pieces:any_optimizer", "mask": 1}}, "an option cannot be called 'mask'"),
        ({"probes": [{"name": "pieces:any_probe", "weights": 1}]}, "an option cannot be called 'weights'"),
        ({"optimizer": {"name": "pieces:any_optimizer", "b3": 1}}, "b3"),
        # A class without arguments has no options.
        ({"initializer": {"name": "pieces:Ones", "size": 1}}, "unknown key 'size'"),
    ],
)
def test_an_option_that_cannot_reach_a_piece_is_told_in_one_line(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        planned(**changes)
    assert "\n" not in str(caught.value)


def test_a_class_without_arguments_makes_an_initializer() -> None:
    assert not InitializerSpec.model_validate("pieces:Ones").random


def test_a_default_that_no_file_can_write_is_no_view() -> None:
    [program] = planned(probes=["pieces:through"])
    assert "through" in program.measured
