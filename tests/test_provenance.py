"""What rows are made with: recorded so that whatever can change their bits is seen, and said in words."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import pytest
from typer.testing import CliRunner

from bench import startup
from bench.runs import environment
from bench.runs.manifest import read_manifest
from bench.runs.own import own_digests
from bench.runs.provenance import Provenance, differences
from initbench.cli.app import app
from tests.conftest import experiment

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def here() -> Provenance:
    return environment.current_provenance(jax.devices())


def test_hosts_with_other_vector_instructions_differ(here: Provenance) -> None:
    info = "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: {}\nflags\t\t: fpu sse2 ssse3 fma smep {}\n"
    old, new, other = (
        environment.cpu_features(info.format(*found)) for found in ((60, "avx2"), (85, "avx2 avx512f amx_tile"), (85, "avx2"))
    )
    assert old.split(" ", 1)[1] == "GenuineIntel-6-60 avx2 fma sse2 ssse3"
    assert len({old, new, other}) == 3
    assert environment.cpu_features() == here.cpu_features
    before, now = (here.model_copy(update={"cpu_features": value}) for value in (old, new))
    assert differences(before, now) == ["CPU: without GenuineIntel-6-60, with GenuineIntel-6-85 amx_tile avx512f"]
    arm = environment.cpu_features("processor\t: 0\nFeatures\t: fp asimd sve crc32\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n")
    assert arm.split(" ", 1)[1] == "0x41-0xd40 asimd sve"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prng": "rbg, partitionable"}, r"random keys threefry2x32, partitionable, now rbg, partitionable"),
        ({"prng": None}, r"random keys .*, now not recorded"),
        ({"matmul_precision": "tensorfloat32"}, r"precision of matrix products default, now tensorfloat32"),
        ({"relu_gradient_at_zero": 1.0}, r"gradient of ReLU at 0 0\.0, now 1\.0"),
        ({"source": "0" * 64}, r"source code of initbench changed"),
        ({"own": {"mine": "0" * 64}}, r"'mine' is not recorded on one side"),
        ({"configuration": {"jax_random_seed_offset": "3"}}, r"jax_random_seed_offset its default, now 3"),
        ({"xla_flags": "--xla_cpu_enable_fast_math=true"}, r"XLA flags: without .*, with --xla_cpu_enable_fast_math=true"),
        ({"git": None}, None),
        ({"python": "3.99", "platform": "elsewhere"}, None),
    ],
)
def test_what_can_change_bits_is_named_and_nothing_else(changes: dict[str, Any], said: str | None, here: Provenance) -> None:
    if "git" in changes:
        changes = {"git": here.git.model_copy(update={"commit": "0" * 40, "dirty": True})}
    found = differences(here, here.model_copy(update=changes))
    assert found == [] if said is None else re.fullmatch(said, "".join(found))


@pytest.mark.parametrize("package", ["jax", "jaxlib", "flax", "optax", "numpy", "scipy", "scikit-learn"])
def test_versions_of_what_trains_are_compared(package: str, here: Provenance) -> None:
    other = here.model_copy(update={"versions": {**here.versions, package: "0.0.1"}})
    assert differences(here, other) == [f"{package} {here.versions[package]}, now 0.0.1"]
    for package in ("pandas", "pyarrow", "initbench"):
        assert not differences(here, here.model_copy(update={"versions": {**here.versions, package: "0.0.1"}}))


def test_flags_count_as_xla_takes_them(here: Provenance) -> None:
    one, other = (
        here.model_copy(update={"xla_flags": flags})
        for flags in ("--a=1 --b=2", "--b=1 --xla_force_host_platform_device_count=8 --b=2  --a=1 --xla_dump_to=x")
    )
    assert not differences(one, other)


def test_settings_of_jax_that_change_bits_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.configuration() == {}
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    with jax.numpy_dtype_promotion("strict"):
        assert environment.configuration() == {"jax_numpy_dtype_promotion": "strict", "NVIDIA_TF32_OVERRIDE": "1"}


# The user's own code and data


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules of the user's own, and data that one of them reads."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").write_text("")
    (tmp_path / "own_package" / "starts.py").write_text("from own_settings import SIZE\nfrom . import helper\nimport numpy, json\n")
    (tmp_path / "own_package" / "helper.py").write_text("def read():\n    import own_lazy\n    return open('table.npz')\n")
    (tmp_path / "own_package" / "unrelated.py").write_text("")
    (tmp_path / "own_settings.py").write_text("SIZE = 0.01\n")
    (tmp_path / "own_lazy.py").write_text("")
    (tmp_path / "own_package" / "table.npz").write_bytes(b"1")
    (tmp_path / "own_things.py").write_text(
        "import jax\nfrom own_package import starts\n"
        "def signs(key, shape, dtype, size: float = 1.0, table: str = ''):\n"
        "    return starts.SIZE * jax.random.rademacher(key, shape, dtype)\n"
    )
    return tmp_path


def test_own_modules_and_their_data_are_part_of_the_identity(own: Path) -> None:
    (own / "data.csv").write_text("1,2\n")
    wanted = experiment(initializer={"name": "own_things:signs", "table": "data.csv"}, track=[], probes=[])
    before = own_digests(wanted)
    names = {"own_things", "own_package", "own_package.starts", "own_package.helper", "own_settings", "own_lazy", "table.npz", "data.csv"}
    assert set(before) == names
    changed = {
        "own_settings": own / "own_settings.py",
        "own_package.helper": own / "own_package" / "helper.py",
        "table.npz": own / "own_package" / "table.npz",
        "data.csv": own / "data.csv",
    }
    for name, path in changed.items():
        path.write_bytes(path.read_bytes() + b"\n")
        now = own_digests(wanted)
        assert {one for one in now if now[one] != before[one]} == {name}
        before = now
    assert own_digests(experiment()) == {}


def test_all_files_of_one_name_are_part_of_the_identity(own: Path) -> None:
    tables = [own / "first" / "a.csv", own / "second" / "a.csv"]
    for table in tables:
        table.parent.mkdir()
        table.write_text("1\n")
    grid = {"initializer": [{"name": "own_things:signs", "table": str(table)} for table in tables]}
    wanted = experiment(grid=grid, track=[], probes=[])
    known = {own_digests(wanted)["a.csv"]}
    for table in tables:
        table.write_text("2\n")
        known.add(own_digests(wanted)["a.csv"])
    assert len(known) == 3


def test_flags_that_jax_has_not_read_are_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "_late", True)
    assert environment.current_provenance(jax.devices()).xla_flags == "unknown"


def test_source_is_that_of_the_package() -> None:
    digest = environment.source_digest()
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert environment.source_digest.__wrapped__() == digest


# The command in a strange environment, and signals


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    everything = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-m", "initbench", *arguments], capture_output=True, text=True, env=everything)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"XLA_FLAGS": "--xla_no_such_flag=1"}, "XLA_FLAGS = '--xla_no_such_flag=1': Unknown flag"),
        ({"XLA_FLAGS": "/no/such/file"}, "Could not open file"),
        ({"JAX_PLATFORMS": "no_such_platform"}, "JAX_PLATFORMS = 'no_such_platform': "),
    ],
)
def test_an_environment_that_cannot_work_is_refused_in_one_line(environment: dict[str, str], said: str) -> None:
    done = command("list", "tasks", **environment)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.startswith("initbench: ")
    assert done.stderr.count("\n") == 1 and len(done.stderr) < 1000


def test_flags_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flags.txt").write_text("--xla_a=1\n--xla_b=2\n")
    monkeypatch.setenv("XLA_FLAGS", str(tmp_path / "flags.txt"))
    assert startup.given_flags() == "--xla_a=1 --xla_b=2"
    monkeypatch.setenv("XLA_FLAGS", str(tmp_path / "none.txt"))
    with pytest.raises(ValueError, match=r"none\.txt': no flags"):
        startup.given_flags()


def test_a_folder_that_was_removed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = CliRunner().invoke(app, ["list", "tasks"])
    assert done.exit_code == 2 and "the current folder has been removed" in done.stderr


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
def test_a_signal_during_imports_ends_in_one_line(number: signal.Signals) -> None:
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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
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
