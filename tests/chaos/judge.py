"""Whether a release kept its promises, by what its runs and the sandbox have left behind."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from chaos.client import Run
from chaos.ledger import Request, files_of, held, rows
from pk_upload.sandbox.ranges import described, missing

__all__ = ["chunks_sent_in_vain", "conduct", "counts", "leaks", "miscounted", "received", "released"]

GIVEN_UP = {7, 9, 12}
"""Exit codes with which a run may end by itself under such faults; the next one goes on."""


def conduct(run: Run) -> Iterator[str]:
    """What is wrong with how a run ended."""
    allowed = {0, *GIVEN_UP} | {-signum if signum == 9 else 128 + signum for signum in run.signals}
    if run.hung:
        yield "it hangs"
    elif run.code not in allowed:
        yield f"it ends with {run.code}"
    if "Traceback" in "".join(run.stderr):
        yield "it shows a traceback"
    if run.code >= 0 and not _agrees(run):
        yield f"its stdout is not what exit {run.code} means: {run.stdout!r}"


def _agrees(run: Run) -> bool:
    """Whether stdout is the one object that belongs to the exit code."""
    try:
        value = json.loads(run.stdout)
    except ValueError:
        return False
    if run.code:
        return bool(value["error"]["exit_code"] == run.code)
    return bool(value["published"] and value["bytes_sent"] + value["bytes_resumed"] == value["bytes_total"])


def leaks(key: str, run: Run, state_dir: Path) -> Iterator[str]:
    """Where a run shows or keeps the API key."""
    if key in run.stdout or key in "".join(run.stderr):
        yield "it prints the API key"
    for path in state_dir.rglob("*"):
        if key in str(path) or (path.is_file() and key.encode() in path.read_bytes()):
            yield f"the API key is in {path}"


def miscounted(runs: Sequence[Run]) -> Iterator[str]:
    """Results that tell of less as resumed than the run before had kept."""
    for before, run in pairwise(runs):
        kept = sum(span.length for span in before.kept.spans) if before.kept else 0
        if run.code == 0 and (told := json.loads(run.stdout)["bytes_resumed"]) < kept:
            yield f"{told} bytes are said to be resumed, and {kept} were kept"


def chunks_sent_in_vain(log: Sequence[Request], runs: Sequence[Run]) -> Iterator[str]:
    """Chunks that were sent although they were confirmed already."""
    arrivals = [request for request in log if request.fate == "arrives"]
    begin = 0
    for number, run in enumerate(runs, 1):
        for request in arrivals:
            if request.at >= run.log_end and _is_kept(request, run):
                yield f"{request} comes after run {number} had it confirmed"
        tries = Counter(_chunk(each) for each in arrivals if begin <= each.at < run.log_end)
        # One that is refused for its order is sent again without a word.
        refused = Counter(
            _chunk(each) for each in log if each.fate == "400" and begin <= each.at < run.log_end
        )
        for chunk, sent in tries.items():
            reasons = run.retried[chunk[1]] + refused[chunk]
            if sent > 1 + reasons:
                yield f"run {number} sent {chunk} {sent} times, with {reasons} reasons to send it again"
        begin = run.log_end


def _is_kept(request: Request, run: Run) -> bool:
    span = request.span
    if span is None or run.kept is None or request.upload_id != run.kept.upload_id:
        return False
    return any(span.overlaps(kept) for kept in run.kept.spans)


def _chunk(request: Request) -> tuple[int | None, int]:
    return request.upload_id, request.span.first if request.span else 0


def counts(log: Sequence[Request], data_dir: Path) -> dict[str, int]:
    """How many of each thing there are that a release has one of; a publish counts once it is carried out."""
    jobs = rows(data_dir, "job")
    chunks = {request.upload_id for request in log if request.upload_id is not None}
    return {
        "versions": len(rows(data_dir, "version")),
        "jobs": len(jobs),
        "uploads": len({job["upload_id"] for job in jobs} | chunks),
        "publishes": sum(request.done and request.what.endswith("/publish") for request in log),
    }


def released(data_dir: Path, build: Path) -> Iterator[str]:
    """What is wrong with the one version."""
    [version] = rows(data_dir, "version")
    [job] = rows(data_dir, "job")
    if not version["published"] or version["draft"] or version["pending_publish"]:
        yield f"the version is not published: {version}"
    if not job["finished"] or job["status"]:
        yield f"the job did not end well: {job}"
    with zipfile.ZipFile(build) as archive:
        wanted = {name: _digest(archive.read(name)) for name in archive.namelist()}
    if files_of(data_dir, version) != wanted:
        yield "what was published is not the build"


def received(log: Sequence[Request], data_dir: Path, build: Path) -> Iterator[str]:
    """What is wrong with the bytes of the one upload, if the sandbox was not done with them too soon."""
    [job] = rows(data_dir, "job")
    arrivals = (each.span for each in log if each.span and each.fate == "arrives")
    if gaps := missing(arrivals, build.stat().st_size):
        yield f"the log does not tell how {described(gaps)} arrived"
    path = held(data_dir, job["upload_id"])
    if path.exists() and _digest(path.read_bytes()) != _digest(build.read_bytes()):
        yield "what was uploaded is not the build"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
