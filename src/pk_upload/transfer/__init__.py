"""The engine: a file in chunks, several at once, from disk to wire, resumed after any interruption.

The way of a chunk: `plan` cuts it, `schedule` hands it to one of the `lanes`, `delivery` sees it through its
attempts, `body` frames it, `content` reads and hashes it from `source`, `wire` puts it on the connection, and
`journal` remembers it. On the way `concurrency` decides how many lanes there are, `pacing` when bytes may
go, and `stall` whether they still do.
"""

from pk_upload.transfer.config import TransferConfig
from pk_upload.transfer.engine import Upload, deliver, describe, out_of_time, upload
from pk_upload.transfer.journal import Journal, default_state_dir, open_journal
from pk_upload.transfer.source import Source
from pk_upload.transfer.tally import Tally

__all__ = [
    "Journal",
    "Source",
    "Tally",
    "TransferConfig",
    "Upload",
    "default_state_dir",
    "deliver",
    "describe",
    "open_journal",
    "out_of_time",
    "upload",
]
