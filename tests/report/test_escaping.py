"""Whatever a folder says stands as text in every language that a report is written in."""

import ast
import csv
import math
import re
import shutil
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
import tomlkit
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib.cbook import is_math_text
from typer.testing import CliRunner

from analysis.escape import FORMULA, anchor, csv_text, fenced, latex_text, markdown_text, math_text, plain_lines, plain_text
from analysis.figures.style import rc, value_label
from analysis.report.format import latex, markdown
from analysis.report.static_pages import write_site
from analysis.words import value_words
from bench import Experiment, run
from initbench.cli.app import app
from tests.commands import call

LABELS = ("<script>alert(1)</script>", "=cmd|' /C calc'!A0", "[bold]x[/] $x_{$ a|b`c`\\", "größer ≤ 中")
NASTY = (
    "<img src=x onerror=alert(1)>",
    "[/bold] [/] [link=file:///etc/passwd]x[/link]",
    "\x07\x1b]0;title\x07\x1b[2J\x9b31m",
    "\u202egnp.exe\u2066 \u200f",
    "a | b `c` ```\n\n# heading\n\n---\n\n<script>alert(2)</script>",
    "[click](javascript:alert(3)) ![x](data:text/html,y) [r]: javascript:alert(4)",
    "=cmd()",
    "@SUM(1)",
    "+1+1",
    "$x_{$ $\\frac$ \\input{/etc/passwd} % & # ~ ^ {}",
    "</details></td></table><style>*{display:none}</style>",
    "1. a\n2. b",
    "- x",
    "> quote",
    "    code",
    "&lt;script&gt; &#60;script&#62;",
    "x" * 600,
)
PIECES = st.sampled_from(
    [*NASTY, *"<>&|`$\\[](){}*_~#=+-@'\"!:;%^ \n\t\r\x00\x1b\u202e\u2028é中", "javascript:", "on", "http://a.b", "1", "ab"]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=40))
MARKUP = MarkdownIt("commonmark", {"html": True}).enable("table")
EXPERIMENT = """
name = "nasty"
question = "Q"
task = "xor"
initializer = "glorot_normal"
model = { name = "mlp", widths = [3] }
training = { steps = 20, solved_below = 0.05 }
seeds = { init = 6 }
""" + "".join(
    f'[[case]]\nlabel = {tomlkit.item(label).as_string()}\n"optimizer.learning_rate" = {0.1 * (i + 1)}\n' for i, label in enumerate(LABELS)
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose cases are called by labels that are markup somewhere."""
    return run(Experiment.parse(EXPERIMENT), tmp_path_factory.mktemp("runs"))


def judged(source: Path, folder: Path, text: str) -> Path:
    """The run with this text wherever its experiment file may have one that does not train."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    content: dict[str, Any] = tomllib.loads(EXPERIMENT)
    content["question"] = text
    content["claim"] = [{"id": "one", "says": text, "edited": text or "-", "measure": "solved", "at_most": 0.5, "by": ["case"]}]
    content["published"] = [{"says": text, "value": 0.5, "source": text, "differs": text, "measure": "solved"}]
    content["figure"] = [
        {"name": "one", "kind": "ecdf", "x": "loss_final", "color": "case", "caption": text, "lines": {text: 0.3}},
    ]
    (folder / "experiment.toml").write_text(tomlkit.dumps(content), encoding="utf-8")
    return folder


class Page(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


OWN_TAGS = set(
    "html head meta title style body nav a h1 h2 p em strong img div table thead tbody tr th td code pre details summary ul li span script "
    "br ol hr blockquote".split()
)


def check_html(page: Path) -> None:
    found = Page(page.read_text(encoding="utf-8"))
    assert found.tags.count("script") == found.tags.count("style") == 1
    assert set(found.tags) <= OWN_TAGS
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("style", "srcdoc", "action")]
    links = [value for name, value in found.attributes if name in ("href", "src")]
    assert not [link for link in links if re.match(r"\s*\w+:", link) and not re.match("https?:", link)]


def check_csv(text: str) -> None:
    for row in csv.reader(text.splitlines()):
        for cell in row:
            assert not FORMULA.match(cell) or math.isfinite(float(cell.replace(",", ""))), cell


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@example(" ".join(NASTY))
@given(TEXTS)
def test_a_report_shows_the_texts_of_a_folder_as_texts(trained: Path, tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("judged")
    done = call("report", judged(trained, folder / "run", text.encode(errors="replace").decode()), "--out", folder / "out", "--html")
    if done.exit_code:
        # A key of `lines` that TOML has no way to write.
        assert done.exit_code == 2 and "not TOML" in done.stderr and len(done.stderr.splitlines()) == 1, done.output
    assert all(character.isprintable() or character == "\n" for character in done.output)
    for page in folder.rglob("*.html"):
        check_html(page)
    for table in folder.rglob("*.csv"):
        check_csv(table.read_text(encoding="utf-8"))


def test_labels_of_cells_are_texts_everywhere(trained: Path, tmp_path: Path) -> None:
    folder = judged(trained, tmp_path / "run", "Plain.")
    done = call("report", folder, "--out", tmp_path / "out", "--html")
    assert done.exit_code == 0, done.output
    site = tmp_path / "out" / "site" / "nasty" / "index.html"
    check_html(site)
    assert all(label.replace("_", " ").replace("<", "&lt;").replace(">", "&gt;") in site.read_text(encoding="utf-8") for label in LABELS)
    cells = pd.read_csv(tmp_path / "out/nasty/tables/cells.csv")
    assert cells["case"].tolist() == [LABELS[0], f"'{LABELS[1]}", LABELS[2].replace("_", " "), LABELS[3]]
    assert r"\textbackslash{}" in (tmp_path / "out/nasty/tables/cells.tex").read_text(encoding="utf-8")
    # Also where the terminal has no letters beside ASCII.
    found = CliRunner(charset="ascii").invoke(app, ["compare", str(trained), str(folder)])
    assert found.exit_code == 0, found.output
    assert "[bold]x[/]" in found.output and "gr??er" in found.output


def test_every_text_file_is_read_and_written_as_utf8() -> None:
    bare = []
    for path in (path for folder in ("bench", "analysis") for path in Path(folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("read_text", "write_text"):
                bare += [f"{path}:{node.lineno}"] if "encoding" not in {word.arg for word in node.keywords} else []
    assert bare == []


def shown(markup: str) -> str:
    """What a reader sees of one paragraph of Markdown; an error if it is anything but text."""
    tokens = MARKUP.parse(markup)
    if not tokens:
        return ""
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"], markup
    return text_of(tokens[1].children)


def text_of(tokens: list[Any] | None) -> str:
    assert {token.type for token in tokens or []} <= {"text", "text_special"}, tokens
    return "".join(token.content for token in tokens or [])


def one_line(text: str) -> str:
    return " ".join(plain_text(text).split())


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_markdown_shows_a_text_as_it_is(text: str) -> None:
    # The name of the other column.
    assume(text != "a")
    assert shown(markdown_text(text)) == one_line(text)
    tokens = MARKUP.parse(markdown(pd.DataFrame({"a": [text, "x"], text or "b": ["y", "z"]}), made=()))
    cells = [text_of(token.children) for token in tokens if token.type == "inline"]
    assert cells == ["a", one_line(text or "b"), one_line(text), "y", "x", "z"]
    tokens = MARKUP.parse(markdown(pd.DataFrame({"a": [f"[x](y) {markdown_text(text)}"], "b": ["z"]}), made=("a",)))
    assert [token.content for token in tokens if token.type == "inline"][-1] == "z"
    assert sum(token.type == "td_open" for token in tokens) == 2
    fence = MARKUP.parse(fenced(text, "toml"))
    assert [token.type for token in fence] == ["fence"]
    assert fence[0].content.rstrip("\n") == plain_lines(text).strip()
    assert re.fullmatch("[a-z0-9_-]*", anchor(text))


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_other_languages_have_no_syntax_in_a_text(text: str) -> None:
    plain = plain_text(text)
    assert all(character.isprintable() or character in "\u200c\u200d" for character in plain)
    assert not {"\x1b", "\n", "\u202e"} & set(plain)
    assert not is_math_text(math_text(text))
    assert not set("{}$&%#_\\~^") & set(re.sub(r"\\([{}$&%#_]|text(backslash|asciitilde|asciicircum)\{\})", "", latex_text(text)))
    check_csv(csv_text(pd.DataFrame({text or "a": [text, "b"]})))


def test_numbers_of_a_table_stay_numbers() -> None:
    table = pd.DataFrame({"a": [-1.5, 2.0], "b": ["-4", "1,200"], "c": ["-4 [-5, 3]", "never"], "d": pd.array([1, None], "Int64")})
    assert csv_text(table).splitlines() == ["a,b,c,d", '-1.5,-4,"\'-4 [-5, 3]",1', '2.0,"1,200",never,']
    assert "| -4 \\[" not in markdown(table) and "| -4 [-5, 3] |" in markdown(table)


def test_a_line_of_a_latex_table_has_no_option() -> None:
    lines = latex(pd.DataFrame({"a": ["[3cm] x", "* y", "z"], "b": ["1", "2", "3"]})).splitlines()
    assert [line.partition(" &")[0] for line in lines if "&" in line] == ["a", "{}[3cm] x", "{}* y", "z"]


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("(*positions*={'name': 'normal', 'stddev': 0.02})", "*positions*: normal (stddev = 0.02)"),
        ("he_normal(layers={'*.h': 'orthogonal'}, gain=2.0)", "He (layers: *.h = orthogonal, gain = 2.0)"),
        ("normal(gain=10.0)", "N(0, 10²)"),
        ("normal(gain=10.0, bias=1.0)", "normal (gain = 10.0, bias = 1.0)"),
        ("constant_noise(eps=1e-09)", "constant + 1e-9"),
        ("orthogonal(scheme=lsuv)", "LSUV"),
        ("my_things:signs(size=[1, 2])", "my things:signs (size = 1, 2)"),
        ("[8, 8, 8]", "8 x 3 layers"),
        ("normal(gain=abc", "normal(gain=abc"),
        ("x(y={[]: 1})", "x (y = {[]: 1})"),
    ],
)
def test_labels_of_a_grid_are_shown_in_words(label: str, words: str) -> None:
    assert value_words(label) == words


def test_a_figure_s_labels_are_no_formulas_and_short() -> None:
    assert len(value_label("x" * 500)) <= 80
    with mpl.rc_context(rc()):
        drawing, axis = plt.subplots()
        text = axis.set_title(value_label("$x_{$ and \\$y"))
        drawing.draw_without_rendering()
    assert text.get_text() == r"\$x {\$ and \\$y"
    assert not mpl.rcParams["text.usetex"]
    plt.close(drawing)


def test_the_site_writes_no_markup_of_a_page_s_own(tmp_path: Path) -> None:
    """Even where a page itself was written by somebody else."""
    (tmp_path / "README.md").write_text("\n\n".join([*NASTY, *LABELS, "```mermaid\na --> b\n```", "<a id='x' onclick='y'>z</a>"]))
    check_html(write_site(tmp_path))
