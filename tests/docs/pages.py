"""The pages whose blocks run, and the Markdown of this project."""

from tests.docs.conftest import ROOT

EXAMPLES = ("docs/verdicts.md", "docs/statistics.md", "docs/determinism.md")
"""Pages that explain, with examples."""
TUTORIALS = ("docs/start.md", *(f"docs/tutorials/{path.name}" for path in sorted((ROOT / "docs" / "tutorials").glob("*.md"))))
"""Pages to follow step by step."""
RUN = (*EXAMPLES, *TUTORIALS)
NEW = (*RUN, "docs/glossary.md")
