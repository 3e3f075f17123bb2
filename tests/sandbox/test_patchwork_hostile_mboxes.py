"""Mboxes that are none, and mails that mean no good: read or left out with a reason, in bounded memory."""

from __future__ import annotations

import os
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from patchwork_harness import Seed, diff, mail, patchwork_client, write_mbox

from pk_upload.sandbox import SandboxError, serve
from pk_upload.sandbox.patchwork.mbox import LARGEST_MESSAGE, open_mbox, read_messages
from pk_upload.sandbox.patchwork.seeding import seed as take_in
from pk_upload.sandbox.store import Store

pytestmark = pytest.mark.anyio


async def test_mails_of_no_use_are_left_out_with_a_reason(seed: Seed) -> None:
    nested = "".join(f"--b{n}\nContent-Type: multipart/mixed; boundary=b{n + 1}\n\n" for n in range(900))
    mails = [
        mail("[PATCH] nobody", diff(1), msgid="a@x", sender="nobody"),
        mail("[PATCH] big", "x" * LARGEST_MESSAGE, msgid="b@x"),
        mail("[PATCH] nested", nested, msgid="c@x", Content_Type="multipart/mixed; boundary=b0"),
        mail("[PATCH] digest", "--x\n\n" * 100_000, msgid="g@x", Content_Type="multipart/digest; boundary=x"),
        mail(
            "[PATCH] rfc822",
            "Content-Type: message/rfc822\n\n" * 9999,
            msgid="h@x",
            Content_Type="message/rfc822",
        ),
        mail("[PATCH] head", diff(1), msgid="d@x", X_Long="x" * 200_000),
        mail("[PATCH] heads", diff(1), msgid="e@x", **{f"X_{n}": "x" for n in range(600)}),
        mail("[PATCH] good", diff(1), msgid="f@x"),
    ]
    async with seed.client(*mails) as client:
        assert [one["name"] for one in await client.get("/patches/")] == ["good"]
        [seeded] = client.sandbox.seeded
        told = [text.partition(" is left out: it ") for text in seeded.left_out]
        assert [reason for _, _, reason in told] == [
            "does not say who sent it.",
            "is larger than 4 MiB.",
            "has too many parts.",
            "has too many parts.",
            "is no well-formed mail.",
            "has a head that is too large.",
            "has too many headers.",
        ]
        assert [who for who, _, _ in told] == [f"Mail {n} of {seeded.path}" for n in range(1, 8)]


PLAIN = "text/plain; charset=utf-8; x="


@pytest.mark.parametrize(
    "mails",
    [
        mail("[PATCH] x", diff(1), Content_Type=f"{PLAIN}{';' * 3000}"),
        mail("[PATCH] x", diff(1), content_DISPOSITION=f"attachment; x={'y' * 3000}"),
        mail("[PATCH] x", diff(1), Content_Type=PLAIN + "\n ;" * 1000),
        mail("[PATCH] x", diff(1), Content_Type=PLAIN + "\r\t;" * 1000),
        mail(
            "[PATCH] x",
            f"--b\nContent-Type: {PLAIN}{';' * 3000}\n\nx\n--b--\n",
            Content_Type="x/y;boundary=b",
        ),
        mail(
            "[PATCH] x",
            f"--b\rContent-Type: {PLAIN}{';' * 3000}\r\rx\r--b--\r",
            Content_Type="x/y;boundary=b",
        ),
    ],
)
async def test_headers_with_parameters_are_short(seed: Seed, mails: str) -> None:
    """The standard library reads them in a time that grows with the square of their length."""
    async with seed.client(mails) as client:
        assert await client.get("/patches/") == []
        [told] = client.sandbox.seeded[0].left_out
        assert told.endswith("it has a header that is too large.")


async def test_headers_of_a_usual_length_are_read(seed: Seed) -> None:
    mails = [
        mail(f"[PATCH] {n}", f"\udcfc\n\n{diff(n)}", msgid=f"{n}@x", Content_Type=f"text/plain{kind}")
        for n, kind in enumerate(
            (
                f"; x={'y' * 1900}; charset=latin-1",
                '; CharSet = "iso-8859-1"; x=y',
                "; charset*=utf-8''iso-8859-1",
                ";\n\tcharset=iso-8859-1",
            )
        )
    ]
    async with seed.client(*mails) as client:
        for number in range(1, 5):
            assert (await client.get(f"/patches/{number}/"))["content"] == "\u00fc\n"


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("punycode", "tda"),
        ("Puny_Code", "tda"),
        ("idna", "xn--tda"),
        ("IDNA", "xn--tda"),
        ("hex", "6161"),
        ("\ud7ff", "x"),
    ],
)
async def test_a_charset_that_is_none_of_texts_is_not_used(seed: Seed, charset: str, text: str) -> None:
    """Those of names take a time for a long text that grows with its square."""
    body = f"--b\nContent-Type: text/plain; charset={charset}\n\n{text}\n--b\n\n{diff(1)}\n--b--\n"
    async with seed.client(mail("[PATCH] x", body, Content_Type="multipart/mixed; boundary=b")) as client:
        assert (await client.get("/patches/1/"))["content"] == f"{text}\n"


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
async def test_parts_are_counted_whatever_ends_their_lines(seed: Seed, end: str) -> None:
    def parted(count: int, **more: Any) -> str:
        body = f"--b{end}{end}x{end}" * count + f"--b--{end}"
        return mail("[PATCH] x", body, Content_Type="multipart/mixed; boundary=b", **more)

    async with seed.client(parted(1001, msgid="a@x"), parted(50, msgid="b@x")) as client:
        [seeded] = client.sandbox.seeded
        assert [told.partition(": ")[2] for told in seeded.left_out] == ["it has too many parts."]
        assert (seeded.others, seeded.patches) == (1, 0)


async def test_a_patch_of_many_files_is_not_taken_for_many_parts(seed: Seed) -> None:
    whole = "".join(map(diff, range(1500)))
    attached = f"--b\nContent-Type: text/x-patch\n\n{whole}\n--b--\n"
    async with seed.client(mail("[PATCH] x", attached, Content_Type="multipart/mixed; boundary=b")) as client:
        assert (await client.get("/patches/1/"))["diff"] == whole


async def test_a_pipe_is_no_mbox_and_is_not_even_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To open one that nobody writes to takes forever."""
    os.mkfifo(tmp_path / "m")

    def no_open(path: Path, *_: Any) -> Any:
        raise AssertionError(path)

    monkeypatch.setattr(Path, "open", no_open)
    with pytest.raises(SandboxError, match=r"cannot be read: it is no ordinary file\.$"):
        open_mbox(tmp_path / "m")


async def test_seeding_can_be_ended_even_among_mails_of_no_use(tmp_path: Path) -> None:
    mbox = write_mbox(tmp_path / "m", [mail("x", sender="nobody")] * 50)
    with closing(Store(tmp_path / "s.sqlite3")) as store, anyio.CancelScope() as scope:
        scope.cancel()
        await take_in(store.patchwork, [mbox])
    assert scope.cancelled_caught


async def test_no_more_is_told_than_somebody_reads(seed: Seed) -> None:
    async with seed.client(*[mail("x", sender="nobody")] * 50) as client:
        [seeded] = client.sandbox.seeded
        assert (len(seeded.left_out), seeded.more) == (20, 30)


@pytest.mark.parametrize(
    "date",
    ["", "yesterday", "Mon, 99 Jan 2025 16:00:00 +0000", "Mon, 06 Jan 10000 16:00:00 +0000",
     "Fri, 31 Dec 9999 23:59:59 -2300", "\ufffd", "1" * 5000],
)  # fmt: skip
async def test_a_date_that_is_none_is_now(seed: Seed, date: str) -> None:
    async with seed.client(mail("[PATCH] x", diff(1), date=date)) as client:
        [patch] = await client.get("/patches/")
        assert patch["date"] > "2025-01-07"
        assert (await client.raw("GET", patch["mbox"])).status == 200


async def test_oddities_do_no_harm(seed: Seed) -> None:
    mails = [
        mail("[PATCH] \x00 \x1b[31m nul", f"\x00\n{diff(1)}", msgid="a\x00@x"),
        mail(
            "[PATCH] charset", f"\xe9\n\n{diff(1)}", msgid="b@x", Content_Type="text/plain; charset=no-such"
        ),
        mail("[PATCH] seven", f"+2AA-\n\n{diff(1)}", msgid="c@x", Content_Type="text/plain; charset=utf-7"),
        mail("[PATCH] base64", "!!!\n", msgid="d@x", Content_Transfer_Encoding="base64"),
        mail("=?utf-8?b?!?= =?no-such?q?x?= [PATCH] word", diff(1), msgid="e@x"),
        mail(f"[PATCH {'9' * 30}/1] number", diff(1), msgid="f@x"),
        mail("[PATCH 9999/1] beyond", diff(1), msgid="g@x"),
        mail(f"{'[x]' * 5000} title", diff(1), msgid="h@x"),
        mail("[PATCH] refs", diff(1), msgid="i@x", References="<a@x>" * 3000),
        mail("[PATCH] bytes \udcff\udcfe", f"\udcff\n\n{diff(1)}", msgid="j@x"),
        mail("[PATCH] hunk", "--- a/x\n+++ b/x\n@@ -1,999999999 +1,2 @@\n-x\n", msgid="k@x"),
        mail("", diff(1), msgid="l@x"),
        mail("[PATCH] inner", f"He wrote:\nFrom me Mon Jan  6 16:00:00 2025\n\n{diff(1)}", msgid="n@x"),
        mail("[PATCH] quoted", f"Hello\n>From me\n>>From you\n\n{diff(1)}", msgid="m@x"),
    ]
    async with seed.client(*mails) as client:
        patches = await client.get("/patches/?per_page=100")
        assert len(patches) == len(mails) - 1
        for patch in patches:
            shown = await client.get(f"/patches/{patch['id']}/")
            assert len(shown["name"]) <= 255
            assert (await client.raw("GET", patch["mbox"])).status == 200
        assert "From me\n>From you" in (await client.get(f"/patches/{patches[-1]['id']}/"))["content"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"not a mail\n", "is no mbox"),
        (b"\x1f\x8b\x08\x00compressed", "is no mbox"),
        (b"From: Carl <c@x>\nSubject: x\n\nbody\n", "is no mbox"),
        (b"x" * (1 << 20), "is no mbox"),
        ("folder", "cannot be read"),
    ],
)
async def test_a_file_that_is_no_mbox_is_refused_in_a_sentence(
    tmp_path: Path, content: bytes | str | None, reason: str
) -> None:
    path = tmp_path / "m"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    with pytest.raises(SandboxError, match=reason) as raised:
        async with serve(tmp_path / "data", seed_mbox=[path]):
            raise AssertionError
    assert str(path) in str(raised.value)


async def test_an_empty_mbox_is_one(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"\n\n")
    async with patchwork_client(tmp_path / "data", tmp_path / "m") as client:
        assert await client.get("/patches/") == []


async def test_a_mail_without_end_takes_no_memory(seed: Seed, tmp_path: Path) -> None:
    path = tmp_path / "m"
    with path.open("wb") as file:
        file.write(mail("[PATCH] first", diff(1), msgid="a@x").encode())
        file.write(mail("[PATCH] huge", "", msgid="b@x").encode())
        for _ in range(64):
            file.write(b"x" * (1 << 20))
        file.write(("\n\n" + mail("[PATCH] last", diff(1), msgid="c@x")).encode())
    tracemalloc.start()
    try:
        with open_mbox(path) as file:
            sizes = [data and len(data) for data in read_messages(file)]
        assert tracemalloc.get_traced_memory()[1] < 3 * LARGEST_MESSAGE
    finally:
        tracemalloc.stop()
    assert [bool(size) for size in sizes] == [True, False, True]
    async with patchwork_client(tmp_path / "data", path) as client:
        assert [one["name"] for one in await client.get("/patches/")] == ["first", "last"]
        assert len(client.sandbox.seeded[0].left_out) == 1
