"""Stores: each step copies the blocks it completed into host buffers and goes on; a thread sends them.

Copying frees the engine at once: blocks may be preempted, evicted or overwritten while their bytes are on the way.
"""

import concurrent.futures
import dataclasses
import logging
import time

import torch

from .config import Options
from .geometry import Geometry
from .memory import CacheMemory, copy_out
from .metadata import BlockPlace, StoreJob
from .staging import Chunk, ChunkPool
from .stats import Recorder
from .tier import Tier

logger = logging.getLogger("vllm.incipit")


@dataclasses.dataclass
class Snapshot:
    """Blocks of one group in one chunk, being filled layer by layer or all at once."""

    group: int
    places: list[BlockPlace]
    chunk: Chunk


class Stores:
    """begin_step, then copy_layer for each layer or not at all, then end_step: all from the engine's thread."""

    def __init__(self, options: Options, geometry: Geometry, memory: CacheMemory, tier: Tier, recorder: Recorder):
        self._options = options
        self._geometry = geometry
        self._memory = memory
        self._tier = tier
        self._recorder = recorder
        largest = max(group.block_bytes for group in geometry.groups)
        self._chunks = ChunkPool(options.store_buffer_bytes, largest, pinned=not memory.on_host)
        self._pool = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="incipit-store")
        self._sending: set[concurrent.futures.Future] = set()  # of the engine's thread
        self._jobs: list[StoreJob] = []
        self._snapshots: list[Snapshot] | None = None
        self._copied_layers: set[tuple[int, int]] = set()

    def begin_step(self, jobs: list[StoreJob]) -> None:
        self._jobs = jobs
        self._snapshots = None
        self._copied_layers = set()

    def copy_layer(self, group: int, layer: int) -> None:
        """The layer's blocks of this step are written: copy them now, while the next layer is computed."""
        if not self._jobs:
            return
        start_s = time.monotonic()
        self._copy(group, {layer})
        self._recorder.add(snapshot_us=(time.monotonic() - start_s) * 1e6)

    def end_step(self, valid: bool) -> None:
        """Copies what is left and hands it on; drops it all unless `valid`."""
        if not self._jobs:
            return
        start_s = time.monotonic()
        if valid:
            for index, group in enumerate(self._geometry.groups):
                self._copy(index, set(range(len(group.layers))))
        event = None
        if not self._memory.on_host:
            event = torch.cuda.Event()
            event.record()
        for snapshot in self._snapshots or ():
            if valid:
                self._sending = {sent for sent in self._sending if not sent.done()}
                self._sending.add(self._pool.submit(self._send, snapshot, event))
            else:
                self._chunks.give_back(snapshot.chunk)
        self.begin_step([])
        self._recorder.add(snapshot_us=(time.monotonic() - start_s) * 1e6)

    def _copy(self, group: int, layers: set[int]) -> None:
        if self._snapshots is None:
            self._snapshots = self._make_snapshots()
        missing = {layer for layer in layers if (group, layer) not in self._copied_layers}
        self._copied_layers |= {(group, layer) for layer in missing}
        if not missing:
            return
        geometry = self._geometry.groups[group]
        for snapshot in self._snapshots:
            if snapshot.group == group:
                block_ids = [place.block_id for place in snapshot.places]
                copy_out(self._memory, geometry, group, block_ids, snapshot.chunk, missing)

    def _make_snapshots(self) -> list[Snapshot]:
        deadline_s = time.monotonic() + self._options.store_stall_ms / 1000
        snapshots = []
        for index, group in enumerate(self._geometry.groups):
            places = [place for job in self._jobs for place in job.blocks if place.group == index]
            per_chunk = self._chunks.rows_per_chunk(group.block_bytes)
            for first in range(0, len(places), per_chunk):
                chunk = self._chunks.take(deadline_s)
                if chunk is None:
                    self._recorder.add(store_skipped_blocks=len(places) - first)
                    break
                snapshots.append(Snapshot(index, places[first : first + per_chunk], chunk))
        return snapshots

    def _send(self, snapshot: Snapshot, event) -> None:
        try:
            if event is not None:
                event.synchronize()
            group, count = self._geometry.groups[snapshot.group], len(snapshot.places)
            page_bytes = [layer.page_bytes for layer in group.layers]
            buffers = [snapshot.chunk.block_of_layers(row, count, page_bytes) for row in range(count)]
            self._tier.store(snapshot.places, buffers, group.block_bytes)
        except Exception:
            logger.exception("incipit: %d blocks were not stored", len(snapshot.places))
        finally:
            self._chunks.give_back(snapshot.chunk)

    def close(self) -> None:
        """Waits at most stop_timeout_ms for what is on its way."""
        _, late = concurrent.futures.wait(self._sending, self._options.stop_timeout_ms / 1000)
        if late:
            logger.warning("incipit: stores still in progress after %d ms are dropped", self._options.stop_timeout_ms)
        self._pool.shutdown(wait=False, cancel_futures=True)
