"""Real TLS: whom the client talks to, whom it refuses, and the certificates that can be added."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
import pytest
from cli_harness import Done, pk
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pk_upload import PatchKit, RetryPolicy
from pk_upload.certificates import trust_also
from pk_upload.errors import TlsFailed, UsageError
from pk_upload.sandbox import serve

pytestmark = pytest.mark.anyio

KEY = "some-key"
NOW = datetime.now(UTC)
ONCE = RetryPolicy(retries=0)


class Authority:
    """Signs certificates; `file` holds its own in PEM form."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = directory / f"{name}.pem"
        usage = x509.KeyUsage(
            *(position in {5, 6} for position in range(9))
        )  # certificates and lists of them
        signed = self._sign(self._name, self._key, x509.BasicConstraints(True, None), usage)
        self.file.write_bytes(signed)

    def server(self, host: str) -> ssl.SSLContext:
        """A server's side of TLS that shows a certificate for `host`."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        signed = self._sign(x509.Name([]), key, x509.SubjectAlternativeName([name]))
        file = self._directory / f"{host}.key"
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + signed)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType
    ) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that no system knows."""
    return Authority(tmp_path_factory.mktemp("company"), "company")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another one."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@dataclass
class Relay:
    """`url` is its address; `received` counts the bytes that came through TLS."""

    url: str = ""
    received: int = 0


@asynccontextmanager
async def relay(tls: ssl.SSLContext, target: str) -> AsyncIterator[Relay]:
    """Ends TLS in front of the server at `target`, as a company's proxy does."""
    running = Relay()
    host, _, port = target.removeprefix("http://").partition(":")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, count: bool) -> None:
        try:
            while data := await reader.read(65_536):
                running.received += len(data) if count else 0
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, back, count=True), pump(there, writer, count=False))

    async with await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls) as listener:
        running.url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        yield running


@pytest.fixture
async def sandbox_url(tmp_path: Path) -> AsyncIterator[str]:
    async with serve(tmp_path / "sandbox", api_key=KEY, pace=0.01) as sandbox:
        yield sandbox.url


async def run(*arguments: str | Path, env: dict[str, str | None] | None = None) -> Done:
    """The command line, beside the servers of this test."""
    keyed = {"PATCHKIT_API_KEY": KEY, **(env or {})}
    return await anyio.to_thread.run_sync(partial(pk, *arguments, "--retries", "0", "--json", env=keyed))


async def new_app(url: str) -> str:
    async with PatchKit(KEY, api_url=url) as patchkit:
        return (await patchkit.create_app("game", "windows_x86_64")).secret


def assert_refused(done: Done, reason: str) -> None:
    assert (done.code, done.error["type"]) == (7, "TlsFailed")
    assert "127.0.0.1 cannot be trusted" in done.error["message"]
    assert reason in done.error["message"]
    assert "--ca-bundle" in done.error["hint"]


# A whole push


async def test_an_unknown_authority_is_refused_until_it_is_given(
    company: Authority, sandbox_url: str, build: Path
) -> None:
    push = ("push", build, "--app", await new_app(sandbox_url), "--label", "1.0", "--publish")
    chunks = ("--chunk-size", "64KiB")
    async with relay(company.server("127.0.0.1"), sandbox_url) as between:
        refused = await run(*push, "--api-url", between.url)
        assert_refused(refused, "certificate verify failed")
        assert between.received == 0
        done = await run(*push, *chunks, "--api-url", between.url, "--ca-bundle", company.file)
    assert done.code == 0, done.out
    assert done.json["published"] is True
    assert done.json["bytes_sent"] == build.stat().st_size < between.received


async def test_a_certificate_for_another_host_is_refused_whoever_signed_it(
    company: Authority, sandbox_url: str
) -> None:
    async with relay(company.server("patchkit.test"), sandbox_url) as between:
        done = await run("app", "list", "--api-url", between.url, "--ca-bundle", company.file)
    assert_refused(done, "not valid for '127.0.0.1'")
    assert between.received == 0


async def test_chunks_go_to_nobody_unknown_either(
    company: Authority, stranger: Authority, sandbox_url: str, build: Path
) -> None:
    async with (
        relay(company.server("127.0.0.1"), sandbox_url) as known,
        relay(stranger.server("127.0.0.1"), sandbox_url) as unknown,
    ):
        addresses = ("--api-url", known.url, "--upload-url", unknown.url)
        done = await run("upload", build, *addresses, "--ca-bundle", company.file)
    assert_refused(done, "certificate verify failed")
    assert known.received > 0
    assert unknown.received == 0


# Where certificates come from


@pytest.mark.parametrize("variable", ["PK_UPLOAD_CA_BUNDLE", "SSL_CERT_FILE"])
async def test_the_environment_can_name_them(company: Authority, sandbox_url: str, variable: str) -> None:
    async with relay(company.server("127.0.0.1"), sandbox_url) as between:
        done = await run("app", "list", "--api-url", between.url, env={variable: str(company.file)})
    assert (done.code, done.json) == (0, [])


async def test_the_flag_beats_the_environment(
    company: Authority, stranger: Authority, sandbox_url: str
) -> None:
    env: dict[str, str | None] = {"PK_UPLOAD_CA_BUNDLE": str(stranger.file)}
    async with relay(company.server("127.0.0.1"), sandbox_url) as between:
        done = await run("app", "list", "--api-url", between.url, "--ca-bundle", company.file, env=env)
    assert done.code == 0


async def test_what_is_added_replaces_nothing(
    company: Authority, stranger: Authority, sandbox_url: str
) -> None:
    env: dict[str, str | None] = {"SSL_CERT_FILE": str(company.file)}  # stands for the system's own
    for authority in (company, stranger):
        async with relay(authority.server("127.0.0.1"), sandbox_url) as between:
            done = await run("app", "list", "--api-url", between.url, "--ca-bundle", stranger.file, env=env)
        assert done.code == 0


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
async def test_other_programs_variables_are_theirs(
    company: Authority, sandbox_url: str, variable: str
) -> None:
    async with relay(company.server("127.0.0.1"), sandbox_url) as between:
        done = await run("app", "list", "--api-url", between.url, env={variable: str(company.file)})
    assert_refused(done, "certificate verify failed")


async def test_the_library_reads_the_environment_too(company: Authority, sandbox_url: str) -> None:
    async with relay(company.server("127.0.0.1"), sandbox_url) as between:
        environ = {"PATCHKIT_API_KEY": KEY, "PATCHKIT_API_URL": between.url}
        async with PatchKit.from_env(environ) as patchkit:
            with pytest.raises(TlsFailed):
                await patchkit.apps()
        async with PatchKit.from_env({**environ, "PK_UPLOAD_CA_BUNDLE": str(company.file)}) as patchkit:
            assert await patchkit.apps() == []


# What a bundle may be


async def assert_trusted(bundle: Path, authority: Authority, target: str) -> None:
    context = trust_also(bundle)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    async with (
        relay(authority.server("127.0.0.1"), target) as between,
        PatchKit(KEY, api_url=between.url, ssl_context=context) as patchkit,
    ):
        assert await patchkit.apps() == []


async def test_a_directory_of_any_names_and_other_things(
    company: Authority, stranger: Authority, sandbox_url: str, tmp_path: Path
) -> None:
    directory = tmp_path / "certificates"
    (directory / "more").mkdir(parents=True)
    (directory / "a.crt").write_bytes(company.file.read_bytes())
    (directory / "b").symlink_to(stranger.file)
    (directory / "c").symlink_to("b")
    (directory / "d").symlink_to("d")
    (directory / "e").symlink_to("nowhere")
    os.mkfifo(directory / "f")
    (directory / "README").write_text("What is this? 🤔")
    for authority in (company, stranger):
        await assert_trusted(directory, authority, sandbox_url)


async def test_a_file_of_several_with_comments_and_keys(
    company: Authority, stranger: Authority, sandbox_url: str, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(
        "# Müller & Söhne\n".encode("latin-1")
        + company.file.read_bytes()
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + "# 🔑\r\n".encode()
        + stranger.file.read_bytes()
    )
    for authority in (company, stranger):
        await assert_trusted(bundle, authority, sandbox_url)


def bad_bundles(directory: Path, good: bytes) -> dict[str, Path]:
    contents = {
        "empty": b"",
        "text": b"this is no certificate",
        "binary": bytes(range(256)) * 100,
        "half": good[: len(good) // 2],
        "damaged": good.replace(b"M", b"%"),
        "one good, one damaged": good + good[: len(good) // 2],
        "other content": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    (directory / "empty directory").mkdir()
    os.mkfifo(directory / "pipe")  # nobody would ever write into it
    return {name: directory / name for name in [*contents, "empty directory", "missing", "pipe"]}


def test_a_bundle_that_is_none_is_a_mistake(company: Authority, tmp_path: Path) -> None:
    for name, path in bad_bundles(tmp_path, company.file.read_bytes()).items():
        with pytest.raises(UsageError) as caught:
            trust_also(path)
        assert str(path) in caught.value.message, name
        assert "--ca-bundle" in caught.value.hint


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_bundle_that_must_not_be_read_is_a_mistake(company: Authority, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden.pem"
    hidden.write_bytes(company.file.read_bytes())
    hidden.chmod(0)
    with pytest.raises(UsageError, match="Permission denied"):
        trust_also(hidden)


@pytest.mark.parametrize("command", ["app list", "upload", "push"])
@pytest.mark.parametrize(
    ("name", "reason"), [("missing", "No such file"), ("empty", "no certificate"), ("", "is empty")]
)
async def test_a_bad_bundle_is_told_before_anything_is_asked(
    build: Path, tmp_path: Path, company: Authority, command: str, name: str, reason: str
) -> None:
    bad = bad_bundles(tmp_path, company.file.read_bytes())
    arguments: dict[str, tuple[str | Path, ...]] = {
        "app list": ("app", "list"),
        "upload": ("upload", build),
        "push": ("push", build, "--app", "x", "--label", "1"),
    }
    done = await run(
        *arguments[command], "--api-url", "https://127.0.0.1:9", "--ca-bundle", bad[name] if name else ""
    )
    assert (done.code, done.error["type"]) == (2, "UsageError")
    assert reason in done.error["message"]
    assert "--ca-bundle" in done.error["hint"] + done.error["message"]


async def test_what_tls_makes_of_another_protocol_is_said_in_words(sandbox_url: str) -> None:
    done = await run("app", "list", "--api-url", sandbox_url.replace("http://", "https://"))
    assert (done.code, done.error["type"]) == (7, "ConnectFailed")
    assert "TLS failed" in done.error["message"]
