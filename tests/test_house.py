"""The floors of the house: who may import whom, and how long a file, a class and a function may be."""

import ast
import re
import tokenize
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bench", "analysis", "initbench")

FLOORS: tuple[tuple[str, ...], ...] = (
    ("bench.messages", "bench.docstrings", "bench.option_texts", "bench.keys", "bench.hardware", "bench.startup", "bench.linalg"),
    ("bench.imports",),
    ("bench.registry",),
    ("bench.piece_names",),
    ("bench.initializers", "bench.models", "bench.losses", "bench.optimizers", "bench.probes"),
    ("bench.schemes", "bench.tasks"),
    ("bench.spec",),
    ("bench.lane",),
    ("bench.engine",),
    ("bench.runs",),
    ("bench.cluster",),
    ("bench.throughput", "bench"),
    ("analysis.escape", "analysis.words"),
    ("analysis.stats", "analysis.geometry"),
    ("analysis.rows",),
    ("analysis.laws",),
    ("analysis.figures",),
    ("analysis.judging",),
    ("analysis.report",),
    ("analysis.site",),
    ("analysis",),
    ("initbench",),
)
"""From the ground to the face: a module imports its own package and what lies on a lower floor."""

HIDDEN = {"analysis": ("bench.lane", "bench.engine")}
"""Packages that a package does not import although they lie below it."""

LATE_SUBJECT = re.compile(r"(\A|[.!?]\s|\n\s*\n|\n\s*- )\s*(What|Of an?|So many|Those that)\b")
"""The beginning of a sentence that does not name its subject."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

MOST_LINES = {"file": 350, "class": 200, "function": 60}
EXCEPTIONS: dict[str, str] = {}
"""Files, classes and functions that are longer, each with the reason; at most five."""


def modules() -> dict[str, Path]:
    """All modules of the packages by their dotted names."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(path: Path) -> set[str]:
    """Modules of the project that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & set(MODULES) or {node.module}
    return {name for name in found if name in MODULES}


def floor(module: str) -> int:
    """The floor of a module: that of the longest name in `FLOORS` which begins its own."""
    fitting = [
        (len(name), number) for number, names in enumerate(FLOORS) for name in names if module == name or module.startswith(f"{name}.")
    ]
    return max(fitting)[1]


def room(module: str) -> str:
    """The entry of `FLOORS` that a module belongs to."""
    return max((name for names in FLOORS for name in names if module == name or module.startswith(f"{name}.")), key=len)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_what_lies_below(module: str) -> None:
    for other in sorted(imports(MODULES[module])):
        assert room(other) == room(module) or floor(other) < floor(module), f"{module} imports {other}, which does not lie below it"
        hidden = HIDDEN.get(module.partition(".")[0], ())
        assert not other.startswith(hidden), f"{module} imports {other}, which {module.partition('.')[0]} does not see"


def drawn() -> dict[str, set[str]]:
    """The rooms of the drawing in `docs/architecture.md`, each with the rooms that its arrows come from, also over others."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("flowchart BT")[2].partition("```")[0]
    nodes = {node: label.partition(":")[0].replace("/", ".").split(", ") for node, label in re.findall(r'(\w+)\["(.*)"\]', text)}
    below: dict[str, set[str]] = {node: set() for node in nodes}
    for line in re.findall(r"^ +(\w+(?: --> \w+)+)$", text, re.MULTILINE):
        for lower, upper in pairwise(line.split(" --> ")):
            below[upper].add(lower)
    for node in TopologicalSorter(below).static_order():
        below[node] |= {other for lower in below[node] for other in below[lower]}
    return {name: {other for lower in (*below[node], node) for other in nodes[lower]} for node, names in nodes.items() for name in names}


def test_the_drawing_has_every_room_and_every_import() -> None:
    rooms = drawn()
    assert set(rooms) == {name for names in FLOORS for name in names} - {"bench", "analysis"}
    missing = {
        (room(module), room(other))
        for module in MODULES
        for other in imports(MODULES[module])
        if room(module) in rooms and room(other) in rooms and room(other) not in rooms[room(module)]
    }
    assert not missing


def test_there_is_no_circle() -> None:
    graph = {module: imports(path) - {module} for module, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_a_circle_would_be_found() -> None:
    with pytest.raises(CycleError):
        TopologicalSorter({"bench.spec": {"bench.spec.grid"}, "bench.spec.grid": {"bench.spec"}}).prepare()


def lengths() -> Iterator[tuple[str, str, int]]:
    """Kind, place and number of lines of every file, class and function of the project."""
    for path in sorted(path for package in (*PACKAGES, "tests") for path in (ROOT / package).rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        yield "file", place, len(text.splitlines())
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                kind = "class" if isinstance(node, ast.ClassDef) else "function"
                yield kind, f"{place}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def test_nothing_is_too_long() -> None:
    long = {place: (kind, count) for kind, place, count in lengths() if count > MOST_LINES[kind]}
    unknown = {place: f"a {kind} of {count} lines" for place, (kind, count) in long.items() if place not in EXCEPTIONS}
    assert not unknown, ", ".join(f"{place}: {what}" for place, what in unknown.items())
    assert set(EXCEPTIONS) <= set(long), "an exception that is none any more"
    assert len(EXCEPTIONS) <= 5 and all(EXCEPTIONS.values())


def test_one_file_knows_the_hardware() -> None:
    """Questions about the kind of device are asked in one place."""
    question = re.compile(r"accelerated\(\)|default_backend\(\)|\.platform ==")
    asking = [name for name, path in MODULES.items() if name.startswith(("bench", "analysis")) and question.search(path.read_text())]
    assert asking == ["bench.hardware"]


def test_layouts_are_named_in_their_package_alone() -> None:
    name = re.compile(r"\b(FUSED|UNROLLED|LANES_LAST|LANES_FIRST|Fused|Unrolled|LanesLast|LanesFirst)\b")
    naming = [module for module, path in MODULES.items() if name.search(path.read_text()) and not module.startswith("bench.engine.layouts")]
    assert naming == []


LANE = re.compile(r"(?<![-/`.\[])\blanes?\b(?![./`])")
"""The engineers' word for a training run, outside options and file names; `bench.lane` says what it means."""
KEEPS_LANE = {"analysis.rows.summary"}
"""Modules whose texts stand in committed reports."""


def test_messages_say_training_run() -> None:
    def faults(text: str) -> list[str]:
        told = [inner for node in ast.walk(ast.parse(text)) if isinstance(node, ast.JoinedStr | ast.Raise) for inner in ast.walk(node)]
        texts = [inner.value for inner in told if isinstance(inner, ast.Constant) and isinstance(inner.value, str)]
        return [one for one in texts if " " in one and LANE.search(one)]

    assert faults('raise ValueError("no lane", "lanes/part-1", f"{n} lanes")\nA = f"--lane {n}", "lane"') == ["no lane", " lanes", " lanes"]
    found = {name: faults(path.read_text(encoding="utf-8")) for name, path in MODULES.items() if name not in KEEPS_LANE}
    assert not {name: texts for name, texts in found.items() if texts}


PAGES = ["README.md", *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md")))]


@pytest.mark.parametrize("page", PAGES)
def test_pages_say_training_run(page: str) -> None:
    text = re.sub(r"^```.*?^```$|`[^`\n]*`|^ {4}[^\n]*$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert page == "docs/architecture.md" or not LANE.findall(text)


INSIDE = re.compile(r"(?<!-m )\bbench\.[a-z]")
"""A name of the package `bench`, which no user imports; the commands of `python -m` are run from a checkout."""


def test_users_are_told_to_import_initbench() -> None:
    def faults(text: str) -> list[str]:
        nodes = list(ast.walk(ast.parse(text)))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        told = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in docstrings]
        return [one for one in told if isinstance(one, str) and " " in one and INSIDE.search(one)]

    assert faults('"""In bench.losses."""\nA = "bench.losses", "write bench.losses.loss", "python -m bench.b"') == [
        "write bench.losses.loss"
    ]
    assert not [fault for path in MODULES.values() for fault in faults(path.read_text(encoding="utf-8"))]
    assert not [page for page in PAGES if page != "docs/architecture.md" and INSIDE.search((ROOT / page).read_text(encoding="utf-8"))]


def test_the_page_names_all_that_a_layout_needs() -> None:
    tree = ast.parse(MODULES["bench.engine.layouts.layout"].read_text(encoding="utf-8"))
    [layout] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Layout"]
    methods = {node.name for node in layout.body if isinstance(node, ast.FunctionDef)}
    values = {ast.unparse(node.target) for node in layout.body if isinstance(node, ast.AnnAssign)}
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("### A layout of lanes")[2].partition("2. ")[0]
    assert methods | values <= set(re.findall(r"`(\w+)`", section))
    for file in ("primitives", "moves", "rules_vectors", "rules_lanes_last"):
        assert f"`bench/engine/layouts/{file}.py`" in section


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", *PAGES])
def test_names_on_a_page_exist(page: str) -> None:
    """Every file that a page names in backticks is there."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:bench|analysis|initbench|tests|docs)(?:/[\w.-]+)+/?)`", text))
    assert not {name for name in named if not (ROOT / name).exists()}


def without_docstring(files: dict[str, str]) -> list[str]:
    """Public functions, classes, methods and properties of files without a docstring, except nested ones.

    A method may lack one if a base class, or a protocol in the same files, has one of the same name with a docstring.
    """
    classes = {node.name: node for text in files.values() for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)}
    bases = {name: {ast.unparse(base).partition("[")[0] for base in node.bases} for name, node in classes.items()}

    def described(name: str) -> set[str]:
        return {one.name for one in classes[name].body if isinstance(one, FUNCTIONS) and ast.get_docstring(one)}

    promised = set().union(*(described(name) for name in classes if "Protocol" in bases[name]))

    def inherited(name: str) -> set[str]:
        return set().union(*(described(base) | inherited(base) for base in bases[name] & set(classes) - {name}))

    def faults(nodes: list[ast.stmt], prefix: str, allowed: set[str]) -> Iterator[str]:
        for node in nodes:
            if not isinstance(node, (ast.ClassDef, *FUNCTIONS)) or node.name.startswith("_"):
                continue
            if not ast.get_docstring(node) and not (isinstance(node, FUNCTIONS) and node.name in allowed):
                yield f"{prefix}{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from faults(node.body, f"{prefix}{node.name}.", promised | inherited(node.name))

    return [fault for place, text in files.items() for fault in faults(ast.parse(text).body, f"{place}.", set())]


def test_everything_public_has_a_docstring() -> None:
    text = """
class A(Protocol):
  "A."
  def f(self):
    "F."
    def g(self): ...
class B(Base):
  "B."
  def f(self): ...
  def h(self): ...
class Base:
  "Base."
  def h(self):
    "H."
def f(): ...
def _f(): ...
class C: ...
"""
    assert without_docstring({"a": text}) == ["a.f", "a.C"]
    rooms: dict[str, dict[str, str]] = {}
    for name, path in MODULES.items():
        rooms.setdefault(room(name), {})[name] = path.read_text(encoding="utf-8")
    assert not [fault for files in rooms.values() for fault in without_docstring(files)]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_sentence_begins_with_its_subject(package: str) -> None:
    """Each sentence of the docstrings and comments."""

    def faults(text: str) -> list[str]:
        values = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr)]
        texts = [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]
        comments = [
            token.string.lstrip("# ") for token in tokenize.generate_tokens(StringIO(text).readline) if token.type == tokenize.COMMENT
        ]
        return [f"{found[2]} ..." for one in (*texts, *comments) for found in LATE_SUBJECT.finditer(one)]

    text = '"""What it is."""\n"""Whatever. Of a kind."""\n"""One.\n\n- Those that: two.\nSo many.\nAs a list\nOf an order."""\n# What.'
    assert faults(text) == ["What ...", "Of a ...", "Those that ...", "So many ...", "What ..."]
    found = {name: faults(path.read_text(encoding="utf-8")) for name, path in MODULES.items() if name.partition(".")[0] == package}
    assert not {name: texts for name, texts in found.items() if texts}
