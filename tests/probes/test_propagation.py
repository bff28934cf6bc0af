"""Signals, gradients and dead layers: probes on hand-made cases, theory against brute force, maps of shares."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from analysis.figures import figure_kind
from analysis.figures.phase import best_share, depth_label, only_depth
from analysis.laws.born_dead import dead_at_a_point, dead_on_the_line
from analysis.laws.propagation import critical_weights, fixed_length, length_moment, next_length, predicted, susceptibility
from analysis.rows.load import load
from bench import run
from bench.lane.grouping import programs
from bench.lane.views import Views
from bench.probes.propagation import born_dead, dead_at_first, gradient_variance, pre_activation_variance, signal_variance
from bench.spec import Figure
from bench.tasks import task
from tests.conftest import Rows, experiment
from tests.laws.born_dead import SETTINGS as DEAD
from tests.laws.propagation import PASSING


def test_variances_are_mean_squares_over_units_and_examples() -> None:
    values = jnp.array([[1.0, -2.0], [0.0, 3.0]])
    for probe in (signal_variance, pre_activation_variance, gradient_variance):
        assert float(probe(values)) == 14 / 4


def test_a_layer_is_dead_if_no_unit_is_positive_on_any_example() -> None:
    alive, dead = jnp.array([[-1.0, 0.0], [-2.0, 0.5]]), jnp.array([[-1.0, 0.0], [-2.0, -0.5]])
    assert [float(born_dead(layer)) for layer in (alive, dead)] == [0, 1]
    assert [float(dead_at_first(layer)) for layer in (alive, alive[::-1], dead)] == [1, 0, 1]


def test_the_slope_in_the_pre_activations_is_that_of_hand_written_backpropagation(rows: Rows) -> None:
    wanted = experiment(model={"name": "mlp", "widths": [3, 5]}, task={"name": "blobs", "n": 8}, track=[])
    [program] = programs(wanted.cells, (), ())
    with jax.enable_x64(False):
        fixed, state = program.start(program.variants[0], jax.tree.map(jnp.asarray, _one(program.inputs_of(wanted.cells[0], *_seeds()))))
        found = Views(program.recipe, state.params, fixed).pre_activation_gradient
    x, y = np.asarray(fixed.data.x, float), np.asarray(fixed.data.y)
    (a, b), (c, d), (e, f) = ((np.asarray(layer["kernel"]), np.asarray(layer["bias"])) for layer in state.params["layers"].values())
    first = np.tanh(x @ a + b)
    second = np.tanh(first @ c + d)
    output = second @ e + f
    chances = np.exp(output) / np.exp(output).sum(1, keepdims=True)
    last = (chances - np.eye(output.shape[1])[y]) @ e.T * (1 - second**2)
    np.testing.assert_allclose(found[1], last, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found[0], last @ c.T * (1 - first**2), rtol=1e-3, atol=1e-6)


def _seeds() -> tuple[np.ndarray, np.ndarray]:
    return np.array([3]), np.array([5])


def _one(inputs: tuple) -> tuple:
    return jax.tree.map(lambda leaf: leaf[0], inputs)


def test_the_absolute_value_begins_at_one_and_ends_at_minus_one() -> None:
    data = task["absolute_value"].target(points=5).sample(jax.random.key(0), jnp.float32)
    assert data.x[:, 0].tolist() == [1, 0.5, 0, -0.5, -1]
    assert data.y[:, 0].tolist() == [1, 0.5, 0, 0.5, 1]


def test_with_unit_input_the_slope_at_the_last_layer_is_its_outgoing_weight(rows: Rows) -> None:
    found = rows(experiment(**{**PASSING, "model": {"name": "mlp", "widths": [4], "activation": "identity"}, "seeds": {"init": 2}}))
    assert found["loss_initial"].notna().all() and found["metric_final"].isna().all()
    # |v|^2 / 4 with v ~ Glorot: not the input's doing.
    assert (found["gradient_variance_0_initial"] > 0).all()


# Theory ---------------------------------------------------------------------------------------------------------------------


def test_bounds_on_dead_lines_meet_at_depth_one_and_two() -> None:
    p = 1 / 8
    assert dead_on_the_line(3, 1) == (0, 0)
    assert dead_on_the_line(3, 2) == pytest.approx((3 * p**2 - 2 * p**3,) * 2)
    low, high = dead_on_the_line(3, 7)
    assert 0 < low < high < dead_at_a_point([3] * 7) < 1


def test_dead_networks_against_brute_force() -> None:
    rng = np.random.default_rng(0)
    n, dead_at_one, dead_on_both = 20_000, 0, 0
    rays = np.tile([[1.0], [-1.0]], (n, 1, 1))
    for fan_in in (1, 2, 2):
        rays = np.maximum(rays @ rng.normal(size=(n, fan_in, 2)), 0)
    dead_at_one, dead_on_both = (rays[:, 0] == 0).all(axis=1).mean(), (rays == 0).all(axis=(1, 2)).mean()
    assert dead_at_one == pytest.approx(dead_at_a_point([2, 2, 2]), abs=0.015)
    low, high = dead_on_the_line(2, 3)
    assert low - 0.015 < dead_on_both < high + 0.015


@pytest.mark.parametrize("width", [1, 4, 64])
def test_moments_of_a_rectified_length(width: int) -> None:
    assert length_moment(1, width) == pytest.approx(1)
    assert length_moment(2, width) == pytest.approx(1 + 5 / width)
    # One unit: E relu(z)^8 = 105 / 2 over (1/2)^4.
    if width == 1:
        assert length_moment(4, 1) == pytest.approx(840)


def test_the_edge_of_chaos() -> None:
    assert critical_weights(0.05) == pytest.approx(1.76095, abs=1e-5)
    q = fixed_length(1.5, 0.05)
    assert next_length(q, 1.5, 0.05) == pytest.approx(q)
    assert susceptibility(1e-12, 1.0) == pytest.approx(1)
    z = np.random.default_rng(0).normal(size=400_000)
    assert susceptibility(2.0, 3.0) == pytest.approx(3 * np.mean((1 - np.tanh(np.sqrt(2) * z) ** 2) ** 2), rel=0.01)


def test_predicted_lengths_of_square_layers() -> None:
    settings = {**PASSING, "model": {"name": "mlp", "widths": [32, 32], "activation": "relu"}}
    he, glorot = (predicted(experiment(**settings, initializer=name).cells[0]) for name in ("he_normal", "glorot_normal"))
    np.testing.assert_allclose(he["signal_variance"], [1, 1])
    np.testing.assert_allclose(glorot["signal_variance"], [1 / 2, 1 / 4])
    np.testing.assert_allclose(he["gradient_variance"], [1 / 32, 1 / 32])


# Figures --------------------------------------------------------------------------------------------------------------------


def test_the_best_cell_is_chosen_on_even_seeds_and_counted_on_odd_ones() -> None:
    outcomes = np.where([1, 0, 1, 0, 0, 1, 1, 1], "solved", "unsolved")
    rows = pd.DataFrame({"cell": ["a"] * 4 + ["b"] * 4, "init_seed": [0, 1, 2, 3] * 2, "outcome": outcomes})
    odd = rows["init_seed"] % 2 == 1
    # "a" has solved more on the even seeds.
    assert best_share(rows, odd, "solved") == (0, 2)
    assert best_share(rows, odd, "unsolved") == (1, 2)
    assert best_share(rows[rows["cell"] == "b"], odd[rows["cell"] == "b"], "solved") == (0.75, 4)


def test_widths_are_called_by_their_depth_if_they_are_all_the_same() -> None:
    assert [depth_label(value) for value in ("[8, 8, 8]", "[8]", "[4, 8]")] == ["3", "1", "4, 8"]
    # Where two networks have as many layers, their widths are told.
    assert only_depth(["[8]", "[8, 8]"]) and not only_depth(["[32, 32]", "[128, 128]"]) and not only_depth(["[8]", "[4, 8]"])


@pytest.mark.parametrize(
    ("settings", "figure"),
    [
        (DEAD["born_dead"], {"kind": "born_dead", "y": "dead_at_first", "color": "model.widths", "where": {"initializer": "he_normal"}}),
        (DEAD["born_dead"], {"kind": "phase", "x": "initializer", "y": "model.widths", "color": "stuck"}),
        ({**PASSING, "grid": {"initializer": ["glorot_uniform", "he_normal"]}}, {"kind": "propagation", "color": "initializer"}),
        ({**PASSING, "grid": {"initializer": ["glorot_uniform", "he_normal"]}}, {"kind": "layers", "panel": "initializer"}),
    ],
)
def test_figures_have_axes_that_show_something(settings: dict, figure: dict, tmp_path: Path) -> None:
    changes = {**settings, "seeds": {"init": 20}}
    if "model" not in changes:
        changes["model"] = {"name": "mlp", "widths": [32, 32], "activation": "relu"}
    drawn = figure_kind[figure["kind"]].target(load(run(experiment(**changes), tmp_path)), Figure(name="f", caption="", **figure))
    assert all(axis.has_data() for axis in drawn.axes)
    plt.close(drawn)
