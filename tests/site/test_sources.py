"""Pages as sources of the site: links, code, folded parts, and files that are missing."""

from pathlib import Path

import pytest

from analysis.site.sources import adapted, write_sources

ROOT = Path(__file__).parents[2]


def test_figures_are_shown_as_vector_graphics_and_every_linked_file_is_named(tmp_path: Path) -> None:
    """Of an image that does not move the SVG is shown if there is one; other links stay, as do addresses out of the site."""
    text = "![a](figures/a.png) ![b](b.png) [c](../c.md#d) [e](https://example.org/f) [g](#h) [![i](figures/i.png)](figures/i.pdf)"
    folder = tmp_path / "reports" / "x" / "figures"
    folder.mkdir(parents=True)
    for name in ("a.svg", "a.png", "i.svg", "i.png", "moving.svg"):
        (folder / name).write_bytes(b"")
    (folder / "large.png").write_bytes(b"\x89PNG")
    (folder / "large.svg").write_bytes(b"<svg/>")
    (folder / "moving.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30) + b"acTL")
    shown, linked = adapted(text, Path("reports/x/README.md"), tmp_path)
    assert shown == text.replace("a.png", "a.svg").replace("i.png", "i.svg")
    assert adapted("![l](figures/large.png)", Path("reports/x/README.md"), tmp_path)[0] == "![l](figures/large.png)"
    assert adapted("![m](figures/moving.png)", Path("reports/x/README.md"), tmp_path)[0] == "![m](figures/moving.png)"
    assert linked == [
        Path("reports/x/figures/a.svg"),
        Path("reports/x/b.png"),
        Path("reports/c.md"),
        Path("reports/x/figures/i.svg"),
        Path("reports/x/figures/i.pdf"),
    ]


def test_code_is_left_as_it_is() -> None:
    """Neither a block nor a span of code holds a link."""
    text = "```toml\nx = [a](b.md)\n```\n`[a](c.md)` [a](d.md)\n"
    shown, linked = adapted(text, Path("page.md"), ROOT)
    assert shown == text
    assert linked == [Path("d.md")]


def test_rows_are_named_and_not_linked() -> None:
    """Rows are no part of the site."""
    assert adapted("Rows: [lanes.parquet](lanes.parquet)", Path("page.md"), ROOT) == ("Rows: `lanes.parquet`", [])


def test_folded_parts_and_charts() -> None:
    """Markdown in a folded part is read, and a chart becomes a list, since drawing it would load a program from elsewhere."""
    chart = '```mermaid\nflowchart LR\n  a{"Is it?"}\n  a -- "yes" --> b\n  b["Safe (C1)"]\n```\n'
    shown, _ = adapted(f"<details><summary>s</summary>\n\n{chart}</details>", Path("page.md"), ROOT)
    assert shown.startswith('<details markdown="1"><summary>')
    assert "mermaid" not in shown and "<li>" in shown and "Safe (C1)" in shown


def test_pages_are_followed_and_files_copied(tmp_path: Path) -> None:
    """A page brings the pages and files that it links to, and theirs."""
    root = tmp_path / "project"
    (root / "docs").mkdir(parents=True)
    (root / "first.md").write_text("[second](docs/second.md)", encoding="utf-8")
    (root / "docs" / "second.md").write_text("[first](../first.md) [data](data.csv)", encoding="utf-8")
    (root / "docs" / "data.csv").write_text("a\n", encoding="utf-8")
    (root / "docs" / "other.md").write_text("nobody links here", encoding="utf-8")
    assert write_sources(root, [Path("first.md")], tmp_path / "pages") == [Path("first.md"), Path("docs/second.md")]
    assert {path.name for path in (tmp_path / "pages").rglob("*.*")} == {"first.md", "second.md", "data.csv"}


@pytest.mark.parametrize("address", ["missing.md", "../outside.md", "docs", "/etc/hostname"])
def test_a_link_to_nothing_is_refused(tmp_path: Path, address: str) -> None:
    """A link to a missing file, to a folder, or out of the project is one line that names both."""
    (tmp_path / "project" / "docs").mkdir(parents=True)
    (tmp_path / "outside.md").write_text("outside", encoding="utf-8")
    (tmp_path / "project" / "page.md").write_text(f"[a]({address})", encoding="utf-8")
    with pytest.raises(ValueError, match="^page.md: links to .*, which is no file of the project$"):
        write_sources(tmp_path / "project", [Path("page.md")], tmp_path / "pages")


def test_a_page_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """Nothing is read through a symbolic link."""
    (tmp_path / "project").mkdir()
    (tmp_path / "outside.md").write_text("outside", encoding="utf-8")
    (tmp_path / "project" / "link.md").symlink_to(tmp_path / "outside.md")
    (tmp_path / "project" / "page.md").write_text("[a](link.md)", encoding="utf-8")
    with pytest.raises(ValueError, match="is a link"):
        write_sources(tmp_path / "project", [Path("page.md")], tmp_path / "pages")
