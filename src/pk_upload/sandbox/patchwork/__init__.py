"""A local Patchwork under `/patchwork/api`: patches and series seeded from mboxes, checks, bundles, events.

It keeps its data where the rest of the sandbox does, has users and tokens of its own, and answers as a
running Patchwork server was seen to. Where nothing was seen, the module says what is done here.
"""
