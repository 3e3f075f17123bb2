"""What `pk-upload sandbox` says of its Patchwork, and what its options for that do."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from cli_harness import pk, start
from patchwork_harness import diff, mail, series, write_mbox

TOKEN = "hush$hush"


def test_it_says_how_to_use_its_patchwork(tmp_path: Path) -> None:
    process = start("sandbox", "--port", "0", "--data-dir", tmp_path / "data", "--patchwork-token", TOKEN)
    assert process.stdout is not None
    lines = [process.stdout.readline().strip() for _ in range(13)]
    [address] = [line.partition("=")[2] for line in lines if line.startswith("export PATCHWORK_URL=")]
    assert f"export PATCHWORK_TOKEN='{TOKEN}'" in lines
    request = Request(f"{address}/api/users/", headers={"Authorization": f"Token {TOKEN}"})
    with urlopen(request) as answer:
        assert len(json.load(answer)) == 3
    process.terminate()
    process.communicate(timeout=60)


def test_mails_become_its_patches_and_those_of_no_use_are_told(tmp_path: Path) -> None:
    mbox = write_mbox(tmp_path / "m", [*series(1), mail("[PATCH] x", diff(1), sender="nobody")])
    more = write_mbox(tmp_path / "n", series(2))
    flags = (
        "--port",
        "0",
        "--json",
        "--data-dir",
        tmp_path / "data",
        "--seed-mbox",
        mbox,
        "--seed-mbox",
        more,
    )
    process = start("sandbox", *flags)
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    assert (told["patchwork_url"], told["patchwork_token"]) == (f"{told['url']}/patchwork", "sandbox")
    with urlopen(f"{told['patchwork_url']}/api/patches/") as answer:
        assert len(json.load(answer)) == 6
    process.terminate()
    error = process.communicate(timeout=60)[1]
    assert f"Mail 5 of {mbox} is left out: it does not say who sent it" in error
    assert f"{mbox}: 3 patches, 1 cover letter, 0 replies\n" in error
    assert f"{more}: 3 patches, 1 cover letter, 0 replies\n" in error


@pytest.mark.parametrize("content", [None, b"no mbox"])
def test_a_file_that_is_no_mbox_ends_it_with_a_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "m"
    if content is not None:
        path.write_bytes(content)
    done = pk("sandbox", "--json", "--data-dir", tmp_path / "data", "--seed-mbox", path)
    assert done.code == 1
    assert str(path) in done.error["message"]


def test_the_token_of_patchwork_is_in_no_message(tmp_path: Path) -> None:
    secret = "pw-0123456789"
    (tmp_path / secret).write_text("a file where a directory should be")
    for flag in (("--patchwork-token", secret), (f"--patchwork-token={secret}",)):
        done = pk("sandbox", *flag, "--data-dir", tmp_path / secret / "data", "--verbose")
        assert done.code == 1
        assert secret not in done.out + done.err
    for token in ("", "a:b"):
        done = pk("sandbox", "--json", "--patchwork-token", token)
        assert (done.code, "--patchwork-token" in done.error["message"]) == (2, True)
