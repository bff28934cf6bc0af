"""What is wrong with an optimizer is told in one line where its file is read."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.lane.grouping import programs
from bench.optimizers.clipping import clippings
from bench.optimizers.schedules import schedules
from bench.spec.settings import validated
from tests.conftest import experiment

WARMUP = {"schedule": "warmup_cosine", "peak": 0.5, "warmup_steps": 100}
JOIN = {"schedule": "join", "schedules": [{"schedule": "cosine"}, {"schedule": "cosine"}], "boundaries": [5]}


@pytest.mark.parametrize(
    ("optimizer", "told"),
    [
        ({"learning_rate": {"peak": 0.1}}, "optimizer: learning_rate: a schedule needs its name under schedule; allowed: constant, cosine"),
        ({"learning_rate": {**WARMUP, "schedule": "warmup_cosin"}}, "did you mean 'warmup_cosine'?"),
        ({"learning_rate": {"schedule": "warmup_cosine"}}, "learning_rate: warmup_cosine needs warmup_steps"),
        (
            {"learning_rate": {**WARMUP, "peak_value": 0.5}},
            "of warmup_cosine_decay_schedule; it is called peak here",
        ),
        ({"learning_rate": {**WARMUP, "decay_step": 5}}, "did you mean 'decay_steps'?"),
        ({"learning_rate": {**WARMUP, "peak": 0}}, "learning_rate.peak = 0.0: a number > 0 or 'c/curvature'"),
        ({"learning_rate": {**WARMUP, "peak": "fast"}}, "learning_rate = 'fast': a number, or a text like '1/curvature'"),
        ({"learning_rate": {**WARMUP, "peak": [1]}}, "optimizer: learning_rate = [1]: Input should be a valid number or a valid string"),
        ({"learning_rate": {**WARMUP, "warmup_steps": 1.5}}, "learning_rate.warmup_steps = 1.5: a whole number from 0 to"),
        ({"learning_rate": {**WARMUP, "end_value": -0.1}}, "learning_rate.end_value = -0.1: a learning rate, at least 0"),
        ({"learning_rate": {**WARMUP, "warmup_steps": 700}}, "optimizer.learning_rate: warmup_cosine_decay_schedule refuses {"),
        ({"learning_rate": {"schedule": "cosine_onecycle", "div_factor": 0.0}}, "cosine_onecycle_schedule refuses"),
        ({"learning_rate": {"schedule": "piecewise_constant", "boundaries_and_scales": {"late": 0.1}}}, 'a table like { "100" = 0.1'),
        ({"learning_rate": {**JOIN, "boundaries": [1, 2]}}, "learning_rate.boundaries: one step between two schedules, 1 in all"),
        ({"learning_rate": {**JOIN, "schedules": [{"schedule": "sine"}]}}, "learning_rate.schedules[0].schedule = 'sine'"),
        (
            {"learning_rate": {**JOIN, "schedules": [{**WARMUP, "peak": -1.0}, WARMUP]}},
            "learning_rate.schedules[0].peak = -1.0: a number > 0",
        ),
        ({"clip_by_global_norm": -1.0}, "optimizer: clip_by_global_norm = -1.0: a number > 0"),
        ({"clip": True}, "clip = True: a number > 0"),
        ({"clipping": {"clip": 1.0}}, "unknown option 'clipping' of optimizer 'sgd'"),
        ({"clip_by_norm": 1.0}, "unknown option 'clip_by_norm' of optimizer 'sgd'; did you mean 'clip_by_global_norm'?"),
        ({"weight_decay_exclude": ["*.bias"]}, "weight_decay_exclude: 'sgd' has no weight decay with exceptions; "),
        (
            {"name": "adamw", "weight_decay_exclude": ["norm*"]},
            "weight_decay_exclude: 'norm*' is no parameter of mlp; it has layers",
        ),
        (
            {"name": "adamw", "mask": ["*.bias"]},
            "names single weights, which a file cannot; see optimizer.weight_decay_exclude",
        ),
        ({"learning_rates": {"output.*": 0.1}}, "optimizer.learning_rates: 'output.*' is no parameter of mlp"),
        ({"learning_rates": {"layers.0": -0.1}}, "learning_rates: 'layers.0' = -0.1: a factor of the learning rate, at least 0"),
        ({"learning_rates": [0.1]}, "optimizer: learning_rates = [0.1]: "),
        ({"name": "contrib.schedule_free_sgd", "learning_rates": {"layers.0": 2.0}}, "measures averages of its parameters"),
        ({"name": "lbfgs", "learning_rates": {"layers.0": 2.0}}, "searches along its updates"),
        ({"name": 5}, "optimizer: name = 5"),
    ],
)
def test_mistakes_are_told(optimizer: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as caught:
        programs(experiment(optimizer=optimizer).cells, (), ())
    assert told in str(caught.value)


def test_a_map_is_not_laid_over_a_schedule() -> None:
    places = {"x": {"path": "initializer.gain", "from": 0, "to": 4}, "y": {"path": "optimizer.learning_rate", "from": 1, "to": 16}}
    with pytest.raises(ValueError, match=r"seeds\.map: 'optimizer\.learning_rate' has a schedule"):
        experiment(optimizer={"learning_rate": WARMUP}, seeds={"init": 4, "map": places})


NUMBERS = st.sampled_from([0, 1, -1, 0.5, 1e-30, 1e30, 2**31, 2**62])
VALUES = NUMBERS | st.sampled_from([True, "", "linear", "1/curvature", "0/curvature", [], [1], {}, {"5": 0.1}, {"-5": 1}, {"5": "x"}, [{}]])
OPTIONS = [
    *("peak", "peak_value", "init_value", "end_value", "warmup_steps", "decay_steps", "transition_steps", "decay_rate", "power", "alpha"),
    *("boundaries_and_scales", "interpolate_type", "pct_start", "div_factor", "staircase", "exponent", "schedules", "boundaries", "other"),
]
RATES = VALUES | st.builds(
    lambda name, options: {"schedule": name, **options}, st.sampled_from([*schedules()]), st.dictionaries(st.sampled_from(OPTIONS), VALUES)
)
KEYS = ["name", "momentum", "weight_decay", "weight_decay_exclude", "learning_rates", "nesterov", *clippings()]


@settings(max_examples=200, deadline=None)
@given(rate=RATES, rest=st.dictionaries(st.sampled_from(KEYS), VALUES | st.sampled_from(["adamw", "sgd", "lion"])))
def test_any_values_are_taken_or_told_in_one_line(rate: Any, rest: dict[str, Any]) -> None:
    try:
        validated("optimizer", {"learning_rate": rate, **rest}).check_steps(50)
    except ValueError as error:
        assert str(error) and "\n" not in str(error) and "pydantic" not in str(error)
