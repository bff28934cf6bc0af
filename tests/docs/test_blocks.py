"""A page that says something else than happens is found."""

from pathlib import Path

import pytest

from tests.docs.blocks import blocks
from tests.docs.execution import page_as_run

PAGE = """# A page

```python
# made/numbers.py
def two():
    return 2
```

<!-- not run: there is no such command -->
```sh
nobody --knows
```

```python
total = 1
```

```python
>>> total + 1
2
>>> for i in range(2):
...     print(f"{i}\\n")
0
<BLANKLINE>
1
<BLANKLINE>
```

```console
$ initbench list laws
```

```text
shown
```
"""


def test_blocks_have_a_kind_a_file_and_a_reason() -> None:
    found = blocks(PAGE)
    assert [one.kind for one in found] == ["python", "sh", "python", "python", "console", "text"]
    assert [one.file for one in found if one.file] == ["made/numbers.py"]
    assert [one.not_run for one in found if one.not_run] == ["there is no such command"]
    assert [one.is_doctest for one in found] == [False, False, False, True, False, False]
    assert all(PAGE[one.place] == one.text for one in found)


def test_a_page_gets_the_output_that_its_blocks_have(checkout: Path) -> None:
    renewed = page_as_run(PAGE)
    assert Path("made/numbers.py").read_text() == blocks(PAGE)[0].text
    assert "stuck_set" in renewed and renewed.startswith(PAGE.partition("$ initbench")[0])
    assert page_as_run(renewed) == renewed
    assert page_as_run(renewed.replace("\n2\n", "\n3\n")) == renewed


def test_times_and_lines_about_speed_do_not_count(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("initbench.cli.progress.LINE_SECONDS", -1.0)
    Path("fast.toml").write_text(
        'name = "fast"\ntask = "xor"\nmodel = "linear"\ninitializer = "zeros"\nprobes = []\n[training]\nsteps = 5\n'
    )
    page = page_as_run("```console\n$ initbench run fast.toml --seeds 4\n```\n")
    assert "4 new in" in page and "seed-steps" not in page
    Path("fast.toml").write_text(Path("fast.toml").read_text().replace("fast", "again"))
    other = page.replace("fast:", "again:").replace("runs/fast", "runs/again").replace(" s\n", "9 s\n")
    assert page_as_run(other) == other


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("```sh\nrm everything\n```", "is no command of initbench"),
        ("```console\n$ ls\n```", "a console shows commands of initbench alone"),
        ("```sh\ninitbench run nowhere.toml\n```", "exit code 2"),
        ('```toml\nname = "x"\n```', "neither run nor written"),
        ("```python\n>>> 1 / 0\n```", "ZeroDivisionError"),
    ],
)
def test_a_block_that_cannot_be_run_is_an_error(block: str, said: str, checkout: Path) -> None:
    with pytest.raises(ValueError, match=said):
        page_as_run(f"{block}\n")
