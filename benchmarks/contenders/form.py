"""The multipart form around a chunk, for the contenders whose library does not write it."""

from __future__ import annotations

__all__ = ["BOUNDARY", "CONTENT_TYPE", "head", "tail"]

BOUNDARY = "b2f7c1d05e9a4c7e8f30a6d1"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def head() -> bytes:
    return (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="chunk"; filename="chunk"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()


def tail(md5: str) -> bytes:
    """What follows the chunk's bytes; without an `md5` there is no such part."""
    part = f'\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="md5"\r\n\r\n{md5}' if md5 else ""
    return f"{part}\r\n--{BOUNDARY}--\r\n".encode()
