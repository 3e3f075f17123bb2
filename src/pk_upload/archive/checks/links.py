"""Where the symbolic links of an archive lead, once it is unpacked. Names only; no file system is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["end_of", "leaves"]

# As Linux has it. A longer chain is not followed by any system, a loop least of all.
HOPS = 40
# Parts of paths passed for one link, and characters of one path. No system takes more, and the work has to
# end soon, for an archive may hold many links.
PARTS = 512
LONGEST = 4096

_DRIVE = re.compile(r"[A-Za-z]:")


def leaves(link: str, targets: Mapping[str, str]) -> bool:
    """Whether the symbolic link `link`, followed as a system does, leads out of the archive.

    `targets` has the target of every link of the archive, by its path. Out leads what is absolute, names a
    drive, climbs above the root on its way, even if it comes back, or is followed by no system to its end.
    A part of a path that is no link is taken for a folder that is there.
    """
    followed = [link]
    if _followed(link, targets, followed, windows=False) is None:
        return True
    # A backslash separates on Windows, elsewhere it is a letter of a name: either reading may lead out.
    has_two = any("\\" in targets.get(each, "") for each in followed)
    return has_two and _followed(link, targets, followed, windows=True) is None


def end_of(link: str, targets: Mapping[str, str]) -> str | None:
    """The path in the archive that the link leads to in the end; `None` if it leads out of it."""
    return _followed(link, targets, [], windows=False)


def _followed(link: str, targets: Mapping[str, str], followed: list[str], *, windows: bool) -> str | None:
    """Goes part by part, for behind a link to "." the folder above is not the one the spelling suggests.

    Adds the links on its way to those `followed`.
    """
    target = _parts(targets.get(link, ""), windows=windows)
    if target is None:
        return None
    rest = [*target, *link.split("/")[-2::-1]]  # what is still to be passed, the next part last
    here, hops = "", 1
    for _ in range(PARTS):
        if not rest:
            return here
        part = rest.pop()
        if part == "..":
            if not here:
                return None
            here = here.rpartition("/")[0]
        elif part not in ("", "."):
            there = f"{here}/{part}" if here else part
            if len(there) > LONGEST:
                return None
            if there not in targets:
                here = there
                continue
            followed.append(there)
            target = _parts(targets[there], windows=windows)
            hops += 1
            if target is None or hops > HOPS:
                return None
            rest += target
    return None if rest else here


def _parts(target: str, *, windows: bool) -> list[str] | None:
    """Those of a link's target, the first one last; `None` if it leads out whatever the others are."""
    if windows:
        target = target.replace("\\", "/")
    if target.startswith("/") or _DRIVE.match(target) or len(target) > LONGEST:
        return None
    return target.split("/")[::-1]
