"""Uploads over emulated links, with fixed numbers of lanes and with `auto`."""
