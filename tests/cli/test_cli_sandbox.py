"""What `pk-upload sandbox` says of its Kickfolio, and what its options for that do."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from cli_harness import pk, start

TOKEN = "hush$hush"


def ask(url: str, token: str) -> Any:
    shown = b64encode(token.encode()).decode()
    with urlopen(Request(url, headers={"Authorization": f"Basic {shown}"}), timeout=60) as answer:
        return json.load(answer)


def test_it_says_how_to_use_its_kickfolio(tmp_path: Path) -> None:
    process = start("sandbox", "--port", "0", "--data-dir", tmp_path / "data", "--kickfolio-token", TOKEN)
    assert process.stdout is not None
    lines = [process.stdout.readline().strip() for _ in range(10)]
    [address] = [line.partition("=")[2] for line in lines if line.startswith("export KICKFOLIO_URL=")]
    assert f"export KICKFOLIO_AUTH_TOKEN='{TOKEN}'" in lines
    assert lines[-1].startswith("pk-upload kickfolio ")
    assert ask(f"{address}/api/apps", TOKEN) == {"apps": []}
    process.terminate()
    assert process.communicate(timeout=60)[1] == "interrupted\n"


def test_with_json_it_tells_the_address_and_the_token(tmp_path: Path) -> None:
    process = start("sandbox", "--port", "0", "--json", "--data-dir", tmp_path / "data", "--fetch-anywhere")
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    assert told["kickfolio_url"] == f"{told['url']}/kickfolio"
    assert ask(f"{told['kickfolio_url']}/api/apps", told["kickfolio_auth_token"]) == {"apps": []}
    process.terminate()
    process.communicate(timeout=60)


def test_a_blank_token_is_a_usage_error() -> None:
    for token in ("", "  "):
        done = pk("sandbox", "--json", "--kickfolio-token", token)
        assert done.code == 2
        assert "--kickfolio-token" in done.error["message"]


@pytest.mark.parametrize("token", ["kf 0123", "kf:0123", "kf-0123ü", "kf\x070123", "kf\u200d0123"])
def test_a_token_that_no_client_can_send_is_a_usage_error(token: str) -> None:
    done = pk("sandbox", "--json", "--kickfolio-token", token)
    assert done.code == 2
    assert "--kickfolio-token" in done.error["message"]
    assert "0123" not in done.out + done.err


def test_white_space_around_the_token_is_left_out_as_clients_do(tmp_path: Path) -> None:
    flags = ("--port", "0", "--json", "--data-dir", tmp_path / "data", "--kickfolio-token", f" {TOKEN}\n")
    process = start("sandbox", *flags)
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    assert told["kickfolio_auth_token"] == TOKEN
    assert ask(f"{told['kickfolio_url']}/api/apps", TOKEN) == {"apps": []}
    process.terminate()
    process.communicate(timeout=60)


def test_the_token_is_in_no_message(tmp_path: Path) -> None:
    secret = "kf-0123456789"
    (tmp_path / secret).write_text("a file where a directory should be")
    for flag in (("--kickfolio-token", secret), (f"--kickfolio-token={secret}",)):
        done = pk("sandbox", *flag, "--data-dir", tmp_path / secret / "data", "--verbose")
        assert done.code == 1
        assert "cannot be made" in done.err
        assert secret not in done.out + done.err
