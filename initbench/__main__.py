"""The command `initbench`, also as `python -m initbench`."""

from initbench.stop import end_at_once, leave, say

end_at_once()  # before anything else is imported

import os  # noqa: E402
import sys  # noqa: E402

PROBE = "from jaxlib import xla_client; xla_client.CompileOptions()"
"""Reads XLA_FLAGS as XLA does, which ends the process where it does not like them."""
LOGGED = r"[EF]\d{4} [^\]]*\] (.*)"
"""An error in XLA's log: after time and place what is wrong."""


def main() -> None:
    """Refuse flags that XLA would abort at, and devices that JAX does not find, and hand over to the command line."""
    # A command draws into files, also from the cell of a notebook, whose backend it would inherit.
    os.environ["MPLBACKEND"] = "Agg"
    if os.environ.get("XLA_FLAGS") and (fault := flags_fault()):
        say(fault)
        raise SystemExit(2)
    try:
        from initbench.cli.app import app
    except ValueError as error:
        # The environment is read where JAX is configured, at the first import.
        say(" ".join(str(error).split()))
        raise SystemExit(2) from None
    try:
        app()
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise
        leave(ended.code)  # at once: while Python takes down its libraries, it no longer answers signals


def flags_fault() -> str:
    """Return, in one line, the fault of XLA_FLAGS; an empty text if there is none."""
    import re
    import subprocess

    probe = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    if probe.returncode == 0:
        return ""
    said = next((match[1] for line in probe.stderr.splitlines() if (match := re.match(LOGGED, line))), f"exit code {probe.returncode}")
    return f"XLA_FLAGS = '{os.environ['XLA_FLAGS'][:200]}': {said[:400]}"


if __name__ == "__main__":
    main()
