"""What a journal says: its records, what they add up to, and how a line of it reads. Pure.

A line is the CRC-32 of the record's JSON in eight hex digits, a blank, that JSON, and a line feed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Annotated, TypeAlias

import msgspec

from pk_upload.transfer.confirmed import Confirmed
from pk_upload.transfer.source import Fingerprint

__all__ = [
    "FORMAT",
    "Begun",
    "Checked",
    "ChunkDone",
    "Damaged",
    "JobAsked",
    "JobStarted",
    "PublishAsked",
    "Record",
    "State",
    "UploadDropped",
    "UploadMade",
    "VersionAsked",
    "VersionMade",
    "VersionRefused",
    "encode",
    "replay",
]

FORMAT = 1


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """What the journal is about: the first record, and again when the source has changed."""

    format: int
    source: str
    fingerprint: Fingerprint
    api_url: str
    app: str = ""
    label: str = ""


class VersionAsked(msgspec.Struct, frozen=True, tag="version-asked"):
    """A draft is about to be made: one found later under our label is ours."""


class VersionRefused(msgspec.Struct, frozen=True, tag="version-refused"):
    """Surely no draft was made: one found later is somebody else's."""


class VersionMade(msgspec.Struct, frozen=True, tag="version"):
    id: int


class UploadMade(msgspec.Struct, frozen=True, tag="upload"):
    """All chunks confirmed from here on belong to this upload."""

    id: int
    chunk_size: int


class ChunkDone(msgspec.Struct, frozen=True, tag="chunk"):
    """The service has acknowledged a chunk whose bytes had this MD5."""

    index: Annotated[int, msgspec.Meta(ge=0)]
    md5: str = ""


class JobAsked(msgspec.Struct, frozen=True, tag="job-asked"):
    """Processing is about to be asked for: what becomes of the version from here on is of this build."""


class JobStarted(msgspec.Struct, frozen=True, tag="job"):
    guid: str


class Checked(msgspec.Struct, frozen=True, tag="checked"):
    """Processing has ended well; `content` is what the version then told of its content."""

    content: str


class PublishAsked(msgspec.Struct, frozen=True, tag="publish-asked"):
    """Publishing of a draft without a time is about to be asked for: a time found later is our doing."""


class UploadDropped(msgspec.Struct, frozen=True, tag="dropped"):
    """The upload and its job led nowhere and must not be gone on with."""


Record: TypeAlias = (
    Begun
    | VersionAsked
    | VersionRefused
    | VersionMade
    | UploadMade
    | ChunkDone
    | JobAsked
    | JobStarted
    | Checked
    | PublishAsked
    | UploadDropped
)


class Damaged(Exception):
    """A journal that cannot be trusted; the message says why."""


class State:
    """What the records add up to."""

    def __init__(self) -> None:
        self.begun: Begun | None = None
        self.version_asked = False
        self.version_id: int | None = None
        self.upload_id: int | None = None
        self.chunk_size = 0
        self.chunks = Confirmed()
        self.job_asked = False
        self.job_guid: str | None = None
        self.content: str | None = None
        self.publish_asked = False

    def apply(self, record: Record) -> None:  # noqa: C901 - one short case a kind of record
        match record:
            case Begun():
                self.begun = record
                self._drop_upload()
            case VersionAsked():
                self.version_asked = True
            case VersionRefused():
                self.version_asked = False
            case VersionMade():
                if record.id != self.version_id and self.job_asked:
                    self._drop_upload()  # it was given to the version before
                self.version_id, self.version_asked, self.publish_asked = record.id, False, False
            case UploadMade():
                self._drop_upload()
                self.upload_id, self.chunk_size = record.id, record.chunk_size
            case ChunkDone():
                self.chunks.add(record.index)
            case JobAsked():
                self.job_asked = True
            case JobStarted():
                self.job_asked, self.job_guid = True, record.guid
            case Checked():
                self.content = record.content
            case PublishAsked():
                self.publish_asked = True
            case UploadDropped():
                self._drop_upload()

    def _drop_upload(self) -> None:
        self.upload_id, self.chunk_size, self.chunks = None, 0, Confirmed()
        self.job_asked, self.job_guid, self.content = False, None, None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """The record's line."""
    data = _encoder.encode(record)
    return b"%08x %s\n" % (zlib.crc32(data), data)


def replay(lines: Iterable[bytes]) -> tuple[State, int]:
    """The state after all whole lines, and their length in bytes: a torn last line is left out.

    Raises `Damaged` for anything else that was not written so.
    """
    state, whole = State(), 0
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            break
        record = _decode(line[:-1], number)
        if (state.begun is None) != (isinstance(record, Begun) and number == 1):
            raise Damaged("its first line does not say what it is about")
        state.apply(record)
        whole += len(line)
    _check(state)
    return state, whole


def _decode(line: bytes, number: int) -> Record:
    checksum, _, data = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(data):
        raise Damaged(f"line {number} is not what was written")
    try:
        record: Record = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise Damaged(f"line {number}: {error}") from None
    return record


def _check(state: State) -> None:
    """Values that no run writes would send the engine astray even under a good checksum."""
    if state.begun is not None and state.begun.format != FORMAT:
        raise Damaged(f"its format is {state.begun.format}, this version reads {FORMAT}")
    if state.upload_id is not None and state.begun is not None:
        if state.chunk_size < 1:
            raise Damaged("its chunks have no size")
        count = -(-state.begun.fingerprint.size // state.chunk_size)
        if state.chunks.highest >= count:
            raise Damaged("it names chunks that the source does not have")
    elif state.chunks:
        raise Damaged("it names chunks of no upload")
