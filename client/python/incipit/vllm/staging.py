"""Host buffers between the engine's cache and the network."""

import threading
import time
from collections.abc import Sequence

import incipit
import torch

CHUNK_BYTES = 16 << 20


class Chunk:
    """One buffer.

    A load fills it block by block, so that a block arrives in one piece. A store fills it layer by layer, so that a
    layer of all its blocks leaves the device in one copy: to pinned memory with gaps, torch copies by way of memory
    that is not pinned, and the engine would wait for it.
    """

    def __init__(self, chunk_bytes: int, pinned: bool):
        self.bytes = torch.empty(chunk_bytes, dtype=torch.uint8, pin_memory=pinned)
        self.region = incipit.Region(self.bytes)

    def rows(self, count: int, row_bytes: int, first_byte: int = 0) -> torch.Tensor:
        """uint8 [count, row_bytes], contiguous, from `first_byte` on."""
        return self.bytes[first_byte : first_byte + count * row_bytes].view(count, row_bytes)

    def block(self, row: int, block_bytes: int) -> list[tuple]:
        """Where block `row` lies in a chunk filled block by block."""
        return [(self.region, row * block_bytes, block_bytes)]

    def block_of_layers(self, row: int, count: int, page_bytes: Sequence[int]) -> list[tuple]:
        """Where block `row` of `count` lies in a chunk filled layer by layer, with pages of `page_bytes`."""
        pieces, first_byte = [], 0
        for page in page_bytes:
            pieces.append((self.region, first_byte + row * page, page))
            first_byte += count * page
        return pieces


class ChunkPool:
    """A fixed number of chunks, made when first needed. Any thread may call."""

    def __init__(self, total_bytes: int, largest_block_bytes: int, pinned: bool):
        self._chunk_bytes = max(min(CHUNK_BYTES, total_bytes), largest_block_bytes)
        self._pinned = pinned
        self._room = threading.Condition()
        self._free: list[Chunk] = []
        self._unmade = max(1, total_bytes // self._chunk_bytes)

    def rows_per_chunk(self, block_bytes: int) -> int:
        return self._chunk_bytes // block_bytes

    def take(self, deadline_s: float) -> Chunk | None:
        """A chunk, or None if all are in use until `deadline_s` (time.monotonic)."""
        with self._room:
            while not self._free and self._unmade == 0:
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    return None
                self._room.wait(left_s)
            if self._free:
                return self._free.pop()
            self._unmade -= 1
        return Chunk(self._chunk_bytes, self._pinned)

    def give_back(self, chunk: Chunk) -> None:
        with self._room:
            self._free.append(chunk)
            self._room.notify()
