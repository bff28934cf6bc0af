"""The pages of a reports folder as one static site: no server, nothing from elsewhere."""

import os
import re
import shutil
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

SITE = "site"
PAGE = "README.md"
NODE = re.compile(r"^\s*(\w+)[\[{]+\"(.*?)\"[\]}]+$")
EDGE = re.compile(r"^\s*(\w+) -- \"(.*?)\" --> (\w+)$")


def write_site(reports: Path) -> Path:
    """Write every page below `reports`, and all that it links to there, into the folder `site` in it; returns the first page."""
    site = reports / SITE
    shutil.rmtree(site, ignore_errors=True)
    template = Environment(autoescape=True).from_string((files("analysis") / "site.html").read_text())
    for page in sorted(path for path in reports.rglob(PAGE) if site not in path.parents):
        folder = site / page.parent.relative_to(reports)
        folder.mkdir(parents=True, exist_ok=True)
        tokens = _markdown().parse(page.read_text())
        for link in _links(tokens):
            _bring(page.parent / link, folder / link, site)
        title = next((tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"), "initbench")
        home = None if folder == site else os.path.relpath(site / "index.html", folder)
        html = template.render(title=title, home=home, body=Markup(_rendered(tokens)))
        (folder / "index.html").write_text(html)
    return site / "index.html"


def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable("table")


def _rendered(tokens: Sequence[Token]) -> str:
    for token in _all(tokens):
        for name in ("href", "src"):
            link = token.attrs.get(name)
            if isinstance(link, str) and _is_local(link) and Path(urlsplit(link).path).name == PAGE:
                token.attrs[name] = link.replace(PAGE, "index.html")
    renderer = RendererHTML()
    rules: dict[str, Any] = renderer.rules
    fence = rules["fence"]

    def fenced(shown: Sequence[Token], index: int, options: Any, env: Any) -> str:
        is_chart = shown[index].info.strip() == "mermaid"
        return _chart(shown[index].content) if is_chart else fence(shown, index, options, env)

    rules["fence"] = fenced
    rules["table_open"] = lambda *_: '<div class="table"><div class="scroll"><table>\n'
    rules["table_close"] = lambda *_: "</table></div></div>\n"
    return str(renderer.render(tokens, _markdown().options, {}))


def _all(tokens: Sequence[Token]) -> list[Token]:
    return [one for token in tokens for one in (token, *(token.children or ()))]


def _links(tokens: Sequence[Token]) -> list[str]:
    """Files that a page shows or points to."""
    named = [token.attrs[name] for token in _all(tokens) for name in ("href", "src") if name in token.attrs]
    return [urlsplit(link).path for link in map(str, named) if _is_local(link) and Path(urlsplit(link).path).name != PAGE]


def _is_local(link: str) -> bool:
    parts = urlsplit(link)
    return not parts.scheme and not parts.netloc and bool(parts.path)


def _bring(source: Path, target: Path, site: Path) -> None:
    """Copy a file to its place, if that is in the site."""
    if source.is_file() and site.resolve() in target.resolve().parents:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _chart(flow: str) -> str:
    """A flow chart that is a tree, as nested lists: Mermaid's own drawing would need its program."""
    lines = flow.splitlines()
    says = {match[1]: match[2] for match in map(NODE.match, lines) if match}
    edges = [match.groups() for match in map(EDGE.match, lines) if match]
    led_to = {target for _, _, target in edges}

    def branch(node: str) -> str:
        answers = "".join(
            f'<li><span class="answer">{escape(answer)}:</span> {branch(target)}</li>' for start, answer, target in edges if start == node
        )
        return f'{escape(says[node])}<ul class="chart">{answers}</ul>' if answers else str(escape(says[node]))

    roots = "".join(f"<li>{branch(node)}</li>" for node in says if node not in led_to)
    return f'<ul class="chart">{roots}</ul>\n'
