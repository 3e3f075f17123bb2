"""Options that several commands share.

The shared ones may stand before or after the command. They are not handed to the command's function but
kept in the `Settings`, where the last one given wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from pk_upload.cli.command import Option
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import CONCURRENCY, DAY, ID, NAME, RATE, SECONDS, SIZE, SOURCE, TEXT

__all__ = [
    "app_option",
    "call_options",
    "csv_option",
    "folder_options",
    "global_options",
    "ignore_option",
    "kickfolio_options",
    "patchwork_options",
    "review_options",
    "state_option",
    "strict_option",
    "transfer_options",
    "waiting_option",
]

F = TypeVar("F", bound=Callable[..., Any])
API_VERSION = click.Choice(["1.0", "1.1", "1.2", "1.3", "1.4", "newest"])  # of Patchwork


def app_option(function: F) -> F:
    """The option that names the app."""
    return _kept("--app", metavar="SECRET", help="The app's secret.  [env: PATCHKIT_APP]")(function)


def folder_options(function: F) -> F:
    """The options for a source that is a folder."""
    where = "Folder options"
    return _all(
        function,
        _kept(
            "--compression",
            section=where,
            type=click.Choice(["auto", "store", "deflate"]),
            help="store reads the files where they are, deflate packs them into a temporary file first, "
            "auto takes what is likely to end sooner.  [default: auto]",
        ),
        ignore_option,
    )


def ignore_option(function: F) -> F:
    """The option that leaves a part of a folder out."""
    return _kept(
        "--ignore",
        section="Folder options",
        metavar="PATTERN",
        multiple=True,
        type=TEXT,
        help="Leave out what matches, as in a .gitignore; may be repeated. The patterns in SOURCE's file "
        ".pkignore come first. Version control is left out unless '!.git' brings it back.",
    )(function)


strict_option = click.option(
    "--strict", is_flag=True, help="Refuse a build with warnings as well, not only one with errors."
)


def global_options(function: F) -> F:
    """The options every command has."""
    where = "Global options"
    return _all(
        function,
        _kept("--api-key", section=where, metavar="KEY", help="[env: PATCHKIT_API_KEY]"),
        _kept(
            "--api-url",
            section=where,
            metavar="URL",
            help="[env: PATCHKIT_API_URL; default: https://api2.patchkit.net]",
        ),
        _kept(
            "--upload-url",
            section=where,
            metavar="URL",
            help="Where chunks go: the API's address if only that is given.  "
            "[env: PATCHKIT_UPLOAD_URL; default: https://api.patchkit.net]",
        ),
        _kept("--json", section=where, is_flag=True, help="One JSON value on stdout, on failure too."),
        _kept(
            "--progress",
            section=where,
            type=click.Choice(["auto", "bar", "log", "json", "none"]),
            help="How progress is told on stderr.  [default: auto: a bar on a terminal, else lines]",
        ),
        _kept("--quiet", section=where, is_flag=True, help="Nothing on stderr but errors and warnings."),
        _kept("--verbose", section=where, is_flag=True, help="What is done, in detail, on stderr."),
    )


def kickfolio_options(function: F) -> F:
    """The options of commands that call Kickfolio."""
    where = "Kickfolio options"
    return _all(
        function,
        _kept(
            "--url",
            section=where,
            metavar="URL",
            help="The site's address, without /api.  [env: KICKFOLIO_URL]",
        ),
        _kept("--auth-token", section=where, metavar="TOKEN", help="[env: KICKFOLIO_AUTH_TOKEN]"),
    )


def patchwork_options(function: F) -> F:
    """The options of commands that call Patchwork."""
    where = "Patchwork options"
    return _all(
        function,
        _kept(
            "--url",
            section=where,
            metavar="URL",
            help="The site's address, without /api.  [env: PATCHWORK_URL]",
        ),
        _kept(
            "--token",
            section=where,
            metavar="TOKEN",
            help="Who asks; much can be read without.  [env: PATCHWORK_TOKEN]",
        ),
        _kept(
            "--api-version",
            section=where,
            type=API_VERSION,
            help="The version of the API to ask for; newest finds out what the site has.  "
            "[env: PATCHWORK_API_VERSION; default: 1.4]",
        ),
    )


def review_options(function: F) -> F:
    """The options for a push that reports to a patch on Patchwork."""
    where = "Review options"
    return _all(
        function,
        _kept(
            "--check",
            section=where,
            metavar="PATCH_ID",
            type=ID,
            help="Report how it went as a check of this patch on Patchwork.",
        ),
        _kept(
            "--check-context",
            section=where,
            metavar="TEXT",
            type=NAME,
            help="The name that the check goes by.  [default: pk-upload]",
        ),
        _kept(
            "--check-url",
            section=where,
            metavar="URL",
            type=NAME,
            help="What the check links to once it is a success, such as the version in the panel.  "
            "[default: the version's address in the API, which names the app's secret]",
        ),
        _kept(
            "--patchwork-url",
            section=where,
            metavar="URL",
            help="The site's address, without /api.  [env: PATCHWORK_URL]",
        ),
        _kept(
            "--patchwork-token",
            section=where,
            metavar="TOKEN",
            help="Who reports.  [env: PATCHWORK_TOKEN]",
        ),
        _kept(
            "--patchwork-api-version",
            section=where,
            type=API_VERSION,
            help="The version of its API to ask for.  [env: PATCHWORK_API_VERSION; default: newest]",
        ),
    )


def csv_option(function: F) -> F:
    """The option for a list that goes into a spreadsheet."""
    return _kept(
        "--csv",
        is_flag=True,
        help="Comma-separated values, whole and with more columns. What begins with =, +, - or @ has a ' in "
        "front, for a spreadsheet would calculate it.",
    )(function)


def call_options(function: F) -> F:
    """The options of commands that call the service."""
    return _all(function, *_CALLS)


def waiting_option(work: str) -> Callable[[F], F]:
    """The option that bounds the wait for `work`, processing or publishing."""
    return click.option(
        f"--{work}-timeout",
        cls=Option,
        section="Limits",
        metavar="S",
        type=SECONDS,
        default=DAY,
        help=f"How long to wait for {work}.  [default: 1d]",
    )


def state_option(function: F) -> F:
    """The option that says where journals live."""
    return _kept(
        "--state-dir",
        section="Transfer options",
        metavar="DIR",
        help="Where is kept what can be resumed.  [env: PK_UPLOAD_STATE_DIR]",
    )(function)


def transfer_options(function: F) -> F:
    """The options of commands that upload."""
    where = "Transfer options"
    return _all(
        function,
        _kept(
            "--concurrency",
            section=where,
            metavar="N|auto",
            type=CONCURRENCY,
            help="Chunks sent at once, 1 to 16; auto follows what the link takes.  [default: auto]",
        ),
        _kept(
            "--chunk-size",
            section=where,
            metavar="SIZE",
            type=SIZE,
            help="10M is 10MiB, 10MB is ten million bytes.  [default: 10MiB]",
        ),
        _kept("--limit-rate", section=where, metavar="RATE", type=RATE, help="At most so much a second: 5M."),
        _kept(
            "--stall-timeout",
            section=where,
            metavar="S",
            type=SECONDS,
            help="Send a chunk again when no byte of it moved for so long.  [default: 60]",
        ),
        *_CALLS,
        state_option,
        _kept(
            "--resume/--no-resume", section=where, help="Go on where an earlier run stopped.  [default: yes]"
        ),
        _kept(
            "--resume-from",
            section=where,
            metavar="PATH",
            type=SOURCE,
            help="Go on with what was uploaded from PATH: SOURCE is the same file moved, copied or touched. "
            "What was delivered is read and compared first.",
        ),
        _kept("--checksum/--no-checksum", section=where, help="Send each chunk's MD5.  [default: yes]"),
    )


def _kept(*names: str, **how: Any) -> Callable[[F], F]:
    """An option whose value goes to the settings when it stands on the command line."""
    how.setdefault("default", None)
    return click.option(*names, cls=Option, expose_value=False, callback=_keep, **how)


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    name = param.name or ""
    if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
        ctx.ensure_object(Settings).given[name] = value
    return value


def _all(function: F, *decorators: Callable[[F], F]) -> F:
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


_CALLS: Sequence[Callable[[Any], Any]] = (
    _kept(
        "--retries",
        section="Transfer options",
        metavar="N",
        type=click.IntRange(min=0),
        help="Attempts after the first, for a call or a chunk.  [default: 8]",
    ),
    _kept(
        "--connect-timeout",
        section="Transfer options",
        metavar="S",
        type=SECONDS,
        help="How long a connection may take to stand, with name, proxy and TLS.  [default: 20]",
    ),
    _kept(
        "--response-timeout",
        section="Transfer options",
        metavar="S",
        type=SECONDS,
        help="How long a call may take until its answer is complete; chunks have --stall-timeout.  "
        "[default: 60]",
    ),
    _kept(
        "--timeout",
        section="Transfer options",
        metavar="S",
        type=SECONDS,
        help="For the whole run: 90, 15m, 2h.  [default: none]",
    ),
    _kept(
        "--ca-bundle",
        section="Transfer options",
        metavar="FILE",
        help="Certificates to trust beside the system's, such as a company proxy's: a PEM file, or a "
        "directory of them. SSL_CERT_FILE and SSL_CERT_DIR replace the system's.  "
        "[env: PK_UPLOAD_CA_BUNDLE]",
    ),
)
