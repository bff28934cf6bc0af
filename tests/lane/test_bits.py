"""The bits of a lane do not follow the user's settings of JAX."""

import os
import subprocess
import sys

ELSEWHERE = """
import sys
import jax, numpy as np
from bench.hardware import precision
from bench.engine.hashing import digest
from bench.lane.grouping import programs
from bench.lane.state import Inputs
from tests.conftest import experiment
wanted = experiment(task={"name": "blobs", "n": 8}, model={"name": "mlp", "widths": [3], "dropout": 0.5}, track=[])
[program] = programs(wanted.cells, wanted.probes, wanted.track)
with precision("float32"):
    inputs = Inputs(*(value[0] for value in program.inputs_of(wanted.cells[0], np.array([1]), np.array([2]))))
    def trained(inputs):
        fixed, state = program.start(program.variants[0], inputs)
        return digest(program.advance(fixed, state, lambda value: value)[0].params)
    print(np.asarray(jax.jit(trained)(inputs)).tolist())
"""


def test_the_bits_do_not_follow_the_user_s_settings_of_jax() -> None:
    def digest(**settings: str) -> str:
        environment = {**os.environ, **settings}
        done = subprocess.run([sys.executable, "-c", ELSEWHERE], capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    other = {"JAX_DEFAULT_PRNG_IMPL": "rbg", "JAX_THREEFRY_PARTITIONABLE": "0", "JAX_TRANSFER_GUARD": "disallow"}
    assert digest() == digest(**other)
