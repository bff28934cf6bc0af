"""The blocks of a page, run one after another in the current folder, as its reader would."""

import doctest
import re
import shlex
from pathlib import Path
from typing import Any

from tests.commands import call
from tests.docs.blocks import Block, blocks

SHOWN = {"text", "csv", "mermaid", "bibtex"}
"""Languages of blocks that are shown alone."""
SECONDS = re.compile(r"\b\d[\d,]* s\b")
PROGRESS = re.compile(r"[\w-]+: [\d,]+ of [\d,]+, [^t].*")
"""A line about the speed of training, which comes every ten seconds if it comes at all."""
PROMPT = "$ initbench "


def page_as_run(page: str) -> str:
    """Run all blocks of a page in the current folder, and return the page with what they print.

    A block of Python whose first line is a comment with a file's name, and a block of TOML, are files and are written; other Python runs,
    with prompts or without; `sh` and `console` hold commands of `initbench`, whose output a `console` shows. ValueError names a block that
    can be neither run nor written, or a command that fails.
    """
    names: dict[str, Any] = {}
    parts, end = [], 0
    for one in blocks(page):
        parts += [page[end : one.place.start], one.text if one.not_run else _as_run(one, names)]
        end = one.place.stop
    return "".join([*parts, page[end:]])


def _as_run(one: Block, names: dict[str, Any]) -> str:
    if one.file:
        Path(one.file).parent.mkdir(parents=True, exist_ok=True)
        Path(one.file).write_text(one.text, encoding="utf-8")
    elif one.is_doctest:
        return _with_results(one.text, names)
    elif one.kind == "python":
        exec(compile(one.text, "page", "exec"), names)
    elif one.kind == "sh":
        for line in one.text.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                _output(words)
    elif one.kind == "console":
        return _with_output(one.text)
    elif one.kind not in SHOWN:
        raise ValueError(f"a block of {one.kind} is neither run nor written; give it a file's name, or say why it is not run:\n{one.text}")
    return one.text


class _Recorder(doctest.OutputChecker):
    """It takes every result as right, and keeps it."""

    def __init__(self) -> None:
        self.results: list[str] = []

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        """Keep a result."""
        self.results.append(got)
        return True


def _with_results(text: str, names: dict[str, Any]) -> str:
    """Run examples with prompts, and return them with their results; names that they bind are kept in `names`."""
    parts = doctest.DocTestParser().parse(text)
    examples = [part for part in parts if isinstance(part, doctest.Example)]
    recorder = _Recorder()
    test = doctest.DocTest(examples, names, "page", None, 0, text)
    said: list[str] = []
    failed = doctest.DocTestRunner(recorder, verbose=False).run(test, out=said.append, clear_globs=False).failed
    names.update(test.globs)
    if failed:
        raise ValueError("".join(said))
    results = iter(recorder.results)
    return "".join(
        _prompted(part) + next(results).replace("\n\n", "\n<BLANKLINE>\n") if isinstance(part, doctest.Example) else part for part in parts
    )


def _prompted(example: doctest.Example) -> str:
    first, *others = example.source.splitlines()
    return "".join([f">>> {first}\n", *(f"... {line}".rstrip() + "\n" for line in others)])


def _with_output(text: str) -> str:
    """Run the commands of a console, and return them with their output; the output stays as shown if it differs in times alone."""
    found = []
    for part in re.split(r"^(?=\$ )", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        if not command.startswith(PROMPT):
            raise ValueError(f"a console shows commands of initbench alone, not {command}")
        output = _output(shlex.split(command.removeprefix("$ ")))
        found.append(f"{command}\n{shown if without_times(output) == without_times(shown) else output}")
    return "".join(found)


def _output(words: list[str]) -> str:
    """Return what a command of initbench prints, without lines about its speed; ValueError if it is none, or fails."""
    command, *arguments = words
    if command != "initbench":
        raise ValueError(f"'{shlex.join(words)}' is no command of initbench; say why it is not run")
    done = call(*arguments)
    if done.exit_code:
        raise ValueError(f"{shlex.join(words)}: exit code {done.exit_code}\n{done.output}") from done.exception
    lines = (line.rstrip() for line in done.output.splitlines())
    return "".join(f"{line}\n" for line in lines if not PROGRESS.fullmatch(line))


def without_times(text: str) -> str:
    """Return a text with all numbers of seconds alike."""
    return SECONDS.sub("N s", text)
