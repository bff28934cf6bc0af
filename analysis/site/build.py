"""The whole site, built from the committed reports and the documentation: sources in Markdown, then pages in HTML by Zensical."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import tomlkit

from analysis.report.written import publish, staging
from analysis.site.claims import page_of, write_claims
from analysis.site.explorer import write_data
from analysis.site.home import home
from analysis.site.live import write_starts
from analysis.site.sources import adapted, documentation, write_sources

TITLE = "initbench"
INSTALL = "pip install 'initbench[docs]'"
OWN = ("explorer.md", "try.md")
VEGA = "window.vegaEmbed = vegaEmbed;"
"""Makes known to pages the function of the bundle of Vega-Lite that draws."""
SCRIPTS = ("explorer.js", "xor.js", "try.js")
COLOR = re.compile(r"\x1b\[[0-9;]*m")
FAULTS = ("Warning", "Error")
MOST_SAID = 4
"""Lines of Zensical's output on a fault that an error repeats."""
EXTENSIONS: dict[str, Any] = {
    "markdown_extensions": {
        "md_in_html": {},
        "tables": {},
        "toc": {"permalink": True},
        "pymdownx": {"escapeall": {}, "highlight": {}, "superfences": {}},
    }
}
"""Extensions of Markdown; `attr_list` is none of them, since by it a text could give attributes to an element."""
HEADING = re.compile(r"^# (.+)$", re.MULTILINE)


def build_site(root: Path, target: Path, reference: Mapping[str, str]) -> Path:
    """Build the site of the project at `root` into a folder; returns its first page. `reference` has further pages in Markdown by name.

    ValueError with one line if Zensical is not installed, a page links to nothing, or Zensical finds a fault.
    """
    if find_spec("zensical") is None or find_spec("vl_convert") is None:
        raise ValueError(f"the site needs Zensical and Vega: {INSTALL}")
    reports = root / "reports"
    if not (reports / "tables" / "verdicts.csv").is_file() or not (root / "docs").is_dir():
        raise ValueError(f"{root}: has no folders 'reports' (with an answer page) and 'docs'; run it at the top of the project")
    with staging(target) as made:
        pages, site = made / "pages", made / "site"
        titles = _write_pages(root, pages, reference)
        (made / "zensical.toml").write_text(_configuration(pages, titles), encoding="utf-8")
        _run_zensical(made)
        _write_scripts(root, site / "scripts")
        publish(site, target)
    return target / "index.html"


def _write_pages(root: Path, pages: Path, reference: Mapping[str, str]) -> dict[str, str]:
    reports = root / "reports"
    experiments = sorted(path.parent for path in reports.glob("*/claims.json"))
    throughput = sorted(path.parent for path in reports.glob("throughput/*/measured.json"))
    listed = [Path("reports/README.md"), *(path.relative_to(root) / "README.md" for path in (*experiments, *throughput))]
    write_sources(root, [*listed, *documentation(root)], pages)
    # Its files come with the answer page.
    first, _ = adapted(home(reports), Path("index.md"), root)
    (pages / "index.md").write_text(first, encoding="utf-8")
    titles = write_claims(reports, pages)
    for name in OWN:
        shutil.copyfile(Path(str(files("analysis.site") / "assets" / name)), pages / name)
    shutil.copyfile(Path(str(files("analysis.site") / "assets" / "site.css")), pages / "site.css")
    (pages / "reference").mkdir()
    for name, text in reference.items():
        (pages / "reference" / f"{name}.md").write_text(text, encoding="utf-8")
    return titles


def _configuration(pages: Path, titles: dict[str, str]) -> str:
    """Return the configuration of Zensical: the order of pages, search, two color schemes, and nothing that is loaded from elsewhere."""
    here = {"Explorer": "explorer.md", "Try it": "try.md"}
    claims = [{"All claims": "claims/README.md"}, *({title: page_of(claim).as_posix()} for claim, title in titles.items())]
    reports = sorted(path.parent.name for path in (pages / "reports").glob("*/README.md"))
    throughput = sorted((pages / "reports" / "throughput").glob("*/README.md"))
    experiments = [
        {"The whole answer": "reports/README.md"},
        *({name: f"reports/{name}/README.md"} for name in reports),
        *({f"Throughput: {path.parent.name}": path.relative_to(pages).as_posix()} for path in throughput),
    ]
    reference = [{_heading(path): path.relative_to(pages).as_posix()} for path in sorted((pages / "reference").glob("*.md"))]
    documents = [{_heading(pages / path): path.as_posix()} for path in documentation(pages)]
    project: dict[str, Any] = {
        "site_name": TITLE,
        "site_description": "When is it safe to initialize weights to zero? Measured answers.",
        "docs_dir": pages.name,
        "site_dir": "site",
        "use_directory_urls": False,
        "nav": [
            {"Answer": "index.md"},
            *({name: place} for name, place in here.items()),
            {"Claims": claims},
            {"Experiments": experiments},
            {"Documentation": documents},
            {"Reference": reference},
        ],
        "extra_css": ["site.css"],
        "theme": {
            "language": "en",
            "font": False,
            "features": ["navigation.tabs", "navigation.top", "navigation.indexes", "toc.follow", "search.highlight", "content.code.copy"],
            "palette": [
                {
                    "media": f"(prefers-color-scheme: {name})",
                    "scheme": scheme,
                    "toggle": {"icon": icon, "name": f"Switch to the {other} scheme"},
                }
                for name, scheme, icon, other in (
                    ("light", "default", "lucide/sun", "dark"),
                    ("dark", "slate", "lucide/moon", "light"),
                )
            ],
        },
        "plugins": {"search": {}},
        **EXTENSIONS,
    }
    return tomlkit.dumps({"project": project})


def _heading(page: Path) -> str:
    found = HEADING.search(page.read_text(encoding="utf-8"))
    return found[1].strip("`") if found else page.stem


def _run_zensical(folder: Path) -> None:
    """Make pages in HTML; ValueError with what Zensical says of its faults, such as a link to nothing."""
    done = subprocess.run([sys.executable, "-m", "zensical", "build", "--strict"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        lines = [line.strip() for line in COLOR.sub("", done.stdout + done.stderr).splitlines()]
        first = next((number for number, line in enumerate(lines) if line.startswith(FAULTS)), max(len(lines) - 1, 0))
        raise ValueError(f"Zensical: {' '.join(filter(None, lines[first : first + MOST_SAID]))}")


def _write_scripts(root: Path, scripts: Path) -> None:
    """Write the scripts of the site, Vega, and the data that they show."""
    import vl_convert

    reports = root / "reports"
    write_data(sorted(path.parent for path in reports.glob("*/claims.json")), scripts / "data")
    for name in SCRIPTS:
        shutil.copyfile(Path(str(files("analysis.site") / "assets" / name)), scripts / name)
    (scripts / "vega.js").write_text(vl_convert.javascript_bundle(VEGA), encoding="utf-8")
    write_starts(reports, scripts / "starts.js")
