"""The links that are measured, and the files that go over them."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.emulation.parameters import LinkSettings
from benchmarks.settings import MIB, Settings

__all__ = ["AUTO", "CHUNK", "Row", "Scenario", "rows"]

CHUNK = 10 * MIB
AUTO = "auto"
LANES = (1, 2, 4, 6, 8, 12, 16)
QUICK_LANES = (1, 4, 8)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A link by name. `lane_chunks` is how many chunks suffice to measure one lane; `None`: the whole file.

    Where lanes do not get into each other's way, the rate of a few does not depend on the file's size.
    """

    name: str
    title: str
    link: LinkSettings
    lane_chunks: int | None = None

    def size(self, lanes: int | str, whole: int) -> int:
        """The bytes of the file that is sent by `lanes`, at most `whole`."""
        if self.lane_chunks is None or isinstance(lanes, str):
            return whole
        return min(whole, lanes * self.lane_chunks * CHUNK)


CAPPED = LinkSettings(connection_rate=4e6)
SCENARIOS = (
    Scenario("capped", "4 MB/s a connection", CAPPED, lane_chunks=8),
    Scenario("open", "no cap", LinkSettings()),
    Scenario("lossy", "no cap, 0.02 % loss", LinkSettings(loss=0.0002), lane_chunks=16),
    Scenario(
        "throttled",
        "4 MB/s a connection, 429 beyond 6 chunks",
        LinkSettings(connection_rate=4e6, throttle=6),
        8,
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What is run once a round: a file of `size` bytes over a scenario's link by so many lanes."""

    scenario: Scenario
    lanes: int | str
    size: int

    @property
    def name(self) -> str:
        return f"{self.scenario.name}-{self.lanes}"


def rows(settings: Settings) -> list[Row]:
    """The rows that are wanted. Raises `Failure` when `only` names one that there is not."""
    lanes: tuple[int | str, ...] = (*(QUICK_LANES if settings.quick else LANES), AUTO)
    every = [Row(each, count, each.size(count, settings.size)) for each in SCENARIOS for count in lanes]
    settings.check_only([row.name for row in every])
    return [row for row in every if settings.wants(row.name)]
