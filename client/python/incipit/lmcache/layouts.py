"""Layouts of LMCache's objects. To the tier an object is one block of opaque bytes; each size has its own layout.

The layout is part of a block's identity, so that an object asked for with another size is a miss, never a piece of it.
"""

from __future__ import annotations

import incipit

MAX_OBJECT_BYTES = 1 << 30  # of the tier's blocks
MAX_SEGMENT_BYTES = 64 << 20  # larger blocks travel in parts, each a whole number of segments
MAX_SEGMENTS = 1024

RECORD_BYTES = 16  # of an entry in the directory of sizes


def object_layout(object_bytes: int) -> incipit.Layout | None:
    """The layout of objects of this size; None if the tier cannot hold them."""
    segments = _segments(object_bytes)
    return None if segments is None else _layout("lmcache", "object", object_bytes, segments)


def directory_layout() -> incipit.Layout:
    """The layout of the directory of sizes."""
    return _layout("lmcache-sizes", "size", RECORD_BYTES, 1)


def _segments(object_bytes: int) -> int | None:
    if not 0 < object_bytes <= MAX_OBJECT_BYTES:
        return None
    for count in range(-(-object_bytes // MAX_SEGMENT_BYTES), MAX_SEGMENTS + 1):
        if object_bytes % count == 0:
            return count
    return None


def _layout(name: str, group: str, block_bytes: int, segments: int) -> incipit.Layout:
    # One token a block: depths then count objects, which is all that is known of their order.
    return incipit.Layout.custom(
        name, [incipit.Group(group, block_tokens=1, layers=1, bytes_per_entry=block_bytes, segments=segments)]
    )
