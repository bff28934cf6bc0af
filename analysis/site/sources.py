"""The Markdown pages of the project as sources of the site, in the folders in which they stand, with every file that they link to.

Since folders stay as they are, links between pages hold. Figures are shown as vector graphics where these are no larger.
Rows and records are left out: they are most of what the reports weigh, and nobody reads them in a browser.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from analysis.report.static_pages import chart_list
from analysis.report.written import refuse_links

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
"""An image or a link in Markdown: `!`, its text and where it leads; a text may hold one image."""
CHART = re.compile(r"```mermaid\n(flowchart .*?)```", re.DOTALL)
CODE = re.compile(r"(```.*?^```$|(?<!\[)`[^`\n]+`)", re.DOTALL | re.MULTILINE)
"""Code, in which nothing is a link; code that is the text of a link is none."""
ABROAD = re.compile(r"[a-z]+:|#|//")
"""Where an address begins that leads out of the site, or to another place of the same page."""
LEFT_OUT = (".parquet", "claims.json", "run.json")
PAGE = ".md"
HEAD = 1024
"""Bytes of a PNG file in which the block stands that makes it an animation."""


def write_sources(root: Path, pages: list[Path], target: Path) -> list[Path]:
    """Write pages of the project at `root`, and what they link to, into a folder; returns the pages that were written, by their paths.

    A link out of the project, to a folder, or to a file that does not exist is an error: ValueError with one line.
    """
    waiting, written = list(pages), list[Path]()
    while waiting:
        page = waiting.pop(0)
        if page in written:
            continue
        written.append(page)
        text, linked = adapted((root / page).read_text(encoding="utf-8"), page, root)
        _place(target / page).write_text(text, encoding="utf-8")
        for path in linked:
            _check(root, page, path)
            if path.suffix == PAGE:
                waiting.append(path)
            else:
                shutil.copyfile(root / path, _place(target / path))
    return written


def adapted(text: str, page: Path, root: Path) -> tuple[str, list[Path]]:
    """Return a page as the site shows it, and the files of the project at `root` that it links to, by their paths there."""
    linked: list[Path] = []

    def link(found: re.Match[str]) -> str:
        image, words, address = found.groups()
        inner = LINK.sub(link, words)
        if ABROAD.match(address):
            return f"{image}[{inner}]({address})"
        if address.endswith(LEFT_OUT):
            return f"`{words}`"
        path, mark, anchor = address.partition("#")
        file = _joined(page.parent, unquote(path))
        if image and _is_better_drawn(root / file):
            file, path = file.with_suffix(".svg"), f"{path.removesuffix('.png')}.svg"
        linked.append(file)
        return f"{image}[{inner}]({path}{mark}{anchor})"

    pieces = CODE.split(CHART.sub(lambda found: chart_list(found[1]) or found[0], text))
    # Python-Markdown reads Markdown inside of HTML only where it is told to.
    pieces[::2] = [LINK.sub(link, piece).replace("<details>", '<details markdown="1">') for piece in pieces[::2]]
    return "".join(pieces), linked


def _is_better_drawn(picture: Path) -> bool:
    """Whether a PNG file does not move and has a vector graphic beside it that is no larger."""
    drawn = picture.with_suffix(".svg")
    if picture.suffix != ".png" or not picture.is_file() or not drawn.is_file():
        return False
    return b"acTL" not in picture.read_bytes()[:HEAD] and drawn.stat().st_size <= picture.stat().st_size


def _joined(folder: Path, path: str) -> Path:
    parts: list[str] = []
    for part in PurePosixPath(folder.as_posix(), path).parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return Path(*parts)


def _check(root: Path, page: Path, path: Path) -> None:
    if path == Path("README.md"):
        raise ValueError(f"{page}: links to README.md, in whose place the site has the answer")
    if ".." in path.parts or path.is_absolute() or not (root / path).is_file():
        raise ValueError(f"{page}: links to {path}, which is no file of the project")
    refuse_links(root, path)


def _place(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def documentation(root: Path) -> Iterator[Path]:
    """Yield the pages of the documentation: those of `docs`, then those at the top of the project that are read there."""
    yield from (path.relative_to(root) for path in sorted((root / "docs").rglob("*.md")))
    yield from (Path(name) for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md") if (root / name).is_file())
