"""A folder as the source of a build, without a ZIP having been made of it.

`walk` finds what goes in, but for what `ignoring` leaves out, `records` and `layout` say which bytes a ZIP of
it has, and `stored` reads them from the files themselves once `checksums` are known. `packing` deflates them
into a temporary file instead, where `choosing` finds that this ends sooner.
"""
