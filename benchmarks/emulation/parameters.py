"""What link and what server are emulated."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TICK", "LinkSettings"]

TICK = 0.004  # seconds between two turns of the model


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """A link and the server behind it. Times are seconds, rates bytes a second, sizes bytes.

    `latency` is the round trip. `rate` is that of all connections together, `connection_rate` bounds each
    of them. `think` is what the server takes from the last byte of a chunk to its answer. `loss` is the
    probability that a segment of 1460 bytes is lost. `throttle` is the number of chunks the server takes at
    once; to any more it answers 429 with `retry_after`. `seed` makes the losses repeatable.
    """

    latency: float = 0.04
    rate: float = 25e6
    connection_rate: float | None = None
    think: float = 0.05
    loss: float = 0.0
    throttle: int | None = None
    retry_after: float = 1.0
    seed: int = 1

    @property
    def fastest(self) -> float:
        """The most that one connection can carry, in bytes a second."""
        return min(self.rate, self.connection_rate or self.rate)
