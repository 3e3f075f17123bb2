"""The recipe of the service's documentation in a shell: a curl and an md5sum a chunk, one after the other."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.contenders.task import Task, arguments, report

SCRIPT = """
set -e
url=$1 parts=$2 total=$3 first=0
for part in "$parts"/*; do
    size=$(wc -c < "$part")
    last=$((first + size - 1))
    md5=$(MD5SUM "$part" | cut -c 1-32)
    curl -sS --fail -o /dev/null -F "chunk=@$part" -F "md5=$md5" -H "X-Api-Key: benchmark" \\
        -H "Content-Range: bytes $first-$last/$total" -X POST "$url"
    first=$((last + 1))
done
"""


def split(task: Task, parts: Path) -> None:
    subprocess.run(["split", "-b", str(task.chunk_size), "-a", "4", task.file, parts / "part-"], check=True)


def transfer(task: Task, parts: Path) -> None:
    md5sum = "md5sum" if shutil.which("md5sum") else "md5 -q"
    script = SCRIPT.replace("MD5SUM", md5sum)
    total = str(task.file.stat().st_size)
    subprocess.run(["sh", "-c", script, "upload", task.chunk_url, parts, total], check=True)


def split_and_transfer(task: Task, parts: Path) -> None:
    split(task, parts)
    transfer(task, parts)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--parts", type=Path, help="the chunks as files; else splitting is measured too")
    given = parser.parse_args()
    if missing := [name for name in ("sh", "split", "curl") if shutil.which(name) is None]:
        sys.exit(f"{' and '.join(missing)} missing")
    if given.parts is not None:
        report(given, lambda task: transfer(task, given.parts), in_children=True)
    else:
        # To remove the parts is not in the clock.
        with tempfile.TemporaryDirectory(dir=given.file.parent) as parts:
            report(given, lambda task: split_and_transfer(task, Path(parts)), in_children=True)
