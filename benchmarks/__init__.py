"""Benchmarks: what the engine does on your machine, measured beside other ways to send the same bytes.

    pip install -e ".[benchmark]"
    python -m benchmarks                # all of them; results go to benchmarks/results
    python -m benchmarks throughput     # this engine and other clients, to a sink that is never in the way
    python -m benchmarks link           # lanes over an emulated link
    python -m benchmarks scale          # cost against file size, number of chunks, and start-up
    python -m benchmarks --quick        # a look, in two minutes

Run them from the repository's root, on a machine that does nothing else.
"""
