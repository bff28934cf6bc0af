"""The pages of the site on the command line and on Python, made from the help of the commands and from docstrings."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import initbench

ADDRESS = re.compile(r"<(?:function |class ')?([\w.]+)[^<>]*>")
"""A default that has no text of its own, such as a function."""
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
        for member, value in sorted(_members(getattr(initbench, name))):
            parts += _described(f"{name}.{member}", value, "###")
    return "\n\n".join(parts) + "\n"


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the methods and properties of a class of ours that have a docstring, by their names."""
    for name, member in inspect.getmembers(value) if inspect.isclass(value) else ():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        is_own = inspect.isfunction(function) and function.__module__.partition(".")[0] in OWN
        if is_own and member.__doc__ and not name.startswith("_"):
            yield name, member


def _described(name: str, value: Any, level: str) -> list[str]:
    """Return heading, signature (without types, which the docstring gives in words) and docstring of a thing."""
    try:
        given = inspect.signature(value).parameters.values()
        signature = f"({', '.join(str(one.replace(annotation=one.empty)) for one in given)})"
    except (TypeError, ValueError):
        signature = ""
    signature = ADDRESS.sub(r"\1", signature)
    text = f"{inspect.getdoc(value) or ''}\n"
    return [f"{level} {name}", f"```python\n{name}{signature}\n```", EXAMPLE.sub(r"```pycon\n\1```\n", text).strip()]
