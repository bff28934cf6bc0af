"""Students, planar tasks, curvature and orbits on cases that can be worked out by hand."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

from analysis.figures.check import check_figures
from analysis.figures.gallery import gallery
from analysis.figures.landscape import minima, spread
from analysis.geometry.orbits import Symmetry, canonical, distinct_minima, orbit_distance, recorded
from analysis.laws.teacher import quadrature_loss
from analysis.rows.load import load
from bench import run
from bench.lane.network import Network
from bench.models.student import relu_overlap
from bench.probes.magnitude import hessian_index, hessian_max
from bench.probes.orbits import MOST_NUMBERS, hidden_units
from bench.spec import Figure, ModelSpec
from bench.tasks import task
from tests.conftest import experiment

RNG = np.random.default_rng(0)


def population_loss(k: int, surplus: int, w: jax.Array) -> jax.Array:
    data = task["student_teacher"].target(k).sample(jax.random.key(0), jnp.dtype("float64"))
    network = Network(ModelSpec.model_validate({"name": "student", "surplus": surplus}), k, 1)
    return jnp.mean(network.trace({"dense": {"kernel": w.T}}, data.x)[0]) - data.floor


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize(
    ("w", "v", "expected"),
    [
        ([1.0, 0.0], [2.0, 0.0], 1.0),
        ([1.0, 0.0], [-2.0, 0.0], 0.0),
        ([1.0, 0.0], [0.0, 3.0], 3 / (2 * np.pi)),
        ([1.0, 0.0], [0.5, np.sqrt(0.75)], (np.sqrt(0.75) + (np.pi - np.pi / 3) * 0.5) / (2 * np.pi)),
        ([0.0, 0.0], [1.0, 1.0], 0.0),
    ],
)
def test_the_overlap_of_two_relu_units(w: list[float], v: list[float], expected: float) -> None:
    a, b, c = (jnp.dot(jnp.array(one), jnp.array(other)) for one, other in ((w, w), (v, v), (w, v)))
    assert float(relu_overlap(a, b, c)) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(("k", "surplus"), [(1, 0), (3, 0), (5, 2)])
def test_the_population_loss_is_its_integral(k: int, surplus: int) -> None:
    w = RNG.normal(size=(k + surplus, k))
    assert float(population_loss(k, surplus, jnp.asarray(w))) == pytest.approx(quadrature_loss(w), abs=1e-12)


def test_the_population_loss_is_0_at_the_teacher_in_any_order_and_with_a_unit_split_in_two() -> None:
    w = np.eye(4)[[2, 0, 3, 1]]
    assert float(population_loss(4, 0, jnp.asarray(w))) == pytest.approx(0, abs=1e-14)
    split = np.concatenate([w[:3], 0.25 * w[3:], 0.75 * w[3:]])
    assert float(population_loss(4, 1, jnp.asarray(split))) == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("near", [1.0, 1e-3])
def test_gradient_and_hessian_of_the_population_loss_are_those_of_finite_differences(near: float) -> None:
    loss = partial(population_loss, 3, 0)
    w = jnp.eye(3) + near * jnp.asarray(RNG.normal(size=(3, 3)))
    gradient, step = jax.grad(loss), 1e-5 * near
    moves = step * jnp.eye(9).reshape(9, 3, 3)
    slopes = jnp.stack([(loss(w + move) - loss(w - move)) / (2 * step) for move in moves])
    np.testing.assert_allclose(gradient(w).ravel(), slopes, atol=2e-7)
    curvature = jnp.stack([(gradient(w + move) - gradient(w - move)).ravel() / (2 * step) for move in moves])
    np.testing.assert_allclose(jax.hessian(loss)(w).reshape(9, 9), curvature, atol=1e-6)


@pytest.mark.parametrize("away", [0.0, 1e-12, 1e-9, 1e-7])
def test_gradient_and_hessian_are_finite_and_right_where_units_are_parallel(away: float) -> None:
    loss = partial(population_loss, 3, 0)
    w = jnp.eye(3) + away * jnp.asarray(RNG.normal(size=(3, 3)))
    assert float(jnp.max(jnp.abs(jax.grad(loss)(w)))) < 1e-6
    # Of orthonormal units (Safran and Shamir, 2018): each pair's blocks depend on their angle alone.
    blocks = jax.hessian(loss)(w).reshape(3, 3, 3, 3)
    np.testing.assert_allclose(blocks[0, :, 0], np.eye(3) / 2, atol=1e-5)
    exchange = np.outer(np.eye(3)[0], np.eye(3)[1])
    np.testing.assert_allclose(blocks[0, :, 1], np.eye(3) / 4 + (exchange + exchange.T) / (2 * np.pi), atol=1e-5)


def test_a_student_of_zeros_has_no_gradient_as_relu_has_none_at_zero() -> None:
    loss = partial(population_loss, 3, 0)
    assert not np.any(jax.grad(loss)(jnp.zeros((3, 3))))
    assert np.all(np.isfinite(jax.hessian(loss)(jnp.zeros((3, 3)))))


@pytest.mark.parametrize("name", ["moons", "spirals"])
def test_planar_classes_are_balanced_and_lie_on_their_curves(name: str) -> None:
    data = task[name].target(n=60, noise=0.0).sample(jax.random.key(1), jnp.dtype("float64"))
    x, second = np.asarray(data.x), np.asarray(data.y[:, 0] == 1)
    assert second.mean() == 0.5 and len(data.test_x) == 100
    if name == "moons":
        np.testing.assert_allclose(np.linalg.norm(x[~second], axis=1), 1)
        np.testing.assert_allclose(np.linalg.norm(x[second] - [1, 0.5], axis=1), 1)
        assert (x[~second, 1] >= 0).all() and (x[second, 1] <= 0.5).all()
    else:
        radius, angle = np.linalg.norm(x, axis=1), np.arctan2(x[:, 1], x[:, 0])
        off = (angle - 2 * np.pi * radius - np.pi * second + np.pi) % (2 * np.pi) - np.pi
        np.testing.assert_allclose(off, 0, atol=1e-9)


def test_the_index_counts_what_is_clearly_negative() -> None:
    curvatures = jnp.array([-2.0, -1e-3, -1e-9, 0.0, 10.0])
    assert int(hessian_index(curvatures)) == 2
    assert float(hessian_max(curvatures)) == 10
    assert int(hessian_index(jnp.zeros(3))) == 0


def test_hidden_units_are_kept_of_small_layers_alone() -> None:
    np.testing.assert_array_equal(hidden_units(jnp.arange(6.0).reshape(2, 3)), np.arange(6))
    assert hidden_units(jnp.zeros((MOST_NUMBERS + 1, 1))).size == 0


SYMMETRIES: list[Symmetry] = ["order", "sign", "scale"]


def moved(units: np.ndarray, symmetry: Symmetry) -> np.ndarray:
    """A random other member of the orbit; two features stand inside the activation function."""
    units = units[RNG.permutation(len(units))]
    if symmetry == "sign":
        return units * RNG.choice([-1, 1], (len(units), 1))
    if symmetry == "scale":
        size = RNG.uniform(0.1, 10, (len(units), 1))
        return np.concatenate([units[:, :2] * size, units[:, 2:] / size], axis=1)
    return units


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_an_orbit_has_one_canonical_form_and_no_extent(symmetry: Symmetry) -> None:
    for _ in range(20):
        units = RNG.normal(size=(5, 3))
        other = moved(units, symmetry)
        np.testing.assert_allclose(canonical(other, 2, symmetry), canonical(units, 2, symmetry), atol=1e-9)
        assert orbit_distance(units, other, 2, symmetry) < 1e-9
        assert orbit_distance(units, RNG.normal(size=(5, 3)), 2, symmetry) > 0.1


def test_other_symmetries_are_told_apart() -> None:
    units = RNG.normal(size=(4, 3))
    assert orbit_distance(units, -units, 2, "order") > 0.1
    assert orbit_distance(units, -units, 2, "sign") == 0
    doubled = units * [2, 2, 0.5]
    assert orbit_distance(units, doubled, 2, "sign") > 0.1
    assert orbit_distance(units, doubled, 2, "scale") < 1e-12


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_duplicate_units_are_merged_and_those_without_effect_removed(symmetry: Symmetry) -> None:
    units = np.array([[1.0, 0.0, 2.0], [1.0, 0.0, 3.0], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(canonical(units, 2, symmetry), [[1, 0, 5]])
    cancelling = np.array([[1.0, 0.0, 2.0], [1.0, 0.0, -2.0]])
    assert canonical(cancelling, 2, symmetry).shape == (0, 3)
    np.testing.assert_allclose(canonical(np.eye(3), 2, symmetry), [[0, 0, 1]] if symmetry == "order" else np.zeros((0, 3)))


def test_orbit_distance_by_hand() -> None:
    assert orbit_distance(np.eye(3), np.eye(3)[[1, 2, 0]], 2) == 0
    assert orbit_distance(np.eye(2), np.array([[0.0, 1.0], [1.0, 0.25]]), 1) == 0.25
    assert orbit_distance(np.zeros((1, 3)), np.zeros((4, 3)), 2) == 0


def test_distinct_minima_are_counted_across_lanes() -> None:
    one, two = RNG.normal(size=(2, 4, 3))
    lanes = np.stack([moved(one, "sign") + 1e-8 * RNG.normal(size=(4, 3)) for _ in range(10)] + [two])
    assert distinct_minima(lanes, 2, "sign") == 2
    assert distinct_minima(lanes, 2, "order") > 2
    assert distinct_minima(np.zeros((5, 4, 3)), 2, "scale") == 1


def test_figures_of_ends_show_each_end_once_and_each_distribution_whole(tmp_path: Path) -> None:
    students = experiment(
        task={"name": "student_teacher", "k": 2},
        model="student",
        grid={"task.k": [2, 3]},
        optimizer={"name": "sgd", "learning_rate": 0.1, "momentum": 0.9},
        training={"steps": 300, "solved_below": 1e-6, "stop": "budget", "dtype": "float64"},
        probes=["hidden_units"],
        seeds={"init": 12},
        track=[],
    )
    found = load(run(students, tmp_path))
    left, right = minima(found, Figure(name="ends", kind="minima", caption="", color="task.k")).axes
    for cell, line, distances in zip(students.cells, left.lines, right.lines, strict=True):
        rows = found.lanes[found.lanes["cell"] == cell.id]
        assert (rows["outcome"] == "solved").all()
        np.testing.assert_allclose(np.sort(np.abs(recorded(cell, rows)[:, :, :-1]), axis=1)[:, -1], 1, atol=1e-6)
        assert np.asarray(line.get_ydata())[-1] == distinct_minima(recorded(cell, rows), cell.settings.task.options["k"], "scale") == 1
        assert np.max(np.asarray(distances.get_xdata())) < 1e-5
    shown = gallery(found, Figure(name="gallery", kind="gallery", caption="", where={"task.k": 3}))
    matrices = [axis.images[0].get_array() for axis in shown.axes if axis.images]
    losses = [axis.get_title(loc="left") for axis in shown.axes if axis.lines]
    assert [title.split(":")[0] for title in losses] == ["best", "median", "worst"]
    for matrix in map(np.asarray, matrices[1::2]):
        # The teacher's units are at right angles.
        np.testing.assert_allclose(np.abs(matrix), np.eye(3), atol=1e-5)
    assert all(np.max(np.abs(matrix - np.eye(3))) > 0.05 for matrix in map(np.asarray, matrices[:6:2]))
    plain = replace(found, lanes=found.lanes.drop(columns=[name for name in found.lanes if name.startswith("hidden_units_")]))
    wanted = students.model_copy(update={"figure": (Figure(name="gallery", kind="gallery", caption="", where={"task.k": 3}),)})
    with pytest.raises(ValueError, match="figure 'gallery': .*hidden_units"):
        check_figures(wanted, plain.lanes, plain.curves)
    [axis] = spread(found, Figure(name="losses", kind="spread", caption="", x="task.k", y="loss_initial", log=False)).axes
    for cell, extremes in zip(students.cells, axis.lines[::4], strict=True):
        losses = found.lanes.loc[found.lanes["cell"] == cell.id, "loss_initial"]
        np.testing.assert_allclose(np.asarray(extremes.get_ydata()), [losses.min(), losses.max()])
    plt.close("all")
