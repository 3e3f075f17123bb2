"""`pk-upload` itself: the commands, and what its help says."""

from __future__ import annotations

import click

from pk_upload import __version__
from pk_upload.cli.command import Group
from pk_upload.cli.options import global_options

__all__ = ["root"]

EPILOG = """\
\b
Examples:
  pk-upload push build.zip --label 1.0 --publish --sandbox     try it, without an account
  pk-upload push build.zip --app SECRET --label 1.4.2 --publish
  pk-upload version list --app SECRET --json

\b
Exit codes:
  0  ok                          7    network or server
  1  anything else               8    lock timeout
  2  usage, or no such source    9    upload failed
  3  authentication              10   the source is no good build
  4  not found                   11   state locked or damaged
  5  conflict                    12   gave up waiting; the service still works on it
  6  processing or publishing    130  interrupted
     failed                      143  terminated

\b
Global options may stand before or after a command; a flag beats the environment.
"""


def _show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        json = getattr(ctx.obj, "json", False)
        click.echo(f'{{"version":"{__version__}"}}' if json else f"pk-upload {__version__}")
        ctx.exit()


@click.command(
    "pk-upload",
    cls=Group,
    places={
        "push": "pk_upload.cli.push:push",
        "check": "pk_upload.cli.check:check",
        "upload": "pk_upload.cli.upload:upload",
        "app": "pk_upload.cli.app:app",
        "version": "pk_upload.cli.version:version",
        "job": "pk_upload.cli.job:job",
        "state": "pk_upload.cli.state:state",
        "kickfolio": "pk_upload.cli.kickfolio.group:kickfolio",
        "patchwork": "pk_upload.cli.patchwork.group:patchwork",
        "sandbox": "pk_upload.cli.sandbox:sandbox",
    },
    epilog=EPILOG,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@global_options
def root() -> None:
    """Uploads large game builds to PatchKit, resumes after any interruption, and publishes them."""
