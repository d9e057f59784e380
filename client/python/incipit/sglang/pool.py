"""One of the engine's host pools and its pages in the tier: a page is one block."""
from __future__ import annotations

import logging
import threading
import time
from typing import Any

import incipit

from ..engines.warnings import Warnings
from .config import Options, OptionsError
from .engine import zero_indices
from .identity import pool_model
from .memory import HostMemory
from .stats import Recorder
from .tier import Tier

logger = logging.getLogger("sglang.incipit")

MAX_SEGMENT_BYTES = 64 << 20
IN_PIECES, FLAT = "pieces", "flat"


class Pool:
    """Any thread may load and store; pages of one call must be different memory. Holds the host pool's memory."""

    def __init__(self, options: Options, storage_config: Any, name: str, host_pool: Any, page_tokens: int,
                 recorder: Recorder, warnings: Warnings):
        """name: as the engine calls the pool; 'kv' is the one that decides. page_tokens: per page hash.

        OptionsError: the pool's memory layout cannot be read page by page.
        """
        self.name = name
        self.host_pool = host_pool
        self._make_tier = lambda byte_order: Tier(
            options, self._model(options, storage_config, page_tokens, byte_order), self._layout(page_tokens),
            recorder, warnings, decides_worth=name == "kv")
        self._recorder = recorder
        self._deadline_ms = options.deadline_ms
        self._slots_per_page = int(getattr(host_pool, "page_size", 1) or 1)
        self._lock = threading.Lock()
        self._flat_tier: Tier | None = None
        self._closed = False
        self._memory = _memory(name, host_pool)
        self._piece_bytes: list[int] = []
        self._tier: Tier | None = None
        if self._memory:
            self._piece_bytes = self._probe()
            self._tier = self._make_tier(IN_PIECES)

    @property
    def has_memory(self) -> bool:
        """False: the pool only counts pages, and their bytes are in other pools."""
        return self._tier is not None

    @property
    def page_bytes(self) -> int:
        return sum(self._piece_bytes)

    def _probe(self) -> list[int]:
        """Sizes of the pieces of a page. The engine's own code decides what a page is."""
        host_pool = self.host_pool
        try:
            meta = host_pool.get_page_buffer_meta(zero_indices(self._slots_per_page))
            addresses, sizes = meta
            for address, size in zip(addresses, sizes, strict=True):
                self._memory.piece(address, size)
        except Exception as error:
            raise OptionsError(
                f"pool {self.name!r} ({type(host_pool).__name__}, memory layout "
                f"{getattr(host_pool, 'layout', 'unknown')!r}) gives no access to single pages: {error}; set "
                "--hicache-mem-layout page_first, or page_first_direct with --hicache-io-backend direct"
            ) from error
        return [int(size) for size in sizes]

    def _layout(self, page_tokens: int) -> incipit.Layout:
        page_bytes = self.page_bytes
        segments = -(-page_bytes // MAX_SEGMENT_BYTES)
        while page_bytes % segments:
            segments += 1
        return incipit.Layout.custom("sglang", [incipit.Group(
            self.name, "all", block_tokens=page_tokens, layers=1, tokens_per_entry=page_tokens,
            bytes_per_entry=page_bytes, segments=segments)])

    def _model(self, options: Options, storage_config: Any, page_tokens: int, byte_order: str) -> str:
        model = pool_model(options, storage_config, self.name, self.host_pool, page_tokens, self._piece_bytes,
                           byte_order)
        logger.info("incipit: pool %s: pages of %d tokens, %d bytes in %d pieces (%s), model %s at %s", self.name,
                    page_tokens, self.page_bytes, len(self._piece_bytes), byte_order, model, options.address)
        return model

    def deadline_s(self) -> float:
        """Of a load that starts now, on the monotonic clock."""
        return time.monotonic() + self._deadline_ms / 1000

    # Pages where they lie

    def match(self, keys: list[bytes], ancestors: list[bytes], flat: bool = False) -> tuple[bytes, bool]:
        """As Tier.match(); nothing of a pool without memory."""
        if not self.has_memory or not keys:
            return bytes(len(keys)), True
        return self._tier_of(flat).match(keys, ancestors)

    def load(self, keys: list[bytes], host_indices: Any, first_page: int, deadline_s: float) -> list[bool]:
        """For each key whether the page at its indices holds verified bytes now.

        host_indices: slots of the pages, one after the other. What has no memory is there by itself. ValueError:
        indices that do not fit the keys.
        """
        if not self.has_memory or not keys:
            return [True] * len(keys)
        buffers = self._buffers(keys, host_indices)
        return self._load(self._tier_of(False), keys, first_page, buffers, deadline_s)

    def store(self, keys: list[bytes], host_indices: Any, first_page: int) -> list[bool]:
        """For each key whether the node has its page now. Indices as load()."""
        if not self.has_memory or not keys:
            return [True] * len(keys)
        return self._store(self._tier_of(False), keys, first_page, self._buffers(keys, host_indices))

    def _buffers(self, keys: list[bytes], host_indices: Any) -> list[list[tuple]]:
        if host_indices is None or len(host_indices) != len(keys) * self._slots_per_page:
            raise ValueError(f"pool {self.name!r}: expected {self._slots_per_page} host indices for each of "
                             f"{len(keys)} pages, found {0 if host_indices is None else len(host_indices)}")
        addresses, sizes = self.host_pool.get_page_buffer_meta(host_indices)
        pieces = len(self._piece_bytes)
        if list(sizes) != self._piece_bytes * len(keys) or len(addresses) != len(sizes):
            raise ValueError(f"pool {self.name!r}: expected {pieces} pieces of {self._piece_bytes} bytes a page for "
                             f"{len(keys)} pages, found {len(addresses)} pieces")
        places = [self._memory.piece(address, size) for address, size in zip(addresses, sizes, strict=True)]
        return [places[first: first + pieces] for first in range(0, len(places), pieces)]

    # Pages that the engine copies, in an order of its own: they have a name of their own

    def load_flat(self, keys: list[bytes], buffers: list[Any], deadline_s: float) -> list[bool]:
        """For each key whether its buffer, of page_bytes bytes, holds the page now. A page of no bytes is there."""
        if not self.has_memory:
            return [_nbytes(buffer) == 0 for buffer in buffers]
        return self._load(self._tier_of(True), keys, 0, [_as_bytes(buffer) for buffer in buffers], deadline_s)

    def store_flat(self, keys: list[bytes], buffers: list[Any]) -> list[bool]:
        """For each key whether the node has its page now."""
        if not self.has_memory:
            return [_nbytes(buffer) == 0 for buffer in buffers]
        return self._store(self._tier_of(True), keys, 0, [_as_bytes(buffer) for buffer in buffers])

    def _tier_of(self, flat: bool) -> Tier:
        if not flat:
            return self._tier
        with self._lock:
            if self._flat_tier is None:
                if self._closed:
                    raise incipit.ClosedError("the pool is closed")
                self._flat_tier = self._make_tier(FLAT)
            return self._flat_tier

    def _load(self, tier: Tier, keys: list[bytes], first_page: int, buffers: list, deadline_s: float) -> list[bool]:
        start_s = time.monotonic()
        hits = tier.load(keys, first_page, buffers, deadline_s)
        self._sample("prefetch", sum(hits), start_s)
        return hits

    def _store(self, tier: Tier, keys: list[bytes], first_page: int, buffers: list) -> list[bool]:
        start_s = time.monotonic()
        stored = tier.store(keys, first_page, buffers)
        self._sample("backup", sum(stored), start_s)
        return stored

    def _sample(self, direction: str, pages: int, start_s: float) -> None:
        if self.name == "kv" and pages:
            self._recorder.sample(direction, pages, pages * self.page_bytes, time.monotonic() - start_s)

    def counters(self) -> dict[str, int]:
        """Of the client, as incipit.Client.counters()."""
        return self._tier.counters() if self._tier is not None else {}

    def close(self) -> None:
        """Waits for calls in progress, which end by their deadlines."""
        with self._lock:
            self._closed = True
        for tier in (self._tier, self._flat_tier):
            if tier is not None:
                tier.close()


def _memory(name: str, host_pool: Any) -> HostMemory:
    try:
        return HostMemory(host_pool)
    except incipit.IncipitError as error:
        raise OptionsError(f"pool {name!r} ({type(host_pool).__name__}): {error}") from error


def _nbytes(buffer: Any) -> int:
    return int(buffer.nbytes)


def _as_bytes(buffer: Any) -> Any:
    # Pages come as the engine's element type, and the pool may keep another; the tier compares sizes only.
    if hasattr(buffer, "untyped_storage"):
        import torch
        return buffer.detach().reshape(-1).view(torch.uint8)
    return buffer
