"""A program in C for one small network, `hand_written.c`, compiled for this processor by the system's compiler."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from bench.runs.plan import plan
from bench.runs.starts import Starts
from bench.spec import Experiment

WIDTH = 16
"""Networks in a vector, as the program says."""
OPTIONS = ("-O3", "-march=native", "-ffast-math", "-funroll-loops", "-shared", "-fPIC")


def compiler() -> str | None:
    """Return the path of the system's C compiler; None if there is none."""
    return next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)


def hand_written(experiment: Experiment) -> Callable[[], np.ndarray]:
    """Compile the program for an experiment of one cell, and return the training of all its lanes, from the same starts as the engine.

    ValueError if there is no compiler. The network must have one hidden layer of tanh units, and one output.
    """
    [cell] = experiment.cells
    lanes = plan(experiment).lanes
    start = Starts([cell]).of(cell, lanes.seeds_of(np.arange(len(experiment.seeds))))
    hidden, output = (start.params["layers"][number] for number in (0, 1))
    x, y = start.data.x[0], start.data.y[0].reshape(-1)
    leaves = (hidden["kernel"], hidden["bias"], output["kernel"], output["bias"])
    parameters = np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1).astype(np.float32)
    threads = os.cpu_count() or 1
    blocks = -(-len(parameters) // (WIDTH * threads)) * threads
    padded = np.resize(parameters, (blocks * WIDTH, parameters.shape[1]))
    begun = np.ascontiguousarray(padded.reshape(threads, blocks // threads, WIDTH, -1).swapaxes(2, 3))
    function = _compiled(x.shape[1], hidden["bias"].shape[1], len(x))
    train = partial(_trained, function, x=x, y=y, rate=float(start.learning_rate[0]), steps=cell.settings.training.steps)

    def all_lanes() -> np.ndarray:
        with ThreadPoolExecutor(threads) as pool:
            logits = np.concatenate(list(pool.map(train, begun)))
        outputs = logits.swapaxes(1, 2).reshape(-1, len(x))[: len(parameters)]
        return np.mean(np.logaddexp(0, outputs) - y * outputs, axis=1)

    return all_lanes


def _trained(function: Callable[..., None], begun: np.ndarray, x: np.ndarray, y: np.ndarray, rate: float, steps: int) -> np.ndarray:
    """Return the outputs (block, example, lane) of blocks of networks (block, parameter, lane) after training."""
    parameters, logits = aligned(begun.shape), aligned((len(begun), len(x), WIDTH))
    parameters[:] = begun
    data = [np.ascontiguousarray(values, np.float32) for values in (x, y)]
    places = [ctypes.c_void_p(values.ctypes.data) for values in (parameters, logits, *data)]
    function(*places, ctypes.c_float(rate), ctypes.c_long(steps), ctypes.c_long(len(begun)))
    return logits


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of float32 that begins where a vector may begin."""
    size, step = 4 * int(np.prod(shape)), 4 * WIDTH
    memory = np.empty(size + step, np.uint8)
    first = -memory.ctypes.data % step
    return memory[first : first + size].view(np.float32).reshape(shape)


def _compiled(inputs: int, hidden: int, examples: int) -> Callable[..., None]:
    command = compiler()
    if command is None:
        raise ValueError("there is no C compiler here (cc, gcc or clang)")
    sizes = [f"-D{name}={value}" for name, value in (("INPUTS", inputs), ("HIDDEN", hidden), ("EXAMPLES", examples))]
    with tempfile.TemporaryDirectory() as folder, as_file(files("bench.throughput") / "hand_written.c") as source:
        library = Path(folder) / f"hand_written{'.dll' if os.name == 'nt' else '.so'}"
        subprocess.run([command, *OPTIONS, *sizes, str(source), "-o", str(library)], check=True, capture_output=True)
        function = ctypes.CDLL(str(library)).train
    function.restype = None
    return function
