"""A folder uploaded without a ZIP having been made of it: resumed, taken over, and never mixed."""

from __future__ import annotations

import io
import os
import random
import shutil
import tempfile
import time
import zipfile
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec
import pytest

from folders import FILES, LINK, TARGET, make_build
from pk_upload import Packing, PatchKit, RetryPolicy, TransferConfig, release, upload
from pk_upload.archive import Tree
from pk_upload.archive.folder import opening as folder_opening
from pk_upload.archive.folder.tree import walk
from pk_upload.errors import PreflightFailed, SourceChanged, StateError, StateLocked, UploadFailed, UsageError
from pk_upload.events import Event, Progress, Stage, Warned
from pk_upload.transfer import engine, forget, rates
from pk_upload.transfer.rates import expected_rate, remember_rate
from pk_upload.transfer.state_dir import clear_out
from pk_upload.transfer.sums import keep_sums, kept_sums
from seed_server import APP, KEY, SeedServer, answer, fine

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(first_wait=0.001, longest_wait=0.01)
MIB = 1024 * 1024
WAYS = [Packing("store"), Packing("deflate")]


@pytest.fixture
async def patchkit(seed_server: SeedServer) -> AsyncIterator[PatchKit]:
    async with PatchKit(
        KEY, api_url=seed_server.api_url, upload_url=seed_server.upload_url, retry=QUICK
    ) as client:
        yield client


@pytest.fixture
def config(tmp_path: Path) -> TransferConfig:
    return TransferConfig(chunk_size=MIB // 2, state_dir=tmp_path / "state")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_build(tmp_path / "build")


def contents(server: SeedServer) -> dict[str, bytes]:
    """What arrived, as Python reads it."""
    with zipfile.ZipFile(io.BytesIO(server.uploads[max(server.uploads)])) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}


async def interrupt(
    patchkit: PatchKit, server: SeedServer, config: TransferConfig, source: Path, packing: Packing
) -> None:
    """A run that ends when six chunks are confirmed."""
    server.trouble("POST chunk", *[fine] * 6, *[answer(400)] * 100)
    one = TransferConfig(chunk_size=config.chunk_size, state_dir=config.state_dir, concurrency=1)
    with pytest.raises(UploadFailed):
        await upload(patchkit, source, packing=packing, config=one)
    server.troubles.clear()


def stages(events: list[Event], stage: str) -> list[str]:
    return [event.detail for event in events if isinstance(event, Stage) and event.stage == stage]


@pytest.mark.parametrize("packing", WAYS, ids=lambda packing: packing.compression)
async def test_what_arrives_is_the_folder(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, folder: Path, packing: Packing
) -> None:
    events: list[Event] = []
    done = await upload(patchkit, folder, packing=packing, config=config, on_event=events.append)
    assert contents(seed_server) == {**FILES, LINK: TARGET.encode()}
    assert done.bytes_sent == done.bytes_total == len(seed_server.uploads[1])
    assert stages(events, "packing") == [f"{packing.compression}: as asked for"]
    assert [event.progress for event in events if isinstance(event, Progress)][-1] == 1
    assert [path.name for path in Path(str(config.state_dir)).iterdir()] == []


async def test_store_needs_no_temporary_file(
    patchkit: PatchKit,
    seed_server: SeedServer,
    config: TransferConfig,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp", "mkdtemp", "SpooledTemporaryFile"):
        monkeypatch.delattr(tempfile, name)
    await upload(patchkit, folder, packing=Packing("store"), config=config)
    assert contents(seed_server)["data/short"] == b"ab"


@pytest.mark.parametrize("packing", WAYS, ids=lambda packing: packing.compression)
async def test_an_interrupted_run_is_gone_on_with(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, folder: Path, packing: Packing
) -> None:
    await interrupt(patchkit, seed_server, config, folder, packing)
    done = await upload(patchkit, folder, packing=packing, config=config)
    assert done.bytes_resumed == 6 * config.chunk_size
    assert contents(seed_server) == {**FILES, LINK: TARGET.encode()}


@pytest.mark.parametrize("packing", WAYS, ids=lambda packing: packing.compression)
async def test_auto_goes_on_as_the_run_before_packed_it(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, folder: Path, packing: Packing
) -> None:
    await interrupt(patchkit, seed_server, config, folder, packing)
    events: list[Event] = []
    done = await upload(patchkit, folder, config=config, on_event=events.append)
    assert done.bytes_resumed == 6 * config.chunk_size
    assert stages(events, "packing") == [f"{packing.compression}: as the run did that is gone on with"]


async def test_going_on_does_not_read_everything_again(
    patchkit: PatchKit,
    seed_server: SeedServer,
    config: TransferConfig,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await interrupt(patchkit, seed_server, config, folder, Packing("store"))

    async def never(*_: object, **__: object) -> array[int]:
        raise AssertionError("the checksums are known")

    monkeypatch.setattr(folder_opening, "checksums", never)
    done = await upload(patchkit, folder, packing=Packing("store"), config=config)
    assert done.bytes_resumed == 6 * config.chunk_size
    assert contents(seed_server) == {**FILES, LINK: TARGET.encode()}
    assert not [*Path(str(config.state_dir)).glob("*.sums")]


@pytest.mark.parametrize("packing", WAYS, ids=lambda packing: packing.compression)
async def test_a_folder_that_changed_starts_over_with_a_warning(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, folder: Path, packing: Packing
) -> None:
    await interrupt(patchkit, seed_server, config, folder, packing)
    (folder / "data/short").write_bytes(b"cd")
    events: list[Event] = []
    done = await upload(patchkit, folder, packing=packing, config=config, on_event=events.append)
    assert done.bytes_resumed == 0
    assert any("has changed since" in event.message for event in events if isinstance(event, Warned))
    assert contents(seed_server) == {**FILES, LINK: TARGET.encode(), "data/short": b"cd"}


async def test_a_file_that_was_rewritten_under_its_old_date_is_never_mixed(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, folder: Path
) -> None:
    await interrupt(patchkit, seed_server, config, folder, Packing("store"))
    status = (folder / "data/movie.webm").stat()
    other = bytes(status.st_size)
    (folder / "data/movie.webm").write_bytes(other)
    os.utime(folder / "data/movie.webm", ns=(status.st_atime_ns, status.st_mtime_ns))
    await upload(patchkit, folder, packing=Packing("store"), config=config)
    assert contents(seed_server) == {**FILES, LINK: TARGET.encode(), "data/movie.webm": other}


async def test_another_way_of_packing_starts_over_and_says_so(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, folder: Path
) -> None:
    await interrupt(patchkit, seed_server, config, folder, Packing("store"))
    events: list[Event] = []
    await upload(patchkit, folder, packing=Packing("deflate"), config=config, on_event=events.append)
    told = [event.message for event in events if isinstance(event, Warned) and "starts over" in event.message]
    assert [message.partition(" is ")[2] for message in told] == [
        "packed with DEFLATE now, and was stored when its upload began; the upload starts over"
    ]


async def test_a_state_directory_in_the_folder_is_no_part_of_the_build(
    patchkit: PatchKit, seed_server: SeedServer, folder: Path
) -> None:
    inside = TransferConfig(chunk_size=MIB // 2, state_dir=folder / "data/[state]")
    await interrupt(patchkit, seed_server, inside, folder, Packing("store"))
    done = await upload(patchkit, folder, packing=Packing("store"), config=inside)
    assert done.bytes_resumed == 6 * MIB // 2
    assert contents(seed_server) == {**FILES, LINK: TARGET.encode()}
    with pytest.raises(UsageError, match="is the state directory"):
        await upload(patchkit, folder, config=TransferConfig(state_dir=folder))


async def test_a_folder_that_another_run_is_at_work_on_is_not_packed_first(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, folder: Path
) -> None:
    refused: list[list[str]] = []

    async def second() -> None:
        events: list[Event] = []
        with pytest.raises(StateLocked):
            await upload(patchkit, folder, packing=Packing("deflate"), config=config, on_event=events.append)
        refused.append(stages(events, "packing"))

    async with anyio.create_task_group() as group:

        def begin(event: Event) -> None:
            if isinstance(event, Stage) and event.stage == "upload":
                group.start_soon(second)

        slow = TransferConfig(chunk_size=MIB // 2, state_dir=config.state_dir, limit_rate=8 * MIB)
        await upload(patchkit, folder, packing=Packing("store"), config=slow, on_event=begin)
    assert refused == [[]]


async def test_what_only_a_folder_can_have_is_refused_for_a_file(
    patchkit: PatchKit, config: TransferConfig, build: Path
) -> None:
    for packing in (Packing(ignore=("*.pdb",)), Packing("deflate")):
        with pytest.raises(UsageError, match="is a file"):
            await upload(patchkit, build, packing=packing, config=config)


async def test_sums_go_with_what_they_belong_to(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, folder: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    await interrupt(patchkit, seed_server, config, folder, Packing("store"))
    [sums] = state.glob("*.sums")
    clear_out(state, time.time() + 91 * 24 * 3600)
    assert not [*state.glob("*.journal"), *state.glob("*.sums")]
    await interrupt(patchkit, seed_server, config, folder, Packing("store"))
    forget(state, sums.stem)
    assert not [*state.glob("*.sums")]


async def test_only_what_this_run_sent_is_measured(
    patchkit: PatchKit,
    seed_server: SeedServer,
    config: TransferConfig,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await interrupt(patchkit, seed_server, config, folder, Packing("store"))
    told: list[int] = []
    monkeypatch.setattr(engine, "remember_rate", lambda _, __, size, ___: told.append(size))
    done = await upload(patchkit, folder, packing=Packing("store"), config=config)
    assert told == [done.bytes_sent]


async def test_the_progress_of_packing_is_told_a_hundred_times_at_most(
    patchkit: PatchKit, config: TransferConfig, tmp_path: Path
) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "game").write_bytes(random.Random(1).randbytes(150 * MIB // 10))
    for number in range(1000):
        (folder / f"{number}").write_bytes(b"x" * 2000)
    events: list[Event] = []
    await upload(patchkit, folder, packing=Packing("deflate"), config=config, on_event=events.append)
    told = [event.progress for event in events if isinstance(event, Progress)]
    assert told == sorted(set(told))
    assert told[-1] == 1
    assert len(told) <= 101


@pytest.mark.parametrize("packing", WAYS, ids=lambda packing: packing.compression)
async def test_a_copy_of_the_folder_can_be_gone_on_with(
    patchkit: PatchKit,
    seed_server: SeedServer,
    config: TransferConfig,
    folder: Path,
    tmp_path: Path,
    packing: Packing,
) -> None:
    await interrupt(patchkit, seed_server, config, folder, packing)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, symlinks=True, copy_function=shutil.copyfile)
    for member in walk(folder).members:
        if member.is_file:
            (copy / member.name).chmod(member.mode & 0o777)
    taken = TransferConfig(chunk_size=MIB // 2, state_dir=config.state_dir, resume_from=folder)
    done = await upload(patchkit, copy, config=taken)
    assert done.bytes_resumed == 6 * config.chunk_size
    assert contents(seed_server) == {**FILES, LINK: TARGET.encode()}


async def test_another_folder_is_not_taken_for_a_copy(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, folder: Path, tmp_path: Path
) -> None:
    await interrupt(patchkit, seed_server, config, folder, Packing("store"))
    other = make_build(tmp_path / "other")
    (other / "data/short").write_bytes(b"cd")
    taken = TransferConfig(chunk_size=MIB // 2, state_dir=config.state_dir, resume_from=folder)
    with pytest.raises(StateError, match="is not what was uploaded"):
        await upload(patchkit, other, config=taken)


@pytest.mark.parametrize("packing", WAYS, ids=lambda packing: packing.compression)
@pytest.mark.parametrize("name", ["data/short", "data/new"])
async def test_a_folder_that_changes_meanwhile_is_never_mixed(
    patchkit: PatchKit,
    seed_server: SeedServer,
    config: TransferConfig,
    folder: Path,
    packing: Packing,
    name: str,
) -> None:
    def change(event: Event) -> None:
        if isinstance(event, Stage) and event.stage == "upload":
            (folder / name).write_bytes(b"other")

    with pytest.raises(SourceChanged, match=name):
        await upload(patchkit, folder, packing=packing, config=config, on_event=change)


async def test_a_folder_that_makes_no_good_zip_is_refused_before_a_word(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, folder: Path
) -> None:
    (folder / "out").symlink_to("/etc/passwd")
    with pytest.raises(PreflightFailed, match="out"):
        await upload(patchkit, folder, config=config)
    assert seed_server.requests("POST uploads") == []


async def test_an_empty_folder_is_refused(patchkit: PatchKit, config: TransferConfig, tmp_path: Path) -> None:
    (tmp_path / "empty/er").mkdir(parents=True)
    with pytest.raises(PreflightFailed, match="no files"):
        await upload(patchkit, tmp_path / "empty", config=config)


async def test_a_release_of_a_folder(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, folder: Path
) -> None:
    done = await release(
        patchkit,
        folder,
        app=APP,
        label="1.0",
        publish=True,
        packing=Packing(ignore=("data/",)),
        config=config,
    )
    assert done.published
    assert set(contents(seed_server)) == {"Game.x86_64", "empty"}


async def test_with_strict_a_warning_is_an_error(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, folder: Path
) -> None:
    with pytest.raises(PreflightFailed, match="ż"):
        await release(patchkit, folder, app=APP, label="1.0", strict=True, config=config)
    assert seed_server.requests("POST versions") == []


# Checksums that are kept


@pytest.fixture
def tree(folder: Path) -> Tree:
    return walk(folder)


def test_sums_are_those_of_the_very_same_tree(tree: Tree, folder: Path, tmp_path: Path) -> None:
    journal = tmp_path / "kept/abc.journal"
    sums = array("I", range(len(tree.members)))
    assert kept_sums(journal, tree) is None
    keep_sums(journal, tree, sums)
    assert kept_sums(journal, tree) == sums
    assert [path.name for path in journal.parent.iterdir()] == ["abc.sums"]
    assert journal.with_suffix(".sums").stat().st_mode & 0o777 == 0o600
    status = (folder / "data/short").stat()
    (folder / "data/short").write_bytes(b"ba")
    os.utime(folder / "data/short", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert kept_sums(journal, walk(folder)) is None, "its time was set back, its content is another"


@pytest.mark.parametrize("at", [0, 20, 60, -1])
def test_sums_that_were_damaged_are_made_anew(tree: Tree, tmp_path: Path, at: int) -> None:
    journal = tmp_path / "abc.journal"
    keep_sums(journal, tree, array("I", range(len(tree.members))))
    path = journal.with_suffix(".sums")
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    assert kept_sums(journal, tree) is None
    path.write_bytes(content[:50])
    assert kept_sums(journal, tree) is None


def test_sums_that_cannot_be_kept_cost_nothing(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    keep_sums(tmp_path / "file/abc.journal", tree, array("I", range(len(tree.members))))


# The rate that uploads had


def test_a_rate_is_remembered_by_host(tmp_path: Path) -> None:
    remember_rate(tmp_path, "https://one.example/1", 100 * MIB, 10.0)
    remember_rate(tmp_path, "https://two.example", 300 * MIB, 10.0)
    remember_rate(tmp_path, "https://one.example", 200 * MIB, 10.0)
    assert expected_rate(None, tmp_path, "https://one.example").per_second == 20 * MIB
    assert expected_rate(None, tmp_path, "https://two.example/").origin == (
        "as measured by the last upload to two.example"
    )
    assert "assumed" in expected_rate(None, tmp_path, "https://two.example:8443").origin
    assert [path.name for path in tmp_path.iterdir()] == ["rates.json"]


def test_a_limit_beats_what_was_measured(tmp_path: Path) -> None:
    remember_rate(tmp_path, "https://one.example", 100 * MIB, 10.0)
    assert expected_rate(1000, tmp_path, "https://one.example").per_second == 1000


def test_nothing_measured_is_assumed() -> None:
    near, far = (expected_rate(None, None, f"http://{host}") for host in ("127.0.0.1:8720", "far.example"))
    assert near.per_second > far.per_second
    assert "assumed" in near.origin
    assert "assumed" in far.origin


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"one.example": -1}', b'{"one.example": "x"}', b"\xff", b"{" * 70_000]
)
def test_rates_that_are_none_are_not_believed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rates.json").write_bytes(content)
    assert "assumed" in expected_rate(None, tmp_path, "https://one.example").origin
    remember_rate(tmp_path, "https://one.example", 100 * MIB, 10.0)
    assert expected_rate(None, tmp_path, "https://one.example").per_second == 10 * MIB


def test_what_says_little_is_not_remembered(tmp_path: Path) -> None:
    remember_rate(tmp_path, "https://one.example", MIB, 0.1)
    assert not [*tmp_path.iterdir()]


def test_the_memory_of_rates_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST", 3)
    for number in range(5):
        remember_rate(tmp_path, f"https://{number}.example", 100 * MIB, 1.0)
    known = msgspec.json.decode((tmp_path / "rates.json").read_bytes())
    assert list(known) == ["2.example", "3.example", "4.example"]


async def test_an_upload_is_measured(
    patchkit: PatchKit, config: TransferConfig, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "TELLING", MIB)
    await upload(patchkit, folder, config=config)
    assert "measured" in expected_rate(None, Path(str(config.state_dir)), patchkit.upload_url).origin


async def test_one_at_a_limit_is_not(
    patchkit: PatchKit, config: TransferConfig, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "TELLING", MIB)
    limited = TransferConfig(chunk_size=MIB // 2, state_dir=config.state_dir, limit_rate=200 * MIB)
    await upload(patchkit, folder, config=limited)
    assert "assumed" in expected_rate(None, Path(str(config.state_dir)), patchkit.upload_url).origin


async def test_no_room_to_pack_is_told(
    patchkit: PatchKit, config: TransferConfig, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="temporary file") as caught:
        await upload(patchkit, folder, packing=Packing("deflate"), config=config)
    assert "--compression store" in caught.value.hint
