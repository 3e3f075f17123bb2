"""Whom TLS trusts: the system's certificates, and those of a file or a directory beside them."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path

from pk_upload.errors import UsageError

__all__ = ["trust_also"]

LARGEST_FILE = 64 * 1024 * 1024
BEGIN = b"-----BEGIN CERTIFICATE-----"
HINT = "Give a file with certificates in PEM form, or a directory of such files, or leave --ca-bundle out."


def trust_also(bundle: str | os.PathLike[str]) -> ssl.SSLContext:
    """A client's side of TLS that trusts the certificates in `bundle` beside the system's.

    `bundle` is a PEM file or a directory of them; what else is in such a directory does not matter. Raises
    `UsageError` if it cannot be read or holds no certificate.
    """
    path = Path(bundle)
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    try:
        files = [path] if stat.S_ISREG(path.stat().st_mode) else _files(path)
        found = [content for file in files if BEGIN in (content := _read(file))]
    except OSError as error:
        raise UsageError(
            f"the certificates in {error.filename or path} cannot be read: {error.strerror}", hint=HINT
        ) from None
    if not found:
        raise UsageError(f"{path} holds no certificate in PEM form", hint=HINT)
    try:
        for content in found:
            # Bundles have comments between the certificates, in any encoding.
            context.load_verify_locations(cadata=content.decode("ascii", "ignore"))
    except ssl.SSLError:
        raise UsageError(f"a certificate in {path} is damaged", hint=HINT) from None
    return context


def _files(directory: Path) -> list[Path]:
    """The files in it, each once, however many links there are to it.

    Of all names, while OpenSSL finds only those that `c_rehash` gave.
    """
    found = {Path(os.path.realpath(each)) for each in directory.iterdir()}
    return sorted(each for each in found if each.is_file())


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(LARGEST_FILE)
