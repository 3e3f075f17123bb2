"""The engine: a file in chunks, several at once, from disk to wire, resumed after any interruption.

`opening` makes a source of a path. The way of a chunk: `plan` cuts it, `schedule` hands it to one of the
`lanes`, `delivery` sees it through its attempts, `body` frames it, `content` reads and hashes it from
`source`, `wire` puts it on the connection, and `journal` remembers it. On the way `concurrency` decides how
many lanes there are, `pacing` when bytes may go, and `stall` whether they still do.

What is remembered: `records` in a journal, the journals under their `lock`s in the `state_dir`; `kept` lists
them, and `takeover` makes one that of another path.
"""

from pk_upload.transfer.config import TransferConfig
from pk_upload.transfer.engine import Upload, deliver, out_of_time, upload
from pk_upload.transfer.journal import Journal
from pk_upload.transfer.kept import Kept, forget, kept
from pk_upload.transfer.opening import opened
from pk_upload.transfer.source import Source
from pk_upload.transfer.state_dir import default_state_dir
from pk_upload.transfer.tally import Tally

__all__ = [
    "Journal",
    "Kept",
    "Source",
    "Tally",
    "TransferConfig",
    "Upload",
    "default_state_dir",
    "deliver",
    "forget",
    "kept",
    "opened",
    "out_of_time",
    "upload",
]
