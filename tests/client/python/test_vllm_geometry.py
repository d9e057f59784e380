"""What the vLLM connector makes of an engine's configuration: groups, page sizes, shards, and names of models.

Runs with the specs of the installed vLLM, or with stand-ins for them.
"""
from __future__ import annotations

import dataclasses
import types

import pytest
import vllm_stand_in

REAL = vllm_stand_in.install()
from vllm.v1.kv_cache_interface import (  # noqa: E402
    ChunkedLocalAttentionSpec, FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec, KVCacheTensor, MLAAttentionSpec,
    SlidingWindowSpec, UniformTypeKVCacheSpecs,
)

from incipit.engines.names import MAX_NAME_BYTES  # noqa: E402
from incipit.vllm.config import Options, OptionsError  # noqa: E402
from incipit.vllm.geometry import describe  # noqa: E402

if REAL:
    from torch import bfloat16
else:
    bfloat16 = "bfloat16"

BLOCKS = 10
OPTIONS = Options(address="tcp://127.0.0.1:9400")
SIZES = {"block_size": 16, "num_kv_heads": 2, "head_size": 64, "dtype": bfloat16}
PAGE_BYTES = 16 * 2 * 64 * 2 * 2
FULL = FullAttentionSpec(**SIZES)
WINDOW = SlidingWindowSpec(**SIZES, sliding_window=32)


def engine(**changes):
    """A VllmConfig as far as the connector reads it. Changes are named part__field."""
    parts = {
        "model_config": {
            "model": "org/model-7b", "revision": None, "dtype": "bfloat16", "quantization": None,
            "hf_config": types.SimpleNamespace(architectures=["LlamaForCausalLM"]),
            "hf_text_config": types.SimpleNamespace(rope_parameters={"rope_theta": 1e4}, max_position_embeddings=4096),
        },
        "cache_config": {
            "cache_dtype": "auto", "prefix_caching_hash_algo": "sha256", "block_size": 16, "prefix_match_unit": None,
            "enable_prefix_caching": True,
        },
        "parallel_config": {
            "tensor_parallel_size": 1, "pipeline_parallel_size": 1, "decode_context_parallel_size": 1,
            "prefill_context_parallel_size": 1,
        },
    }
    others = {"speculative_config": None, "kv_transfer_config": object()}
    for name, value in changes.items():
        part, _, field = name.partition("__")
        (parts[part] if field else others)[field or part] = value
    return types.SimpleNamespace(**{name: types.SimpleNamespace(**part) for name, part in parts.items()}, **others)


def tensor(*layers, page_bytes=PAGE_BYTES, block_stride=None):
    """Layer by layer, or, with a block's stride, block by block."""
    layer_stride = page_bytes if block_stride else page_bytes * BLOCKS
    stride = block_stride or page_bytes
    return KVCacheTensor(size=stride * BLOCKS, layers=[*layers], layer_stride=layer_stride, block_stride=stride)


def cache(groups=None, tensors=None, **fields):
    """A KVCacheConfig: groups are (layers, spec)."""
    groups = groups or [(["a", "b"], FULL)]
    tensors = tensors or [tensor(*layers) for layers, _ in groups]
    fields = {"hash_block_size": 16, **fields}
    return KVCacheConfig(
        num_blocks=BLOCKS, kv_cache_tensors=tensors,
        kv_cache_groups=[KVCacheGroupSpec(layers, spec) for layers, spec in groups], **fields,
    )


def test_full_attention_is_one_group_of_pages():
    geometry = describe(OPTIONS, engine(), cache())
    (group,) = geometry.groups
    assert (group.rule, group.window_tokens, group.block_tokens, group.engine_group) == ("all", 0, 16, 0)
    assert [(layer.name, layer.page_bytes) for layer in group.layers] == [("a", PAGE_BYTES), ("b", PAGE_BYTES)]
    assert group.segmented and (geometry.hash_tokens, geometry.step_tokens, geometry.shards) == (16, 16, 1)
    (tier_group,) = geometry.layout().groups
    assert (tier_group.block_bytes, tier_group.segment_count, tier_group.block_tokens) == (2 * PAGE_BYTES, 2, 16)


def test_latent_cache_is_full_attention():
    spec = MLAAttentionSpec(block_size=64, num_kv_heads=1, head_size=576, dtype=bfloat16)
    page_bytes = 64 * 576 * 2
    geometry = describe(OPTIONS, engine(), cache([(["a"], spec)], [tensor("a", page_bytes=page_bytes)]))
    assert geometry.groups[0].rule == "all" and geometry.step_tokens == 64
    assert geometry.layout().groups[0].block_bytes == page_bytes


def test_window_keeps_what_the_next_token_attends_to():
    geometry = describe(OPTIONS, engine(), cache([(["a"], FULL), (["b"], WINDOW)]))
    assert [(group.rule, group.window_tokens) for group in geometry.groups] == [("all", 0), ("window", 31)]
    drafting = dataclasses.replace(WINDOW, extra_retained_tokens=3)
    geometry = describe(OPTIONS, engine(), cache([(["a"], FULL), (["b"], drafting)]))
    assert geometry.groups[1].window_tokens == 34


def test_layers_of_one_block_may_lie_side_by_side():
    stride = 2 * PAGE_BYTES
    geometry = describe(OPTIONS, engine(), cache(tensors=[tensor("a", "b", block_stride=stride)]))
    assert [layer.page_bytes for layer in geometry.groups[0].layers] == [PAGE_BYTES, PAGE_BYTES]


def test_single_layer_of_its_size_is_not_taken_for_the_whole_block():
    """Where blocks are packed, a block's stride spans the pages of all layers."""
    small = PAGE_BYTES // 4
    stride = 2 * PAGE_BYTES + small
    spec = UniformTypeKVCacheSpecs(16, {"a": FULL, "b": FULL, "c": FULL})
    tensors = [tensor("a", "b", block_stride=stride), tensor("c", page_bytes=small, block_stride=stride)]
    (group,) = describe(OPTIONS, engine(), cache([(["a", "b", "c"], spec)], tensors)).groups
    assert [layer.page_bytes for layer in group.layers] == [PAGE_BYTES, PAGE_BYTES, small]
    assert not group.segmented and group.block_bytes == stride
    assert group.tier_group().segment_count == 1 and group.tier_group().block_bytes == stride


def test_hash_size_is_resolved_where_the_engine_does_not_say():
    assert describe(OPTIONS, engine(), cache(hash_block_size=None)).hash_tokens == 16
    longer = dataclasses.replace(FULL, block_size=64)
    both = cache([(["a"], longer), (["b"], WINDOW)], hash_block_size=None)
    assert describe(OPTIONS, engine(), both).hash_tokens == 16


@pytest.mark.parametrize("alignment, expected", [(None, 64), (32, 64), (128, 128)])
def test_engine_resumes_at_multiples_of_all_blocks(alignment, expected):
    groups = [(["a"], dataclasses.replace(FULL, block_size=64)), (["b"], WINDOW)]
    assert describe(OPTIONS, engine(), cache(groups, cache_hit_alignment_tokens=alignment)).step_tokens == expected


def test_heads_are_shards_and_latents_are_copies():
    heads = describe(OPTIONS, engine(parallel_config__tensor_parallel_size=4), cache())
    assert (heads.shards, heads.replicas) == (4, 1)
    assert [heads.shard_of_rank(rank) for rank in range(4)] == [0, 1, 2, 3]
    assert all(heads.stores(rank) for rank in range(4))
    assert len({heads.model_of_shard(shard) for shard in range(4)}) == 4
    latent = describe(OPTIONS, engine(parallel_config__tensor_parallel_size=4), cache(kv_tp_replicas=4))
    assert (latent.shards, latent.replicas) == (1, 4)
    assert [latent.stores(rank) for rank in range(4)] == [True, False, False, False]
    assert {latent.shard_of_rank(rank) for rank in range(4)} == {0}
    # Any number of ranks holds the same latent.
    assert latent.model == describe(OPTIONS, engine(), cache()).model
    few_heads = describe(OPTIONS, engine(parallel_config__tensor_parallel_size=4), cache(kv_tp_replicas=2))
    assert [few_heads.shard_of_rank(rank) for rank in range(4)] == [0, 0, 1, 1]
    assert [few_heads.stores(rank) for rank in range(4)] == [True, False, True, False]
    assert len({heads.model, latent.model, few_heads.model}) == 3


def test_same_configuration_gives_the_same_name():
    assert describe(OPTIONS, engine(), cache()) == describe(OPTIONS, engine(), cache())


ROPE = types.SimpleNamespace(rope_parameters={"rope_theta": 1e4, "factor": 4.0}, max_position_embeddings=4096)
DRAFT = types.SimpleNamespace(draft_model_config=types.SimpleNamespace(model="org/draft"))


@pytest.mark.parametrize("changes", [
    {"model_config__model": "org/model-8b"}, {"model_config__revision": "abc"}, {"model_config__dtype": "float16"},
    {"model_config__quantization": "fp8"}, {"cache_config__cache_dtype": "fp8"},
    {"cache_config__prefix_caching_hash_algo": "sha256_cbor"}, {"model_config__hf_text_config": ROPE},
    {"parallel_config__tensor_parallel_size": 2}, {"speculative_config": DRAFT},
    {"model_config__hf_config": types.SimpleNamespace(architectures=["OtherForCausalLM"])},
], ids=lambda changes: next(iter(changes)))
def test_what_changes_the_bytes_changes_the_name(changes):
    assert describe(OPTIONS, engine(**changes), cache()).model != describe(OPTIONS, engine(), cache()).model


def test_what_changes_the_blocks_changes_the_name():
    larger = dataclasses.replace(FULL, block_size=32)
    others = [
        cache([(["a", "b"], larger)], [tensor("a", "b", page_bytes=2 * PAGE_BYTES)]),
        cache([(["a", "c"], FULL)]), cache([(["a"], FULL), (["b"], FULL)]), cache([(["a", "b"], WINDOW)]),
        cache(kv_cache_layout="LBHNC"), cache(kv_cache_layout="LBNHC"),
    ]
    names = {describe(OPTIONS, engine(), each).model for each in [cache(), *others]}
    assert len(names) == len(others) + 1
    # Only the order within a page counts, not where pages lie.
    assert (
        describe(OPTIONS, engine(), cache(kv_cache_layout="BLNHC")).model
        == describe(OPTIONS, engine(), cache(kv_cache_layout="LBNHC")).model
    )


def test_options_name_the_model():
    def name(**options):
        return describe(dataclasses.replace(OPTIONS, **options), engine(), cache()).model

    assert len({name(), name(namespace="v2"), name(model_name="local")}) == 3
    assert name(tenant="other", lease_ms=1) == name()  # tenants are kept apart by the node
    here = engine(model_config__model="/models/here"), cache()
    there = engine(model_config__model="/models/there"), cache()
    assert len({describe(dataclasses.replace(OPTIONS, model_name="m"), *each).model for each in (here, there)}) == 1


@pytest.mark.parametrize("model", ["org/" + "long" * 100, "modèle ☃", "", "/models/"])
def test_names_are_what_the_node_takes(model):
    geometry = describe(
        OPTIONS, engine(model_config__model=model, parallel_config__tensor_parallel_size=128), cache()
    )
    for shard in (0, 127):
        name = geometry.model_of_shard(shard)
        assert 64 < len(name.encode()) <= MAX_NAME_BYTES and name.isascii() and name.isprintable() and " " not in name


@pytest.mark.parametrize("changes, message", [
    ({"parallel_config__pipeline_parallel_size": 2}, "pipeline parallelism"),
    ({"parallel_config__decode_context_parallel_size": 2}, "context parallelism"),
    ({"parallel_config__prefill_context_parallel_size": 2}, "context parallelism"),
], ids=["pipeline", "decode_context", "prefill_context"])
def test_unsupported_parallelism_is_refused(changes, message):
    with pytest.raises(OptionsError, match=message):
        describe(OPTIONS, engine(**changes), cache())


def test_layerwise_is_refused_with_tensor_parallelism():
    layerwise = dataclasses.replace(OPTIONS, layerwise=True)
    describe(layerwise, engine(), cache())
    with pytest.raises(OptionsError, match='"layerwise".*tensor parallelism'):
        describe(layerwise, engine(parallel_config__tensor_parallel_size=2), cache())


def test_layerwise_is_refused_with_steps_in_flight():
    """vLLM takes over what such a step sampled behind a load that failed: see test_vllm_engine.py."""
    describe(OPTIONS, engine(max_concurrent_batches=2), cache())
    with pytest.raises(OptionsError, match='"layerwise".*--no-async-scheduling'):
        describe(dataclasses.replace(OPTIONS, layerwise=True), engine(max_concurrent_batches=2), cache())


def test_unsupported_kind_of_cache_is_named():
    chunked = ChunkedLocalAttentionSpec(**SIZES, attention_chunk_size=64)
    with pytest.raises(OptionsError, match="'layers.7.attn'.*ChunkedLocalAttentionSpec"):
        describe(OPTIONS, engine(), cache([(["layers.7.attn"], chunked)]))


def test_cache_without_prefixes_is_refused():
    config = cache()
    config.kv_cache_groups[0].enable_kv_transfer = False
    with pytest.raises(OptionsError, match="no cache that can be stored by prefix"):
        describe(OPTIONS, engine(), config)


def test_groups_that_are_not_transferred_are_left_out():
    config = cache([(["a"], FULL), (["b"], FULL), (["c"], WINDOW)])
    config.kv_cache_groups[1].enable_kv_transfer = False
    assert [group.engine_group for group in describe(OPTIONS, engine(), config).groups] == [0, 2]


def test_blocks_that_hashes_do_not_divide_are_refused():
    with pytest.raises(OptionsError, match="blocks of 16 tokens.*32 tokens of a block hash"):
        describe(OPTIONS, engine(), cache(hash_block_size=32))
