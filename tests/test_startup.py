"""Settings of JAX that are made before it starts."""

import os
import subprocess
import sys

import pytest

from bench.startup import flags_in_force, one_thread_per_device

LATE = """
import os
import jax
jax.devices()
from bench.startup import flags_in_force
print(flags_in_force(), os.environ.get("XLA_FLAGS"))
"""


def test_flags_are_left_alone_once_jax_has_started() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["False", "None"]
    assert done.stderr.count("JAX had started before initbench was imported") == 1
    assert flags_in_force()


@pytest.mark.parametrize("flags, kept", [("", []), ("--a=1 --xla_disable_hlo_passes=one,two --b=2", ["one", "two"])])
def test_what_a_pool_switches_off_leaves_the_user_s_flags(flags: str, kept: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", flags)
    assert one_thread_per_device()["xla_disable_hlo_passes"].split(",") == [*kept, "cpu-parallel-task-assigner"]
