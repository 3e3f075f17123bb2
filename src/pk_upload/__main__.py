"""`python -m pk_upload` is `pk-upload`."""

from __future__ import annotations

import sys

from pk_upload.cli import main

if __name__ == "__main__":
    sys.exit(main())
