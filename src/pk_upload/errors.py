"""Every error a caller can meet, and what the command line does with it.

PkUploadError                  1
├── UsageError                 2   the call itself is wrong
│   └── SourceUnreadable       2   the source is missing or cannot be read
├── ApiError                   1   the service answered with an error status
│   ├── BadRequest             1   400
│   │   └── RecordInvalid      2   422, and a 400 that names fields
│   ├── AuthenticationFailed   3   401
│   ├── Forbidden              3   403
│   ├── NotFound               4   404, 410
│   ├── MethodNotAllowed       1   405
│   ├── NotAcceptable          1   406, 415
│   ├── Conflict               5   409
│   ├── ChunkMismatch          9   412
│   ├── Refused                7   408, 429, 503: not carried out, may be repeated
│   └── ServerError            7   other 5xx: carried out or not, nobody knows
├── Redirected                 9   an answer that points elsewhere is never followed
├── NetworkError               7   no complete answer
│   ├── ConnectFailed          7   nothing was sent
│   │   └── TlsFailed          7   the certificate is not to be trusted
│   ├── ConnectionLost         7   carried out or not, nobody knows
│   ├── Stalled                7   no byte moved for too long
│   └── DeadlineExceeded       7   the time for the run is over
├── UnexpectedAnswer           7   not what the service's documents promise
├── DraftExists                5   somebody's draft is in the way
├── ProcessingFailed           6   the job failed, or the build has errors
├── PublishingFailed           6
├── UploadFailed               9   the bytes could not be delivered
│   ├── ChunkRefused           9   the service does not take a chunk
│   └── SourceChanged          9   the source is no longer what was begun with
├── PreflightFailed           10   the source is no good ZIP
├── StateError                11   the journal cannot be used
│   └── StateLocked           11   another run holds it
├── GaveUpWaiting             12   the service is still working
└── DestinationUnwritable      1   what was downloaded cannot be kept
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "ApiError",
    "AuthenticationFailed",
    "BadRequest",
    "ChunkMismatch",
    "ChunkRefused",
    "Conflict",
    "ConnectFailed",
    "ConnectionLost",
    "DeadlineExceeded",
    "DestinationUnwritable",
    "DraftExists",
    "FieldError",
    "Forbidden",
    "GaveUpWaiting",
    "MethodNotAllowed",
    "NetworkError",
    "NotAcceptable",
    "NotFound",
    "PkUploadError",
    "PreflightFailed",
    "ProcessingFailed",
    "PublishingFailed",
    "RecordInvalid",
    "Redirected",
    "Refused",
    "ServerError",
    "SourceChanged",
    "SourceUnreadable",
    "Stalled",
    "StateError",
    "StateLocked",
    "TlsFailed",
    "UnexpectedAnswer",
    "UploadFailed",
    "UsageError",
    "api_error",
    "first_cause",
]


class PkUploadError(Exception):
    """The root. `message` says what happened, `hint` what to do next, `exit_code` what a command returns."""

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = "--verbose tells more."

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint

    def to_dict(self) -> dict[str, str | int]:
        """The JSON form: type, message, hint and exit_code."""
        return {
            "type": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "exit_code": self.exit_code,
        }


class UsageError(PkUploadError):
    exit_code = 2
    default_hint = "The documentation of the call, or --help, says what it takes."


class SourceUnreadable(UsageError):
    default_hint = "Check the path and its permissions."


class ApiError(PkUploadError):
    """The service answered `status`; `symbol` is its own name for the error, if it gave one.

    `retry_after` is the wait in seconds that the service asked for, if it did.
    """

    default_hint = "The service's documentation tells what it asks for."

    def __init__(
        self,
        message: str,
        *,
        status: int,
        symbol: str | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.symbol = symbol
        self.retry_after = retry_after


class BadRequest(ApiError):
    default_hint = "The message tells what the service does not like about the request."


class AuthenticationFailed(ApiError):
    exit_code = 3
    default_hint = "Check the API key: --api-key or PATCHKIT_API_KEY; it is shown on your account page."


class Forbidden(ApiError):
    exit_code = 3
    default_hint = "The API key is valid but may not do this; check that it belongs to the app's owner."


class NotFound(ApiError):
    exit_code = 4
    default_hint = "Check the identifier: the app's secret, the version's id, the job's GUID."


class MethodNotAllowed(ApiError):
    default_hint = "The service does not do this here; another version of its API may."


class NotAcceptable(ApiError):
    default_hint = "The service takes or gives another form here; check that the address is its API."


class Conflict(ApiError):
    exit_code = 5
    default_hint = "Something else is being done to this app; look at its state and try again."


class ChunkMismatch(ApiError):
    exit_code = 9
    default_hint = "What arrives is not what was sent; check the network path, a proxy above all."


@dataclass(frozen=True, slots=True)
class FieldError:
    """Why the service does not take one `field` of a `resource`, in its own words."""

    field: str
    resource: str
    message: str

    def __str__(self) -> str:
        # Where a resource is named the message goes on after the field: "name can't be blank".
        return f"{self.field} {self.message}" if self.resource else f"{self.field}: {self.message}"


class RecordInvalid(BadRequest):
    """A value did not pass the service's validation; `errors` names each field."""

    exit_code = 2
    default_hint = "Change what the message names and try again."

    errors: tuple[FieldError, ...] = ()


class Refused(ApiError):
    exit_code = 7
    default_hint = "The service is busy or limits requests; try again later."


class ServerError(ApiError):
    exit_code = 7
    default_hint = "Try again; if it goes on, report it to the service's support."


class Redirected(PkUploadError):
    exit_code = 9
    default_hint = "Give the service's final address with --api-url and --upload-url."


class NetworkError(PkUploadError):
    exit_code = 7
    default_hint = "Check the connection and the address; a second run goes on where this one stopped."


class ConnectFailed(NetworkError):
    default_hint = "Check the connection, the address and the proxy settings."


class TlsFailed(ConnectFailed):
    default_hint = (
        "Check the address, the clock of this machine and the certificates it trusts; --ca-bundle adds some."
    )


class ConnectionLost(NetworkError):
    pass


class Stalled(NetworkError):
    default_hint = "Check the connection, or allow more time with --stall-timeout."


class DeadlineExceeded(NetworkError):
    default_hint = "Allow more time with --timeout; a second run goes on where this one stopped."


class UnexpectedAnswer(PkUploadError):
    exit_code = 7
    default_hint = "Check that the address is the service's API and not a web page or a proxy."


class DraftExists(PkUploadError):
    exit_code = 5
    default_hint = "Publish or delete it on the service's site, or put this build into it: --overwrite-draft."


class ProcessingFailed(PkUploadError):
    exit_code = 6
    default_hint = "Mend the build and push it again."


class PublishingFailed(PkUploadError):
    exit_code = 6
    default_hint = "Look at the version in the service's panel and publish it again."


class UploadFailed(PkUploadError):
    exit_code = 9
    default_hint = "A second run goes on where this one stopped."


class ChunkRefused(UploadFailed):
    default_hint = "Begin a new upload with --no-resume; if that is refused too, report it to the service."


class SourceChanged(UploadFailed):
    default_hint = "Let the build finish before pushing it, then run the same command again."


class PreflightFailed(PkUploadError):
    exit_code = 10
    default_hint = "Make one ZIP with the methods STORE or DEFLATE and push that."


class StateError(PkUploadError):
    exit_code = 11
    default_hint = "Run again with --no-resume, or with another --state-dir."


class StateLocked(StateError):
    default_hint = "Wait for that run, or end it."


class GaveUpWaiting(PkUploadError):
    exit_code = 12
    default_hint = "The service still works on it; the same command goes on waiting."


class DestinationUnwritable(PkUploadError):
    default_hint = "Make room or check the permissions, or write to another place."


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: AuthenticationFailed,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    408: Refused,
    409: Conflict,
    410: NotFound,
    412: ChunkMismatch,
    415: NotAcceptable,
    422: RecordInvalid,
    429: Refused,
    503: Refused,
}


def api_error(
    status: int,
    message: str,
    *,
    symbol: str | None = None,
    retry_after: float | None = None,
    hint: str | None = None,
    errors: tuple[FieldError, ...] = (),
) -> ApiError:
    """The exception that stands for `status`, after the table of the service's documentation."""
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    if kind is BadRequest and errors:
        kind = RecordInvalid
    error = kind(message, status=status, symbol=symbol, retry_after=retry_after, hint=hint)
    if isinstance(error, RecordInvalid):
        error.errors = errors
    return error


@contextmanager
def first_cause() -> Iterator[None]:
    """Around a task group: what reaches the caller is the first cause; the others become its notes."""
    try:
        yield
    except BaseExceptionGroup as group:
        cause, *others = _leaves(group)
        for other in others:
            cause.add_note(f"also: {type(other).__name__}: {other}")
        raise cause from cause.__cause__


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]
