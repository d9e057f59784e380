"""What the scheduler side tells the worker side, once per step. Pickled by the engine: plain data only."""

import dataclasses

from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorMetadata


@dataclasses.dataclass(frozen=True, slots=True)
class BlockPlace:
    """One block: its name in the tier and its index in the engine's cache."""

    group: int  # index among the groups we store
    depth_tokens: int  # of the block's first token
    key: bytes
    block_id: int


@dataclasses.dataclass(frozen=True, slots=True)
class LoadJob:
    request_id: str
    blocks: list[BlockPlace]
    deadline_ms: int
    recompute_tokens: int  # what the engine would compute instead


@dataclasses.dataclass(frozen=True, slots=True)
class StoreJob:
    request_id: str
    blocks: list[BlockPlace]


@dataclasses.dataclass
class IncipitMetadata(KVConnectorMetadata):
    loads: list[LoadJob] = dataclasses.field(default_factory=list)
    stores: list[StoreJob] = dataclasses.field(default_factory=list)
    # Counts the outputs with failed loads that the scheduler has seen. What a step computed behind a load that failed
    # within it is wrong, and so is what steps scheduled before the scheduler heard of it computed: none may be stored.
    failures_seen: int = 0
