"""The command `initbench`, also as `python -m initbench`."""

import os
import re
import subprocess
import sys

from initbench.stop import end_at_once, say

PROBE = "from jaxlib import xla_client; xla_client.CompileOptions()"
"""Reads XLA_FLAGS as XLA does, which ends the process where it does not like them."""

LOGGED = re.compile(r"[EF]\d{4} [^\]]*\] (.*)")


def main() -> None:
    """Answer signals, refuse flags that XLA would abort at, and hand over to the command line."""
    end_at_once()
    if os.environ.get("XLA_FLAGS") and (fault := flags_fault()):
        say(fault)
        raise SystemExit(2)
    from analysis.cli import app

    app()


def flags_fault() -> str:
    """What is wrong with XLA_FLAGS, in one line; empty if nothing is."""
    probe = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    if probe.returncode == 0:
        return ""
    # The first error of XLA's log, without time and place.
    said = next((match[1] for line in probe.stderr.splitlines() if (match := LOGGED.match(line))), f"exit code {probe.returncode}")
    return f"XLA_FLAGS = '{os.environ['XLA_FLAGS'][:200]}': {said[:400]}"


if __name__ == "__main__":
    main()
