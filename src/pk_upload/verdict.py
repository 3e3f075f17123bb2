"""How a release goes, told to a patch on Patchwork: a check that is pending, and then says how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from pk_upload.errors import GaveUpWaiting, PkUploadError
from pk_upload.events import OnEvent, Warned, emitter
from pk_upload.given import seconds
from pk_upload.patchwork import CheckState, Patchwork
from pk_upload.patchwork.requests import LONGEST_TARGET, check_body, number
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
    on_event: OnEvent | None = None,
) -> Release:
    """What `work`, a call of `release`, returns; told to the patch as a check that is called `context`.

    The check is pending when `work` starts, then a success with what `link`, such as `PatchKit.version_url`,
    makes of the app and the version's id, or a failure with the reason. It stays pending where the service is
    still at work: where `work` gave up waiting, or was told not to `wait`. A check that cannot be posted, or
    not within `patience` seconds, is a warning, and the release goes its way.
    Raises `UsageError` for a patch, a context or a bound that cannot be one, and what `work` raises.
    """
    number(patch_id, "a patch")
    check_body("pending", context, None, None)
    emit = emitter(on_event)
    teller = _Teller(patchwork.listening(emit), patch_id, context, seconds("patience", patience), emit)
    try:
        await teller.tell("pending", "the release has started")
        done = await work()
    except Exception as error:
        await teller.tell(*_failure(error))
        raise
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(FAREWELL):
                await teller.tell("fail", "the release was interrupted")
        raise
    await teller.tell(*_success(done, wait), target=link(done.app, done.version_id))
    return done


@dataclass(frozen=True, slots=True)
class _Teller:
    """Posts checks to one patch, and warns where it cannot."""

    patchwork: Patchwork
    patch_id: int
    context: str
    patience: float
    emit: OnEvent

    async def tell(self, state: CheckState, said: str, *, target: str | None = None) -> None:
        problem = f"there was no answer within {self.patience:g} s"
        with anyio.move_on_after(self.patience):
            try:
                await post_check(
                    self.patchwork,
                    self.emit,
                    self.patch_id,
                    state,
                    context=self.context,
                    target_url=target if target and len(target) <= LONGEST_TARGET else None,
                    description=self.patchwork.http.plain(said),
                )
                return
            except PkUploadError as error:
                problem = error.message
        self.emit(Warned(f"patch {self.patch_id} is not told that its check is {state}: {problem}"))


def _success(done: Release, wait: bool) -> tuple[CheckState, str]:
    version = f"version {done.version_id} ({done.label})"
    if done.published:
        return "success", f"{version} is published"
    if done.publish_time is not None:
        return "success", f"{version} is processed and will be published"
    if wait:
        return "success", f"{version} is processed"
    return "pending", f"{version} was accepted and is being processed"


def _failure(error: Exception) -> tuple[CheckState, str]:
    match error:
        case GaveUpWaiting():
            return "pending", error.message
        case PkUploadError():
            return "fail", error.message
        case _:
            return "fail", f"the release ended with an unexpected {type(error).__name__}"
