"""The connector in a worker: moves the blocks that the scheduler side names."""

import logging

import torch

from .config import Options
from .geometry import Geometry
from .loads import Loads
from .memory import CacheMemory
from .metadata import IncipitMetadata
from .stats import Recorder
from .stores import Stores
from .tier import Tier

logger = logging.getLogger("vllm.incipit")


class WorkerSide:
    """All calls come from the worker's thread, in the engine's order:

    begin_step, start_loads (before the forward pass if it needs them, else after), the layer hooks, end_step, take_*.
    """

    def __init__(self, options: Options, geometry: Geometry, rank: int, block_count: int, recorder: Recorder):
        self._options = options
        self._geometry = geometry
        self._rank = rank
        self._block_count = block_count
        self._recorder = recorder
        # Several groups load between steps only: see SchedulerSide.
        self._layerwise = options.layerwise and len(geometry.groups) == 1
        self._memory: CacheMemory | None = None
        self._tier: Tier | None = None
        self._loads: Loads | None = None
        self._stores: Stores | None = None
        self._metadata = IncipitMetadata()
        self._spoilt_at = -1  # failures_seen of the last step in which a load failed

    def register(self, kv_caches: dict[str, torch.Tensor]) -> None:
        shard = self._geometry.shard_of_rank(self._rank)
        self._memory = CacheMemory(self._geometry, kv_caches, self._block_count)
        self._tier = Tier(self._options, self._geometry, shard, f"worker{self._rank}", self._recorder)
        self._loads = Loads(self._options, self._geometry, self._memory, self._tier)
        if self._options.store and self._geometry.stores(self._rank):
            self._stores = Stores(self._options, self._geometry, self._memory, self._tier, self._recorder)
        logger.info(
            "incipit: %s, model %s, blocks of %s bytes",
            self._options.address,
            self._geometry.model_of_shard(shard),
            "+".join(str(group.block_bytes) for group in self._geometry.groups),
        )

    def begin_step(self, metadata: IncipitMetadata) -> None:
        self._metadata = metadata
        if self._stores is not None:
            self._stores.begin_step(metadata.stores)

    def start_loads(self) -> None:
        if self._loads is None:
            return
        jobs, self._metadata.loads = self._metadata.loads, []
        if self._layerwise:
            self._loads.start_layers(jobs)
            return
        for job in jobs:
            self._loads.start(job)

    def wait_layer(self, layer_name: str) -> None:
        if self._layerwise and self._loads is not None and layer_name in self._memory.layer_places:
            self._loads.wait_layer(self._memory.layer_places[layer_name][1])

    def save_layer(self, layer_name: str) -> None:
        if self._layerwise and self._stores is not None and layer_name in self._memory.layer_places:
            self._stores.copy_layer(*self._memory.layer_places[layer_name])

    def end_step(self) -> None:
        if self._loads is not None and self._layerwise and not self._loads.end_layers():
            self._spoilt_at = self._metadata.failures_seen
        if self._stores is not None:
            self._stores.end_step(valid=self._metadata.failures_seen > self._spoilt_at)

    def take_finished(self) -> tuple[set[str], set[str]]:
        return self._loads.take_finished() if self._loads is not None else (set(), set())

    def take_failed_blocks(self) -> set[int]:
        return self._loads.take_failed_blocks() if self._loads is not None else set()

    def close(self) -> None:
        if self._stores is not None:
            self._stores.close()
        if self._loads is not None:
            self._loads.close()
        if self._tier is not None:
            self._tier.close()
        self._stores = self._loads = self._tier = None
