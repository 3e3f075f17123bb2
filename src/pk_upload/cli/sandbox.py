"""`pk-upload sandbox`: a local PatchKit, a local Kickfolio and a local Patchwork, to try things against."""

from __future__ import annotations

import os
import shlex
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pk_upload.cli.command import Command
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.options import global_options
from pk_upload.cli.settings import SANDBOX_KEY, Settings
from pk_upload.errors import UsageError
from pk_upload.events import Warned
from pk_upload.sandbox import FAULTS_HELP, FaultError
from pk_upload.sandbox.faults import parse_fault
from pk_upload.units import counted

if TYPE_CHECKING:
    from pk_upload.sandbox import Sandbox
    from pk_upload.sandbox.patchwork.seeding import Seeded

__all__ = ["sandbox"]

PORT = 8720
EPILOG = """\
\b
Examples:
  pk-upload sandbox
  pk-upload sandbox --port 0 --fault status=503:count=3 --json
  pk-upload sandbox --seed-mbox list.mbox

Here --api-key is the key that the sandbox asks for, "sandbox" unless given; keys and tokens of the
environment are left alone.

The token of Patchwork is that of the user "maintainer"; with "-submitter" and "-reader" behind it, it is that
of the users of these names, the first of whom is who sent the first patch. It is their password too.

""" + "\n\n".join(f"\b\n{paragraph}" for paragraph in FAULTS_HELP.strip().split("\n\n"))


class _FaultSpec(click.ParamType):  # type: ignore[type-arg]  # not generic in all of click 8
    name = "spec"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            parse_fault(value)
        except FaultError as error:
            self.fail(str(error), param, ctx)
        return value


class _Token(click.ParamType):  # type: ignore[type-arg]  # not generic in all of click 8
    """A token that this package's client can send, without the white space that it leaves out."""

    name = "token"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from pk_upload.given import clean_secret

        try:
            token = clean_secret(value, "token")
        except UsageError as error:
            self.fail(f"{error.message}.", param, ctx)
        if ":" in token:
            self.fail("the token has a colon, at which a header would end it.", param, ctx)
        return token


@click.command(cls=Command, epilog=EPILOG, short_help="Run a local PatchKit to try things against.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST", help="Where to listen.")
@click.option(
    "--port",
    default=PORT,
    show_default=True,
    metavar="PORT",
    type=click.IntRange(0, 65535),
    help="0 for any that is free.",
)
@click.option(
    "--data-dir",
    metavar="DIR",
    help="Where everything is kept across restarts.  [default: in the user's data directory]",
)
@click.option(
    "--kickfolio-token",
    default=SANDBOX_KEY,
    show_default=True,
    metavar="TOKEN",
    type=_Token(),
    help="What Kickfolio asks for.",
)
@click.option(
    "--fetch-anywhere",
    is_flag=True,
    help="Let Kickfolio fetch bundles from any host, not from this machine alone.",
)
@click.option(
    "--patchwork-token",
    default=SANDBOX_KEY,
    show_default=True,
    metavar="TOKEN",
    type=_Token(),
    help="What Patchwork asks its maintainer for.",
)
@click.option(
    "--seed-mbox",
    "seeds",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="An mbox whose mails become Patchwork's patches; may be repeated.",
)
@click.option("--fault", "faults", multiple=True, metavar="SPEC", type=_FaultSpec(), help="See below.")
@global_options
@click.pass_obj
def sandbox(
    settings: Settings,
    host: str,
    port: int,
    data_dir: str | None,
    kickfolio_token: str,
    fetch_anywhere: bool,
    patchwork_token: str,
    seeds: tuple[Path, ...],
    faults: tuple[str, ...],
) -> Errand:
    """Runs a server that behaves like PatchKit, Kickfolio and Patchwork until it is interrupted."""
    key = settings.given.get("api_key") or SANDBOX_KEY

    async def work(desk: Desk) -> None:
        import anyio

        from pk_upload.sandbox import serve

        if not _is_loopback(host):
            desk.emit(Warned(f"{host} is not loopback: whoever reaches this machine can use the sandbox"))
        running = serve(
            _place(data_dir),
            host=host,
            port=port,
            api_key=key,
            faults=faults,
            kickfolio_token=kickfolio_token,
            fetch_anywhere=fetch_anywhere,
            patchwork_token=patchwork_token,
            seed_mbox=seeds,
        )
        async with running as server:
            for seeded in server.seeded:
                _tell(desk, seeded)
            desk.answer(_welcome(server))
            await anyio.sleep_forever()

    return Errand(work)


def _tell(desk: Desk, seeded: Seeded) -> None:
    """Say what became of the mails, and warn of those that came to nothing."""
    desk.note(
        f"{seeded.path}: {counted(seeded.patches, 'patch', 'patches')},"
        f" {counted(seeded.covers, 'cover letter')}, {counted(seeded.comments, 'reply', 'replies')}"
        + (f", {counted(seeded.known, 'mail')} known already" if seeded.known else "")
        + (f", {counted(seeded.others, 'mail')} of other kinds" if seeded.others else "")
    )
    for sentence in seeded.left_out:
        desk.emit(Warned(sentence.removesuffix(".")))
    if seeded.more:
        desk.emit(Warned(f"{seeded.more} more mails of {seeded.path} are left out"))


def _place(data_dir: str | None) -> Path:
    if data_dir:
        return Path(data_dir)
    from platformdirs import user_data_path

    return user_data_path("pk-upload", appauthor=False) / "sandbox"


def _welcome(server: Sandbox) -> Answer:
    export = "set" if os.name == "nt" else "export"
    text = (
        f"# The sandbox runs at {server.url} and keeps its data in {server.data_dir}; Ctrl-C ends it.\n"
        "# In another terminal:\n"
        f"{export} PATCHKIT_API_URL={server.url}\n"
        f"{export} PATCHKIT_API_KEY={shlex.quote(server.api_key)}\n"
        "pk-upload app create --name my-game --platform windows_x86_64\n"
        "pk-upload push build.zip --app SECRET --label 1.0 --publish\n"
        "# Kickfolio is there too:\n"
        f"{export} KICKFOLIO_URL={server.kickfolio_url}\n"
        f"{export} KICKFOLIO_AUTH_TOKEN={shlex.quote(server.kickfolio_token)}\n"
        "pk-upload kickfolio app create --name my-app\n"
        "# And Patchwork:\n"
        f"{export} PATCHWORK_URL={server.patchwork_url}\n"
        f"{export} PATCHWORK_TOKEN={shlex.quote(server.patchwork_token)}\n"
        "pk-upload patchwork patch list"
    )
    told = {
        "url": server.url,
        "api_key": server.api_key,
        "data_dir": str(server.data_dir),
        "kickfolio_url": server.kickfolio_url,
        "kickfolio_auth_token": server.kickfolio_token,
        "patchwork_url": server.patchwork_url,
        "patchwork_token": server.patchwork_token,
    }
    return Answer(told, text, candid=True)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
