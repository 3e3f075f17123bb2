"""The engine: a file in chunks, several at once, from disk to wire, resumed after any interruption.

The way of a chunk: `plan` cuts it, `schedule` hands it out, `lanes` sees it delivered, `body` carries it
from `source` to the wire, `journal` remembers it.
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
