"""The share of the time in which no device works, measured with JAX's profiler."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import jax
import numpy as np

TRAINING = "training"
WORK = ("tf_XLA", "Stream", "XLA Ops")
"""Beginnings of the names of those lines of a profile that show a device's work: threads of a CPU, streams of a GPU, a TPU's core."""

Spans = list[tuple[float, float]]


def idle_share(train: Callable[[], object]) -> float:
    """Return the share of a training's time, 0 to 1, in which no device works; tracing makes the training take longer."""
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    with TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=options), jax.profiler.TraceAnnotation(TRAINING):
            train()
        [file] = Path(folder).glob("**/*.xplane.pb")
        return idle_share_of(jax.profiler.ProfileData.from_file(str(file)))


def idle_share_of(profile: jax.profiler.ProfileData) -> float:
    """Return the share of the time of the event `TRAINING` of a profile in which no device works."""
    [whole] = _spans(profile, lambda line, event: event == TRAINING)
    return uncovered(whole, list(_spans(profile, lambda line, event: line.startswith(WORK) and "wait" not in event.lower())))


def _spans(profile: jax.profiler.ProfileData, wanted: Callable[[str, str], bool]) -> Iterator[tuple[float, float]]:
    """Yield start and end, in nanoseconds, of the events that `wanted(name of the line, name of the event)` accepts."""
    for plane in profile.planes:
        for line in plane.lines:
            for event in line.events:
                if wanted(line.name, event.name):
                    yield event.start_ns, event.start_ns + event.duration_ns


def uncovered(whole: tuple[float, float], spans: Spans) -> float:
    """Return the share of a span of time that none of the other spans covers."""
    start, end = np.clip(np.array(sorted(spans)).reshape(-1, 2), *whole).T
    # The time at which every span that began earlier has ended.
    reached = np.maximum.accumulate(np.concatenate([whole[:1], end]))
    gaps = np.maximum(np.append(start, whole[1]) - reached, 0)
    return float(np.sum(gaps) / (whole[1] - whole[0]))
