"""What grows with a file and with its chunks, and what must not."""
