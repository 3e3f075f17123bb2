"""A Patchwork site that the command line is pointed at, whoever serves it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cli_harness import Done, pk

from recorded_patchwork import TOKEN, RecordedPatchwork

__all__ = ["Site", "server", "site"]


@dataclass(frozen=True)
class Site:
    """The site's address, and a token of a maintainer or none."""

    url: str
    token: str | None

    @property
    def env(self) -> dict[str, str | None]:
        return {"PATCHWORK_URL": self.url, "PATCHWORK_TOKEN": self.token}

    def pk(self, *arguments: str, env: dict[str, str | None] | None = None) -> Done:
        return pk("patchwork", *arguments, env={**self.env, **(env or {})})

    def json(self, *arguments: str) -> Any:
        done = self.pk(*arguments, "--json")
        assert done.code == 0, done.out
        return done.json

    def csv(self, *arguments: str) -> list[dict[str, str]]:
        done = self.pk(*arguments, "--csv")
        assert (done.code, done.err) == (0, "")
        records = [*csv.DictReader(io.StringIO(done.out), strict=True)]
        assert done.out.count("\n") == len(records) + 1, "a record is a line"
        return records

    def table(self, *arguments: str) -> list[str]:
        """The lines of a table, the header first."""
        done = self.pk(*arguments)
        assert (done.code, done.err) == (0, "")
        return done.out.splitlines()


@pytest.fixture
def server() -> Iterator[RecordedPatchwork]:
    with RecordedPatchwork() as running:
        yield running


@pytest.fixture
def site(server: RecordedPatchwork) -> Site:
    return Site(server.url, TOKEN)
