"""Stand-ins for the parts of vLLM that incipit.vllm imports, so that its tests also run where vLLM is not installed.

They hold what the connector reads and no more. Where vLLM is installed, install() leaves it alone, and the same tests
run against the real classes; test_vllm_contract.py checks that the connector fits those.
"""
from __future__ import annotations

import dataclasses
import enum
import functools
import importlib.util
import logging
import math
import sys
import types
from typing import Any

import pytest

BASE = "vllm.distributed.kv_transfer.kv_connector.v1.base"
METRICS = "vllm.distributed.kv_transfer.kv_connector.v1.metrics"
KV_CACHE_UTILS = "vllm.v1.core.kv_cache_utils"
KV_CACHE_INTERFACE = "vllm.v1.kv_cache_interface"


class KVConnectorRole(enum.Enum):
    SCHEDULER = 0
    WORKER = 1


@dataclasses.dataclass
class KVConnectorTransferResults:
    finished_sending: set[str] = dataclasses.field(default_factory=set)
    finished_recving: set[str] = dataclasses.field(default_factory=set)
    failed_recving: set[str] = dataclasses.field(default_factory=set)


class SupportsHMA:
    pass


class KVConnectorMetadata:
    pass


class KVConnectorBase_V1:
    def __init__(self, vllm_config, role, kv_cache_config):
        self._vllm_config = vllm_config
        self._kv_transfer_config = vllm_config.kv_transfer_config
        self._kv_cache_config = kv_cache_config
        self._role = role
        self._connector_metadata = None

    def bind_connector_metadata(self, connector_metadata) -> None:
        self._connector_metadata = connector_metadata

    def clear_connector_metadata(self) -> None:
        self._connector_metadata = None


@dataclasses.dataclass
class KVConnectorStats:
    data: dict[str, Any] = dataclasses.field(default_factory=dict)


class KVConnectorPromMetrics:
    """The engine's metric classes come as a mapping from those of prometheus_client; here their names are the keys."""

    def __init__(self, vllm_config, metric_types, labelnames, per_engine_labelvalues):
        self._counter_cls = metric_types["Counter"]
        self.per_engine_labelvalues = per_engine_labelvalues


@dataclasses.dataclass(frozen=True)
class KVCacheSpec:
    block_size: int
    prefix_cacheable = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttentionSpec(KVCacheSpec):
    num_kv_heads: int
    head_size: int
    dtype: Any


class FullAttentionSpec(AttentionSpec):
    pass


class MLAAttentionSpec(FullAttentionSpec):
    pass


class ChunkedLocalAttentionSpec(AttentionSpec):
    """Of no use to the connector, which must say so."""

    def __init__(self, *, attention_chunk_size, **fields):
        super().__init__(**fields)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SlidingWindowSpec(AttentionSpec):
    sliding_window: int
    extra_retained_tokens: int = 0


@dataclasses.dataclass(frozen=True)
class UniformTypeKVCacheSpecs(KVCacheSpec):
    kv_cache_specs: dict[str, KVCacheSpec]

    @property
    def first_spec(self):
        return next(iter(self.kv_cache_specs.values()))


@dataclasses.dataclass
class KVCacheTensor:
    size: int
    layers: list[str]
    layer_stride: int
    block_stride: int
    offset: int = 0
    host_resident: bool = False


@dataclasses.dataclass
class KVCacheGroupSpec:
    layer_names: list[str]
    kv_cache_spec: KVCacheSpec
    enable_kv_transfer: bool = True


@dataclasses.dataclass
class KVCacheConfig:
    num_blocks: int
    kv_cache_tensors: list[KVCacheTensor]
    kv_cache_groups: list[KVCacheGroupSpec]
    kv_cache_layout: str | None = None
    hash_block_size: int | None = None
    cache_hit_alignment_tokens: int | None = None
    kv_tp_replicas: int = 1

    @functools.cached_property
    def prefix_cacheable_group_ids(self) -> tuple[int, ...]:
        return tuple(
            index
            for index, group in enumerate(self.kv_cache_groups)
            if group.enable_kv_transfer and group.kv_cache_spec.prefix_cacheable
        )


def resolve_kv_cache_block_sizes(kv_cache_config, vllm_config) -> tuple[int, int]:
    sizes = [group.kv_cache_spec.block_size for group in kv_cache_config.kv_cache_groups]
    return math.lcm(*sizes), math.gcd(*sizes)


CONTENTS = {
    "vllm.logger": {"init_logger": logging.getLogger},
    BASE: {
        each.__name__: each
        for each in (
            KVConnectorBase_V1, KVConnectorMetadata, KVConnectorRole, KVConnectorTransferResults, SupportsHMA
        )
    },
    METRICS: {each.__name__: each for each in (KVConnectorPromMetrics, KVConnectorStats)},
    KV_CACHE_UTILS: {"resolve_kv_cache_block_sizes": resolve_kv_cache_block_sizes},
    KV_CACHE_INTERFACE: {
        each.__name__: each
        for each in (
            AttentionSpec, ChunkedLocalAttentionSpec, FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec, KVCacheSpec,
            KVCacheTensor, MLAAttentionSpec, SlidingWindowSpec, UniformTypeKVCacheSpecs
        )
    },
}


@functools.cache
def install() -> bool:
    """Makes `import vllm...` work for incipit.vllm. Returns whether it is the real vLLM."""
    if importlib.util.find_spec("vllm") is not None:
        return True
    for name, contents in CONTENTS.items():
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            path = ".".join(parts[:count])
            if path not in sys.modules:
                module = types.ModuleType(path)
                module.__path__ = []  # a package, so that what is inside can be imported by its whole name
                module.__spec__ = importlib.util.spec_from_loader(path, loader=None, is_package=True)
                sys.modules[path] = module
                if count > 1:
                    setattr(sys.modules[".".join(parts[: count - 1])], parts[count - 1], module)
        vars(sys.modules[name]).update(contents)
    return False


def need_vllm() -> None:
    """Skips the test that calls it where there is only the stand-in."""
    if not install():
        pytest.skip("needs vLLM")
