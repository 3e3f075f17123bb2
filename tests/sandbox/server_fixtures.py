"""A sandbox in the test's own process, with processing that is under the test's control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kickfolio_harness import Host, KickfolioClient, bundle_host, kickfolio_client
from patchwork_harness import PatchworkClient, Seed, patchwork_client, series, write_mbox
from server_harness import Client, FakeProcessing, sandbox_client

from pk_upload.sandbox import processing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProcessing]:
    fake = FakeProcessing()
    monkeypatch.setattr(processing, "process", fake.process)
    yield fake
    fake.go_on.set()


@pytest.fixture
async def client(anyio_backend: str, fake: FakeProcessing, tmp_path: Path) -> AsyncIterator[Client]:
    async with sandbox_client(tmp_path / "data") as client:
        yield client


@pytest.fixture
async def kickfolio(anyio_backend: str, tmp_path: Path) -> AsyncIterator[KickfolioClient]:
    async with kickfolio_client(tmp_path / "data") as client:
        yield client


@pytest.fixture
async def host(anyio_backend: str) -> AsyncIterator[Host]:
    async with bundle_host() as host:
        yield host


@pytest.fixture
async def patchwork(anyio_backend: str, tmp_path: Path) -> AsyncIterator[PatchworkClient]:
    """A client of a Patchwork with two series of three patches, ids 1 to 3 and 4 to 6, by one sender."""
    mbox = write_mbox(tmp_path / "list.mbox", [*series(1), *series(2)])
    async with patchwork_client(tmp_path / "data", mbox) as client:
        yield client


@pytest.fixture
def seed(tmp_path: Path) -> Seed:
    return Seed(tmp_path)
