"""SIGINT and SIGTERM: an exit code, one line, and a run that the next one goes on with."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_harness import Done, Live, finish, live, start, under_way

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are another matter there")
__all__ = ["live"]

RESUME = "interrupted: run the same command again to resume\n"
BOTH = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
SLOW = ("--limit-rate", "50K", "--chunk-size", "20K", "--concurrency", "2", "--progress", "json")


def interrupted(live: Live, signum: int, *arguments: str | Path) -> Done:
    process = start(*arguments, *SLOW, env=live.env)
    before = under_way(process)
    process.send_signal(signum)
    return finish(process, before)


@pytest.mark.parametrize(("signum", "code"), BOTH)
def test_an_interrupted_push_is_resumed(live: Live, build: Path, signum: int, code: int) -> None:
    push = ("push", build, "--app", live.app(), "--label", "1.0", "--json")
    cut = interrupted(live, signum, *push)
    assert cut.code == code
    assert cut.error["hint"] == "Run the same command again to resume."
    assert cut.err.endswith(RESUME)
    assert cut.err.count("interrupted") == 1
    done = live.pk(*push)
    assert done.code == 0
    assert done.json["bytes_resumed"] > 0
    assert "resumed" in done.err


def test_an_interrupted_upload_in_words(live: Live, build: Path) -> None:
    cut = interrupted(live, signal.SIGINT, "upload", build)
    assert (cut.code, cut.out) == (130, "")
    assert re.search(rf"\d+\.\d/\d+\.\d KiB are delivered\n{RESUME}$", cut.err)


def test_nothing_is_promised_where_nothing_is_kept(build: Path) -> None:
    process = start("push", build, "--sandbox", *SLOW)
    before = under_way(process)
    process.send_signal(signal.SIGINT)
    cut = finish(process, before)
    assert cut.code == 130
    assert cut.err.endswith("}\ninterrupted\n")


EARLY = """
import os, signal, sys
from pk_upload.cli.interruption import Interruption
interruption = Interruption(sys.argv[2:])
interruption.install()
{before}
os.kill(os.getpid(), int(sys.argv[1]))
{after}
"""
CANCELLING = "scope = interruption.cancelling(lambda: None); scope.__enter__()"
KILLED_TWICE = "os.kill(os.getpid(), signal.SIGINT)"


def early(*arguments: str, before: str = "", after: str = "") -> Done:
    program = EARLY.format(before=before, after=after)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(("signum", "code"), BOTH)
def test_a_signal_before_the_run_ends_it_at_once(signum: int, code: int) -> None:
    done = early(str(int(signum)), "push", "x.zip")
    assert (done.code, done.out, done.err) == (code, "", RESUME)
    done = early(str(int(signum)), "app", "list", "--json")
    assert (done.code, done.err) == (code, "interrupted\n")
    assert done.error["type"] == "Interrupted"


def test_the_second_signal_ends_the_run_at_once() -> None:
    done = early("15", "push", "x.zip", "--json", before=CANCELLING, after=KILLED_TWICE)
    assert (done.code, done.err) == (143, RESUME)  # as the first one says
    assert done.error["type"] == "Interrupted"


def test_a_run_that_does_not_end_is_ended() -> None:
    before = f"import pk_upload.cli.interruption as i; i.GRACE = 0.1; {CANCELLING}"
    done = early("2", "push", before=before, after="import time; time.sleep(60)")
    assert (done.code, done.err) == (130, RESUME)


def test_a_terminal_gets_its_cursor_back() -> None:
    done = early("2", "app", before="interruption.farewell = b'<cursor>'")
    assert done.err == "<cursor>interrupted\n"


def test_a_result_that_was_written_is_the_only_one() -> None:
    done = early("2", "push", "--json", before="assert interruption.claim_stdout()")
    assert (done.code, done.out) == (130, "")


def test_the_result_of_a_run_that_was_over_is_not_lost() -> None:
    before = f"{CANCELLING}; scope.__exit__(None, None, None)"
    done = early("2", "push", before=before, after="print('result')")
    assert (done.code, done.out, done.err) == (0, "result\n", "")
