"""`pk-upload kickfolio` itself: its commands, and what its help says."""

from __future__ import annotations

import click

from pk_upload.cli.command import Group
from pk_upload.cli.options import global_options, kickfolio_options

__all__ = ["kickfolio"]

EPILOG = """\
\b
Examples:
  pk-upload kickfolio publish https://example.com/game.zip --name "My game"
  pk-upload kickfolio app list --json
  pk-upload kickfolio version list --app ABCD123

An app is named by its UUID or its public key, a version by its UUID.
"""
HERE = "pk_upload.cli.kickfolio"


@click.command(
    cls=Group,
    places={
        "publish": f"{HERE}.publish:publish",
        "app": f"{HERE}.app:app",
        "version": f"{HERE}.version:version",
    },
    epilog=EPILOG,
    short_help="Apps, versions and bundles on Kickfolio.",
)
@kickfolio_options
@global_options
def kickfolio() -> None:
    """Lists, makes, changes and deletes apps and versions on Kickfolio, and publishes bundles there."""
