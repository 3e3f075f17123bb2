"""The mboxes that the sandbox's Patchwork sends: what a mail said, what others did, what came before."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from patchwork_harness import Seed, diff, mail, patchwork_client, series
from yarl import URL

pytestmark = pytest.mark.anyio


async def test_letters_of_every_alphabet_are_read_and_sent(seed: Seed) -> None:
    raw = mail(
        "[PATCH] gr\u00fc\u00df", f"Gr\u00fc\u00dfe\n\n{diff(1)}", msgid="a@x", sender="J\u00fcrgen <j@x.org>"
    )
    sent = mail(
        "=?utf-8?b?W1BBVENIXSDjgYI=?=",
        "R3LDvMOfZQpGcm9tIGhlcmUK\n",
        msgid="b@x",
        answers=None,
        sender="=?iso-8859-1?q?J=FCrgen?= <j@x.org>",
        Content_Type="text/plain; charset=utf-8",
        Content_Transfer_Encoding="base64",
    ).replace(
        "R3LDvMOfZQpGcm9tIGhlcmUK\n",
        "R3LDvMOfZQpGcm9tIGhlcmUKCmRpZmYgLS1naXQgYS94IGIveApvbGQgbW9kZSAxMDA2NDQKbmV3IG1vZGUgMTAwNzU1Cg==\n",
    )
    async with seed.client(raw, sent) as client:
        first, second = await client.get("/patches/1/"), await client.get("/patches/2/")
        assert (first["name"], first["content"], first["submitter"]["name"]) == (
            "gr\u00fc\u00df",
            "Gr\u00fc\u00dfe\n",
            "J\u00fcrgen",
        )
        assert (second["name"], second["content"]) == ("\u3042", "Gr\u00fc\u00dfe\nFrom here\n")
        assert second["submitter"]["id"] == first["submitter"]["id"]
        mbox = (await client.raw("GET", second["mbox"])).text
        assert "Content-Transfer-Encoding: 8bit" in mbox
        assert "\n>From here\n" in mbox
        assert mbox.partition("\n\n")[0].isascii()


async def test_an_mbox_goes_round(seed: Seed, tmp_path: Path) -> None:
    async with seed.client(*series(1)) as client:
        mbox = (await client.raw("GET", f"{client.sandbox.patchwork_url}/series/1/mbox/")).text
        patches = await client.get("/patches/")
    again = tmp_path / "again.mbox"
    again.write_text(mbox)
    async with patchwork_client(tmp_path / "other", again) as client:
        for name in ("msgid", "name", "hash", "date"):
            assert [one[name] for one in await client.get("/patches/")] == [one[name] for one in patches]


async def test_a_patch_comes_behind_those_before_it_and_with_what_others_said(seed: Seed) -> None:
    body = f"Why\n---\n f | 1 +\n\n{diff(1)}"
    mails = [
        mail("[PATCH 1/2] a", body, msgid="a@x"),
        mail("[PATCH 2/2] b", diff(2), msgid="b@x"),
        mail(
            "Re: a",
            '> Acked-by: Nobody <n@x>\nAcked-by: Dora <d@x>\nFixes: 0123 ("x")\n',
            msgid="c@x",
            answers="a@x",
        ),
    ]
    async with seed.client(*mails) as client:
        await client.done("PATCH", "/patches/1/", {"delegate": 1})
        url = (await client.get("/patches/2/"))["mbox"]
        alone, whole, same = [
            (await client.raw("GET", url + query)).text for query in ("", "?series=*", "?series=1")
        ]
        assert (alone.count("From patchwork "), whole.count("From patchwork ")) == (1, 2)
        assert whole == same
        first, _, second = (
            whole.partition("\n\nFrom patchwork ")
            if "\n\nFrom" in whole
            else whole.partition("\nFrom patchwork ")
        )
        assert (
            f'\n\nWhy\nAcked-by: Dora <d@x>\nFixes: 0123 ("x")\n---\n f | 1 +\n\n{diff(1)}'.rstrip() in first
        )
        assert "X-Patchwork-Delegate: maintainer@example.com\n" in first
        assert "Subject: [PATCH 2/2] b" in second


async def test_before_a_patch_come_those_of_lower_numbers_alone(seed: Seed) -> None:
    async with seed.client(*series(1, 4)) as client:
        url = (await client.get("/patches/2/"))["mbox"]
        for query, found in (
            ("", ["2"]),
            ("?series=", ["2"]),
            ("?series=*", ["1", "2"]),
            ("?series=1", ["1", "2"]),
        ):
            assert sent((await client.raw("GET", url + query)).text) == found, query


def sent(mbox: str) -> list[str]:
    """The ids of the patches in it."""
    return re.findall("^X-Patchwork-Id: (.*)$", mbox, re.MULTILINE)


SMUGGLED = f"From: Eve <eve@x.org>\nSubject: [PATCH] smuggled\nMessage-Id: <s@x>\n\n{diff(7)}"


async def test_no_mail_is_smuggled_in_within_a_diff(seed: Seed, tmp_path: Path) -> None:
    begun = "--- a/x\n+++ b/x\n@@ -1,99 +1,99 @@\n a\n\n>From eve@x Mon Jan  6 16:00:00 2025\n"
    async with seed.client(mail("[PATCH] x", f"Why\n\n{begun}{SMUGGLED}")) as client:
        [patch] = await client.get("/patches/")
        again = tmp_path / "again.mbox"
        again.write_text((await client.raw("GET", patch["mbox"])).text)
    async with patchwork_client(tmp_path / "other", again) as client:
        assert [one["name"] for one in await client.get("/patches/")] == ["x"]


async def test_no_mail_is_smuggled_out_of_a_database(seed: Seed, tmp_path: Path) -> None:
    async with seed.client(mail("[PATCH] x", diff(1))):
        pass
    line = "From eve@x Mon Jan  6 16:00:00 2025"
    with closing(sqlite3.connect(tmp_path / "data" / "sandbox.sqlite3")) as database:
        database.execute("UPDATE patchwork_patch SET diff = ?", (f"{diff(1)}\n{line}\n{SMUGGLED}",))
        database.commit()
    async with patchwork_client(tmp_path / "data") as client:
        [patch] = await client.get("/patches/")
        text = (await client.raw("GET", patch["mbox"])).text
        assert f"\n>{line}\n" in text
        assert text.count("\nFrom ") == 0


async def test_credentials_do_not_matter_where_none_are_needed(seed: Seed) -> None:
    async with seed.client(*series(1)) as client:
        body = {"name": "n", "patches": [1], "public": True}
        public = await client.done("POST", "/bundles/", body)
        hidden = await client.done("POST", "/bundles/", body | {"name": "h", "public": False})
        patch, cover = (await client.get("/patches/1/"))["mbox"], (await client.get("/covers/1/"))["mbox"]
        for url, status in ((patch, 200), (cover, 200), (public["mbox"], 200), (hidden["mbox"], 404)):
            for headers in ({"Authorization": "Token wrong"}, {"Authorization": "Basic !"}):
                answer = await client.raw("GET", url, token=None, headers=headers)
                assert answer.status == status, (url, headers)


@pytest.mark.parametrize("msgid", [".", "..", "...", "a/../b@x", "%2E@x"])
async def test_a_mail_is_found_by_an_id_that_looks_like_a_path(seed: Seed, msgid: str) -> None:
    mails = [mail("[PATCH 0/1] c", msgid="0@x"), mail("[PATCH 1/1] p", diff(1), msgid=msgid, answers="0@x")]
    async with seed.client(*mails) as client:
        patch = await client.get("/patches/1/")
        assert patch["msgid"] == f"<{msgid}>"
        for url in (patch["mbox"], str(URL(patch["mbox"]))):
            answer = await client.raw("GET", url)
            assert (answer.status, sent(answer.text)) == (200, ["1"]), url
