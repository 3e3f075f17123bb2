"""What a fetched ZIP tells, and what a hostile one does not get away with."""

from __future__ import annotations

import plistlib
import random
import struct
import tracemalloc
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kickfolio_harness import INFO, PNG, bundle, zipped

from pk_upload.sandbox.kickfolio.bundle import LARGEST_IMAGE, LARGEST_PLIST, Unfit, read_bundle
from pk_upload.sandbox.kickfolio.plist import UnreadablePlist, read_plist
from pk_upload.sandbox.kickfolio.records import Bundle

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
XML = plistlib.dumps(INFO)


def read(tmp_path: Path, archive: bytes) -> Bundle:
    path = tmp_path / "bundle.zip"
    path.write_bytes(archive)
    return read_bundle(path)


def told(tmp_path: Path, **info: Any) -> Bundle:
    """What a bundle with these entries in its Info.plist tells."""
    return read(tmp_path, bundle(INFO | info))


def fault(tmp_path: Path, archive: bytes) -> str:
    with pytest.raises(Unfit) as caught:
        read(tmp_path, archive)
    assert str(caught.value).isprintable()
    assert str(caught.value).endswith(".")
    return str(caught.value)


# What it tells


@pytest.mark.parametrize("folder", ["My.app", "My App.APP", "Payload/My.app", "build/Release/My.app"])
@pytest.mark.parametrize("form", [plistlib.FMT_XML, plistlib.FMT_BINARY], ids=["XML", "binary"])
def test_a_bundle_is_found_wherever_it_lies(tmp_path: Path, folder: str, form: Any) -> None:
    entries = {
        "readme.txt": b"",
        f"{folder}/Info.plist": plistlib.dumps(INFO, fmt=form),
        f"{folder}/Watch/Watch.app/Info.plist": b"",
        f"__MACOSX/{folder}/._Info.plist": b"",
    }
    assert read(tmp_path, zipped(entries)) == Bundle("com.kickfolio.app", "1.0")


def test_the_version_string_may_be_the_builds(tmp_path: Path) -> None:
    assert told(tmp_path, CFBundleShortVersionString="", CFBundleVersion="77").version_string == "77"
    assert told(tmp_path, CFBundleShortVersionString="1\u200c2").version_string == "1\u200c2"
    for none in (7, "a\nb", "a\u2028b", "9" * 300):
        assert told(tmp_path, CFBundleShortVersionString=none).version_string is None


UPRIGHT, LYING = "UIInterfaceOrientationPortrait", "UIInterfaceOrientationLandscapeLeft"


@pytest.mark.parametrize(
    ("info", "landscape"),
    [
        ({}, False),
        ({"UISupportedInterfaceOrientations": [UPRIGHT, LYING]}, False),
        ({"UISupportedInterfaceOrientations": [LYING, UPRIGHT]}, True),
        ({"UIInterfaceOrientation": LYING, "UISupportedInterfaceOrientations": [UPRIGHT]}, True),
        ({"UISupportedInterfaceOrientations": []}, False),
        ({"UISupportedInterfaceOrientations": {"a": LYING}}, False),
    ],
)
def test_it_starts_in_its_first_orientation(tmp_path: Path, info: dict[str, Any], landscape: bool) -> None:
    assert told(tmp_path, **info).landscape is landscape


@pytest.mark.parametrize(
    ("families", "device"),
    [([1], "iPhone"), ([1, 2], "iPhone"), ([2], "iPad"), (["2"], "iPad"), ([], "iPhone"), (2, "iPhone")],
)
def test_what_runs_on_no_phone_is_for_a_tablet(tmp_path: Path, families: Any, device: str) -> None:
    assert told(tmp_path, UIDeviceFamily=families).device_type == device


def test_images_are_found_by_the_names_they_have(tmp_path: Path) -> None:
    images = {name: PNG + name.encode() for name in ("a.png", "a@2x.png", "b@3x.png", "c.png", "Icon.png")}
    launch = {"Launch-568h@2x.png": PNG + b"tall", "Launch-Landscape.png": PNG + b"wide"}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"CFBundleIconFiles": ["a"]}, "a@2x.png"),
        ({"CFBundleIconFiles": ["c.png", "a.png"]}, "c.png"),
        ({"CFBundleIcons": {"CFBundlePrimaryIcon": {"CFBundleIconFiles": ["a", "b"]}}}, "b@3x.png"),
        ({"CFBundleIconFiles": ["missing"], "CFBundleIconFile": "c"}, "c.png"),
        ({"CFBundleIconFiles": [["a"]], "CFBundleIcons": {"CFBundlePrimaryIcon": "c"}}, "Icon.png"),
        ({"CFBundleIconFiles": ["../../c"]}, "Icon.png"),
    ]
    for info, icon in cases:
        found = {"CFBundleIdentifier": "a.b", "UILaunchImageFile": "Launch", **info}
        tells = read(tmp_path, bundle(found, **images, **launch))
        assert tells.icon == images[icon]
        assert (tells.default_image, tells.default_image_landscape) == (PNG + b"tall", PNG + b"wide")


@pytest.mark.parametrize("data", [b"<svg onload='alert(1)'/>", b"", PNG + bytes(LARGEST_IMAGE)])
def test_what_is_no_image_is_left_out(tmp_path: Path, data: bytes) -> None:
    tells = read(tmp_path, bundle(None, **{"Icon.png": data, "Default.png": data}))
    assert (tells.icon, tells.default_image) == (None, None)


# What it does not get away with


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({}, "has no files"),
        ({"readme.txt": b""}, "no .app bundle"),
        ({"My.app": b""}, "no .app bundle"),
        ({"__MACOSX/My.app/Info.plist": XML}, "no .app bundle"),
        ({"A.app/Info.plist": XML, "B.app/Info.plist": XML}, "more than one .app bundle"),
        ({"A.app/Info.plist": XML, "in/B.app/a": b""}, "more than one .app bundle"),
        ({"My.app/info.txt": b""}, "no Info.plist"),
        ({"My.app/in/Info.plist": XML}, "no Info.plist"),
        ({"My.app/Info.plist": b""}, "cannot be read"),
        ({"My.app/Info.plist": b"<plist><array/></plist>"}, "cannot be read"),
        ({"My.app/Info.plist": b"bplist00"}, "cannot be read"),
        ({"My.app/Info.plist": plistlib.dumps({})}, "names no bundle identifier"),
        ({"My.app/Info.plist": bytes(LARGEST_PLIST + 1)}, "larger than"),
        ({"../My.app/Info.plist": XML}, 'has a ".."'),
        ({"/My.app/Info.plist": XML}, "absolute path"),
        ({"My.app\\Info.plist": XML}, "backslash"),
        ({"My.app/Info.plist": XML, "My.app/INFO.PLIST": b""}, "more than once"),
    ],
)
def test_what_is_no_bundle_is_refused(tmp_path: Path, entries: dict[str, bytes], said: str) -> None:
    assert said in fault(tmp_path, zipped(entries))


@pytest.mark.parametrize("identifier", [None, "", 7, "a b", "a/b", "a" * 156, "\u202ea", ["a"]])
def test_an_identifier_that_is_none_is_refused(tmp_path: Path, identifier: Any) -> None:
    info = {} if identifier is None else {"CFBundleIdentifier": identifier}
    assert "names no bundle identifier" in fault(tmp_path, bundle(info))


def test_a_bundle_that_is_damaged_is_refused(tmp_path: Path) -> None:
    whole = bundle()
    flipped = bytearray(whole)
    flipped[whole.index(b"Info.plist") + 20] ^= 0xFF
    assert "damaged" in fault(tmp_path, bytes(flipped))
    assert "cut off" in fault(tmp_path, whole[: len(whole) // 2])


def test_a_list_that_swells_is_not_unpacked(tmp_path: Path) -> None:
    """The directory may lie about the size, and deflated zeros are small."""
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("My.app/Info.plist", bytes(100 * MIB))
    lying = path.read_bytes().replace(struct.pack("<L", 100 * MIB), struct.pack("<L", 1000))
    tracemalloc.start()
    try:
        assert "holds more than" in fault(tmp_path, lying)
        assert tracemalloc.get_traced_memory()[1] < 10 * MIB
    finally:
        tracemalloc.stop()


def shared_bytes(kind: int, length: int, width: int, objects: int) -> bytes:
    """A list of `objects` of this kind, each of the given length, that all have the very same bytes."""
    marker = b"\x1f" if kind == 0x1 else struct.pack(">BBL", kind * 16 + 15, 0x12, length)
    root = struct.pack(">BBH", 0xAF, 0x11, objects)
    refs = struct.pack(f">{objects}H", *range(1, objects + 1))
    shared = marker + (b"\x01" if kind == 0x1 else b"\0") * length * width  # a number of zeros would be small
    head = b"bplist00" + root + refs
    offsets = struct.pack(f">{objects + 1}L", 8, *[len(head)] * objects)
    body = head + shared
    return body + offsets + struct.pack(">6xBBQQQ", 4, 2, objects + 1, 0, len(body))


@pytest.mark.parametrize(("kind", "width"), [(0x1, 1), (0x4, 1), (0x5, 1), (0x6, 2), (0xA, 2), (0xD, 4)])
def test_objects_that_share_their_bytes_are_refused(kind: int, width: int) -> None:
    hostile = shared_bytes(kind, 100_000 // width, width, 20_000)
    assert len(hostile) <= LARGEST_PLIST
    tracemalloc.start()
    try:
        with pytest.raises(UnreadablePlist):
            read_plist(hostile)
        assert tracemalloc.get_traced_memory()[1] < 10 * MIB
    finally:
        tracemalloc.stop()


def nested(depth: int) -> bytes:
    """A list of a list of a list: each object holds the next."""
    objects = b"".join(struct.pack(">BH", 0xA1, number + 1) for number in range(depth)) + b"\x09"
    offsets = struct.pack(f">{depth + 1}L", *range(8, 8 + 3 * depth + 1, 3))
    trailer = struct.pack(">6xBBQQQ", 4, 2, depth + 1, 0, 8 + len(objects))
    return b"bplist00" + objects + offsets + trailer


@pytest.mark.parametrize(
    "data",
    [
        nested(30_000),
        b"<plist>" + b"<array>" * 20_000 + b"</array>" * 10_000 + b"</plist>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><plist><dict><key>&b;</key><true/></dict></plist>',
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><plist><string>&b;</string></plist>',
        b'<?xml version="1.0" encoding="utf-7"?><plist><dict/></plist>',
        b"<plist><dict><key>a</key><integer>" + b"9" * 100_000 + b"</integer></dict></plist>",
        b"<plist><dict><key>a</key><date>0000-99-99T99:99:99Z</date></dict></plist>",
        b"bplist00" + bytes(32),
        b"bplist00" + b"\xff" * 32,
        b"bplist00" + struct.pack(">6xBBQQQ", 3, 1, 1 << 60, 0, 8),
        b"bplist00" + struct.pack(">6xBBQQQ", 8, 8, 1, 0, (1 << 64) - 1),
    ],
    ids=range(11),
)
def test_a_hostile_list_is_refused(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UnreadablePlist):
            read_plist(data)
        assert tracemalloc.get_traced_memory()[1] < 20 * MIB
    finally:
        tracemalloc.stop()


texts = st.text(st.characters(codec="utf-8"))
numbers = st.integers(-(1 << 63), (1 << 64) - 1)
values = st.recursive(
    st.booleans() | numbers | texts | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=30,
)


@given(st.dictionaries(texts, values))
def test_an_honest_list_is_read(content: dict[str, Any]) -> None:
    assert read_plist(plistlib.dumps(content, fmt=plistlib.FMT_BINARY)) == content


@given(st.integers(0, 1 << 32))
def test_whatever_is_flipped_in_a_list_it_is_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(plistlib.dumps(INFO, fmt=plistlib.FMT_BINARY))
    for _ in range(chance.randint(1, 4)):
        data[chance.randrange(8, len(data))] = chance.randrange(256)
    with suppress(UnreadablePlist):
        assert isinstance(read_plist(bytes(data)), dict)


@given(st.integers(0, 1 << 32))
def test_whatever_is_flipped_in_a_bundle_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    chance = random.Random(seed)
    data = bytearray(bundle())
    for _ in range(chance.randint(1, 4)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path = tmp_path_factory.getbasetemp() / "flipped.zip"
    path.write_bytes(data)
    with suppress(Unfit):
        assert read_bundle(path).identifier
