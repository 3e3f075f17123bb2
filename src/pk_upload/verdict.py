"""How a release goes, told to a patch on Patchwork: a check that is pending, and then says how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import anyio

from pk_upload.errors import GaveUpWaiting, PkUploadError, RecordInvalid, UsageError, first_cause
from pk_upload.events import Event, OnEvent, Retry, Warned, emitter
from pk_upload.given import seconds
from pk_upload.patchwork import CheckState, Patchwork
from pk_upload.patchwork.requests import check_body, number
from pk_upload.release import Release
from pk_upload.reviews import post_check

__all__ = ["CONTEXT", "with_check"]

CONTEXT = "pk-upload"
PATIENCE = 30.0  # seconds that a check may be on its way before it is given up
FAREWELL = 3.0  # seconds, where the run is over already and somebody waits for its end

Link: TypeAlias = Callable[[], str]


async def with_check(
    patchwork: Patchwork,
    patch_id: int,
    work: Callable[[], Awaitable[Release]],
    *,
    link: Callable[[str, int], str],
    wait: bool = True,
    context: str = CONTEXT,
    patience: float = PATIENCE,
    on_event: OnEvent | None = None,
) -> Release:
    """What `work`, a call of `release`, returns; told to the patch as a check that is called `context`.

    The check is pending when `work` starts, then a success with what `link`, such as `PatchKit.version_url`,
    makes of the app and the version's id, or a failure with the reason. It stays pending where the service is
    still at work: where `work` gave up waiting, or was told not to `wait`. A check that cannot be posted, or
    not within `patience` seconds, is a warning, and the release goes its way.
    Raises `UsageError` for a patch, a context or a bound that cannot be one, and what `work` raises.
    """
    if not callable(work):
        raise UsageError(
            "what is to be told of is a function, and not what it returns",
            hint="Put a lambda around the call of `release`.",
        )
    number(patch_id, "a patch")
    check_body("pending", context, None, None)
    emit = emitter(on_event)
    teller = _Teller(patchwork, patch_id, context, seconds("patience", patience), emit)
    course = _Course()
    try:
        await course.run(work, teller)
    except anyio.get_cancelled_exc_class():
        await teller.tell_at_last(*_verdict(course.outcome, wait), course.linked(link))
        raise
    await teller.tell_at_last(*_verdict(course.outcome, wait), course.linked(link))
    return course.result()


@dataclass(slots=True)
class _Course:
    """One release under way, and what it came to: nothing as yet, or where it was cancelled."""

    outcome: Release | Exception | None = None

    async def run(self, work: Callable[[], Awaitable[Release]], teller: _Teller) -> None:
        """Sees `work` to its end. That it has begun is told beside it, and through before its end is told.

        A request that was abandoned may be carried out later, and then it would have the last word.
        """
        with first_cause():
            async with anyio.create_task_group() as group:
                group.start_soon(teller.tell, "pending", "the release has started")
                try:
                    self.outcome = _released(await work())
                except Exception as error:
                    self.outcome = error

    def linked(self, link: Callable[[str, int], str]) -> Link | None:
        """What makes the address of the version, where there is one."""
        match self.outcome:
            case Release(app=app, version_id=version_id):
                return lambda: link(app, version_id)
            case _:
                return None

    def result(self) -> Release:
        """What `work` returned; raises what it raised."""
        if isinstance(self.outcome, Release):
            return self.outcome
        raise self.outcome or AssertionError("the release has not ended")


@dataclass(frozen=True, slots=True)
class _Teller:
    """Posts checks to one patch, and warns where it cannot."""

    patchwork: Patchwork
    patch_id: int
    context: str
    patience: float
    emit: OnEvent

    async def tell_at_last(self, state: CheckState, said: str, link: Link | None = None) -> None:
        """The same as `tell`, which is tried for a moment even where the run was cancelled meanwhile."""
        try:
            await self.tell(state, said, link)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await replace(self, patience=min(self.patience, FAREWELL)).tell(state, said, link)
            raise

    async def tell(self, state: CheckState, said: str, link: Link | None = None) -> None:
        trouble: list[str] = []

        def emit(event: Event) -> None:
            if isinstance(event, Retry):
                trouble.append(event.cause)
            self.emit(event)

        problem = ""
        with anyio.move_on_after(self.patience):
            try:
                target = None if link is None else link()
                await self._post(state, self.patchwork.http.plain(said), target, emit)
                return
            except PkUploadError as error:
                problem = error.message
            except Exception as error:  # whatever it is, it is not to end the release
                problem = f"unexpected {type(error).__name__}"
        if not problem:
            last = trouble[-1] if trouble else "no answer"
            problem = f"{last}; given up after {self.patience:g} s"
        self._warn(f"could not be set to {state}: {problem}")

    async def _post(self, state: CheckState, said: str, target: str | None, emit: OnEvent) -> None:
        try:
            await post_check(
                self.patchwork.listening(emit),
                emit,
                self.patch_id,
                state,
                context=self.context,
                target_url=target,
                description=said,
            )
        except (RecordInvalid, UsageError) as error:  # sites refuse addresses of many kinds
            if target is None:
                raise
            await self._post(state, said, None, emit)
            self._warn(f"has no link: {error.message}")

    def _warn(self, problem: str) -> None:
        self.emit(Warned(f"the check of patch {self.patch_id} {problem}"))


class _NoRelease(TypeError):
    """What was to be told of has ended, and nobody knows how."""


def _released(value: object) -> Release:
    if not isinstance(value, Release):
        raise _NoRelease(f"what is told of returns a Release, and not {type(value).__name__}")
    return value


def _verdict(outcome: Release | Exception | None, wait: bool) -> tuple[CheckState, str]:
    match outcome:
        case Release():
            return _success(outcome, wait)
        case GaveUpWaiting():
            return "pending", outcome.message
        case PkUploadError():
            return "fail", outcome.message
        case None:
            return "fail", "the release was interrupted"
        case _NoRelease():
            return "warning", "the release has ended, and it is not known how"
        case _:
            return "fail", f"the release ended with an unexpected {type(outcome).__name__}"


def _success(done: Release, wait: bool) -> tuple[CheckState, str]:
    version = f"version {done.version_id} ({done.label})"
    if done.published:
        return "success", f"{version} is published"
    if done.publish_time is not None:
        return "success", f"{version} is processed and will be published"
    if wait:
        return "success", f"{version} is processed"
    return "pending", f"{version} was accepted and is being processed"
