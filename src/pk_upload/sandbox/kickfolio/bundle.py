"""Judging what was fetched: a ZIP with one .app bundle in it, and what that tells of the app.

Nothing is unpacked, and the archive is read by the same rules as a PatchKit build: its directory in bounded
memory, the entries believed in nothing they declare.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, BinaryIO

from pk_upload.sandbox.kickfolio.plist import UnreadablePlist, read_plist
from pk_upload.sandbox.kickfolio.records import Bundle
from pk_upload.sandbox.kickfolio.texts import is_clean
from pk_upload.sandbox.processing.archive import read_directory
from pk_upload.sandbox.processing.entries import DamagedEntry, read_entry
from pk_upload.sandbox.processing.findings import Findings, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pk_upload.sandbox.processing.archive import Entry

__all__ = ["Unfit", "read_bundle"]

LARGEST_PLIST = 256 << 10
LARGEST_IMAGE = 1 << 20
_MOST_NAMES = 20
"""Names of icons that are looked for."""
_LONGEST_TEXT = 255

_IDENTIFIER = re.compile(r"[A-Za-z0-9.-]{1,155}")
_PNG = b"\x89PNG\r\n\x1a\n"
_SCALES = ("@3x", "@2x", "", "@2x~iphone", "~iphone", "@2x~ipad", "~ipad")
"""What the names of one image in several sizes end with, the best first."""
_UPRIGHT = ("-568h@2x", "@2x", "", "-Portrait@2x~ipad", "-Portrait~ipad", "-Portrait@2x", "-Portrait")
_LYING = ("-Landscape@2x~ipad", "-Landscape~ipad", "-Landscape@2x", "-Landscape")


class Unfit(Exception):
    """What was fetched is no bundle; the text is one sentence that says why."""


def read_bundle(path: Path) -> Bundle:
    """What the bundle in the ZIP at `path` tells. Raises Unfit, or OSError when the file cannot be read."""
    findings = Findings()
    entries = read_directory(path, findings)
    for finding in findings.all():
        if finding.severity == "error":
            raise Unfit(finding.message)
    folder = _folder(entries)
    inside = {entry.path.removeprefix(f"{folder}/"): entry for entry in entries if _is_in(entry, folder)}
    with path.open("rb") as file:
        info = _info(file, inside.get("Info.plist"))
        identifier = info.get("CFBundleIdentifier")
        if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
            raise Unfit("The Info.plist of the .app bundle names no bundle identifier.")
        launch = _text(info.get("UILaunchImageFile")) or "Default"
        return Bundle(
            identifier,
            _text(info.get("CFBundleShortVersionString")) or _text(info.get("CFBundleVersion")),
            _is_landscape(info),
            _device(info.get("UIDeviceFamily")),
            _image(file, inside, (f"{_stem(name)}{scale}" for name in _icons(info) for scale in _SCALES)),
            _image(file, inside, (f"{_stem(launch)}{end}" for end in _UPRIGHT)),
            _image(file, inside, (f"{_stem(launch)}{end}" for end in _LYING)),
        )


def _folder(entries: Iterable[Entry]) -> str:
    """The path of the one bundle; those that lie in it, such as a watch's, are none."""
    found: set[str] = set()
    for entry in entries:
        parts = entry.path.split("/")[:-1]
        at = next((number for number, part in enumerate(parts) if part.lower().endswith(".app")), None)
        if at is not None and parts[0] != "__MACOSX":
            found.add("/".join(parts[: at + 1]))
            if len(found) > 1:
                raise Unfit("The ZIP has more than one .app bundle in it.")
    if not found:
        raise Unfit("The ZIP has no .app bundle in it.")
    return found.pop()


def _is_in(entry: Entry, folder: str) -> bool:
    return entry.path.startswith(f"{folder}/")


def _info(file: BinaryIO, entry: Entry | None) -> Mapping[str, Any]:
    if entry is None:
        raise Unfit("The .app bundle has no Info.plist.")
    if entry.size > LARGEST_PLIST:
        raise Unfit(f"The Info.plist of the .app bundle is larger than {LARGEST_PLIST} bytes.")
    try:
        return read_plist(b"".join(read_entry(file, entry)))
    except DamagedEntry as damage:
        raise Unfit(f"The entry {quoted(entry.path)} {damage}.") from damage
    except UnreadablePlist as error:
        raise Unfit("The Info.plist of the .app bundle cannot be read.") from error


def _text(value: object) -> str | None:
    """A text short enough to be one, and without what no text of one line has."""
    if isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST_TEXT and is_clean(value.strip()):
        return value.strip()
    return None


def _texts(value: object) -> list[str]:
    """The texts in a list, or the one there is."""
    values: Sequence[object] = value if isinstance(value, list) else [value]
    return [text for text in map(_text, values[:_MOST_NAMES]) if text is not None]


def _is_landscape(info: Mapping[str, Any]) -> bool:
    """Whether it begins lying on its side: the first orientation is the one it starts in."""
    named = _texts(info.get("UIInterfaceOrientation")) or _texts(info.get("UISupportedInterfaceOrientations"))
    return bool(named) and named[0].startswith("UIInterfaceOrientationLandscape")


def _device(families: object) -> str:
    """iPad for what runs nowhere else."""
    return "iPad" if isinstance(families, list) and families[:2] in ([2], ["2"]) else "iPhone"


def _icons(info: Mapping[str, Any]) -> Iterator[str]:
    """The names that the icon may have, the likeliest first."""
    icons = info.get("CFBundleIcons")
    primary = icons.get("CFBundlePrimaryIcon") if isinstance(icons, dict) else None
    if isinstance(primary, dict):
        yield from reversed(_texts(primary.get("CFBundleIconFiles")))  # the largest comes last
    yield from _texts(info.get("CFBundleIconFiles"))
    yield from _texts(info.get("CFBundleIconFile"))
    yield "Icon"


def _stem(name: str) -> str:
    return name.removesuffix(".png")


def _image(file: BinaryIO, inside: Mapping[str, Entry], stems: Iterable[str]) -> bytes | None:
    """The first of these images that there is; one that is damaged or too large counts for none."""
    for stem in stems:
        entry = inside.get(f"{stem}.png")
        if entry is None or entry.size > LARGEST_IMAGE:
            continue
        try:
            data = b"".join(read_entry(file, entry))
        except DamagedEntry:
            continue
        if data.startswith(_PNG):
            return data
    return None
