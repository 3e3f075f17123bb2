"""How a release goes, reported to a patch on Patchwork: a check is pending, and then says how it ended."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from pk_upload.errors import GaveUpWaiting, PkUploadError, RecordInvalid, UsageError, first_cause
from pk_upload.events import Event, OnEvent, Retry, Warned, emitter
from pk_upload.given import seconds
from pk_upload.patchwork import CheckState, Patchwork
from pk_upload.patchwork.requests import check_body, checked_id
from pk_upload.release import Release
from pk_upload.reviews import post_check

__all__ = ["CONTEXT", "with_check"]

CONTEXT = "pk-upload"
PATIENCE = 30.0  # seconds that a check may be on its way before it is given up
FAREWELL = 3.0  # seconds, where the run is over already and somebody waits for its end


async def with_check(
    patchwork: Patchwork,
    patch_id: int,
    work: Callable[[], Awaitable[Release]],
    *,
    link: Callable[[str, int], str],
    wait: bool = True,
    context: str = CONTEXT,
    patience: float = PATIENCE,
    timeout: float | None = None,
    on_event: OnEvent | None = None,
) -> Release:
    """What `work`, a call of `release`, returns; reported to the patch as a check that is called `context`.

    The check is pending when `work` starts, then a success with what `link`, such as `PatchKit.version_url`,
    makes of the app and the version's id, or a failure with the reason. It stays pending where the service is
    still at work: where `work` gave up waiting, or was told not to `wait`. A check that cannot be posted is a
    warning, and the release goes its way: its end is held up for `patience` seconds at most, or for what is
    left then of the `timeout` of the whole run, if that is less, but for some 3 s in any case.
    Raises `UsageError` for a patch, a context or a bound that cannot be one, and what `work` raises.
    """
    if not callable(work):
        raise UsageError(
            "what is to be reported is a function, and not what it returns",
            hint="Put a lambda around the call of `release`.",
        )
    checked_id(patch_id, "a patch")
    check_body("pending", context, None, None)
    now, patience = anyio.current_time, seconds("patience", patience)
    over = math.inf if timeout is None else now() + seconds("timeout", timeout)
    moment = min(FAREWELL, patience / 2)
    board = _Board(patchwork, patch_id, context, emitter(on_event))
    course = _Course()
    # Shielded, for a request that was abandoned may be carried out later, and would have the last word then.
    start = anyio.CancelScope(deadline=now() + patience, shield=True)
    end = math.inf
    try:
        with first_cause():
            async with anyio.create_task_group() as group:
                started = anyio.Event()
                group.start_soon(board.post, _Check("pending", "the release has started"), start, started.set)
                try:
                    await course.run(work)
                    end = max(now() + moment, min(now() + patience, over))
                    start.deadline = min(start.deadline, end - moment)
                    await started.wait()
                except anyio.get_cancelled_exc_class():
                    start.deadline = min(start.deadline, now() + moment / 2)
                    raise
        await board.post(course.check(wait, link), anyio.CancelScope(deadline=end))
    except anyio.get_cancelled_exc_class():
        await board.post(
            course.check(wait, link), anyio.CancelScope(deadline=now() + moment / 2, shield=True)
        )
        raise
    return course.result()


@dataclass(frozen=True, slots=True)
class _Check:
    """What is to be posted. `link` makes the address that it leads to."""

    state: CheckState
    description: str
    link: Callable[[], str] | None = None


@dataclass(slots=True)
class _Course:
    """One release under way, and what it came to: nothing as yet, or where it was cancelled."""

    outcome: Release | Exception | None = None

    async def run(self, work: Callable[[], Awaitable[Release]]) -> None:
        """Sees `work` to its end, whatever that is."""
        try:
            self.outcome = _released(await work())
        except Exception as error:
            self.outcome = error

    def check(self, wait: bool, link: Callable[[str, int], str]) -> _Check:
        """What there is to say of it."""
        state, description = _verdict(self.outcome, wait)
        match self.outcome:
            case Release(app=app, version_id=version_id):
                return _Check(state, description, lambda: link(app, version_id))
            case _:
                return _Check(state, description)

    def result(self) -> Release:
        """What `work` returned; raises what it raised."""
        if isinstance(self.outcome, Release):
            return self.outcome
        raise self.outcome or AssertionError("the release has not ended")


@dataclass(frozen=True, slots=True)
class _Board:
    """Where the checks of one patch are posted, with a warning where that cannot be."""

    patchwork: Patchwork
    patch_id: int
    context: str
    emit: OnEvent

    async def post(
        self, check: _Check, scope: anyio.CancelScope, then: Callable[[], object] = lambda: None
    ) -> None:
        """Posts `check`, as long as `scope` lets it, and calls `then`, however that ended."""
        trouble: list[str] = []

        def emit(event: Event) -> None:
            if isinstance(event, Retry):
                trouble.append(event.cause)
            self.emit(event)

        problem = ""
        with scope:
            try:
                await self._post(check, self._address(check.link), emit)
            except PkUploadError as error:
                problem = error.message
            except Exception as error:  # whatever it is, it is not to end the release
                problem = f"unexpected {type(error).__name__}"
        if scope.cancelled_caught:
            problem = f"{trouble[-1]}; there was no time for more" if trouble else "no answer in time"
        if problem:
            self._warn(f"could not be set to {check.state}: {problem}")
        then()

    async def _post(self, check: _Check, target: str | None, emit: OnEvent) -> None:
        try:
            await post_check(
                self.patchwork.listening(emit),
                emit,
                self.patch_id,
                check.state,
                context=self.context,
                target_url=target,
                description=self.patchwork.http.plain(check.description),
            )
        except (RecordInvalid, UsageError) as error:  # sites refuse addresses of many kinds
            if target is None:
                raise
            await self._post(check, None, emit)
            self._warn(f"has no link: {error.message}")

    def _address(self, link: Callable[[], str] | None) -> str | None:
        try:
            return None if link is None else link()
        except Exception as error:
            self._warn(f"has no link: unexpected {type(error).__name__}")
            return None

    def _warn(self, problem: str) -> None:
        self.emit(Warned(f"the check of patch {self.patch_id} {problem}"))


class _NoRelease(UsageError):
    """What was to be reported has ended, and nobody knows how."""


def _released(value: object) -> Release:
    if not isinstance(value, Release):
        raise _NoRelease(
            f"what is reported returns a Release, and not {type(value).__name__}",
            hint="Return what `release` returns.",
        )
    return value


def _verdict(outcome: Release | Exception | None, wait: bool) -> tuple[CheckState, str]:
    match outcome:
        case Release():
            return _success(outcome, wait)
        case None:
            return "fail", "the release was interrupted"
        case GaveUpWaiting():
            return "pending", outcome.message
        case _NoRelease():
            return "warning", "the release has ended, and it is not known how"
        case PkUploadError():
            return "fail", outcome.message
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
