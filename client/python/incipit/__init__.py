"""Client of incipit, a tier for KV caches: match, load and store the blocks of one model on one node.

    layout = incipit.Layout.named("deepseek-v3-bf16")
    with incipit.Client("tcp://10.0.0.5:9400", "deepseek-v3", layout) as client:
        match = client.match([hasher.packed_keys()], lease_ms=5000)
        result = client.load([incipit.Block(0, depth_tokens, key, buffer), ...])

Client blocks, AsyncClient is awaited, NativeClient has submit_*() and completions over an eventfd.
"""
from ._core import (Group, Layout, LoadResult, Match, NativeClient, NodeInfo, PackedKeys, PrefixHasher, Region,
                    SharedMemory)
from .async_client import AsyncClient
from .client import Client
from .errors import (BufferMismatch, ClosedError, ForkedError, IncipitError, InvalidArgument, Refused, Unavailable,
                     UnsupportedDevice, WrongLoopError)
from .types import Block, BlockName, BlockStatus, Presence

__version__ = "0.1.0"

__all__ = [
    "AsyncClient", "Block", "BlockName", "BlockStatus", "BufferMismatch", "Client", "ClosedError", "ForkedError",
    "Group", "IncipitError", "InvalidArgument", "Layout", "LoadResult", "Match", "NativeClient", "NodeInfo",
    "PackedKeys", "Presence", "PrefixHasher", "Refused", "Region", "SharedMemory", "Unavailable",
    "UnsupportedDevice", "WrongLoopError",
]
