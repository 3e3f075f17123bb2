"""What a server might answer, in all the ways that are wrong."""

from __future__ import annotations

import gzip
from typing import Any

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSED = OK + b"Connection: close\r\n\r\n"

# Of the fields of an answer.
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**63,
    -(2**63) - 1,
    10**30,
    0.5,
    1e308,
    "",
    "1",
    "..",
    "a/b",
    "a\x00b\x1b[2J\u202e",
    "9" * 30,
    "x" * 5000,
    [],
    [[]],
    [None],
    [{}],
    {},
    {"id": {}},
]
NO_JSON = {
    "nothing": b"",
    "a page": b"<!doctype html><title>Log in</title>",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "two values": b"{}{}",
    "a trailing comma": b'{"id": 1,}',
    "half a pair": b'{"x": "\\ud83c"}',
    "not a number": b'{"x": NaN}',
    "infinity": b'{"x": -Infinity}',
    "a control character": b'{"x": "a\x00b"}',
    "too deep lists": b"[" * 100_000,
    "too deep objects": b'{"id":' * 100_000,
    "too deep where nobody looks": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}
# Where nobody looks, it does not matter.
ODD_JSON = {
    "not UTF-8": b'{"id": 1, "label": "caf\xe9", "job_guid": "\xff", "status_message": "\xff"}',
    "encoded half a pair": b'{"label": "\xed\xa0\x80", "status_message": "\xed\xa0\x80"}',
    "huge numbers": b'{"id": %s, "progress": 1e999, "publish_progress": -1e999}' % (b"9" * 5000),
    "the same key again": b'{"id": 7, "id": "x", "id": {}, "job_guid": "a", "job_guid": 5}',
    "no object": b'"text"',
    "nothing at all": b"null",
}
BODIES = NO_JSON | ODD_JSON

# HTTP that no client can make sense of.
BAD_HTTP = {
    "nothing": b"",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/0.9": b'{"id": 7}',
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "status 000": b"HTTP/1.1 000 X\r\n\r\n",
    "negative length": OK + b"Content-Length: -1\r\n\r\n{}",
    "hexadecimal length": OK + b"Content-Length: 0x2\r\n\r\n{}",
    "signed length": OK + b"Content-Length: +2\r\n\r\n{}",
    "listed lengths": OK + b"Content-Length: 2, 3\r\n\r\n{}",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "length beyond counting": OK + b"Content-Length: %s\r\n\r\n{}" % (b"9" * 30),
    "length and chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk of a bad size": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "chunk of a negative size": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "chunk of a huge size": CHUNKED + b"f" * 16 + b"\r\n{}",
    "chunk longer than its size": CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
    "chunks without end": CHUNKED + b"2\r\n{}\r\n",
    "bad trailer": CHUNKED + b"2\r\n{}\r\n0\r\nno colon\r\n\r\n",
    "many trailers": CHUNKED + b"2\r\n{}\r\n0\r\n" + b"X-A: b\r\n" * 10_000 + b"\r\n",
    "thousands of headers": OK + b"X-A: b\r\n" * 10_000 + b"\r\n",
    "huge header": OK + b"X-A: " + b"b" * 1_000_000 + b"\r\n\r\n",
    "huge reason": b"HTTP/1.1 200 " + b"b" * 1_000_000 + b"\r\n\r\n",
    "header without colon": OK + b"X-A\r\n\r\n",
    "carriage returns in a header": OK + b"X-A: b\rContent-Length: 0\r\r\n\r\n{}",
    "null in a header": OK + b"X-A: \x00\r\n\r\n",
    "bad gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
    "bad deflate": OK + b"Content-Encoding: deflate\r\nContent-Length: 4\r\n\r\nnone",
    "unknown encoding": OK + b"Content-Encoding: x\r\nContent-Length: 4\r\n\r\nnone",
    "bomb": UNTIL_CLOSED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    + gzip.compress(bytes(40_000_000)),
    "bad character set": OK + b"Content-Type: a/b; charset=\xff\r\nContent-Length: 1\r\n\r\n{",
    "204 with a body": b"HTTP/1.1 204 No\r\nContent-Length: 4\r\n\r\nbody",
    "another connection": b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\nbytes",
    "a place in the void": b"HTTP/1.1 302 X\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n",
    "bad cookies": b"HTTP/1.1 500 X\r\nSet-Cookie: a=\x22;=;;\xff\r\nContent-Length: 0\r\n\r\n",
}


# Against the standards, but some of it clear enough to be taken.
ODD_HTTP = {
    "another version": b"HTTP/2.0 200 OK\r\n\r\n{}",
    "small letters": b"http/1.1 200 ok\r\ncontent-length: 2\r\n\r\n{}",
    "line feeds alone": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "unknown transfer encoding": OK + b"Transfer-Encoding: x\r\n\r\n{}",
    "space before a colon": OK + b"Content-Length : 2\r\n\r\n{}",
    "folded header": OK + b"X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}",
    "no length": OK + b"\r\n{}",
    "half a gzip": OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(b"{}")[:-8],
    "another answer after it": (OK + b"Content-Length: 2\r\n\r\n{}") * 1000,
    "204 with bytes after it": b"HTTP/1.1 204 No\r\n\r\nbody",
}

# What comes first, what then comes again and again, and the seconds between.
DRIP = 0.02
ENDLESS = {
    "silence": (b"", b"", DRIP),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 0),
    "early hints": (b"", b"HTTP/1.1 103 X\r\nLink: </a>; rel=preload\r\n\r\n" * 1000, 0),
    "empty lines": (b"", b"\r\n" * 30_000, 0),
    "slow headers": (OK, b"X-A: b\r\n", DRIP),
    "headers": (OK, b"X-A: b\r\n" * 8000, 0),
    "one header": (OK + b"X-A: ", b"b" * 65_536, 0),
    "slow body": (OK + b"Content-Length: 1000\r\n\r\n", b" ", DRIP),
    "body": (UNTIL_CLOSED, b" " * 65_536, 0),
    "body of an error": (b"HTTP/1.1 500 X\r\nConnection: close\r\n\r\n", b" " * 65_536, 0),
    "tiny chunks": (CHUNKED, b"1\r\n \r\n" * 1000, 0),
    "size of a chunk": (CHUNKED, b"0" * 65_536, 0),
    "extension of a chunk": (CHUNKED + b"1;", b"x" * 65_536, 0),
    "slow trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-A: b\r\n", DRIP),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-A: b\r\n" * 8000, 0),
    "head of a gzip": (
        OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n\x1f\x8b\x08\x10" + bytes(6),
        b"x" * 65_536,
        0,
    ),
}

# To be put anywhere into an answer.
TOKENS = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b":",
    b" ",
    b"HTTP/1.1 ",
    b"0\r\n\r\n",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"9" * 40,
    b"-1",
    b"[",
    b"{",
    b'"',
    b"\\ud800",
    b"1e999",
    b"null",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Retry-After: 0.001\r\n",
    b"100",
    b"204",
    b"404",
]
