"""`pk-upload push`: a build from the disk to its publication."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pk_upload.cli.changelog import read_changelog
from pk_upload.cli.command import Command
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.options import (
    app_option,
    folder_options,
    global_options,
    review_options,
    strict_option,
    transfer_options,
    waiting_option,
)
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import SOURCE, TEXT
from pk_upload.errors import PkUploadError, UsageError

if TYPE_CHECKING:
    from pk_upload.patchkit import PatchKit
    from pk_upload.release import Release

__all__ = ["Wish", "push"]

EPILOG = """\
\b
Examples:
  pk-upload push build.zip --app SECRET --label 1.4.2 --changelog @CHANGES.txt --publish
  pk-upload push ./build --app SECRET --label 1.4.2 --publish      a folder, without making a ZIP
  pk-upload push build.zip --label 1.4.2 --no-wait         the app from PATCHKIT_APP
  pk-upload push build.zip --app SECRET --label 1.4.2 --dry-run
  pk-upload push build.zip --label 1.4.2 --check 42        tell patch 42 on Patchwork how it goes
  pk-upload push build.zip --publish --sandbox             try it, without an account

Interrupted, the same command goes on where it stopped.
"""

REVIEW = {  # of no use without --check
    "check_context",
    "check_url",
    "patchwork_api_version",
    "patchwork_token",
    "patchwork_url",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the flags ask for. `app` is `None` where the embedded sandbox has yet to make it."""

    source: Path
    app: str | None
    label: str
    changelog: str | None
    publish: bool
    wait: bool
    overwrite_draft: bool
    strict: bool
    sandbox: bool
    check: int | None
    processing_timeout: float
    publishing_timeout: float


@click.command(cls=Command, epilog=EPILOG, short_help="Upload a build and see it published.")
@click.argument("source", type=SOURCE)
@app_option
@click.option("--label", metavar="TEXT", type=TEXT, help="What players see the version called.")
@click.option("--changelog", metavar="TEXT|@FILE", type=TEXT, help="What is new, or the file that says it.")
@click.option("--publish", is_flag=True, help="Publish the version once it is processed.")
@click.option(
    "--wait/--no-wait",
    default=True,
    help="See it processed and published, or leave once the upload is accepted; "
    "the service then publishes by itself.  [default: wait]",
)
@click.option("--overwrite-draft", is_flag=True, help="Put the build into the draft there is.")
@click.option(
    "--sandbox",
    is_flag=True,
    help="Against a sandbox inside this process: no account, no network, nothing is kept. "
    "Without --app it makes an app, without --label the file's name is the label.",
)
@click.option("--dry-run", is_flag=True, help="Check the source, list what would go, and do nothing.")
@strict_option
@waiting_option("processing")
@waiting_option("publishing")
@folder_options
@transfer_options
@review_options
@global_options
@click.pass_obj
def push(
    settings: Settings,
    source: str,
    label: str | None,
    changelog: str | None,
    publish: bool,
    wait: bool,
    overwrite_draft: bool,
    sandbox: bool,
    dry_run: bool,
    strict: bool,
    processing_timeout: float,
    publishing_timeout: float,
) -> Errand:
    """Uploads SOURCE, a ZIP or a folder, as a version of an app, sees it processed and, with --publish,
    published.
    """
    if sandbox:
        from pk_upload.cli.embedded import forbid_addresses

        forbid_addresses(settings)
        if "resume_from" in settings.given:
            raise UsageError(
                "--sandbox and --resume-from exclude each other", hint="Leave one of the two out."
            )
        if settings.check_patch is not None:
            raise UsageError(
                "--sandbox and --check exclude each other",
                hint="With --sandbox nothing leaves this machine; leave one of the two out.",
            )
        app = settings.given.get("app")  # the environment's is on the real service
        label = label or _printable(_title(Path(source).resolve()))
    else:
        app = settings.require_app()
    if not label:
        raise UsageError("no label", hint="Give one with --label: it is what players see the version called.")
    if settings.check_patch is None and settings.given.keys() & REVIEW:
        raise UsageError("there is no patch to tell", hint="Give its id with --check.")
    if settings.check_patch is not None:
        from pk_upload.patchwork.requests import check_body

        check_body("success", settings.check_context, settings.check_url, None)
    if not (sandbox or dry_run):
        settings.require_key()
        if settings.check_patch is not None:
            settings.require_patchwork(writing=True)
    wish = Wish(
        source=Path(source),
        app=app,
        label=label,
        changelog=read_changelog(changelog),
        publish=publish,
        wait=wait,
        overwrite_draft=overwrite_draft,
        strict=strict,
        sandbox=sandbox,
        check=settings.check_patch,
        processing_timeout=processing_timeout,
        publishing_timeout=publishing_timeout,
    )
    if dry_run:
        from pk_upload.cli.rehearsal import rehearse

        return Errand(lambda desk: rehearse(settings, wish, desk))
    resumable = not sandbox and settings.given.get("resume", True)
    return Errand(lambda desk: _push(settings, wish, desk), resumable=resumable)


async def _push(settings: Settings, wish: Wish, desk: Desk) -> Answer:
    from pk_upload.release import release

    config = settings.transfer(resume=not wish.sandbox)
    async with _patchkit(settings, wish, desk) as patchkit:
        app = wish.app or (await patchkit.create_app("sandbox", "other")).secret

        async def released() -> Release:
            return await release(
                patchkit,
                wish.source,
                app=app,
                label=wish.label,
                changelog=wish.changelog,
                publish=wish.publish,
                wait=wish.wait,
                overwrite_draft=wish.overwrite_draft,
                strict=wish.strict,
                packing=settings.packing(),
                processing_timeout=wish.processing_timeout,
                publishing_timeout=wish.publishing_timeout,
                timeout=settings.timeout,
                config=config,
                on_event=desk.emit,
            )

        async def work() -> Release:
            try:
                done = await released()
                desk.conclude(_answer(done, wish))
            except PkUploadError as error:
                desk.conclude(error)
                raise
            finally:
                if wish.check is not None:
                    desk.note(f"reporting: patch {wish.check}")
            return done

        done = await (
            work() if wish.check is None else _reported(wish.check, settings, wish, desk, patchkit, work)
        )
    return _answer(done, wish)


async def _reported(
    patch: int,
    settings: Settings,
    wish: Wish,
    desk: Desk,
    patchkit: PatchKit,
    work: Callable[[], Awaitable[Release]],
) -> Release:
    """What `work` returns, reported to `patch`."""
    from pk_upload.cli.client import connected_patchwork
    from pk_upload.reporting import with_check

    def link(app: str, version_id: int) -> str:
        return settings.check_url or patchkit.version_url(app, version_id)

    # What a check is, is the same in all versions.
    async with connected_patchwork(settings, desk.emit, version="newest") as patchwork:
        return await with_check(
            patchwork,
            patch,
            work,
            link=link,
            wait=wish.wait,
            context=settings.check_context,
            timeout=settings.timeout,
            on_event=desk.emit,
        )


@asynccontextmanager
async def _patchkit(settings: Settings, wish: Wish, desk: Desk) -> AsyncIterator[PatchKit]:
    from pk_upload.cli.client import connected
    from pk_upload.cli.embedded import embedded

    if wish.sandbox:
        desk.note("sandbox: nothing of this run leaves this machine, and nothing of it is kept")
    async with (embedded if wish.sandbox else connected)(settings, desk.emit) as patchkit:
        yield patchkit


def _answer(done: Release, wish: Wish) -> Answer:
    return Answer(done.to_dict(), _summary(done, wish))


def _summary(done: Release, wish: Wish) -> str:
    from pk_upload.units import size

    sent = f"{size(done.bytes_sent)} sent, {size(done.bytes_resumed)} resumed"
    lines = [
        f"version {done.version_id} ({done.label}) {_outcome(done, wish)}",
        f"{size(done.bytes_total)}: {sent}, in {done.elapsed:.1f} s",
    ]
    lines += [f"{message.severity}: {message.message}" for message in done.messages]
    return "\n".join(lines)


def _title(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _printable(name: str) -> str:
    """A file's name as text that a request can carry."""
    return os.fsencode(name).decode("utf-8", "replace")


def _outcome(done: Release, wish: Wish) -> str:
    from pk_upload.answers import moment

    if done.published:
        return "is published"
    if done.publish_time is not None:
        return f"will be published at {moment(done.publish_time)}"
    if not wish.wait:
        return "was accepted and is being processed" + (", then published" if wish.publish else "")
    return "is a draft, processed and ready to be published"
