"""Signals: what they keep, what they say, and the exit code."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.runs.manifest import read_manifest

ROOT = Path(__file__).resolve().parents[2]

LONG = """
name = "long"
task = "xor"
model = "mlp"
initializer = "glorot_normal"
[training]
steps = 100_000_000
[seeds]
init = 300
[[case]]
label = "short"
"training.steps" = 20
[[case]]
label = "long"
"""


TALKATIVE = """
import initbench.__main__, sys
import initbench.cli.progress
initbench.cli.progress.LINE_SECONDS = 0.0
sys.argv = ["initbench", "run", "long.toml", "--out", "runs"]
initbench.__main__.main()
"""


def test_a_signal_keeps_what_has_ended_and_says_how_to_go_on(tmp_path: Path) -> None:
    number = signal.SIGTERM
    (tmp_path / "long.toml").write_text(LONG)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", TALKATIVE], cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    # The short ones have ended, and are not written yet.
    while not (line := process.stderr.readline()).startswith("long: 300 of 600"):
        assert line
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert f"stopped by {number.name}: 300 of 600 training runs of 'long' are kept in runs/long" in said
    assert said.splitlines()[-1] == "initbench: the same command goes on with the rest"
    assert "Traceback" not in said
    manifest = read_manifest(tmp_path / "runs" / "long")
    assert sum(part.rows for part in manifest.parts if part.kind == "lanes") == 300


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_imports_ends_in_one_line(tmp_path: Path, number: signal.Signals) -> None:
    code = f"""
import os, sys
from importlib.abc import MetaPathFinder
class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "jax":
            os.kill(os.getpid(), {int(number)})
sys.meta_path.insert(0, Interrupting())
sys.argv = ["initbench", "list"]
import initbench.__main__
initbench.__main__.main()
"""
    # Nothing was listed before.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 128 + number
    assert done.stderr == f"initbench: stopped by {number.name}; what was written before is kept, and the same command does the rest\n"


STOPPED = """
import os, signal, sys, time
from initbench import stop
stop.GRACE_SECONDS = 0.05
with stop.Stoppable() as check:
    os.kill(os.getpid(), signal.SIGTERM)
    {then}
print("went on")
"""


@pytest.mark.parametrize(
    ("then", "printed"),
    [
        # What has ended is written, which takes longer than the training has to come to a safe moment.
        ("try: check()\n    except stop.Stopped as end: time.sleep(0.3); print('written'); stop.leave(end.exit_code)", "written"),
        ("time.sleep(10)", ""),
        ("pass", ""),
        ("os.close(1)", ""),
    ],
)
def test_a_signal_leaves_time_to_write_and_none_to_go_on(then: str, printed: str) -> None:
    code = STOPPED.format(then=then)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (143, printed)
    assert done.stderr.count("\n") == (0 if printed else 1)


UNWOUND = """
import os, signal, sys
from pathlib import Path
import initbench.__main__
import analysis.report.write
def draw(*arguments, **options):
    assert list(Path("out").glob(".initbench-*"))
    os.kill(os.getpid(), signal.SIGTERM)
analysis.report.write.write_experiment = draw
sys.argv = ["initbench", "report", sys.argv[1], "--out", "out"]
initbench.__main__.main()
"""


def test_a_signal_during_a_report_leaves_nothing_half_done(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", UNWOUND, str(ROOT / "reports" / "c17-worked-examples")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 143
    assert done.stderr.count("\n") == 1 and "stopped by SIGTERM" in done.stderr
    assert not (tmp_path / "out").exists()


DROPPED = """
import gc, os, signal, sys, threading
from initbench import stop
def drop(*arguments):
    gc.callbacks.remove(drop)
    os.kill(os.getpid(), signal.SIGTERM)
gc.callbacks.append(drop)
with stop.Unwinding():
    gc.collect()
    print("went on")
    threading.Event().wait(600)
"""


def test_a_signal_that_python_drops_ends_the_command_all_the_same() -> None:
    done = subprocess.run([sys.executable, "-c", DROPPED], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (143, "went on\n")
    assert done.stderr.count("\n") == 1 and "stopped by SIGTERM" in done.stderr


LAST_MOMENT = """
import os, signal, sys
import initbench.__main__
class Late:
    def __del__(self, kill=os.kill, process=os.getpid(), number=signal.SIGTERM):
        kill(process, number)
late = Late()
sys.argv = ["initbench", "list"]
initbench.__main__.main()
"""


def test_a_command_that_has_ended_is_not_ended_by_a_signal() -> None:
    done = subprocess.run([sys.executable, "-c", LAST_MOMENT], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_shows_its_cursor_after_a_signal() -> None:
    ours, theirs = os.openpty()
    code = "from initbench import stop; stop.end(2)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, stderr=theirs).returncode == 130
    assert os.read(ours, 1000).endswith(b"\x1b[?25h")
    os.close(ours)
    os.close(theirs)


STUCK = """
from initbench import stop
stop.end_at_once()
stop.GRACE_SECONDS = 0.2
import ctypes
library, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)
library.pthread_mutex_lock(lock)
print("waits", flush=True)
library.pthread_mutex_lock(lock)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_that_waits_for_ever_in_a_library(number: signal.Signals) -> None:
    """Python then cannot call its handlers, as in a compiled program whose threads wait for each other."""
    process = subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "waits\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said == f"initbench: stopped by {number.name}; what was written before is kept, and the same command does the rest\n"
