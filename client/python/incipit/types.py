"""Values that calls take and give."""
from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple


class Presence(IntEnum):
    """Where a block is: the bytes of Match.presence() and LoadResult.tiers."""

    MISS = 0
    RAM = 1
    NVME = 2


class BlockStatus(IntEnum):
    """What became of a block: the bytes of LoadResult.status and of what store, offer, touch and remove give."""

    OK = 0  # loaded and verified, stored, touched, removed
    MISS = 1  # not here
    PRESENT = 2  # store, offer: already here
    CONFLICT = 3  # store: here with other bytes, which stay
    WANTED = 4  # offer: store it
    BUSY = 5  # over a limit now
    DAMAGED = 6  # failed its checksum: a miss
    IO_ERROR = 7  # the device failed: a miss
    EXPIRED = 8  # the deadline passed, or the shard cannot be reached: a miss
    REJECTED = 9  # does not fit the layout, or too large for the node


class Block(NamedTuple):
    """One block to load or store.

    group: index in the layout. depth_tokens: of the block's first token. key: 1 to 64 bytes. buffer: C-contiguous
    memory of exactly the block's bytes (buffer protocol, DLPack, CUDA tensor of torch), a Region, or a sequence of
    (Region, offset_bytes, length_bytes).
    """

    group: int
    depth_tokens: int
    key: bytes
    buffer: Any


class BlockName(NamedTuple):
    """A block in calls that move no payload: group, depth of its first token in tokens, key of 1 to 64 bytes."""

    group: int
    depth_tokens: int
    key: bytes
