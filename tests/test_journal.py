"""What a run leaves behind, and what the next one makes of it."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pk_upload.archive import Fingerprint
from pk_upload.errors import StateLocked
from pk_upload.events import Event, Warned
from pk_upload.transfer import forget, kept
from pk_upload.transfer.journal import Journal, open_journal
from pk_upload.transfer.records import (
    FORMAT,
    Begun,
    ChunkDone,
    Damaged,
    JobStarted,
    PublishAsked,
    Record,
    State,
    UploadDropped,
    UploadMade,
    VersionAsked,
    VersionMade,
    VersionRefused,
    encode,
    replay,
    retold,
)
from pk_upload.transfer.state_dir import default_state_dir, journal_path, read

pytestmark = pytest.mark.anyio

PRINT = Fingerprint(100_000, 1, 2, "d" * 64)
BEGUN = Begun(FORMAT, "/build.zip", PRINT, "https://api.example", "app", "1.0")
UPLOADED: list[Record] = [BEGUN, VersionAsked(), VersionMade(3), UploadMade(9, 10_000)]

later_records = st.one_of(  # what one upload can have
    st.builds(ChunkDone, st.integers(0, 9), st.text("0123456789abcdef", min_size=32, max_size=32)),
    st.builds(JobStarted, st.text(min_size=1)),
    st.just(PublishAsked()),
)


def lines(*records: Record) -> bytes:
    return b"".join(map(encode, records))


def replayed(journal: bytes) -> tuple[State, int]:
    return replay(io.BytesIO(journal))


def test_records_add_up() -> None:
    state, whole = replayed(lines(*UPLOADED, ChunkDone(4, "ab"), ChunkDone(0, "cd"), JobStarted("guid")))
    assert state.begun == BEGUN
    assert (state.version_id, state.upload_id, state.chunk_size, state.job_guid) == (3, 9, 10_000, "guid")
    assert set(state.chunks) == {0, 4}
    assert whole == len(lines(*UPLOADED, ChunkDone(4, "ab"), ChunkDone(0, "cd"), JobStarted("guid")))


@pytest.mark.parametrize("record", [UploadDropped(), BEGUN])
def test_a_lost_upload_takes_its_chunks_and_its_job_with_it(record: Record) -> None:
    state, _ = replayed(lines(*UPLOADED, ChunkDone(4), JobStarted("guid"), record))
    assert state.version_id == 3
    assert (state.upload_id, list(state.chunks), state.job_guid) == (None, [], None)


@given(st.lists(later_records, max_size=8))
def test_every_prefix_is_read_and_trusts_nothing_unconfirmed(more: list[Record]) -> None:
    records = [*UPLOADED, *more]
    journal = lines(*records)
    ends = [len(lines(*records[:count])) for count in range(len(records) + 1)]
    for cut in range(len(journal) + 1):
        state, whole = replayed(journal[:cut])
        count = sum(end <= cut for end in ends) - 1
        assert whole == ends[count]
        confirmed = {record.index for record in records[:count] if isinstance(record, ChunkDone)}
        assert set(state.chunks) == confirmed


def test_every_flipped_bit_is_detected() -> None:
    journal = bytearray(lines(*UPLOADED, ChunkDone(4, "ab" * 16), ChunkDone(7, "cd" * 16)))
    for bit in range(len(journal) * 8):
        journal[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Damaged):
            replayed(bytes(journal))
        journal[bit // 8] ^= 1 << bit % 8
    assert set(replayed(bytes(journal))[0].chunks) == {4, 7}


@given(st.lists(later_records, max_size=8), st.sets(st.integers(0, 9)))
def test_a_journal_told_anew_adds_up_to_the_same(more: list[Record], lost: set[int]) -> None:
    state, _ = replay(io.BytesIO(lines(*UPLOADED, *more)), digests=True)
    assert state.digests is not None
    digests = {index: md5 for index, md5 in state.digests.items() if index not in lost}
    assert state.digests.keys() == state.chunks
    other = Begun(FORMAT, "/elsewhere.zip", PRINT, BEGUN.api_url, BEGUN.app, BEGUN.label)
    anew, _ = replay(io.BytesIO(lines(*retold(state, other, digests))), digests=True)
    assert anew.begun == other
    if state.job_asked and len(digests) < 10:
        assert (anew.upload_id, anew.job_asked, anew.version_id) == (None, False, state.version_id)
        return
    assert set(anew.chunks) == state.chunks - lost
    assert anew.digests == digests
    for name in (
        "version_id",
        "upload_id",
        "chunk_size",
        "job_asked",
        "job_guid",
        "content",
        "publish_asked",
    ):
        assert getattr(anew, name) == getattr(state, name)


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(lines(*UPLOADED))
    os.truncate(path, 8 * 1024**3)
    with pytest.raises(Damaged, match="longer"):
        read(path)


@given(st.binary(max_size=200))
def test_garbage_is_damage_and_nothing_else(garbage: bytes) -> None:
    try:
        state, _ = replayed(garbage)
    except Damaged:
        return
    assert state.begun is None


@pytest.mark.parametrize(
    "journal",
    [
        lines(VersionMade(1)),
        lines(Begun(FORMAT + 1, "/b", PRINT, "https://a")),
        lines(BEGUN, ChunkDone(0)),
        lines(*UPLOADED, ChunkDone(10)),
        lines(*UPLOADED, ChunkDone(-1)),
        lines(BEGUN, UploadMade(1, 0)),
        lines(BEGUN, UploadMade(0, 10)),
        lines(BEGUN, VersionMade(-1)),
        lines(Begun(FORMAT, "/b", Fingerprint(0, 1, 2, "d"), "https://a")),
        lines(BEGUN, Begun(FORMAT, "/another.zip", PRINT, BEGUN.api_url, "app", "1.0")),
    ],
)
def test_values_that_no_run_writes_are_damage(journal: bytes) -> None:
    with pytest.raises(Damaged):
        replayed(journal)


async def keep(state_dir: Path, *records: Record, about: Begun = BEGUN) -> tuple[set[int], list[Event]]:
    """One run that writes `records`; the chunks it found confirmed, and its events."""
    events: list[Event] = []
    async with open_journal(about, events.append, state_dir=state_dir) as journal:
        found = set(journal.state.chunks)
        for record in records:
            await journal.record(record)
    return found, events


async def test_a_second_run_finds_what_the_first_wrote(tmp_path: Path) -> None:
    await keep(tmp_path, *UPLOADED[1:], ChunkDone(1), ChunkDone(5))
    found, events = await keep(tmp_path)
    assert found == {1, 5}
    assert not events


async def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    await keep(state_dir, VersionAsked())
    assert stat.S_IMODE(state_dir.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in state_dir.iterdir()} == {0o600}


async def test_another_label_is_another_journal(tmp_path: Path) -> None:
    await keep(tmp_path, *UPLOADED[1:], ChunkDone(1))
    other = Begun(FORMAT, BEGUN.source, PRINT, BEGUN.api_url, BEGUN.app, "2.0")
    found, _ = await keep(tmp_path, about=other)
    assert found == set()


async def test_a_changed_source_keeps_the_version_and_starts_over(tmp_path: Path) -> None:
    await keep(tmp_path, *UPLOADED[1:], ChunkDone(1))
    changed = Begun(FORMAT, BEGUN.source, Fingerprint(100_000, 9, 2, "e" * 64), BEGUN.api_url, "app", "1.0")
    events: list[Event] = []
    async with open_journal(changed, events.append, state_dir=tmp_path) as journal:
        assert journal.state.version_id == 3
        assert journal.state.upload_id is None
    assert [type(event) for event in events] == [Warned]
    assert "changed" in str(events[0])


async def test_a_damaged_journal_is_named_and_set_aside(tmp_path: Path) -> None:
    await keep(tmp_path, *UPLOADED[1:], ChunkDone(1))
    [path] = tmp_path.glob("*.journal")
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    found, events = await keep(tmp_path)
    assert found == set()
    assert "damaged" in str(events[0])
    [aside] = tmp_path.glob("*.damaged")
    assert aside.read_bytes() == content


async def test_a_run_killed_while_it_began_leaves_nothing_to_complain_of(tmp_path: Path) -> None:
    path = journal_path(tmp_path, BEGUN.run)
    for length in range(1, len(encode(BEGUN))):
        path.write_bytes(encode(BEGUN)[:length])
        found, events = await keep(tmp_path)
        assert (found, events) == (set(), [])


async def test_a_journal_of_another_user_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(tmp_path, *UPLOADED[1:], ChunkDone(1))
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    found, events = await keep(tmp_path)
    assert found == set()
    assert "another user" in str(events[0])


async def test_a_link_in_the_place_of_a_journal_leads_nowhere(tmp_path: Path) -> None:
    await keep(tmp_path, *UPLOADED[1:], ChunkDone(1))
    [path] = tmp_path.glob("*.journal")
    elsewhere = path.rename(tmp_path / "elsewhere")
    before = elsewhere.read_bytes()
    path.symlink_to(elsewhere)
    found, events = await keep(tmp_path, VersionAsked())
    assert found == set()
    assert "cannot be resumed" in str(events[0])
    assert elsewhere.read_bytes() == before
    assert path.is_symlink(), "nor is it removed, for who knows what it is"


async def test_damage_that_cannot_be_set_aside_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(tmp_path, *UPLOADED[1:], ChunkDone(1))
    [path] = tmp_path.glob("*.journal")
    path.write_bytes(b"garbage")

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "replace", refuse)
    found, events = await keep(tmp_path, VersionAsked())
    assert found == set()
    assert "cannot be resumed" in str(events[0])
    assert path.read_bytes() == b"garbage"


async def test_the_state_directory_of_the_user_is_made_private(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = default_state_dir()
    directory.mkdir(parents=True, mode=0o755)
    await keep(directory, VersionAsked())
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


async def test_what_nobody_went_on_with_is_cleared_out(tmp_path: Path) -> None:
    old = [
        tmp_path / f"{name * 24}{suffix}"
        for name, suffix in zip("abc", (".journal", ".damaged", ".lock"), strict=True)
    ]
    young, others = tmp_path / f"{'d' * 24}.journal", tmp_path / "notes.journal"
    for path in (*old, young, others):
        path.write_text("left")
    for path in (*old, others):
        os.utime(path, (0, time.time() - 91 * 24 * 3600))
    await keep(tmp_path, VersionAsked())
    assert not any(path.exists() for path in old)
    assert young.exists()
    assert others.exists(), "it is not ours"


async def test_what_a_run_is_at_work_on_is_not_cleared_out(tmp_path: Path) -> None:
    async with open_journal(BEGUN, print, state_dir=tmp_path) as journal:
        await journal.record(VersionAsked())
        for path in tmp_path.iterdir():
            os.utime(path, (0, 0))
        other = Begun(FORMAT, "/other.zip", PRINT, BEGUN.api_url)
        await keep(tmp_path, VersionAsked(), about=other)
        assert len(list(tmp_path.glob("*.journal"))) == 2


async def test_a_journal_without_a_whole_line_is_damaged(tmp_path: Path) -> None:
    await keep(tmp_path, *UPLOADED[1:])
    [path] = tmp_path.glob("*.journal")
    path.write_bytes(b"garbage")
    found, events = await keep(tmp_path)
    assert found == set()
    assert "damaged" in str(events[0])


async def test_a_torn_last_record_is_dropped_and_written_over(tmp_path: Path) -> None:
    await keep(tmp_path, *UPLOADED[1:], ChunkDone(1))
    [path] = tmp_path.glob("*.journal")
    with path.open("ab") as file:
        file.write(encode(ChunkDone(2))[:-5])
    found, events = await keep(tmp_path, ChunkDone(3))
    assert found == {1}
    assert not events
    found, _ = await keep(tmp_path)
    assert found == {1, 3}


async def test_nothing_is_left_of_a_run_that_came_to_nothing(tmp_path: Path) -> None:
    await keep(tmp_path)
    await keep(tmp_path, VersionAsked(), VersionRefused())
    assert list(tmp_path.iterdir()) == []
    await keep(tmp_path, VersionAsked())
    assert len(kept(tmp_path)) == 1


async def test_nothing_is_left_when_all_is_done(tmp_path: Path) -> None:
    async with open_journal(BEGUN, print, state_dir=tmp_path) as journal:
        await journal.finish()
    assert list(tmp_path.iterdir()) == []


async def test_a_second_run_at_the_same_time_is_told_who_holds_it(tmp_path: Path) -> None:
    async with open_journal(BEGUN, print, state_dir=tmp_path):
        with pytest.raises(StateLocked, match=str(os.getpid())):
            async with open_journal(BEGUN, print, state_dir=tmp_path):
                pytest.fail("two runs hold one journal")
    await keep(tmp_path)


async def test_a_killed_run_holds_nothing(tmp_path: Path) -> None:
    program = (
        "import anyio, os, signal, sys\n"
        "from pathlib import Path\n"
        "import test_journal as t\n"
        "async def main():\n"
        "    async with t.open_journal(t.BEGUN, print, state_dir=Path(sys.argv[1])) as journal:\n"
        "        for record in (*t.UPLOADED[1:], t.ChunkDone(6)):\n"
        "            await journal.record(record)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "anyio.run(main)\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        check=False,
    )
    assert killed.returncode == -9
    found, _ = await keep(tmp_path)
    assert found == {6}


async def test_a_full_disk_costs_the_resume_and_not_the_run(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    events: list[Event] = []
    async with open_journal(BEGUN, events.append, state_dir=tmp_path) as journal:
        await journal.close()
        await journal.open(Path("/dev/full"))
        await journal.record(VersionMade(3))
        await journal.record(UploadMade(9, 10_000))
        assert (journal.state.version_id, journal.state.upload_id) == (3, 9)
    assert [type(event) for event in events] == [Warned]


async def test_lanes_that_write_at_once_warn_once(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    events: list[Event] = []
    async with open_journal(BEGUN, events.append, state_dir=tmp_path) as journal:
        await journal.close()
        await journal.open(Path("/dev/full"))
        async with anyio.create_task_group() as group:
            for index in range(10):
                group.start_soon(journal.record, ChunkDone(index))
    assert set(journal.state.chunks) == set(range(10))
    assert len(events) == 1


class Disk:
    """Where a journal is written to, but not before it is told to go on."""

    def __init__(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        assert journal._file is not None
        self.asked: list[bytes] = []
        self.written: list[bytes] = []
        self.go_on = anyio.Event()
        self._write = journal._file.write
        monkeypatch.setattr(journal._file, "write", self.write)

    async def write(self, line: bytes) -> int:
        self.asked.append(line)
        await self.go_on.wait()
        count = int(await self._write(line))
        self.written.append(line)
        return count


async def test_a_cancelled_record_is_written_before_any_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_journal(BEGUN, print, state_dir=tmp_path) as journal:
        for record in UPLOADED[1:]:
            await journal.record(record)
        disk = Disk(journal, monkeypatch)
        first: Record = ChunkDone(0)
        later: list[Record] = [UploadDropped(), UploadMade(10, 10_000)]
        scope = anyio.CancelScope()

        async def record_first() -> None:
            with scope:
                await journal.record(first)

        async def record_later() -> None:
            for record in later:
                await journal.record(record)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(record_first)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            tasks.start_soon(record_later)
            await anyio.wait_all_tasks_blocked()
            try:
                assert disk.asked == [encode(first)]
            finally:
                disk.go_on.set()
        assert disk.written == disk.asked == [encode(record) for record in (first, *later)]
    found, _ = await keep(tmp_path)
    assert found == set(), "the chunk belonged to the upload before"


async def test_a_state_directory_that_cannot_be_costs_the_resume_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    events: list[Event] = []
    async with open_journal(BEGUN, events.append, state_dir=tmp_path / "file" / "state") as journal:
        await journal.record(VersionMade(3))
        assert journal.state.version_id == 3
    assert "cannot be resumed" in str(events[0])


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(len(lines(BEGUN)), 400))
async def test_a_journal_cut_anywhere_is_gone_on_with(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    state_dir = tmp_path_factory.mktemp("state")
    await keep(state_dir, *UPLOADED[1:], ChunkDone(1), ChunkDone(2))
    [path] = state_dir.glob("*.journal")
    os.truncate(path, min(cut, path.stat().st_size))
    _, events = await keep(state_dir, *UPLOADED[1:], ChunkDone(5))
    assert not events
    found, _ = await keep(state_dir)
    assert found == {5}


async def test_a_journal_under_another_runs_name_is_not_trusted(tmp_path: Path) -> None:
    other = Begun(FORMAT, "/other.zip", PRINT, BEGUN.api_url, "app", "1.0")
    await keep(tmp_path, *UPLOADED[1:], about=other)
    journal_path(tmp_path, other.run).rename(journal_path(tmp_path, BEGUN.run))
    found, events = await keep(tmp_path)
    assert found == set()
    assert "another run" in str(events[0])


async def test_an_answer_in_hand_is_written_down_by_who_is_cancelled(tmp_path: Path) -> None:
    async with open_journal(BEGUN, print, state_dir=tmp_path) as journal:
        for record in UPLOADED[1:]:
            await journal.record(record)
        async with anyio.create_task_group() as group:
            for index in range(4):
                group.start_soon(journal.record, ChunkDone(index))
            group.cancel_scope.cancel()
    found, _ = await keep(tmp_path)
    assert found == {0, 1, 2, 3}


async def test_a_state_directory_that_is_taken_away_fails_no_run(tmp_path: Path) -> None:
    events: list[Event] = []
    async with open_journal(BEGUN, events.append, state_dir=tmp_path / "state"):
        shutil.rmtree(tmp_path / "state")
        (tmp_path / "state").write_text("in the way")
    assert not events


async def test_a_pipe_in_the_place_of_a_journal_blocks_nothing(tmp_path: Path) -> None:
    os.mkfifo(journal_path(tmp_path, BEGUN.run))
    with anyio.fail_after(20):
        found, events = await keep(tmp_path, VersionAsked())
    assert found == set()
    assert "no regular file" in str(events[0])
    os.mkfifo(journal_path(tmp_path, BEGUN.run).with_name(f"{'e' * 24}.journal"))
    assert sorted(each.damage or "" for each in kept(tmp_path)) == ["", "it is no regular file"]


async def test_one_link_does_not_hide_the_others(tmp_path: Path) -> None:
    await keep(tmp_path, *UPLOADED[1:])
    (tmp_path / f"{'e' * 24}.journal").symlink_to(tmp_path / "nowhere")
    assert sorted(each.step for each in kept(tmp_path) if not each.damage) == ["upload"]
    [damaged] = [each for each in kept(tmp_path) if each.damage]
    forget(tmp_path, damaged.id)
    assert len(kept(tmp_path)) == 1
