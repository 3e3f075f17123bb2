"""The preflight before an upload: warnings are told of, errors refuse the build."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

import anyio

from pk_upload.archive.build import Build
from pk_upload.archive.checks import Problem, Report, deep, preflight, refuse
from pk_upload.archive.file import BuildFile
from pk_upload.archive.folder.checksums import checksums
from pk_upload.archive.folder.config import Packing
from pk_upload.archive.folder.opening import survey
from pk_upload.archive.folder.stored import StoredFolder
from pk_upload.errors import UsageError
from pk_upload.events import OnEvent, Warned

__all__ = ["inspected", "open_file", "preflighted", "read_through", "surveyed", "warn"]

MOST = 10  # warnings that are told of one by one


@asynccontextmanager
async def surveyed(path: Path, packing: Packing, *, emit: OnEvent) -> AsyncIterator[BuildFile | StoredFolder]:
    """The ZIP under `path`, or the folder as one of stored files that are not read yet: to look at, not to
    upload.

    Raises `SourceUnreadable`, `PreflightFailed` for an empty file, and what `survey` raises.
    """
    build: BuildFile | StoredFolder
    if await anyio.to_thread.run_sync(os.path.isdir, path, abandon_on_cancel=True):
        build = await survey(path, packing, emit=emit)
    else:
        build = await anyio.to_thread.run_sync(open_file, path, packing)
    with closing(build):
        yield build


def open_file(path: Path, packing: Packing | None) -> BuildFile:
    """The ZIP. Raises what `BuildFile` raises, and `UsageError` for wishes that only a folder can have."""
    build = BuildFile(path)
    if packing not in (None, Packing()):
        build.close()
        raise UsageError(
            f"{path} is a file: what to leave out and how to compress is for folders",
            hint="Leave out --ignore and --compression, or give the folder.",
        )
    return build


async def preflighted(build: Build, *, platform: str | None = None, strict: bool = False) -> Report:
    """What `preflight` finds. It is not waited for if the run ends: the drive may hang."""
    look = partial(preflight, build, platform=platform, strict=strict)
    return await anyio.to_thread.run_sync(look, abandon_on_cancel=True)


async def read_through(
    build: BuildFile | StoredFolder, report: Report, *, on_progress: Callable[[float], None]
) -> Report:
    """The report, with what only shows when all content is read; of a folder, that it can be.

    Raises `SourceUnreadable` and `SourceChanged`.
    """
    if isinstance(build, BuildFile):
        return await deep(build, report, on_progress=on_progress)
    await checksums(build.tree, on_progress=lambda done, total: on_progress(done / total if total else 1.0))
    return report


async def inspected(build: Build, emit: OnEvent) -> None:
    """Raises `PreflightFailed` for a build with errors, and tells of warnings.

    Raises `SourceUnreadable` and `SourceChanged`, too.
    """
    report = await preflighted(build)
    warn(report.warnings, emit)
    refuse(report)


def warn(problems: Iterable[Problem], emit: OnEvent) -> None:
    """Tells of the first few of `problems`, and of how many more there are."""
    problems = [*problems]
    for problem in problems[:MOST]:
        emit(Warned(str(problem)))
    if len(problems) > MOST:
        emit(Warned(f"{len(problems) - MOST:,} more; `pk-upload check --verbose` names all"))
