"""The journal as a state machine: runs, kills, torn ends, damage and changed sources in any order."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pk_upload.archive import Fingerprint
from pk_upload.errors import StateLocked
from pk_upload.events import Event, Warned
from pk_upload.transfer import lock
from pk_upload.transfer.journal import Journal, open_journal
from pk_upload.transfer.records import (
    FORMAT,
    Begun,
    Checked,
    ChunkDone,
    JobAsked,
    JobStarted,
    PublishAsked,
    Record,
    UploadDropped,
    UploadMade,
    VersionAsked,
    VersionMade,
    encode,
)
from pk_upload.transfer.state_dir import journals

CHUNKS = 12


def about(build: int) -> Begun:
    print_ = Fingerprint(CHUNKS * 100, build, 1, f"{build:064}")
    return Begun(FORMAT, "/build.zip", print_, "https://api.example", "app", "1.0")


@dataclass
class Model:
    """What must be remembered, told in other words than the journal's."""

    build: int
    version: int | None = None
    upload: int | None = None
    chunks: set[int] = field(default_factory=set)
    job: str | None = None
    checked: str | None = None
    publish_asked: bool = False

    def lose_upload(self) -> None:
        self.upload, self.chunks, self.job, self.checked = None, set(), None, None


class JournalMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.portal: BlockingPortal = self.stack.enter_context(start_blocking_portal())
        self.directory = Path(tempfile.mkdtemp())
        self.events: list[Event] = []
        self.journal: Journal | None = None
        self.run: AbstractContextManager[Journal] | None = None
        self.model = Model(0)
        self.uploads = 0

    def teardown(self) -> None:
        if self.run is not None:
            self.run.__exit__(None, None, None)
        self.stack.close()
        shutil.rmtree(self.directory)

    def opened(self, build: int) -> AbstractContextManager[Journal]:
        return self.portal.wrap_async_context_manager(
            open_journal(about(build), self.events.append, state_dir=self.directory)
        )

    def record(self, record: Record) -> None:
        assert self.journal is not None
        self.portal.call(self.journal.record, record)

    @property
    def path(self) -> Path:
        [path] = journals(self.directory)
        return path

    @initialize()
    def first_run(self) -> None:
        self.begin(0)

    @precondition(lambda self: self.run is None)
    @rule(build=st.integers(0, 1))
    def begin(self, build: int) -> None:
        self.events.clear()
        self.run = self.opened(build)
        self.journal = self.run.__enter__()
        if build != self.model.build:
            assert any("changed" in str(event) for event in self.events) == (self.model.upload is not None)
            self.model.build = build
            self.model.publish_asked = False
            self.model.lose_upload()
        else:
            assert not self.events
        self.record(VersionAsked())  # or there is nothing to be gone on with, and no journal is left

    @precondition(lambda self: self.run is not None)
    @rule()
    def a_second_run_is_kept_out(self) -> None:
        with pytest.raises(StateLocked), self.opened(self.model.build):
            pytest.fail("two runs hold one journal")

    @precondition(lambda self: self.run is not None)
    @rule()
    def end(self) -> None:
        """As a kill does, too: nothing is written at the end."""
        assert self.run is not None
        self.run.__exit__(None, None, None)
        self.run = self.journal = None

    @precondition(lambda self: self.run is not None and self.model.version is None and not self.model.job)
    @rule()
    def make_version(self) -> None:
        self.record(VersionMade(5))
        self.model.version = 5

    @precondition(lambda self: self.run is not None and self.model.upload is None)
    @rule()
    def make_upload(self) -> None:
        self.uploads += 1
        self.record(UploadMade(self.uploads, 100))
        self.model.upload = self.uploads

    @precondition(lambda self: self.run is not None and self.model.upload is not None)
    @rule(index=st.integers(0, CHUNKS - 1))
    def confirm(self, index: int) -> None:
        self.record(ChunkDone(index, f"{index:032}"))
        self.model.chunks.add(index)

    @precondition(lambda self: self.run is not None and self.model.upload is not None)
    @rule()
    def start_job(self) -> None:
        self.record(JobAsked())
        self.record(JobStarted("guid"))
        self.model.job = "guid"

    @precondition(lambda self: self.run is not None and self.model.job is not None)
    @rule(content=st.text(max_size=5))
    def check(self, content: str) -> None:
        self.record(Checked(content))
        self.model.checked = content

    @precondition(lambda self: self.run is not None and self.model.version is not None)
    @rule()
    def ask_for_publishing(self) -> None:
        self.record(PublishAsked())
        self.model.publish_asked = True

    @precondition(lambda self: self.run is not None and self.model.upload is not None)
    @rule()
    def drop_upload(self) -> None:
        self.record(UploadDropped())
        self.model.lose_upload()

    @precondition(lambda self: self.run is None)
    @rule(torn=st.sampled_from([ChunkDone(3, "ab" * 16), UploadDropped(), VersionMade(9)]), data=st.data())
    def a_write_is_torn(self, torn: Record, data: st.DataObject) -> None:
        line = encode(torn)
        with self.path.open("ab") as file:
            file.write(line[: data.draw(st.integers(0, len(line) - 1))])

    @precondition(lambda self: self.run is None)
    @rule(zeros=st.integers(1, 5000))
    def the_power_fails(self, zeros: int) -> None:
        """A file system may have given the file its length and not its content."""
        with self.path.open("ab") as file:
            file.write(b"\0" * zeros)

    @precondition(lambda self: self.run is None)
    @rule(data=st.data())
    def a_bit_flips(self, data: st.DataObject) -> None:
        content = bytearray(self.path.read_bytes())
        end = content.rfind(b"\n") + 1  # what is torn off does not count anyway
        bit = data.draw(st.integers(0, end * 8 - 1))
        content[bit // 8] ^= 1 << bit % 8
        self.path.write_bytes(content[:end])
        self.events.clear()
        with self.opened(self.model.build) as journal:
            assert (journal.state.version_id, journal.state.upload_id) == (None, None)
            self.portal.call(journal.record, VersionAsked())
        assert [type(event) for event in self.events] == [Warned]
        assert "damaged" in str(self.events[0])
        self.model = Model(self.model.build)

    @precondition(lambda self: self.run is not None)
    @rule()
    def finish(self) -> None:
        assert self.journal is not None
        self.portal.call(self.journal.finish)
        self.end()
        assert [path.name for path in self.directory.iterdir() if path.suffix != ".damaged"] == []
        self.model = Model(self.model.build)
        self.begin(self.model.build)

    @invariant()
    def all_is_remembered(self) -> None:
        if self.journal is None:
            return
        state, model = self.journal.state, self.model
        assert state.begun == about(model.build)
        assert (state.version_id, state.upload_id) == (model.version, model.upload)
        assert set(state.chunks) == model.chunks
        assert (state.job_guid, state.content) == (model.job, model.checked)
        assert state.publish_asked == model.publish_asked


def test_whatever_happens_the_journal_knows_what_was_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.01)
    run_state_machine_as_test(
        JournalMachine, settings=settings(max_examples=40, stateful_step_count=30, deadline=None)
    )
