"""Host buffers between the engine's cache and the network."""

import threading
import time

import incipit
import torch

CHUNK_BYTES = 16 << 20


class Chunk:
    """One buffer: rows of one block each."""

    def __init__(self, chunk_bytes: int, pinned: bool):
        self.bytes = torch.empty(chunk_bytes, dtype=torch.uint8, pin_memory=pinned)
        self.region = incipit.Region(self.bytes)

    def rows(self, block_bytes: int) -> torch.Tensor:
        count = self.bytes.numel() // block_bytes
        return self.bytes[: count * block_bytes].view(count, block_bytes)

    def pieces(self, row: int, block_bytes: int) -> list[tuple]:
        return [(self.region, row * block_bytes, block_bytes)]


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
