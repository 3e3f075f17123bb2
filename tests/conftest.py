"""What all tests share."""

from __future__ import annotations

import random
import signal
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from kickfolio_seed_server import KickfolioSeedServer
from seed_server import SeedServer

# A property is not wrong because the machine is busy.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

pytest_plugins = ["server_fixtures"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting, proxy or state of the machine reaches a test."""
    for name in ("PATCHKIT_API_KEY", "PATCHKIT_APP", "PATCHKIT_API_URL", "PATCHKIT_UPLOAD_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in (
        "KICKFOLIO_URL",
        "KICKFOLIO_AUTH_TOKEN",
        "PATCHWORK_URL",
        "PATCHWORK_TOKEN",
        "PATCHWORK_API_VERSION",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("PYTHONUNBUFFERED", "PK_UPLOAD_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("PK_UPLOAD_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg-state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg-data"))


@pytest.fixture(autouse=True)
def no_signal_is_ignored() -> Iterator[None]:
    """What is ignored is inherited, and tests may well be run in the background."""
    ignored = [signum for signum in ENDING if signal.getsignal(signum) == signal.SIG_IGN]
    for signum in ignored:
        signal.signal(signum, signal.SIG_DFL)
    yield
    for signum in ignored:
        signal.signal(signum, signal.SIG_IGN)


PROGRAM = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I4s2H3I2H", 0x40, b"PE\0\0", 0x8664, 1, 0, 0, 0, 240, 0x22)
"""How a program for 64-bit Windows begins."""


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A real ZIP of about 300 kB: an executable and data that no compression makes smaller."""
    noise = random.Random(7)
    path = tmp_path / "build.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("game.exe", PROGRAM + noise.randbytes(100_002 - len(PROGRAM)))
        archive.writestr("data/level1.bin", noise.randbytes(150_000))
        archive.writestr("data/readme.txt", "read me\n" * 1000)
        archive.writestr(zipfile.ZipInfo("data/stored.bin"), noise.randbytes(50_000))
    return path


@pytest.fixture
def seed_server() -> Iterator[SeedServer]:
    with SeedServer() as server:
        yield server


@pytest.fixture
def kickfolio_seed_server() -> Iterator[KickfolioSeedServer]:
    with KickfolioSeedServer() as server:
        yield server
