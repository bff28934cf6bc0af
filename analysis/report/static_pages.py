"""The pages of a reports folder as a static site, which needs no server and loads nothing from elsewhere."""

import os
import re
import shutil
from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

from analysis.report.written import publish, refuse_links, staging

SITE = "site"
PAGE = "README.md"
NODE = re.compile(r"^\s*(\w+)[\[{]+\"(.*?)\"[\]}]+$")
EDGE = re.compile(r"^\s*(\w+) -- \"(.*?)\" --> (\w+)$")
OWN_HTML = re.compile(r'(</?details>|</?summary>|<a id="[a-z0-9_-]*">|</a>|<br>)')
"""The HTML that pages contain on purpose; any other is shown as text."""


def write_site(reports: Path) -> Path:
    """Write every page of `reports`, and the files of its folder that it links to, into `site` there; returns the path of the first."""
    refuse_links(reports, Path(SITE))
    template = Environment(autoescape=True).from_string((files("analysis.report") / "static_pages.html").read_text(encoding="utf-8"))
    with staging(reports) as made:
        for page in _pages(reports):
            folder = made / page.parent.relative_to(reports)
            folder.mkdir(parents=True, exist_ok=True)
            tokens = _markdown().parse(page.read_text(encoding="utf-8"))
            for link in dict.fromkeys(_links(tokens)):
                _bring(page.parent, link, folder)
            headings = (tokens[i + 1].children or [] for i, token in enumerate(tokens) if token.type == "heading_open")
            title = "".join(token.content for token in next(headings, [])) or "initbench"
            home = None if folder == made else os.path.relpath(made / "index.html", folder)
            html = template.render(title=title, home=home, body=Markup(_rendered(tokens)))
            (folder / "index.html").write_text(_guarded(html), encoding="utf-8")
        publish(made, reports / SITE)
    return reports / SITE / "index.html"


def _pages(reports: Path) -> Iterator[Path]:
    """The answer page and the pages of reports and of measured throughput; no other texts in the folder are pages."""
    found = [reports, *(path.parent for kind in ("*/claims.json", "throughput/*/measured.json") for path in sorted(reports.glob(kind)))]
    for folder in found:
        page = folder / PAGE
        if page.is_file():
            refuse_links(reports, page.relative_to(reports))
            yield page


def _guarded(html: str) -> str:
    """The page with a content security policy: a browser runs and loads only its own script, style and pictures."""
    own = {tag: html.rpartition(f"<{tag}>")[2].partition(f"</{tag}>")[0] for tag in ("script", "style")}
    hashes = {tag: b64encode(sha256(text.encode()).digest()).decode() for tag, text in own.items()}
    policy = (
        f"default-src 'none'; script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}'; "
        "img-src 'self' file:; base-uri 'none'; form-action 'none'"
    )
    return html.replace("<head>", f'<head>\n<meta http-equiv="Content-Security-Policy" content="{policy}">', 1)


class _Reader(MarkdownIt):
    """A Markdown parser in which links lead to a place of the site or to a web page, and any other link is text."""

    def validateLink(self, url: str) -> bool:
        try:
            return urlsplit(url).scheme in ("", "http", "https")
        except ValueError:
            return False


def _markdown() -> MarkdownIt:
    return _Reader("commonmark", {"html": True}).enable("table")


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
        return is_chart and chart_list(shown[index].content) or fence(shown, index, options, env)

    rules["fence"] = fenced
    for kind in ("html_block", "html_inline"):
        rules[kind] = lambda shown, index, *_: _own_html(shown[index].content)
    rules["table_open"] = lambda *_: '<div class="table"><div class="scroll"><table>\n'
    rules["table_close"] = lambda *_: "</table></div></div>\n"
    return str(renderer.render(tokens, _markdown().options, {}))


def _all(tokens: Sequence[Token]) -> list[Token]:
    return [one for token in tokens for one in (token, *(token.children or ()))]


def _own_html(content: str) -> str:
    pieces = OWN_HTML.split(content)
    pieces[::2] = [str(escape(piece)) for piece in pieces[::2]]
    return "".join(pieces)


def _links(tokens: Sequence[Token]) -> list[str]:
    """The files that a page shows or links to."""
    named = [token.attrs[name] for token in _all(tokens) for name in ("href", "src") if name in token.attrs]
    return [urlsplit(link).path for link in map(str, named) if _is_local(link) and Path(urlsplit(link).path).name != PAGE]


def _is_local(link: str) -> bool:
    parts = urlsplit(link)
    return not parts.scheme and not parts.netloc and bool(parts.path)


def _bring(source: Path, link: str, target: Path) -> None:
    """Copy a file that a page links to, if it lies in the folder of the page and is no symbolic link."""
    path = source / link
    if path.is_file() and path.resolve() == source.resolve() / link:
        (target / link).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / link)


def chart_list(flow: str) -> str:
    """A flow chart that is a tree, as nested lists; empty for any other. Drawing it would need the program of Mermaid."""
    lines = flow.splitlines()
    says = {match[1]: match[2] for match in map(NODE.match, lines) if match}
    edges = [match.groups() for match in map(EDGE.match, lines) if match]
    if sum("-->" in line for line in lines) != len(edges):
        return ""
    led_to = {target for _, _, target in edges}

    def branch(node: str, above: frozenset[str]) -> str:
        below = above | {node}
        answers = "".join(
            f'<li><span class="answer">{escape(answer)}:</span> {branch(target, below)}</li>'
            for start, answer, target in edges
            if start == node and target in says.keys() - below
        )
        return f'{escape(says[node])}<ul class="chart">{answers}</ul>' if answers else str(escape(says[node]))

    roots = "".join(f"<li>{branch(node, frozenset())}</li>" for node in says if node not in led_to)
    return f'<ul class="chart">{roots}</ul>\n'
