"""What a running Patchwork server was asked, and what it answered, as it was recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from scripted_server import Answer

__all__ = ["RECORDED_AT", "Exchange", "exchanges"]

RECORDED_AT = "http://patchwork.test"
PLACE = Path(__file__).parent / "recordings" / "patchwork.json"


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; `json` is `None` where there is none, and `token` stands for a user's."""

    name: str
    method: str
    path: str
    token: str | None
    content_type: str | None
    body: Any
    status: int
    headers: dict[str, str]
    json: Any
    text: str

    def answer(self, url: str = RECORDED_AT) -> Answer:
        """The answer, as a server at `url` would give it."""
        text = self.text if self.json is None else json.dumps(self.json)
        headers = {name: value.replace(RECORDED_AT, url) for name, value in self.headers.items()}
        return Answer(self.status, text.replace(RECORDED_AT, url).encode(), headers)


@cache
def exchanges() -> dict[str, Exchange]:
    """All of them, by name."""
    found = [_exchange(**each) for each in json.loads(PLACE.read_text("utf-8"))]
    return {each.name: each for each in found}


def _exchange(name: str, request: dict[str, Any], response: dict[str, Any]) -> Exchange:
    asked = request["headers"]
    return Exchange(
        name=name,
        method=request["method"],
        path=request["path"],
        token=_token(asked.get("Authorization", "").removeprefix("Token ")),
        content_type=asked.get("Content-Type"),
        body=request["body"],
        status=response["status"],
        headers=response["headers"],
        json=response.get("json"),
        text=response.get("text", ""),
    )


def _token(user: str) -> str | None:
    """A token as long as a real one is, where the recording has a word for it."""
    return f"0123456789abcdef-of-{user.lower()}" if user else None
