"""What the README says is what the committed reports say."""

from pathlib import Path

from analysis.readme import updated


def test_the_readme_s_answer_is_that_of_the_committed_reports() -> None:
    text = Path("README.md").read_text()
    assert text == updated(text, Path("reports"))
