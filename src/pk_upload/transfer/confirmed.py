"""The chunks that the service holds. Pure: a set that stays small, for they come nearly in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

__all__ = ["Confirmed"]


class Confirmed(AbstractSet[int]):
    """Numbers of chunks. Every number below `floor` is in, and those above it are kept one by one."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self.floor = 0
        self._above: set[int] = set()
        if isinstance(numbers, Confirmed):
            self.floor, self._above = numbers.floor, set(numbers._above)
        else:
            for number in numbers:
                self.add(number)

    def add(self, number: int) -> None:
        if number >= self.floor:
            self._above.add(number)
        while self.floor in self._above:
            self._above.remove(self.floor)
            self.floor += 1

    @property
    def highest(self) -> int:
        """The highest number that is in; -1 if none is."""
        return max(self._above, default=self.floor - 1)

    def __contains__(self, number: object) -> bool:
        return number in self._above or (isinstance(number, int) and 0 <= number < self.floor)

    def __iter__(self) -> Iterator[int]:
        yield from range(self.floor)
        yield from sorted(self._above)

    def __len__(self) -> int:
        return self.floor + len(self._above)
