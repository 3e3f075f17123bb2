"""One run of the command line: arguments parsed, the errand carried out, its end told."""

from __future__ import annotations

import os

from pk_upload.cli.errand import Errand
from pk_upload.cli.interruption import Interruption
from pk_upload.cli.output import Output
from pk_upload.cli.root import root
from pk_upload.cli.settings import Settings

__all__ = ["run"]


def run(arguments: list[str], interruption: Interruption) -> int:
    """Runs the command in `arguments` and returns its exit code."""
    settings = Settings(arguments, os.environ)
    output = Output(settings, interruption)
    try:
        try:
            errand = root.main(arguments, prog_name="pk-upload", standalone_mode=False, obj=settings)
            if not isinstance(errand, Errand):
                return int(errand or 0)  # help, or the version, was asked for
            settings.parsed = True
            interruption.json, interruption.resumable = settings.json, errand.resumable
            from pk_upload.cli.running import perform

            answer = perform(errand, settings, interruption, output)
            if answer is None:
                return 0
            output.answer(answer)
            return answer.exit_code
        except Exception as error:
            return output.failure(error)
    except OSError as error:  # not even the failure can be written
        output.stderr(f"error: {error}")
        return 1 if interruption.signum is None else interruption.exit_code
    finally:
        output.close()
