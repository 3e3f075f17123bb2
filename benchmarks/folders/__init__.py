"""What becomes of a folder: sent as it is, packed, and checked; the parts of `benchmarks.folder`."""
