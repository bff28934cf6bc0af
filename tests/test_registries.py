"""Contracts over whatever is registered: a new entry is tested without being named here."""

import ast
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from bench import run
from bench.initializers import initializer
from bench.keys import shuffled
from bench.lane.grouping import programs
from bench.lane.initial import initial_parameters, parameter_keys
from bench.lane.network import Network
from bench.lane.state import Inputs
from bench.losses.definition import Loss
from bench.models import model
from bench.models.activations import ACTIVATIONS, ZERO_AT_ZERO
from bench.optimizers import asks_for_function, check_optimizer, make_optimizer, optimizers
from bench.probes import probe
from bench.runs.manifest import read_manifest
from bench.runs.parquet import read_rows
from bench.spec import InitializerSpec, ModelSpec
from bench.startup import HASTY
from bench.tasks import task
from tests.conftest import experiment

KEY = jax.random.key(0)


@pytest.mark.parametrize("name", initializer)
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (64, 1)])
def test_an_initializer_has_shape_dtype_and_repeats(name: str, shape: tuple[int, int]) -> None:
    draw = initializer[name].bind(initializer[name].options().model_dump())
    first = draw(KEY, shape, jnp.float32)
    assert first.shape == shape and first.dtype == jnp.float32
    np.testing.assert_array_equal(first, draw(KEY, shape, jnp.float32))
    differs = bool(jnp.any(first != draw(jax.random.key(1), shape, jnp.float32)))
    assert differs == initializer[name].traits.get("random", True)


@pytest.mark.parametrize("name", initializer)
def test_an_initializer_survives_batching_on_two_devices(name: str) -> None:
    draw = initializer[name].bind(initializer[name].options().model_dump())
    keys = jax.random.split(KEY, 8)
    batch = jax.vmap(lambda key: draw(key, (6, 6), jnp.float32))(keys)
    np.testing.assert_allclose(batch[3], draw(keys[3], (6, 6), jnp.float32), rtol=1e-5, atol=1e-6)


VARIANCES = {
    "lecun_normal": 1 / 300, "lecun_uniform": 1 / 300, "glorot_normal": 2 / 500, "glorot_uniform": 2 / 500,
    "keras_default": 2 / 500, "he_normal": 2 / 300, "he_uniform": 2 / 300, "pytorch_default": 1 / 900, "flax_default": 1 / 300,
    "small_init": 2 / 1000,
}  # fmt: skip


@pytest.mark.parametrize("name", list(VARIANCES))
def test_a_scaled_initializer_has_its_paper_s_variance(name: str) -> None:
    weights = np.asarray(initializer[name].target(KEY, (300, 200), jnp.float32), float)
    n = weights.size
    # Gaussian sums of squares; a uniform law's are narrower, so the bound holds for both.
    low, high = stats.chi2.ppf([1e-6, 1 - 1e-6], n) / n * VARIANCES[name]
    assert low < np.mean(weights**2) < high
    wrong = VARIANCES[name] * 1.1
    assert not stats.chi2.ppf(1e-6, n) / n * wrong < np.mean(weights**2) < stats.chi2.ppf(1 - 1e-6, n) / n * wrong


def test_initializers_of_a_comparison_share_their_base_draws() -> None:
    network = Network(ModelSpec.model_validate({"name": "mlp", "widths": [7]}), 3, 2)
    one = jnp.ones(())

    def kernel(name: str) -> np.ndarray:
        params = initial_parameters(
            network, InitializerSpec.model_validate(name), parameter_keys(network, 5), one, 0 * one, jnp.dtype("float32")
        )
        return np.asarray(params["layers"][0]["kernel"])

    ratio = kernel("he_normal") / kernel("glorot_normal")
    np.testing.assert_allclose(ratio, np.sqrt((3 + 7) / 3), rtol=1e-5)


def test_modifiers_scale_and_zero_what_they_name() -> None:
    network = Network(ModelSpec.model_validate({"name": "mlp", "widths": [40, 40]}), 30, 2)

    def weights(fraction: float = 0.0, **options: object) -> list[np.ndarray]:
        spec = InitializerSpec.model_validate({"name": "he_normal", "zero_fraction": fraction, **options})
        gain, share = jnp.asarray(spec.gain), jnp.asarray(fraction)
        return [
            np.asarray(w)
            for w in network.weights(initial_parameters(network, spec, parameter_keys(network, 1), gain, share, jnp.dtype("float32")))
        ]

    plain = weights()
    np.testing.assert_allclose(weights(gain=3.0)[1], 3 * plain[1], rtol=1e-6)
    assert [bool(np.any(w)) for w in weights(zero_layers=[1])] == [True, False, True]
    assert all(np.count_nonzero(w) >= 1 for w in weights(fraction=0.9999))
    for half, full in zip(weights(fraction=0.25), plain, strict=True):
        assert np.mean(half == 0) == pytest.approx(0.25, abs=1 / half.size)
        np.testing.assert_array_equal(half[half != 0], full[half != 0])
    assert not any(np.any(w) for w in weights(fraction=1.0))


@pytest.mark.parametrize("name", model)
def test_a_model_has_one_output_per_example_and_units_that_match_its_layers(name: str) -> None:
    # Four inputs are also an image of 2 x 2, with each unit at up to four positions.
    features = {"features": 2} if "features" in model[name].options.model_fields else {}
    network = Network(ModelSpec.model_validate({"name": name, **features}), 4, 2)
    params = jax.tree.map(lambda leaf: jnp.ones(leaf.shape), network.shapes)
    outputs, hidden = network.trace(params, jnp.ones((5, 4)))
    assert outputs.shape == (5, 2)
    for units, layer in zip(network.units(params), hidden, strict=False):
        assert layer.activation.shape[1] / len(units) in ((1, 4) if "cnn" in name else (1,))


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_which_activations_are_zero_at_zero(name: str) -> None:
    assert (float(ACTIVATIONS[name](jnp.zeros(()))) == 0) == (name in ZERO_AT_ZERO)


def test_relu_has_no_slope_at_zero() -> None:
    assert float(jax.grad(ACTIVATIONS["relu"])(0.0)) == 0


@pytest.mark.parametrize("name", task)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_task_gives_the_data_that_it_declares(name: str, dtype: str) -> None:
    made = task[name].target()
    with jax.enable_x64(dtype == "float64"):
        data = made.sample(jax.random.key(3), jnp.dtype(dtype))
        other = made.sample(jax.random.key(4), jnp.dtype(dtype))
    assert data.x.dtype == dtype and data.x.shape[1] == made.inputs and len(data.x) == len(data.y)
    assert bool(jnp.all(jnp.isfinite(data.x)))
    assert bool(jnp.any(data.x != other.x)) == made.seeded
    if made.loss.players:
        assert data.y.shape == (len(data.x),)  # which mode a point is from
    elif data.y.ndim == 1:
        assert set(np.unique(data.y)) <= set(range(made.outputs))
    else:
        assert data.y.shape[1] == made.outputs


@pytest.mark.parametrize("logit", [-40.0, -1.0, 0.0, 1e-3, 2.0])
def test_binary_cross_entropy_has_the_slope_and_curvature_of_logistic_regression(logit: float) -> None:
    def loss(z: jax.Array) -> jax.Array:
        return Loss.of("cross_entropy").each(z[None, None], jnp.ones((1, 1)))[0]

    with jax.enable_x64(True):
        p = 1 / (1 + np.exp(-logit))
        assert float(jax.grad(loss)(logit)) == pytest.approx(p - 1, abs=1e-12)
        assert float(jax.grad(jax.grad(loss))(logit)) == pytest.approx(p * (1 - p), abs=1e-12)


def test_minibatch_lanes_have_their_initial_loss_whether_or_not_it_is_logged(tmp_path: Path) -> None:
    wanted = experiment(task={"name": "blobs"}, training={"steps": 20, "batch_size": 32}, seeds={"init": 80}, track=[])
    out = run(wanted, tmp_path)
    found = read_rows(out, read_manifest(out)).set_index("init_seed")
    # Seeds from 64 on keep no curve.
    assert (found["loss_initial"] > 0.1).all() and found["loss_final"].notna().all()


def test_splits_of_real_data_do_not_leak() -> None:
    data = task["digits"].target().sample(KEY, jnp.float32)
    assert data.test_x is not None
    assert len(data.x) + len(data.test_x) == 1797
    np.testing.assert_allclose(np.asarray(data.x).mean(axis=0), 0, atol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning:optax", "ignore:.*deprecated:DeprecationWarning", "ignore:Specifying a key")
@pytest.mark.parametrize("name", list(optimizers()))
def test_an_optimizer_takes_a_traced_learning_rate(name: str) -> None:
    params = {"w": jnp.ones((3, 2)), "b": jnp.zeros(2)}

    def step(rate: jax.Array) -> jax.Array:
        optimizer = make_optimizer(name, {}, rate)

        def loss(p: dict[str, jax.Array], obj_fn: object = None) -> jax.Array:
            return jnp.sum((p["w"] - 2) ** 2) + jnp.sum((p["b"] + 1) ** 2)

        value, gradient = jax.value_and_grad(loss)(params)
        extra = {"value": value, "grad": gradient, "value_fn": loss, "obj_fn": loss}
        updates, _ = optimizer.update(gradient, optimizer.init(params), params, **extra)
        return loss(optax.apply_updates(params, updates))

    assert np.isfinite(float(jax.jit(step)(jnp.asarray(1e-3))))


def test_an_optimizer_that_needs_more_than_a_learning_rate_is_not_offered() -> None:
    assert {"sgd", "adam", "lion", "contrib.muon"} <= set(optimizers())
    assert not {"contrib.dpsgd", "contrib.schedule_free"} & set(optimizers())


@pytest.mark.filterwarnings("ignore:Specifying a key")
@pytest.mark.parametrize("name", ["noisy_sgd", "contrib.sophia"])
def test_an_optimizer_with_a_key_of_its_own_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"optimizer '{name}' draws from a key of its own, which would be the same in every training run"):
        check_optimizer(name, {})


def test_an_option_that_takes_a_function_takes_no_text() -> None:
    for mask in ("weights", 5, True, {"w": True}):
        with pytest.raises(ValueError, match=r"optimizer\.mask: it names single weights, which a file cannot"):
            check_optimizer("adamw", {"mask": mask})
    with pytest.raises(ValueError, match=r"optimizer\.mu_dtype = 'weights'|refuses"):
        check_optimizer("adamw", {"mu_dtype": "weights"})
    with pytest.raises(ValueError, match=r"optimizer\.nesterov = 5: 'sgd' takes true or false"):
        check_optimizer("sgd", {"nesterov": 5})
    with pytest.raises(ValueError, match=r"optimizer\.b1 = True: 'adam' takes a number"):
        check_optimizer("adam", {"b1": True})
    check_optimizer("adamw", {"mu_dtype": "bfloat16"})
    check_optimizer("contrib.muon", {"preconditioning": "spectral"})


def test_a_line_search_is_refused_where_training_is_noisy() -> None:
    assert asks_for_function("lbfgs", {}) and not any(asks_for_function(name, {}) for name in ("sgd", "adam", "contrib.momo"))
    for noise in ({"training": {"label_noise": 0.1}}, {"model": {"name": "mlp", "dropout": 0.1}}):
        wanted = experiment(optimizer={"name": "lbfgs"}, **noise)
        with pytest.raises(ValueError, match="optimizer.name = 'lbfgs': it compares values of the loss at several points"):
            programs(wanted.cells, wanted.probes, wanted.track)


@pytest.mark.parametrize("n", [1, 2, 1797, 1 << 12, (1 << 12) + 1, 1 << 16])
def test_an_order_is_random_whatever_its_length(n: int) -> None:
    order = np.asarray(shuffled(KEY, n))
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    # In a random order a place is followed by a later one in half of the cases; equal words would stand in the order of their places.
    if n > 1000:
        assert np.mean(np.diff(order) > 0) == pytest.approx(0.5, abs=5 / np.sqrt(12 * n))


NETWORKS: list[dict[str, Any]] = [
    {},
    {"model": "gan", "task": "ring"},
    {"model": {"name": "elman", "features": 1}},
    {"model": {"name": "transformer", "features": 1}},
]


def test_every_probe_is_measured_on_some_network_as_a_finite_number() -> None:
    seen = set()
    for settings in NETWORKS:
        wanted = experiment(**settings, probes=list(probe), track=[])
        [program] = programs(wanted.cells, wanted.probes, wanted.track)
        inputs = program.inputs_of(wanted.cells[0], np.array([0, 0]), np.array([0, 1]))
        measure = jax.vmap(lambda one, program=program: program.measure(*program.start(program.variants[0], one)))
        measured = jax.jit(measure, compiler_options=HASTY)(Inputs(*inputs))
        for name in probe:
            columns = [column for column in measured if column == name or column.startswith(f"{name}_")]
            assert all(bool(jnp.all(jnp.isfinite(measured[column]))) for column in columns)
            seen |= {name} if columns else set()
    assert seen == set(probe)


def test_bench_never_imports_analysis() -> None:
    for path in Path("bench").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "analysis" for name in names), path
