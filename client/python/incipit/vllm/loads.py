"""Loads into the engine's cache: between steps for whole requests, or layer by layer within a step."""

import concurrent.futures
import dataclasses
import logging
import threading
import time

import torch

from .config import Options
from .geometry import Geometry
from .memory import CacheMemory, copy_in
from .metadata import BlockPlace, LoadJob
from .staging import Chunk, ChunkPool
from .tier import Tier

logger = logging.getLogger("vllm.incipit")


@dataclasses.dataclass
class Outcomes:
    """What ended since the engine last asked."""

    finished_requests: set[str] = dataclasses.field(default_factory=set)
    failed_requests: set[str] = dataclasses.field(default_factory=set)
    failed_blocks: set[int] = dataclasses.field(default_factory=set)


class Loads:
    """start* from the engine's thread; the loads run on threads of their own."""

    def __init__(self, options: Options, geometry: Geometry, memory: CacheMemory, tier: Tier):
        self._options = options
        self._geometry = geometry
        self._memory = memory
        self._tier = tier
        self._pool = concurrent.futures.ThreadPoolExecutor(options.load_threads, thread_name_prefix="incipit-load")
        self._lock = threading.Lock()
        self._local = threading.local()
        self._outcomes = Outcomes()
        self._reported_blocks: set[int] = set()
        self._layers_ready: list[concurrent.futures.Future] = []
        self._step_failed = False
        self._chunks: ChunkPool | None = None
        if not memory.on_host:
            largest = max(group.block_bytes for group in geometry.groups)
            self._chunks = ChunkPool(options.store_buffer_bytes, largest, pinned=True)

    # Between steps

    def start(self, job: LoadJob) -> None:
        self._pool.submit(self._run, job, time.monotonic(), self._mark_work())

    def _mark_work(self) -> "torch.cuda.Event | None":
        """What the engine has given the device so far: it may still write to blocks that now are the load's."""
        if self._memory.on_host:
            return None
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(self._memory.device))
        return event

    def _run(self, job: LoadJob, start_s: float, work: "torch.cuda.Event | None") -> None:
        failed = {place.block_id for place in job.blocks}
        try:
            # The time spent waiting for a thread counts.
            deadline_s = start_s + job.deadline_ms / 1000
            hits = self._load(job, deadline_s, work)
            failed = {place.block_id for place, hit in zip(job.blocks, hits, strict=True) if not hit}
        except Exception:
            logger.exception("incipit: load of request %s failed; the engine computes it", job.request_id)
        with self._lock:
            self._outcomes.finished_requests.add(job.request_id)
            if failed:
                self._outcomes.failed_requests.add(job.request_id)
                self._outcomes.failed_blocks |= failed

    def _load(self, job: LoadJob, deadline_s: float, work) -> list[bool]:
        left_ms = _left_ms(deadline_s)
        if left_ms <= 0:
            return [False] * len(job.blocks)
        if self._chunks is None:
            buffers = [self._memory.pieces(place.group, place.block_id) for place in job.blocks]
            return self._tier.load(job.blocks, buffers, left_ms, job.recompute_tokens)
        return self._load_through_host(job, deadline_s, work)

    def _load_through_host(self, job: LoadJob, deadline_s: float, work: torch.cuda.Event) -> list[bool]:
        """For caches in device memory: chunk by chunk into pinned memory, then to the device."""
        hits: dict[BlockPlace, bool] = dict.fromkeys(job.blocks, False)
        for index, group in enumerate(self._geometry.groups):
            places = [place for place in job.blocks if place.group == index]
            per_chunk = self._chunks.rows_per_chunk(group.block_bytes)
            for first in range(0, len(places), per_chunk):
                part = places[first : first + per_chunk]
                part_hits = self._load_chunk(index, part, deadline_s, job.recompute_tokens, work)
                hits.update(zip(part, part_hits, strict=True))
        return [hits[place] for place in job.blocks]

    def _load_chunk(self, index, places, deadline_s, recompute_tokens, work) -> list[bool]:
        chunk = self._chunks.take(deadline_s)
        if chunk is None:
            return [False] * len(places)
        try:
            left_ms = _left_ms(deadline_s)
            if left_ms <= 0:
                return [False] * len(places)
            group = self._geometry.groups[index]
            buffers = [chunk.block(row, group.block_bytes) for row in range(len(places))]
            hits = self._tier.load(places, buffers, left_ms, recompute_tokens)
            if any(hits):
                # Rows that missed carry no meaning, and their blocks are reported as failed.
                self._copy_in(index, [place.block_id for place in places], chunk, work)
            return hits
        finally:
            self._chunks.give_back(chunk)

    def _copy_in(self, index: int, block_ids: list[int], chunk: Chunk, work: torch.cuda.Event) -> None:
        # One for each thread: torch gives every stream memory of its own, and for new memory CUDA waits for the device.
        if not hasattr(self._local, "stream"):
            self._local.stream = torch.cuda.Stream(self._memory.device)
        stream = self._local.stream
        stream.wait_event(work)
        with torch.cuda.stream(stream):
            copy_in(self._memory, self._geometry.groups[index], index, block_ids, chunk)
        stream.synchronize()

    # Within a step, layer by layer. One group, host memory or staged whole.

    def start_layers(self, jobs: list[LoadJob]) -> None:
        """Loads every layer of `jobs` in the order of the layers."""
        self._step_failed = False
        if not jobs:
            return
        start_s = time.monotonic()
        group = self._geometry.groups[0]
        if not self._memory.on_host or not group.segmented:
            # Segments cannot be told apart or need staging: all layers at once, before the first.
            whole = self._pool.submit(self._run_step, jobs, start_s, None, self._mark_work())
            self._layers_ready = [whole] * len(group.layers)
            return
        self._layers_ready = [
            self._pool.submit(self._run_step, jobs, start_s, layer, None) for layer in range(len(group.layers))
        ]

    def _run_step(self, jobs: list[LoadJob], start_s: float, layer: int | None, work) -> None:
        for job in jobs:
            failed = {place.block_id for place in job.blocks}
            try:
                deadline_s = start_s + job.deadline_ms / 1000
                if layer is None:
                    hits = self._load(job, deadline_s, work)
                else:
                    hits = self._load_layer(job, deadline_s, layer)
                failed = {place.block_id for place, hit in zip(job.blocks, hits, strict=True) if not hit}
            except Exception:
                logger.exception("incipit: load of request %s failed; the engine computes it", job.request_id)
            if failed:
                with self._lock:
                    self._step_failed = True
                    self._outcomes.failed_blocks |= failed

    def _load_layer(self, job: LoadJob, deadline_s: float, layer: int) -> list[bool]:
        left_ms = _left_ms(deadline_s)
        if left_ms <= 0:
            return [False] * len(job.blocks)
        buffers = [self._memory.pieces(place.group, place.block_id, layer) for place in job.blocks]
        return self._tier.load(
            job.blocks, buffers, left_ms, job.recompute_tokens, first_segment=layer, segment_count=1
        )

    def wait_layer(self, layer: int) -> None:
        if layer < len(self._layers_ready):
            self._layers_ready[layer].result()

    def end_layers(self) -> bool:
        """Waits for every layer; returns whether all of them arrived."""
        for ready in self._layers_ready:
            ready.result()
        self._layers_ready = []
        failed, self._step_failed = self._step_failed, False
        return not failed

    # Results

    def take_finished(self) -> tuple[set[str], set[str]]:
        """Requests whose loads ended, and those of them with failed blocks.

        Failed blocks are put aside in the same breath, so that the engine hears of them in the same step.
        """
        with self._lock:
            outcomes, self._outcomes = self._outcomes, Outcomes()
        self._reported_blocks |= outcomes.failed_blocks
        return outcomes.finished_requests, outcomes.failed_requests

    def take_failed_blocks(self) -> set[int]:
        blocks, self._reported_blocks = self._reported_blocks, set()
        return blocks

    def close(self) -> None:
        # Loads end by their deadline, and the engine's memory must outlive them.
        self._pool.shutdown(wait=True)


def _left_ms(deadline_s: float) -> int:
    return int((deadline_s - time.monotonic()) * 1000)
