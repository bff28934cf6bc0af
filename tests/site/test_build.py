"""The whole site: its links hold, it loads nothing from elsewhere, it is small, and its pages work in a browser."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from functools import cache
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest
from markdown import Markdown

import initbench
from analysis.escape import markdown_text
from analysis.report.format import markdown
from analysis.site.build import EXTENSIONS, build_site
from tests.site.conftest import ROOT

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
MOST_BYTES, MOST_BYTES_OF_HOME = 60_000_000, 1_000_000
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium here")


class Page(HTMLParser):
    """The links of a page, what it loads, and the places that links can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if "src" in given:
            self.loads.append(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload", "modulepreload"):
            self.loads.append(given["href"])


@cache
def page(path: Path) -> Page:
    """A page that is read once."""
    return Page(path)


def test_every_link_leads_to_a_place_of_the_site_or_a_web_page(site: Path) -> None:
    """Files exist, and so do the places in pages that links name."""
    # The page on missing pages is served at any address, so that its links begin at the top.
    pages = sorted(path for path in site.rglob("*.html") if path.name != "404.html")
    assert len(pages) > 80
    broken = []
    for path in pages:
        for link in [*page(path).links, *page(path).loads]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                assert parts.scheme in ("https", "http", "mailto", "data"), link
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            fragment = unquote(parts.fragment)
            if not target.is_file() or (fragment and target.suffix == ".html" and fragment not in page(target).places):
                broken.append((path.relative_to(site).as_posix(), link))
    assert not broken, broken[:20]


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """Pages and style sheets load only what lies in the site."""
    for path in sorted(site.rglob("*.html")):
        assert not [one for one in page(path).loads if urlsplit(one).netloc], path
    for path in site.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", path.read_text(encoding="utf-8")), path


def test_it_is_small(site: Path) -> None:
    """The whole site, and all that its first page loads, stay below their limits."""
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < MOST_BYTES
    home = site / "index.html"
    loaded = {(home.parent / unquote(urlsplit(one).path)).resolve() for one in page(home).loads}
    assert home.stat().st_size + sum(path.stat().st_size for path in loaded) < MOST_BYTES_OF_HOME


def test_there_is_a_page_for_each_claim_and_experiment(site: Path) -> None:
    """Each claim of the answer page and each report has a page, and the first page leads to claims and explorer."""
    assert len(list((site / "claims").glob("c*.html"))) == 23
    reports = {path.parent.name for path in (ROOT / "reports").glob("*/claims.json")}
    assert reports == {path.parent.name for path in (site / "reports").glob("[cx]*/index.html")}
    links = Counter(page(site / "index.html").links)
    assert {"explorer.html", "try.html", "claims/c7.html"} <= set(links)


def test_the_reference_has_every_command_and_name(site: Path) -> None:
    """The pages on commands and on Python name all of them, with examples as code."""
    commands, python = ((site / "reference" / f"{name}.html").read_text(encoding="utf-8") for name in ("commands", "python"))
    for name in ("run", "report", "reproduce", "verify", "site", "audit", "judge"):
        assert f"initbench {name}" in commands, name
    for name in (*initbench.__all__, "Experiment.parse", "Run.figures", "Run.summary"):
        assert f'id="{name.lower().replace(".", "")}"' in python, name
    assert "&gt;&gt;&gt;" in python and "object at 0x" not in python and "function at 0x" not in python


def test_a_text_gives_no_attributes_to_an_element() -> None:
    """Braces at the end of a cell or heading are text, as are all other marks of a hostile claim."""
    says = "x {onmouseover=alert(1)} <img src=x onerror=alert(1)> [a](javascript:alert(1))"
    table = pd.DataFrame({"says": [says]})
    extensions = EXTENSIONS["markdown_extensions"]
    names = [f"{package}.{name}" if package == "pymdownx" else package for package, inner in extensions.items() for name in (inner or [""])]
    html = Markdown(extensions=list(dict.fromkeys(names))).convert(f"# {markdown_text(says)}\n\n{markdown(table)}\n")
    tags = re.findall(r"<[^>]+>", html)
    assert tags and not [tag for tag in tags if re.search(r"\son\w+=|javascript:|<img|<script", tag)]
    # Negative control: with that extension the text would be an attribute.
    assert "onmouseover=" in "".join(
        re.findall(r"<[^>]+>", Markdown(extensions=["attr_list", "tables"]).convert(f"# {markdown_text(says[:24])}"))
    )


def test_text_is_shown_as_it_stands(site: Path) -> None:
    """No escape of Markdown is left in the text of a page."""
    for path in (*(site / "claims").glob("*.html"), *(site / "reports").glob("*/index.html")):
        body = re.sub(r"<(script|style|code|pre)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.findall(r"\\[`*_|~$\[\]]", body), path


@pytest.mark.parametrize("missing", ["docs", "reports"])
def test_only_a_project_has_a_site(tmp_path: Path, missing: str) -> None:
    """A folder without documentation or reports is refused in one line, and nothing is left behind."""
    other = {"docs": "reports/tables", "reports": "docs"}[missing]
    (tmp_path / "project" / other).mkdir(parents=True)
    if missing == "docs":
        (tmp_path / "project" / "reports" / "tables" / "verdicts.csv").write_text("claim\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no folders 'reports'"):
        build_site(tmp_path / "project", tmp_path / "site", {})
    assert not (tmp_path / "site").exists()


def seen(site: Path, name: str, script: str, width: int = 1400) -> tuple[str, str]:
    """What a script that runs on a page of a site leaves as its title, and what the browser's console says."""
    assert BROWSER is not None
    with tempfile.TemporaryDirectory(dir=site.parent) as folder:
        # Other tests look at all files of the site.
        changed = shutil.copytree(site, Path(folder) / "site", copy_function=os.link) / name
        text = changed.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>")
        changed.unlink()
        changed.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [
                *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--enable-logging=stderr"),
                *(f"--window-size={width},1000", "--virtual-time-budget=20000", "--dump-dom", changed.as_uri()),
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    return (title[1] if title else ""), "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


EXPLORE = """
(async () => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  await wait(3000);
  const choose = async (key, value) => {
    const select = document.getElementById(`explorer-${key}`);
    select.value = value;
    select.dispatchEvent(new Event("change"));
    await wait(1500);
  };
  const count = () => document.getElementById("explorer-count").textContent;
  const first = count();
  await choose("experiment", "x11-xor-width");
  await choose("depth", "1");
  const buttons = document.querySelectorAll("#explorer-cells button");
  buttons[2].click();
  await wait(1500);
  const drawn = ["shares", "curves", "runs"].map((part) => document.querySelectorAll(`#explorer-${part} svg`).length);
  document.title = [first, count(), document.getElementById("explorer-title").textContent, drawn.join(), buttons.length,
    document.getElementById("explorer-replay").textContent].join("|");
})();
"""


@needs_browser
def test_the_explorer_shows_the_chosen_cell(site: Path) -> None:
    """Choices narrow the cells; a cell shows its share as its report has it, its curves and its runs; the console is silent."""
    title, console = seen(site, "explorer.html", EXPLORE)
    first, count, cell, drawn, buttons, replay = title.split("|")
    assert count.startswith("10 of ") and buttons == "10" and first != ""
    assert "cross-entropy, 4" in cell and "of 5,000 training runs" in cell
    assert drawn == "1,1,1"
    assert replay.startswith("initbench replay reports/x11-xor-width --cell ")
    assert not console


TRAIN = """
(async () => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const say = (id) => document.getElementById(id).textContent;
  await wait(9000);
  const zero = [say("live-state"), say("live-distinct")];
  document.getElementById("live-stored").click();
  await wait(9000);
  document.title = [...zero, say("live-engine"), say("live-state"), say("live-distinct")].join("|");
})();
"""


@needs_browser
def test_xor_is_trained_in_the_browser(site: Path) -> None:
    """From zero nothing moves; a stored start has the engine's losses; the console is silent."""
    title, console = seen(site, "try.html", TRAIN)
    state, distinct, engine, later, units = title.split("|")
    assert state == "step 2000, loss 0.6931, 2 of 4 examples right" and distinct == "distinct hidden units: 1 of 4"
    [difference] = re.findall(r"differs by at most ([0-9.e-]+)\.", engine)
    assert float(difference) < 2e-6
    assert later.startswith("step 2000") and units == "distinct hidden units: 4 of 4"
    assert not console


@needs_browser
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("name", ["index", "explorer", "try"])
def test_pages_fit_the_screen(site: Path, name: str, width: int) -> None:
    """A page is not wider than the screen of a phone or a desk, and says nothing to the console."""
    script = "setTimeout(() => { document.title = String(document.documentElement.scrollWidth - innerWidth); }, 4000);"
    title, console = seen(site, f"{name}.html", script, width)
    assert int(title) <= 0
    assert not console


AUDIT = """
setTimeout(async () => {
  const found = await axe.run();
  const serious = found.violations.filter((fault) => ["serious", "critical"].includes(fault.impact));
  document.title = JSON.stringify(serious.map((fault) => [fault.id, fault.nodes.map((node) => node.html.slice(0, 200))]));
}, 4000);
"""
IN_A_WINDOW = "scrollable-region-focusable"
"""The theme lets keys reach a block of code that has to be scrolled, which it measures in a window that is seen alone."""


def faults_of(site: Path, name: str) -> dict[str, list[str]]:
    """The serious faults of accessibility that axe-core finds on a page of a site, with the elements that have them."""
    axe = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8").replace("</script>", "<\\/script>")
    title, _ = seen(site, name, f"{axe};{AUDIT}")
    return {name: nodes for name, nodes in json.loads(unescape(title)) if name != IN_A_WINDOW}


@needs_browser
@pytest.mark.parametrize(
    "name",
    ["index", "explorer", "try", "claims/c7", "reports/x11-xor-width/index", "docs/start", "docs/glossary", "reference/python"],
)
def test_a_page_has_no_serious_fault_of_accessibility(site: Path, name: str) -> None:
    assert faults_of(site, f"{name}.html") == {}


@needs_browser
def test_a_serious_fault_of_accessibility_would_be_found(site: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    text = '<html lang="en"><body><main><h1>A</h1><img src="a.png"><button></button></main></body></html>'
    (tmp_path / "bad" / "page.html").write_text(text)
    assert {"image-alt", "button-name"} <= set(faults_of(tmp_path / "bad", "page.html"))
