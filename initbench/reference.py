"""The pages of the site on the command line and on Python, made from the help of the commands and from docstrings."""

import inspect
import re
from typing import Any

import initbench

OWN = ("initbench", "bench", "analysis")
EXAMPLE = re.compile(r"((?:^>>> .*\n(?:^(?!>>> |\n).*\n)*)+)", re.MULTILINE)
"""Lines of an interactive session in a docstring, with what they print."""


def commands(context: Any) -> str:
    """Return the page on all commands in Markdown, from the help of the command line of this context of click."""
    from typer.cli import get_docs_for_click

    return get_docs_for_click(obj=context.command, ctx=context, name="initbench", title="Commands")


def python() -> str:
    """Return the page on all that `initbench` gives to Python, in Markdown, with signatures and examples."""
    parts = ["# Python", "All names of `import initbench as ib`. Every example is run in the tests."]
    for name in initbench.__all__:
        parts += _described(name, getattr(initbench, name), "##")
        if inspect.isclass(value := getattr(initbench, name)):
            for method, function in inspect.getmembers(value, inspect.isfunction):
                own = function.__module__.partition(".")[0] in OWN
                if own and function.__doc__ and not method.startswith("_"):
                    parts += _described(f"{name}.{method}", function, "###")
    return "\n\n".join(parts) + "\n"


def _described(name: str, value: Any, level: str) -> list[str]:
    """Return heading, signature and docstring of a thing."""
    try:
        signature = re.sub(r"<object object at 0x[0-9a-f]+>|<function (\w+) at 0x[0-9a-f]+>", r"\1", str(inspect.signature(value)))
    except (TypeError, ValueError):
        signature = ""
    text = f"{inspect.getdoc(value) or ''}\n"
    return [f"{level} {name}", f"```python\n{name}{signature}\n```", EXAMPLE.sub(r"```pycon\n\1```\n", text).strip()]
