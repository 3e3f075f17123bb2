"""What a journal says: its records, what they add up to, and how a line of it reads. Pure.

A line is the CRC-32 of the record's JSON in eight hex digits, a blank, that JSON, and a line feed.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal, NamedTuple, TypeAlias

import msgspec

from pk_upload.archive import Fingerprint
from pk_upload.transfer.confirmed import Confirmed

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
    "RunName",
    "State",
    "UploadDropped",
    "UploadMade",
    "VersionAsked",
    "VersionMade",
    "VersionRefused",
    "encode",
    "replay",
    "retold",
]

FORMAT = 1
LONGEST_LINE = 1 << 20
"""Bytes; a longer line was not written here, and is not read into memory either."""


Counted: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]


class RunName(NamedTuple):
    """What tells one run from another, whatever became of the source: each has a journal."""

    source: str
    api_url: str
    app: str
    label: str


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """What the journal is about: the first record, and again when the source has changed.

    `compression` is how a folder is made a ZIP: one that goes on must do it the same way.
    """

    format: int
    source: str
    fingerprint: Fingerprint
    api_url: str
    app: str = ""
    label: str = ""
    compression: Literal["", "store", "deflate"] = ""

    @property
    def run(self) -> RunName:
        return RunName(self.source, self.api_url, self.app, self.label)


class VersionAsked(msgspec.Struct, frozen=True, tag="version-asked"):
    """A draft is about to be made: one found later under our label is ours."""


class VersionRefused(msgspec.Struct, frozen=True, tag="version-refused"):
    """Surely no draft was made: one found later is somebody else's."""


class VersionMade(msgspec.Struct, frozen=True, tag="version"):
    id: Counted


class UploadMade(msgspec.Struct, frozen=True, tag="upload"):
    """All chunks confirmed from here on belong to this upload."""

    id: Counted
    chunk_size: Counted


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
    """What the records add up to. `digests` has the MD5 of each confirmed chunk where it was asked for."""

    def __init__(self, *, digests: bool = False) -> None:
        self.digests: dict[int, str] | None = {} if digests else None
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
                self.begun, self.publish_asked = record, False
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
                if self.digests is not None:
                    self.digests[record.index] = record.md5
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
        if self.digests is not None:
            self.digests.clear()

    @property
    def worthless(self) -> bool:
        """Whether nobody could go on with it: nothing was made, nor asked for without an answer."""
        return self.version_id is None and self.upload_id is None and not self.version_asked

    @property
    def step(self) -> str:
        """Where the release stands: at its version, upload, processing, publishing, or processed."""
        if self.publish_asked:
            return "publishing"
        if self.content is not None:
            return "processed"
        if self.job_asked:
            return "processing"
        return "version" if self.upload_id is None else "upload"


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)
_BEGINNING = re.compile(rb"[0-9a-f]{1,8}|[0-9a-f]{8} .*", re.DOTALL)


def encode(record: Record) -> bytes:
    """The record's line."""
    data = _encoder.encode(record)
    return b"%08x %s\n" % (zlib.crc32(data), data)


def retold(state: State, begun: Begun, digests: Mapping[int, str]) -> Iterator[Record]:
    """The shortest journal that adds up to `state`, under another beginning and with these chunks alone.

    Where the upload was given to a version already and some of its chunks are not among them, it is left out.
    """
    yield begun
    if state.version_id is not None:
        yield VersionMade(state.version_id)
    if state.version_asked:
        yield VersionAsked()
    complete = state.chunk_size * len(digests) >= begun.fingerprint.size
    if state.upload_id is None or (state.job_asked and not complete):
        return
    yield UploadMade(state.upload_id, state.chunk_size)
    for index, md5 in digests.items():
        yield ChunkDone(index, md5)
    if state.job_asked:
        yield JobAsked()
    if state.job_guid is not None:
        yield JobStarted(state.job_guid)
    if state.content is not None:
        yield Checked(state.content)
    if state.publish_asked:
        yield PublishAsked()


def replay(lines: Iterable[bytes], *, digests: bool = False) -> tuple[State, int]:
    """The state after all whole lines, and their length in bytes: a torn last line is left out.

    Raises `Damaged` for anything else that was not written so.
    """
    state, whole = State(digests=digests), 0
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise Damaged(f"line {number} is longer than any that is written")
        if not line.endswith(b"\n"):
            if _is_whole(line[:-1]):  # a torn line lacks its end; this one has another
                raise Damaged(f"line {number} does not end as it was written")
            if number == 1 and not _BEGINNING.fullmatch(line):
                raise Damaged("it has no whole line")
            break
        record = _decode(line[:-1], number)
        if (state.begun is None) != (isinstance(record, Begun) and number == 1):
            raise Damaged("its first line does not say what it is about")
        if isinstance(record, Begun) and state.begun is not None and record.run != state.begun.run:
            raise Damaged(f"line {number} is about another run")
        state.apply(record)
        whole += len(line)
    _check(state)
    return state, whole


def _is_whole(line: bytes) -> bool:
    checksum, _, data = line.partition(b" ")
    return checksum == b"%08x" % zlib.crc32(data)


def _decode(line: bytes, number: int) -> Record:
    if not _is_whole(line):
        raise Damaged(f"line {number} is not what was written")
    try:
        record: Record = _decoder.decode(line.partition(b" ")[2])
    except msgspec.DecodeError as error:
        raise Damaged(f"line {number}: {error}") from None
    return record


def _check(state: State) -> None:
    """Values that no run writes would send the engine astray even under a good checksum."""
    if state.begun is not None and state.begun.format != FORMAT:
        raise Damaged(f"its format is {state.begun.format}, this version reads {FORMAT}")
    if state.upload_id is not None and state.begun is not None:
        count = -(-state.begun.fingerprint.size // state.chunk_size)
        if state.chunks.highest >= count:
            raise Damaged("it names chunks that the source does not have")
    elif state.chunks:
        raise Damaged("it names chunks of no upload")
