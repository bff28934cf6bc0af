"""`python -m tests.docs [PAGE...]`: run the blocks of pages, and write the output that they show anew."""

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.docs.conftest import PARTS, ROOT
from tests.docs.execution import page_as_run
from tests.docs.pages import RUN


def main() -> None:
    """Renew the named pages, or all that run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="such as docs/start.md; none: all pages that run")
    sys.path.insert(0, "")
    for page in parser.parse_args().pages or RUN:
        path = ROOT / page
        with TemporaryDirectory() as folder:
            for part in PARTS:
                (Path(folder) / part).symlink_to(ROOT / part)
            os.chdir(folder)
            text = page_as_run(path.read_text(encoding="utf-8"))
            os.chdir(ROOT)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
