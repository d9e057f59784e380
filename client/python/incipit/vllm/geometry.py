"""What the engine's cache looks like: groups, layers, page sizes, and the name under which the tier keeps its blocks.

Both sides derive this from the same configuration and must agree to the byte: the scheduler matches under a name and
the workers load under it.
"""

import dataclasses
import math
from typing import Any

import incipit
from vllm.v1.core.kv_cache_utils import resolve_kv_cache_block_sizes
from vllm.v1.kv_cache_interface import (
    FullAttentionSpec,
    KVCacheConfig,
    SlidingWindowSpec,
    UniformTypeKVCacheSpecs,
)

from ..engines.names import digest_name
from .config import Options, OptionsError

SHARD_NAME_BYTES = 15  # left for the shard in a name
POSITION_SETTINGS = (
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "partial_rotary_factor",
    "max_position_embeddings",
    "original_max_position_embeddings",
)


@dataclasses.dataclass(frozen=True)
class LayerPages:
    """One layer's page: the bytes of one block of tokens."""

    name: str
    page_bytes: int


@dataclasses.dataclass(frozen=True)
class GroupGeometry:
    engine_group: int  # index in the engine's kv_cache_groups
    name: str
    rule: str  # of incipit.Group
    window_tokens: int
    block_tokens: int
    layers: tuple[LayerPages, ...]

    @property
    def block_bytes(self) -> int:
        return sum(layer.page_bytes for layer in self.layers)

    @property
    def segmented(self) -> bool:
        """Whether each layer is one of the block's segments, so that layers can be loaded on their own."""
        return len({layer.page_bytes for layer in self.layers}) == 1

    def tier_group(self) -> "incipit.Group":
        layers, page_bytes = len(self.layers), self.layers[0].page_bytes
        if not self.segmented:
            # Pages of several sizes: to the tier the block is one piece.
            layers, page_bytes = 1, self.block_bytes
        tokens_per_entry = 1 if page_bytes % self.block_tokens == 0 else self.block_tokens
        return incipit.Group(
            name=self.name,
            rule=self.rule,
            window_tokens=self.window_tokens,
            block_tokens=self.block_tokens,
            layers=layers,
            tokens_per_entry=tokens_per_entry,
            bytes_per_entry=page_bytes * tokens_per_entry // self.block_tokens,
            segments=layers,
        )


@dataclasses.dataclass(frozen=True)
class Geometry:
    groups: tuple[GroupGeometry, ...]
    hash_tokens: int  # per block hash of the engine
    step_tokens: int  # lengths at which the engine can resume are multiples of this
    shards: int  # ranks that hold different bytes; ranks that hold the same share a name
    replicas: int
    model: str  # name and digest, without the shard

    def shard_of_rank(self, rank: int) -> int:
        return rank // self.replicas

    def stores(self, rank: int) -> bool:
        """The first of the ranks that hold the same bytes stores them for all."""
        return rank % self.replicas == 0

    def model_of_shard(self, shard: int) -> str:
        return self.model if self.shards == 1 else f"{self.model}.{shard}of{self.shards}"

    def layout(self) -> "incipit.Layout":
        return incipit.Layout.custom("vllm", [group.tier_group() for group in self.groups])


def describe(options: Options, vllm_config: Any, kv_cache_config: KVCacheConfig) -> Geometry:
    """The geometry of this engine. Raises OptionsError for what the connector does not support."""
    parallel = vllm_config.parallel_config
    if parallel.pipeline_parallel_size > 1:
        raise OptionsError("IncipitConnector does not support pipeline parallelism yet")
    if parallel.decode_context_parallel_size > 1 or getattr(parallel, "prefill_context_parallel_size", 1) > 1:
        raise OptionsError("IncipitConnector does not support context parallelism yet")
    if options.layerwise and parallel.tensor_parallel_size > 1:
        # A load that fails on one rank spoils what all ranks compute in the same step, and only that rank would know.
        raise OptionsError('"layerwise" works without tensor parallelism only')
    if options.layerwise and getattr(vllm_config, "max_concurrent_batches", 1) > 1:
        # vLLM drops what the step of a failed load sampled, but not what steps begun before it heard of that did.
        raise OptionsError('"layerwise" works without asynchronous scheduling only: set --no-async-scheduling')
    hash_tokens = kv_cache_config.hash_block_size or resolve_kv_cache_block_sizes(kv_cache_config, vllm_config)[1]
    page_bytes = _page_bytes_by_layer(kv_cache_config)
    groups = tuple(
        _group(kv_cache_config, engine_group, page_bytes) for engine_group in kv_cache_config.prefix_cacheable_group_ids
    )
    if not groups:
        raise OptionsError("this model has no cache that can be stored by prefix")
    for group in groups:
        if group.block_tokens % hash_tokens != 0:
            raise OptionsError(
                f"blocks of {group.block_tokens} tokens are no multiple of the {hash_tokens} tokens of a block hash"
            )
    # MLA keeps one latent for all heads, so all ranks of a tensor-parallel group hold the same bytes.
    replicas = kv_cache_config.kv_tp_replicas
    shards = parallel.tensor_parallel_size // replicas
    return Geometry(
        groups=groups,
        hash_tokens=hash_tokens,
        step_tokens=math.lcm(kv_cache_config.cache_hit_alignment_tokens or 1, *(g.block_tokens for g in groups)),
        shards=shards,
        replicas=replicas,
        model=_model_name(options, vllm_config, kv_cache_config, groups, shards),
    )


def _page_bytes_by_layer(kv_cache_config: KVCacheConfig) -> dict[str, int]:
    # The specs of the scheduler's copy may stand for several kinds of layers; the placement is always per layer.
    pages = {}
    for tensor in kv_cache_config.kv_cache_tensors:
        for layer in tensor.layers:
            # One of the two strides spans a page, the other all that lies between a layer's or a block's pages.
            pages[layer] = min(tensor.block_stride, tensor.layer_stride)
    return pages


def _group(kv_cache_config: KVCacheConfig, engine_group: int, page_bytes: dict[str, int]) -> GroupGeometry:
    group = kv_cache_config.kv_cache_groups[engine_group]
    spec = group.kv_cache_spec
    first_spec = spec.first_spec if isinstance(spec, UniformTypeKVCacheSpecs) else spec
    if isinstance(first_spec, FullAttentionSpec):
        rule, window_tokens = "all", 0
    elif isinstance(first_spec, SlidingWindowSpec):
        # A token attends to itself and the window - 1 tokens before it; only those must come from the cache, with the
        # ones before them that a drafting model computes anew.
        rule, window_tokens = "window", first_spec.sliding_window - 1 + first_spec.extra_retained_tokens
    else:
        raise OptionsError(
            f"layers such as {group.layer_names[0]!r} keep a {type(first_spec).__name__} cache, "
            "which IncipitConnector does not support yet"
        )
    return GroupGeometry(
        engine_group=engine_group,
        name=f"group{engine_group}",
        rule=rule,
        window_tokens=window_tokens,
        block_tokens=spec.block_size,
        layers=tuple(LayerPages(name, page_bytes[name]) for name in group.layer_names),
    )


def _model_name(options: Options, vllm_config: Any, kv_cache_config: KVCacheConfig, groups, shards: int) -> str:
    """A readable name and a digest of everything that changes the bytes of a block, or their order."""
    model, cache = vllm_config.model_config, vllm_config.cache_config
    name = options.model_name or model.model
    layout = getattr(kv_cache_config, "kv_cache_layout", None)
    identity = {
        "model": name,
        "revision": model.revision,
        "namespace": options.namespace,
        "architecture": list(getattr(model.hf_config, "architectures", None) or []),
        "weights_dtype": str(model.dtype),
        "quantization": model.quantization,
        # Positions are part of the keys in the cache, and engines can be told to scale them otherwise.
        "positions": {name: getattr(model.hf_text_config, name, None) for name in POSITION_SETTINGS},
        # Some groups may be a draft model's.
        "draft_model": getattr(getattr(vllm_config.speculative_config, "draft_model_config", None), "model", None),
        "cache_dtype": cache.cache_dtype,
        "hash_algorithm": cache.prefix_caching_hash_algo,
        # Within a page; where pages lie does not matter.
        "page_order": "".join(axis for axis in str(layout) if axis in "HNC") if layout else "",
        "shards": shards,
        "groups": [dataclasses.asdict(group) for group in groups],
    }
    return digest_name(name, identity, SHARD_NAME_BYTES)
