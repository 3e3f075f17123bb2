"""The command line: arguments in; a result, a bar, lines or JSON out; and an exit code.

Arguments are read without anything heavy being imported, so that help and mistakes are answered at once.
A command does nothing by itself: it returns an `Errand`, which `process` then carries out.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pk_upload.cli.interruption import Interruption

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command, `sys.argv`'s unless told otherwise, and returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    interruption = Interruption(given)
    interruption.install()

    from pk_upload.cli.process import run  # only now: a signal during these imports is met already

    return run(given, interruption)
