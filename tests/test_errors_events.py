"""The vocabulary: errors with exit codes and JSON forms, first causes, events and their delivery."""

from __future__ import annotations

import json
import re
import traceback
from dataclasses import FrozenInstanceError, fields

import pytest

from pk_upload import errors, events
from pk_upload.errors import (
    ApiError,
    ConnectionLost,
    NotFound,
    PkUploadError,
    Refused,
    ServerError,
    UploadFailed,
    UsageError,
    api_error,
    first_cause,
)
from pk_upload.events import (
    Bytes,
    ChunkRetry,
    Event,
    Lanes,
    Message,
    Progress,
    Retry,
    Stage,
    Warned,
    emitter,
)

EXIT_CODES = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 130, 143}
KINDS = [
    kind
    for kind in map(vars(errors).get, errors.__all__)
    if isinstance(kind, type) and issubclass(kind, PkUploadError)
]


def make(kind: type[PkUploadError], hint: str | None = None) -> PkUploadError:
    if issubclass(kind, ApiError):
        return kind("it failed", status=418, hint=hint)
    return kind("it failed", hint=hint)


# Errors


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_an_exit_code_and_a_json_form(kind: type[PkUploadError]) -> None:
    error = make(kind)
    assert error.exit_code in EXIT_CODES
    assert error.to_dict() == {
        "type": kind.__name__,
        "message": "it failed",
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
    assert json.loads(json.dumps(error.to_dict())) == error.to_dict()
    assert str(error) == error.message == "it failed"


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_takes_a_hint_of_its_own(kind: type[PkUploadError]) -> None:
    assert make(kind).hint == kind.default_hint
    assert make(kind, "do this").hint == "do this"
    assert make(kind, "").hint == ""


def test_every_error_is_public() -> None:
    defined = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, PkUploadError)
    }
    assert defined == {kind.__name__ for kind in KINDS}


def test_the_tree_in_the_docstring_is_the_one_of_the_classes() -> None:
    drawn: dict[str, tuple[str, int]] = {}
    above: list[str] = ["Exception"]
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"([ │├└─]*)(\w+) +(\d+)", line):
            depth = len(found[1]) // 4
            above[depth + 1 :] = [found[2]]
            drawn[found[2]] = (above[depth], int(found[3]))
    assert drawn == {kind.__name__: (kind.__bases__[0].__name__, kind.exit_code) for kind in KINDS}


def test_an_api_error_carries_what_the_service_said() -> None:
    error = api_error(404, "no such app", symbol="GONE", retry_after=3.0)
    assert isinstance(error, NotFound)
    assert (error.status, error.symbol, error.retry_after) == (404, "GONE", 3.0)


@pytest.mark.parametrize("status", [500, 501, 502, 504, 599])
def test_other_faults_of_the_server_are_server_errors(status: int) -> None:
    assert type(api_error(status, "")) is ServerError


@pytest.mark.parametrize("status", [408, 429, 503])
def test_refusals_are_no_server_errors(status: int) -> None:
    assert type(api_error(status, "")) is Refused


# First causes


def test_a_single_error_passes_as_it_is() -> None:
    error = UsageError("wrong")
    with pytest.raises(UsageError) as caught, first_cause():
        raise error
    assert caught.value is error
    assert not hasattr(error, "__notes__")


def test_nothing_raised_is_nothing_changed() -> None:
    with first_cause():
        pass


def test_the_first_of_a_group_comes_out_with_the_others_as_notes() -> None:
    first, second, third = ConnectionLost("one"), UploadFailed("two"), OSError("three")
    with pytest.raises(ConnectionLost) as caught, first_cause():
        raise ExceptionGroup("lanes", [first, second, third])
    assert caught.value is first
    assert first.__notes__ == ["also: UploadFailed: two", "also: OSError: three"]


def test_nested_groups_are_unwrapped_in_order() -> None:
    leaves = [ConnectionLost(name) for name in "abcd"]
    inner = ExceptionGroup("inner", [ExceptionGroup("innermost", leaves[:2]), leaves[2]])
    with pytest.raises(ConnectionLost) as caught, first_cause():
        raise ExceptionGroup("outer", [inner, leaves[3]])
    assert caught.value is leaves[0]
    assert leaves[0].__notes__ == [f"also: ConnectionLost: {name}" for name in "bcd"]


def test_an_interrupt_in_a_group_stays_one() -> None:
    with pytest.raises(KeyboardInterrupt), first_cause():
        raise BaseExceptionGroup("lanes", [KeyboardInterrupt()])


def test_the_cause_of_the_first_cause_is_kept() -> None:
    error, root = UploadFailed("chunk 3"), OSError("disk")
    error.__cause__ = root
    with pytest.raises(UploadFailed) as caught, first_cause():
        raise ExceptionGroup("lanes", [error])
    assert caught.value.__cause__ is root


def test_no_group_is_left_in_the_traceback() -> None:
    with pytest.raises(ConnectionLost) as caught, first_cause():
        raise ExceptionGroup("lanes", [ConnectionLost("one"), ConnectionLost("two")])
    shown = "".join(traceback.format_exception(caught.value))
    assert "ExceptionGroup:" not in shown
    assert "also: ConnectionLost: two" in shown


# Events

EVENTS: list[Event] = [
    Stage("upload", "7"),
    Bytes(sent=10, confirmed=20, resumed=10, total=100),
    Lanes(4, "the rate grew"),
    Retry("GET /1/apps", 1, "the connection was lost", 0.5),
    ChunkRetry(chunk=3, offset=30, attempt=2, cause="stalled", wait=1.5),
    Progress("processing", 0.25, "waiting for free worker..."),
    Message("warning", "no icon"),
    Warned("the source has changed"),
]


def test_the_list_of_events_is_complete() -> None:
    kinds = {kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)}
    assert {type(event) for event in EVENTS} == kinds - {Event}
    assert {kind.__name__ for kind in kinds} <= set(events.__all__)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_the_json_form_of_an_event_is_its_name_and_its_fields(event: Event) -> None:
    form = event.to_dict()
    assert json.loads(json.dumps(form)) == form
    assert form.pop("event") == type(event).__name__.lower()
    assert form == {field.name: getattr(event, field.name) for field in fields(event)}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_cannot_be_changed(event: Event) -> None:
    name = fields(event)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(event, name, "another")


def test_the_names_of_events_differ() -> None:
    assert len({event.to_dict()["event"] for event in EVENTS}) == len(EVENTS)


def test_events_are_delivered_in_order() -> None:
    heard: list[Event] = []
    emit = emitter(heard.append)
    for event in EVENTS:
        emit(event)
    assert heard == EVENTS


def test_without_a_listener_events_go_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    emitter(None)(EVENTS[0])
    assert caplog.records == []


def test_a_fault_of_the_listener_is_logged_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Event] = []

    def fail_once(event: Event) -> None:
        heard.append(event)
        if len(heard) == 1:
            raise RuntimeError("broken listener")

    emit = emitter(fail_once)
    emit(EVENTS[0])
    emit(EVENTS[1])
    assert heard == EVENTS[:2]
    (record,) = caplog.records
    assert record.name == "pk_upload"
    assert record.levelname == "ERROR"
    assert "Stage" in record.getMessage()
    assert "broken listener" in caplog.text


def test_an_interrupt_in_the_listener_is_not_held_back() -> None:
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        emitter(interrupt)(EVENTS[0])


@pytest.mark.parametrize("name", [kind.__name__ for kind in KINDS])
def test_every_error_says_what_to_do_next(name: str) -> None:
    assert getattr(errors, name).default_hint
