"""Finding the steps from an old file to a new one, in windows, so that size costs time and not memory.

hdiffpatch releases the interpreter lock and needs about ten times the old bytes, so its windows are
kept small. It is the slow part, 2 to 30 MiB a second by how wide it looks and how little it finds:
hence the shortcuts.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import hdiffpatch

from pk_upload.sandbox.processing.steps import Kind, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pk_upload.sandbox.processing.version import FileView

__all__ = ["WINDOW", "steps_for_added", "steps_for_changed"]

WINDOW = 1 << 20
"""Bytes of the new file looked at together."""

NEAR = 64 << 10
"""Bytes of the old file looked at on either side of where the window is expected."""

FAR = 512 << 10
"""The same, for a window that is not found nearby."""

_LEVEL = 1  # the quick one: games are compressed already, or zeros
_ANCHOR = 64
_ANCHORS = 64
_LONGEST_PAUSE = 64
_PROBE = 4096


def steps_for_added(new: FileView) -> Iterator[Step]:
    """Steps that make a file of nothing old, one for each window."""
    for start in range(0, new.size, WINDOW):
        yield _literal(new.read(start, WINDOW))


def steps_for_changed(old: FileView, new: FileView) -> Iterator[Step]:
    """Steps that make `new` of `old`, one for each window."""
    comparison = _Comparison(old, new)
    for start in range(0, new.size, WINDOW):
        yield comparison.step(start)


class _Comparison:
    """Walks through both files, remembering how far they have drifted apart."""

    def __init__(self, old: FileView, new: FileView) -> None:
        self._old = old
        self._new = new
        self._drift = 0
        self._pause = 0
        self._skip = 0

    def step(self, start: int) -> Step:
        data = self._new.read(start, WINDOW)
        return self._copy(start, data) or self._patch(start, data) or _literal(data)

    def _copy(self, start: int, data: bytes) -> Step | None:
        """The same bytes, shifted as lately, not at all, or as if all that was inserted came before."""
        for drift in dict.fromkeys((self._drift, 0, self._old.size - self._new.size)):
            at = start + drift
            if 0 <= at <= self._old.size - len(data) and self._old.read(at, len(data)) == data:
                self._drift, self._pause, self._skip = drift, 0, 0
                return Step(Kind.COPY, self._old.offset + at, len(data), len(data))
        return None

    def _patch(self, start: int, data: bytes) -> Step | None:
        """A delta, if it is smaller than the data; after each that is not, more windows go without."""
        if self._skip:
            self._skip -= 1
            return None
        step = self._patch_within(NEAR, start, data)
        if (step is None or _cost(step) > len(data) // 32) and self._is_far(start, data):
            step = min(filter(None, (step, self._patch_within(FAR, start, data))), key=_cost, default=None)
        if step is None or _cost(step) >= len(data):
            self._pause = self._skip = min(max(1, 2 * self._pause), _LONGEST_PAUSE)
            return None
        self._pause = 0
        return step if _cost(step) < len(data) // 8 else min(step, _literal(data), key=_cost)

    def _is_far(self, start: int, data: bytes) -> bool:
        """Whether pieces of the window stand in the wide view at all: else looking closely is a waste."""
        _, base = self._view(FAR, start, data)
        spacing = max(_ANCHOR, len(data) // _ANCHORS)
        return any(data[at : at + _ANCHOR] in base for at in range(0, len(data), spacing))

    def _view(self, reach: int, start: int, data: bytes) -> tuple[int, bytes]:
        begin = min(max(0, start + self._drift - reach), self._old.size)
        return begin, self._old.read(begin, len(data) + 2 * reach)

    def _patch_within(self, reach: int, start: int, data: bytes) -> Step | None:
        begin, base = self._view(reach, start, data)
        if not base:
            return None
        try:
            delta = hdiffpatch.diff(base, data, compression="zlib", big_cache_match=True)
        except hdiffpatch.HDiffPatchError:
            return None  # it checks its own work; the data serve as well
        self._follow(start, data, begin, base)
        return Step(Kind.PATCH, self._old.offset + begin, len(base), len(data), delta)

    def _follow(self, start: int, data: bytes, begin: int, base: bytes) -> None:
        """Where the end of the window was in the old file, the next one is expected to go on."""
        anchor = data[-_ANCHOR:]
        at = base.find(anchor)
        if at >= 0 and at == base.rfind(anchor):
            self._drift = (begin + at) - (start + len(data) - len(anchor))


def _literal(data: bytes) -> Step:
    packed = zlib.compress(data, _LEVEL) if _compressible(data) else data
    if len(packed) < len(data):
        return Step(Kind.PACKED, 0, 0, len(data), packed)
    return Step(Kind.PLAIN, 0, 0, len(data), data)


def _compressible(data: bytes) -> bool:
    """Judged by a few samples: what is compressed already is most of a game, and slow to try."""
    samples = [data[at : at + _PROBE] for at in range(0, len(data), max(_PROBE, len(data) // 4))]
    return any(len(zlib.compress(sample, _LEVEL)) < len(sample) for sample in samples)


def _cost(step: Step) -> int:
    return len(step.payload)
