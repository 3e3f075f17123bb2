"""Faults that the sandbox can be told to have: their grammar, and which of them strikes a request. No I/O."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["DESCRIPTION", "ENDPOINTS", "Fault", "FaultError", "FaultPlan", "parse_fault"]

DESCRIPTION = """\
A fault is KIND[=VALUE][@[VERB/]WHERE][:OPTION=NUMBER]...

KIND, and where it strikes unless WHERE says otherwise:
  status=CODE         answer CODE (300 to 599) and carry nothing out; 429 and 503 with
                      Retry-After, 502 as a web page (chunk)
  drop[=SHARE]        cut the connection once this share of the body has arrived,
                      0.5 unless given, 0: before the body is read (chunk)
  stall[=SHARE]       stop reading there instead and never answer, 0 unless given (chunk)
  lost-answer         carry the request out, then cut the connection (chunk)
  slow=SECONDS        wait before the request is looked at (chunk)
  wrong-md5           answer 412 although the MD5 is right (chunk, always)
  strict-order        answer 400 to a chunk that is not the next one (chunk, always)
  slow-job=SECONDS    processing takes this much longer
  fail-job            processing ends as a failed job
  error-message       processing finds an error, so the version cannot be published

WHERE: account, apps, app, changelog, versions, version, latest, publish, content_file,
  content, file, uploads, chunk, gen_chunk_url, part (a presigned PUT), job, lock,
  kickfolio-apps, kickfolio-app, kickfolio-versions, kickfolio-version, kickfolio-image,
  patchwork-index, patchwork-projects, patchwork-project, patchwork-users, patchwork-user,
  patchwork-people, patchwork-person, patchwork-patches, patchwork-patch, patchwork-checks,
  patchwork-check, patchwork-comments, patchwork-comment, patchwork-covers, patchwork-cover,
  patchwork-series-list, patchwork-series, patchwork-events, patchwork-bundles,
  patchwork-bundle, patchwork-mbox (any of them), or * for all of them. VERB narrows it: POST/versions.

OPTION, each a number:
  p=0.1               strike with this probability, 1 unless given
  count=3             strike this many times at most
  after=2             let this many requests pass first
  seed=7              the same choice of requests with p in every run
  retry-after=5       the seconds of Retry-After, 1 unless given

Faults are tried in the order given. The first status, drop or stall that strikes a request
ends that: those after it neither strike nor count.
Counts are of this one run of the server: a restart begins them anew.
Examples: status=503:count=3   drop@chunk:p=0.1:seed=1   lost-answer@POST/versions:count=1
"""

ENDPOINTS = frozenset(
    {
        "account",
        "app",
        "apps",
        "changelog",
        "chunk",
        "content",
        "content_file",
        "file",
        "gen_chunk_url",
        "job",
        "kickfolio-app",
        "kickfolio-apps",
        "kickfolio-image",
        "kickfolio-version",
        "kickfolio-versions",
        "latest",
        "lock",
        "part",
        "patchwork-bundle",
        "patchwork-bundles",
        "patchwork-check",
        "patchwork-checks",
        "patchwork-comment",
        "patchwork-comments",
        "patchwork-cover",
        "patchwork-covers",
        "patchwork-events",
        "patchwork-index",
        "patchwork-mbox",
        "patchwork-patch",
        "patchwork-patches",
        "patchwork-people",
        "patchwork-person",
        "patchwork-project",
        "patchwork-projects",
        "patchwork-series",
        "patchwork-series-list",
        "patchwork-user",
        "patchwork-users",
        "publish",
        "uploads",
        "version",
        "versions",
    }
)
VERBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
PROCESSING = "processing"  # not an endpoint: where the faults of jobs are drawn


class FaultError(ValueError):
    """A fault is not written as it must be; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a kind of fault may be given: its value's bounds and default, and where it may strike."""

    lowest: float = 0.0
    highest: float = 0.0
    default: float | None = 0.0
    """None: the value is required."""
    fixed: str | None = None
    """The only place where it can strike."""

    @property
    def takes_value(self) -> bool:
        return self.highest > 0


_KINDS = {
    "status": _Kind(300, 599, default=None),
    "drop": _Kind(0, 1, default=0.5),
    "stall": _Kind(0, 1, default=0.0),
    "lost-answer": _Kind(),
    "slow": _Kind(0, 3600, default=None),
    "wrong-md5": _Kind(fixed="chunk"),
    "strict-order": _Kind(fixed="chunk"),
    "slow-job": _Kind(0, 86400, default=None, fixed=PROCESSING),
    "fail-job": _Kind(fixed=PROCESSING),
    "error-message": _Kind(fixed=PROCESSING),
}
_FINAL = {"status", "drop", "stall"}
"""Kinds after which no other can strike the same request, so that it must not be counted either."""
_OPTIONS = {
    "p": (0, 1),
    "count": (0, 10**9),
    "after": (0, 10**9),
    "seed": (0, 10**18),
    "retry-after": (0, 86400),
}
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; `where` is an endpoint's name, `processing`, or `*`."""

    spec: str
    kind: str
    value: float
    where: str
    verb: str | None = None
    probability: float = 1.0
    count: int | None = None
    after: int = 0
    seed: int | None = None
    retry_after: int = 1

    def concerns(self, where: str, verb: str) -> bool:
        """Whether a request with this verb to this endpoint is one it may strike."""
        if where == PROCESSING or self.where == PROCESSING:
            return where == self.where
        return self.where in {where, "*"} and self.verb in {verb, None}


def parse_fault(spec: str) -> Fault:
    """The fault that `spec` describes. FaultError, naming what is wrong, when it is none."""
    head, *options = spec.strip().split(":")
    named, at, place = head.partition("@")
    name, equals, value = named.partition("=")
    kind = _KINDS.get(name)
    if kind is None:
        raise FaultError(f"{spec!r}: there is no fault {name!r}; there are {', '.join(_KINDS)}.")
    number = _value(spec, name, kind, value if equals else None)
    verb, where = _place(spec, name, kind, place if at else None)
    chosen = _options(spec, options)
    count = chosen.get("count")
    seed = chosen.get("seed")
    return Fault(
        spec=spec,
        kind=name,
        value=number,
        where=where,
        verb=verb,
        probability=chosen.get("p", 1.0),
        count=None if count is None else int(count),
        after=int(chosen.get("after", 0)),
        seed=None if seed is None else int(seed),
        retry_after=int(chosen.get("retry-after", 1)),
    )


def _value(spec: str, name: str, kind: _Kind, text: str | None) -> float:
    if text is None:
        if kind.default is None:
            raise FaultError(f"{spec!r}: {name} needs a value, {name}=NUMBER.")
        return kind.default
    if not kind.takes_value:
        raise FaultError(f"{spec!r}: {name} takes no value.")
    number = _number(spec, name, text, kind.lowest, kind.highest)
    if name == "status" and not number.is_integer():
        raise FaultError(f"{spec!r}: {text} is no status code.")
    return number


def _place(spec: str, name: str, kind: _Kind, text: str | None) -> tuple[str | None, str]:
    if text is None:
        return None, kind.fixed or "chunk"
    verb, slash, where = text.rpartition("/")
    if kind.fixed and text != kind.fixed:
        raise FaultError(f"{spec!r}: {name} strikes {kind.fixed} alone; leave @{text} out.")
    if slash and verb not in VERBS:
        raise FaultError(f"{spec!r}: there is no verb {verb!r}; there are {', '.join(sorted(VERBS))}.")
    if where not in ENDPOINTS and where not in {"*", kind.fixed}:
        raise FaultError(
            f"{spec!r}: there is no place {where!r}; there are {', '.join(sorted(ENDPOINTS))} and *."
        )
    return verb or None, where


def _options(spec: str, options: Sequence[str]) -> dict[str, float]:
    chosen: dict[str, float] = {}
    for option in options:
        name, equals, text = option.partition("=")
        if name not in _OPTIONS or not equals:
            known = ", ".join(f"{known}=NUMBER" for known in _OPTIONS)
            raise FaultError(f"{spec!r}: there is no option {option!r}; there are {known}.")
        if name in chosen:
            raise FaultError(f"{spec!r}: {name} is given twice.")
        chosen[name] = _number(spec, name, text, *_OPTIONS[name])
        if name != "p" and not chosen[name].is_integer():
            raise FaultError(f"{spec!r}: {name} must be a whole number.")
    return chosen


def _number(spec: str, name: str, text: str, lowest: float, highest: float) -> float:
    if not _NUMBER.fullmatch(text):
        raise FaultError(f"{spec!r}: {name} must be a number, not {text!r}.")
    number = float(text)
    if not lowest <= number <= highest:
        raise FaultError(f"{spec!r}: {name} must be from {lowest:g} to {highest:g}, not {text}.")
    return number


@dataclass(slots=True)
class _Armed:
    """A fault and what is left of it."""

    fault: Fault
    chance: random.Random
    seen: int = 0
    struck: int = 0

    def strikes(self) -> bool:
        fault = self.fault
        self.seen += 1
        if self.seen <= fault.after or (fault.count is not None and self.struck >= fault.count):
            return False
        if fault.probability < 1 and self.chance.random() >= fault.probability:
            return False
        self.struck += 1
        return True


@dataclass(slots=True)
class FaultPlan:
    """All faults of a server. Its counters are of one run of the server."""

    faults: tuple[Fault, ...] = ()
    _armed: list[_Armed] = field(init=False)

    def __post_init__(self) -> None:
        self._armed = [_Armed(fault, random.Random(fault.seed)) for fault in self.faults]  # noqa: S311 - repeatable is the point

    @classmethod
    def parse(cls, specs: Iterable[str]) -> FaultPlan:
        """The plan that `specs` describe. FaultError, naming what is wrong, when one of them is none."""
        return cls(tuple(parse_fault(spec) for spec in specs))

    def draw(self, where: str, verb: str = "") -> tuple[Fault, ...]:
        """The faults that strike this request, in the order in which they were given, up to a final one."""
        struck: list[Fault] = []
        for armed in self._armed:
            if armed.fault.concerns(where, verb) and armed.strikes():
                struck.append(armed.fault)
                if armed.fault.kind in _FINAL:
                    break
        return tuple(struck)
