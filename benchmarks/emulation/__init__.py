"""A link between a client and a server, emulated in user space: pure models, and a server that obeys them."""
