"""How a transfer is to be done."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from pk_upload.errors import UsageError

__all__ = ["MIB", "TransferConfig"]

MIB = 1024 * 1024
_CONCURRENCY = "the concurrency is a number of chunks, or auto"
SMALLEST_CHUNK = 1024


@dataclass(frozen=True, slots=True)
class TransferConfig:
    """The settings of one transfer. Sizes are bytes, times are seconds, `limit_rate` is bytes a second.

    `concurrency` is the number of chunks sent at once, never more than `max_concurrency`; "auto" begins
    small, grows while that pays off and shrinks in trouble. `retries` counts attempts after the first, for a
    chunk and for a call; by default they are the client's. `stall_timeout` ends an attempt that moves no
    byte. `checksum` sends each chunk's MD5. `resume` keeps and uses a journal under `state_dir` (by default
    the user's state directory), `resume_from` the journal of another path whose content is the same. Raises
    `UsageError` for values that make no sense.
    """

    chunk_size: int = 10 * MIB
    concurrency: int | Literal["auto"] = "auto"
    max_concurrency: int = 16
    limit_rate: int | None = None
    stall_timeout: float = 60.0
    retries: int | None = None
    checksum: bool = True
    resume: bool = True
    resume_from: str | os.PathLike[str] | None = None
    state_dir: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        whole = all(isinstance(size, int | None) for size in (self.chunk_size, self.limit_rate, self.retries))
        self._require(whole, "sizes, rates and retries are whole numbers")
        self._require(isinstance(self.concurrency, int) or self.concurrency == "auto", _CONCURRENCY)
        self._require(self.resume or self.resume_from is None, "resume_from makes no sense without resume")
        self._require(self.chunk_size >= SMALLEST_CHUNK, f"a chunk is at least {SMALLEST_CHUNK} bytes")
        self._require(
            self.concurrency == "auto" or 1 <= self.concurrency <= self.max_concurrency,
            f"{_CONCURRENCY}, at most {self.max_concurrency}",
        )
        self._require(self.max_concurrency >= 1, "max_concurrency is at least 1")
        self._require(self.limit_rate is None or self.limit_rate >= 1024, "the rate is at least 1 KiB/s")
        self._require(self.stall_timeout > 0, "the stall timeout is more than 0 s")
        self._require(self.retries is None or self.retries >= 0, "the number of retries is not negative")

    @staticmethod
    def _require(condition: bool, rule: str) -> None:
        if not condition:
            raise UsageError(rule)
