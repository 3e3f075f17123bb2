"""What the steps of one release share."""

from __future__ import annotations

from dataclasses import dataclass, field

from pk_upload.errors import UsageError
from pk_upload.events import Message, OnEvent, Stage, StageName, Warned
from pk_upload.given import seconds
from pk_upload.patchkit import PatchKit
from pk_upload.transfer import Journal, Source, Tally, TransferConfig, Upload

__all__ = ["Run", "Wishes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the caller wants of a release; timeouts are seconds.

    Raises `UsageError` for one that bounds nothing.
    """

    app: str
    label: str
    changelog: str | None
    publish: bool
    wait: bool
    overwrite_draft: bool
    processing_timeout: float
    publishing_timeout: float

    def __post_init__(self) -> None:
        for name in ("processing_timeout", "publishing_timeout"):
            seconds(name, getattr(self, name))
        for name in ("app", "label"):
            try:
                getattr(self, name).encode()
            except UnicodeEncodeError:
                raise UsageError(f"the {name} has characters that no text has") from None


@dataclass(slots=True)
class Run:
    """One release under way: its means, and what it has come to so far."""

    patchkit: PatchKit
    source: Source
    journal: Journal
    wishes: Wishes
    config: TransferConfig
    emit: OnEvent
    tally: Tally
    stage: StageName = "version"
    upload: Upload | None = None
    messages: list[Message] = field(default_factory=list)

    def begin(self, stage: StageName, detail: str) -> None:
        self.stage = stage
        self.emit(Stage(stage, detail))

    def warn(self, message: str) -> None:
        self.emit(Warned(message))
