"""The static site: every link leads somewhere, and tables sort and filter in a real browser."""

import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from analysis.report.static_pages import write_site

REPORTS = Path(__file__).parents[2] / "reports"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
PAGE = """# A page

```mermaid
flowchart TD
  first{"Is it <so>?"}
  first -- "no" --> never
  first -- "yes" --> safe
  never["Not safe"]
  safe["Safe"]
```

| name | value |
| --- | --- |
""" + "".join(f"| row {i} | {value} |\n" for i, value in enumerate(("1,200", "30.5 [20, 40]", "never", "-4", "7", "8", "9", "10", "11")))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a page of its own and one committed report."""
    (tmp_path / "README.md").write_text(PAGE + "\n[a report](x01-least-squares/README.md)\n")
    shutil.copytree(REPORTS / "x01-least-squares", tmp_path / "x01-least-squares")
    return write_site(tmp_path).parent


def test_every_link_of_the_site_leads_into_it(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert [page.relative_to(site).as_posix() for page in pages] == ["index.html", "x01-least-squares/index.html"]
    for page in pages:
        links = re.findall(r'(?:href|src)="([^"]+)"', page.read_text())
        local = [unquote(urlsplit(link).path) for link in links if not urlsplit(link).scheme and urlsplit(link).path]
        assert local
        assert not [link for link in local if not (page.parent / link).exists()]
        assert "README.md" not in page.read_text()
        # Nothing is loaded from elsewhere.
        assert not re.findall(r'src="https?:|<link|@import', page.read_text())


def test_a_chart_is_a_tree_of_its_answers(site: Path) -> None:
    text = (site / "index.html").read_text()
    assert "Is it &lt;so&gt;?" in text
    assert text.index("no:") < text.index("Not safe") < text.index("yes:") < text.index("Safe<")


def test_nothing_is_written_outside_the_site(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    page = tmp_path / "reports" / "one" / "README.md"
    page.parent.mkdir(parents=True)
    (tmp_path / "reports" / "secret.txt").write_text("secret")
    (page.parent / "link.txt").symlink_to(tmp_path / "notes.txt")
    (page.parent / "claims.json").write_text("{}")
    stray = tmp_path / "reports" / "stray" / "README.md"
    stray.parent.mkdir()
    stray.write_text("# No page of a report")
    page.write_text("# One\n\n[notes](../../notes.txt) [secret](../secret.txt) [linked](link.txt) [claims](claims.json)\n")
    write_site(tmp_path / "reports")
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["one", "secret.txt", "site", "stray"]
    site = tmp_path / "reports" / "site"
    found = sorted(path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file())
    assert found == ["one/claims.json", "one/index.html", "written.json"]


def test_a_site_is_not_written_over_another_s_files(site: Path) -> None:
    (site / "written.json").unlink()
    with pytest.raises(ValueError, match="index.html: was not written by a report"):
        write_site(site.parent)
    shutil.rmtree(site)
    site.symlink_to(site.parent / "x01-least-squares")
    with pytest.raises(ValueError, match="site: is a link"):
        write_site(site.parent)


def test_the_page_s_policy_allows_its_own_script_and_style_alone(site: Path) -> None:
    text = (site / "index.html").read_text()
    [policy] = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', text)
    for tag in ("script", "style"):
        [own] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert f"{tag}-src 'sha256-{b64encode(sha256(own.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy


def test_writing_the_site_again_leaves_nothing_old(site: Path) -> None:
    assert (site / "x01-least-squares" / "index.html").exists()
    shutil.rmtree(site.parent / "x01-least-squares")
    write_site(site.parent)
    assert [path.name for path in site.iterdir()] == ["index.html", "written.json"]


STEPS = """<script>
  const names = () => [...document.querySelectorAll("tbody tr")].filter(row => !row.hidden).map(row => row.cells[0].textContent.trim());
  document.querySelectorAll("th button")[1].click();
  const rising = names().join();
  document.querySelectorAll("th button")[1].click();
  const falling = names().join();
  const field = document.querySelector("input");
  field.value = "30.5 row";
  field.dispatchEvent(new Event("input"));
  document.title = [rising, falling, names().join(), document.querySelector("output").textContent].join("|");
</script>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_tables_sort_by_value_and_filter_in_a_browser(site: Path) -> None:
    assert BROWSER is not None
    page = site / "index.html"
    # The policy would not let a second script run.
    page.write_text(re.sub("<meta http-equiv[^>]*>", "", page.read_text()).replace("</body>", f"{STEPS}</body>"))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout
    [title] = re.findall(r"<title>(.*?)</title>", shown)
    rising = [f"row {i}" for i in (3, 4, 5, 6, 7, 8, 1, 0, 2)]
    assert title.split("|") == [",".join(rising), ",".join(reversed(rising)), "row 1", "1 of 9"]
