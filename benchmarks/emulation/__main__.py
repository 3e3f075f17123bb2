"""A server at the far end of an emulated link, in user space: no root, no kernel modules, any platform.

    python -m benchmarks.emulation --latency 0.04 --rate 25MB --connection-rate 4MB --think 0.05

It listens on 127.0.0.1, prints one line, `{"port": ...}`, and lives until its standard input closes. It
speaks as much of the service as an upload needs, over HTTP/1.1 with keep-alive, and discards bodies.

The model, seen by a client:

- `--latency` is the round trip. A new connection carries its first byte one round trip after it was made
  (the handshake), though connecting itself returns at once. An answer arrives one round trip after the last
  byte of its request passed the bottleneck, for a chunk `--think` seconds later. The model moves in ticks of
  4 ms; rates are kept by the clock, but one event may be a tick late.
- `--rate` is what the link carries for all connections together, `--connection-rate` what one may carry.
  Both count what is in TCP's payload. Connections that have something to send share the link max-min fairly.
- A connection has at most its congestion window in flight, see `window.py`: slow start from ten segments,
  again after a pause; `--loss` drops segments at random, and what counts of that is what it does to the
  window. The few bytes to repeat are not carried again, and the bottleneck's queue, which is the sender's
  own kernel here, never overflows.
- Acknowledgements that the client's kernel sees come about a round trip too early: it takes a byte as
  delivered when the emulator's kernel has it, some milliseconds before it passes the bottleneck.
"""

from __future__ import annotations

import click

from benchmarks.emulation.parameters import LinkSettings
from benchmarks.emulation.server import LinkServer, listen
from benchmarks.processes import announce
from pk_upload.cli.values import RATE

USUAL = LinkSettings()


@click.command(context_settings={"show_default": True})
@click.option("--latency", default=USUAL.latency, help="Seconds of a round trip.")
@click.option(
    "--rate", type=RATE, default=round(USUAL.rate), help="Bytes a second of the link, such as 25MB."
)
@click.option("--connection-rate", type=RATE, help="Bytes a second of one connection.")
@click.option("--think", default=USUAL.think, help="Seconds the server takes over a chunk.")
@click.option("--loss", default=USUAL.loss, help="Probability that a segment is lost.")
@click.option("--throttle", type=int, help="Answer 429 to chunks when so many are at work.")
@click.option("--retry-after", default=USUAL.retry_after, help="Seconds that a 429 asks for.")
@click.option("--seed", default=USUAL.seed, help="Of the losses.")
@click.option("--port", default=0, help="0 for any that is free.")
def main(
    latency: float,
    rate: int,
    connection_rate: int | None,
    think: float,
    loss: float,
    throttle: int | None,
    retry_after: float,
    seed: int,
    port: int,
) -> None:
    """A server behind a slow link."""
    settings = LinkSettings(
        latency=latency,
        rate=rate,
        connection_rate=connection_rate,
        think=think,
        loss=loss,
        throttle=throttle,
        retry_after=retry_after,
        seed=seed,
    )
    listener = listen(settings, port)
    announce(listener.getsockname()[1])
    LinkServer(listener, settings).run()


if __name__ == "__main__":
    main()
