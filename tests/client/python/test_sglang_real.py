"""The backend under SGLang's own code: its loader, its host pools and its controller's transfers, without a GPU.

Needs torch and SGLang, in a Python that has both: downloads of over 1 GB.
"""
import array
import json
import threading
import types

import pytest

from incipit.sglang import IncipitHiCacheStorage, OptionsError

PAGE, LAYERS, DEVICE_TOKENS = 16, 3, 2048
EXTRA = {"backend_name": "incipit", "module_path": "incipit.sglang", "class_name": "IncipitHiCacheStorage",
         "interface_v1": 1}


try:
    import torch
    from sglang.srt.managers import cache_controller
    from sglang.srt.mem_cache import device_pool_info, hicache_storage, memory_pool_host, radix_cache, utils
    from sglang.srt.mem_cache.hybrid_cache import hybrid_cache_controller
    from sglang.srt.mem_cache.pool_host import mamba, mha, mla
    from sglang.srt.mem_cache.storage import StorageBackendFactory
except ImportError as error:
    pytest.skip(f"needs SGLang with torch: {error}", allow_module_level=True)

@pytest.fixture
def pools():
    info = device_pool_info

    def pointers(tensors):
        return torch.tensor([one.data_ptr() for one in tensors], dtype=torch.uint64)

    def make_mla(layout="page_first", dtype=torch.bfloat16):
        rows = tuple(torch.zeros(1, 1, 576, dtype=dtype) for _ in range(LAYERS))
        described = info.MLABufferInfo(
            buffers=rows, data_ptrs=pointers(rows), layer_indices=tuple(range(LAYERS)), device_layer_num=LAYERS,
            page_size=PAGE, kv_lora_rank=512, qk_rope_head_dim=64, kv_cache_dim=576, dtype=dtype,
            device=torch.device("cpu"))
        return mla.MLATokenToKVPoolHost(
            described, 2.0, 0, PAGE, layout, pin_memory=False, device_capacity_tokens=DEVICE_TOKENS, start_layer=0,
            end_layer=LAYERS, target_layer_num=LAYERS)

    def make_mha(layout="page_first", dtype=torch.bfloat16):
        k, v = (tuple(torch.zeros(1, 4, 32, dtype=dtype) for _ in range(LAYERS)) for _ in "kv")
        described = info.MHABufferInfo(
            buffers=info.KVBuffers(k=k, v=v, k_data_ptrs=pointers(k), v_data_ptrs=pointers(v),
                                   layout=info.KVBufferLayout.NHD),
            page_size=PAGE, head_num=4, head_dim=32, v_head_dim=32, dtype=dtype, device=torch.device("cpu"))
        return mha.MHATokenToKVPoolHost(
            described, 2.0, 0, PAGE, layout, pin_memory=False, device_capacity_tokens=DEVICE_TOKENS, start_layer=0,
            end_layer=LAYERS)

    def states(layout="page_first"):
        described = info.MambaStateBufferInfo(temporal=torch.zeros(LAYERS, 8, 4, 5),
                                              conv=(torch.zeros(LAYERS, 8, 6, 3, dtype=torch.bfloat16),))
        return mamba.MambaPoolHost(described, 2.0, 0, device_capacity=8, pin_memory=False, layout=layout)

    def v4(layout="page_first"):
        return memory_pool_host.DeepSeekV4PagedHostPool(
            "deepseek_v4_c4", [torch.zeros(4, 96, dtype=torch.uint8) for _ in range(LAYERS)], item_bytes=96,
            num_host_pages=256, slot_page_size=PAGE, layout=layout, pin_memory=False)
    return types.SimpleNamespace(mla=make_mla, mha=make_mha, states=states, v4=v4)


@pytest.fixture
def create(node):
    """create(pool, others, ...): the backend as the engine's factory makes it from the text of the option."""
    made = []

    def make(pool, others=(), *, is_mla=True, tp_rank=0, tp_size=1, metrics=False, **extra):
        text = json.dumps({**EXTRA, "address": node.address, "prefetch_threshold": 16, **extra})
        options = hybrid_cache_controller.HybridCacheController.parse_storage_backend_extra_config(text)[0]
        described = hicache_storage.HiCacheStorageConfig(
            tp_rank=tp_rank, tp_size=tp_size, pp_rank=0, pp_size=1, attn_cp_rank=0, attn_cp_size=1,
            is_mla_model=is_mla, enable_storage_metrics=metrics, is_page_first_layout=True, model_name="real/model",
            extra_config=options)
        storage = StorageBackendFactory.create_backend("dynamic", described, pool)
        made.append(storage)
        storage.register_mem_pool_host(pool)
        storage.register_mem_host_pool_v2(pool, hicache_storage.PoolName.KV)
        for name, other in others:
            storage.register_mem_host_pool_v2(other, name)
        storage.on_host_pools_registered()
        return storage
    yield make
    for storage in made:
        storage.close()


def fill(tensor, seed):
    raw = torch.randint(0, 256, (tensor.nbytes,), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    tensor.copy_(raw.view(tensor.dtype).view(tensor.shape))


def page_bytes(pool, slot):
    return bytes(pool.get_data_page(slot).contiguous().view(torch.uint8).numpy())


def controller(storage, pool):
    """As much of the engine's controller as its transfers use."""
    own = types.SimpleNamespace(
        storage_backend=storage, storage_host_pool=pool, mem_pool_host=pool, page_size=PAGE, acks=[])
    own.prefetch_sync_queue = types.SimpleNamespace(put=own.acks.append)
    for name in ("_page_get_zero_copy", "_page_set_zero_copy", "_generic_page_get", "_generic_page_set",
                 "_page_transfer", "_page_transfer_kv_batch", "_page_backup", "_storage_hit_query"):
        setattr(own, name, types.MethodType(getattr(cache_controller.HiCacheController, name), own))
    own.page_get_func, own.page_set_func = own._page_get_zero_copy, own._page_set_zero_copy
    return own


def key(tokens, **identity):
    return radix_cache.RadixKey(array.array("q", tokens), **identity)


def back_up(own, pool, prompt, pages):
    """The engine's own way of a prompt to the storage; returns the host slots of its pages."""
    hashes = utils.get_storage_hash_str(prompt, None, page_size=PAGE)
    indices = pool.alloc(pages * PAGE)
    operation = cache_controller.StorageOperation(indices, prompt, hash_value=hashes, prefix_keys=[])
    own._page_backup(operation)
    assert operation.completed_tokens == pages * PAGE
    return indices


def prefetch(own, pool, prompt):
    """The engine's own way back; returns (pages that the query found, pages that were loaded, host slots)."""
    operation = cache_controller.PrefetchOperation("request", prompt, prefix_keys=[])
    operation.hash_value, found_tokens = own._storage_hit_query(operation)
    operation.host_indices = pool.alloc(found_tokens)
    loaded = own._page_transfer(operation)
    return found_tokens // PAGE, loaded, operation.host_indices


@pytest.mark.parametrize("kind", ["mla", "mha"])
@pytest.mark.parametrize("layout", ["page_first", "page_first_direct", "layer_first"])
def test_the_controller_backs_up_and_another_engine_prefetches(pools, create, kind, layout):
    pool, other = getattr(pools, kind)(layout), getattr(pools, kind)(layout)
    other.alloc(7 * PAGE)  # so that pages come to other slots
    fill(pool.kv_buffer, 1)
    is_mla, pages = kind == "mla", 130  # more than one batch of 128
    prompt = key(range(pages * PAGE))
    at = back_up(controller(create(pool, is_mla=is_mla), pool), pool, prompt, pages)
    reader = controller(create(other, is_mla=is_mla), other)
    longer = key(range((pages + 3) * PAGE))
    found, loaded, to = prefetch(reader, other, longer)
    assert (found, loaded) == (pages, pages)
    assert [ack.completed_tokens for ack in reader.acks] == [128 * PAGE, 130 * PAGE]
    for page in range(pages):
        slot = page * PAGE
        assert page_bytes(other, int(to[slot])) == page_bytes(pool, int(at[slot]))


def test_extra_keys_and_salts_keep_prompts_apart(pools, create):
    pool = pools.mla()
    own = controller(create(pool), pool)
    tokens = range(10_000, 10_000 + 4 * PAGE)
    back_up(own, pool, key(tokens, extra_key="lora-1"), 4)
    for other in ({}, {"extra_key": "lora-2"}, {"extra_key": "lora-1", "cache_salt": "tenant"}):
        assert prefetch(own, pool, key(tokens, **other))[0] == 0
    assert prefetch(own, pool, key(tokens, extra_key="lora-1"))[:2] == (4, 4)


@pytest.mark.parametrize("kind", ["mla", "mha"])
def test_the_way_that_copies_pages_works_too(pools, create, kind):
    pool, other, is_mla = getattr(pools, kind)(), getattr(pools, kind)(), kind == "mla"
    fill(pool.kv_buffer, 2)
    prompt, ways = key(range(20_000, 20_000 + 4 * PAGE)), []
    for one in (pool, other):
        own = controller(create(one, is_mla=is_mla, interface_v1=0), one)
        own.page_get_func, own.page_set_func = own._generic_page_get, own._generic_page_set
        ways.append(own)
    at = back_up(ways[0], pool, prompt, 4)
    found, loaded, to = prefetch(ways[1], other, prompt)
    assert (found, loaded) == (4, 4)
    for to_slot, from_slot in zip(to[::PAGE], at[::PAGE], strict=True):
        assert page_bytes(other, int(to_slot)) == page_bytes(pool, int(from_slot))


def test_hybrid_query_and_side_pools_of_the_engines_own_classes(pools, create):
    names, transfer, policy = hicache_storage.PoolName, hicache_storage.PoolTransfer, hicache_storage.PoolHitPolicy
    writing, reading = ((pools.mla(), pools.v4(), pools.states()) for _ in range(2))
    writer, reader = (create(kv, [(names.DEEPSEEK_V4_C4, c4), (names.MAMBA, states)])
                      for kv, c4, states in (writing, reading))
    for seed, buffer in enumerate([writing[0].kv_buffer, writing[1].kv_buffer,
                                   *writing[2].get_hybrid_pool_buffer()]):
        fill(buffer, seed)
    prompt = key(range(30_000, 30_000 + 6 * PAGE))
    hashes = utils.get_storage_hash_str(prompt, None, page_size=PAGE)
    indices = back_up(controller(writer, writing[0]), writing[0], prompt, 6)
    slot = torch.tensor([3])
    assert writer.batch_set_v2([
        transfer(names.DEEPSEEK_V4_C4, indices, keys=hashes),
        transfer(names.MAMBA, slot, keys=hashes[3:4], hit_policy=policy.TRAILING_PAGES),
    ]) == {"deepseek_v4_c4": [True] * 6, "mamba": [True]}
    own = types.SimpleNamespace(storage_backend=reader, page_size=PAGE)
    query = types.MethodType(hybrid_cache_controller.HybridCacheController._storage_hit_query, own)
    operation = hybrid_cache_controller.PrefetchOperation(types.SimpleNamespace(rid="r"), prompt, pool_transfers=[
        transfer(names.DEEPSEEK_V4_C4), transfer(names.MAMBA, keys=["x"], hit_policy=policy.TRAILING_PAGES)])
    found, tokens = query(operation)
    assert (found, tokens) == (hashes[:4], 4 * PAGE)
    assert operation.pool_storage_result.restorable_prefix_pages == [4]
    assert operation.query_pool_hit_pages == {names.KV: 6, names.DEEPSEEK_V4_C4: 6, names.MAMBA: 4}
    to, into = reading[0].alloc(4 * PAGE), torch.tensor([9])
    results = reader.batch_get_v2([transfer(names.DEEPSEEK_V4_C4, to, keys=found),
                                   transfer(names.MAMBA, into, keys=found[3:])])
    assert hicache_storage.count_pool_hits(results) == {"deepseek_v4_c4": 4, "mamba": 1}
    assert page_bytes(reading[2], 9) == page_bytes(writing[2], 3)
    for page in range(4):
        to_slot, from_slot = int(to[page * PAGE]), int(indices[page * PAGE])
        assert page_bytes(reading[1], to_slot) == page_bytes(writing[1], from_slot)


def test_ranks_share_mla_and_not_mha(pools, create):
    for kind, shared in (("mla", 3), ("mha", 0)):
        pool, other = getattr(pools, kind)(), getattr(pools, kind)()
        prompt = key(range(40_000, 40_000 + 3 * PAGE))
        ranks = [create(one, is_mla=kind == "mla", tp_rank=rank, tp_size=2) for rank, one in enumerate((pool, other))]
        back_up(controller(ranks[0], pool), pool, prompt, 3)
        assert prefetch(controller(ranks[1], other), other, prompt)[0] == shared


def test_types_of_one_size_are_not_mixed_up(pools, create):
    pool, prompt = pools.mla(), key(range(50_000, 50_000 + 2 * PAGE))
    back_up(controller(create(pool), pool), pool, prompt, 2)
    other = pools.mla(dtype=torch.float16)
    assert prefetch(controller(create(other), other), other, prompt)[0] == 0
    fp8 = pools.mla(dtype=torch.float8_e4m3fn)
    back_up(controller(create(fp8), fp8), fp8, prompt, 2)
    assert prefetch(controller(create(fp8), fp8), fp8, prompt)[:2] == (2, 2)


def test_threads_of_several_requests_prefetch_at_once(pools, create):
    pool, prompts, results = pools.mla(), [], []
    fill(pool.kv_buffer, 6)
    storage = create(pool)
    own = controller(storage, pool)
    for index in range(4):
        prompts.append(key(range(60_000 + index * 4096, 60_000 + index * 4096 + 16 * PAGE)))
        back_up(own, pool, prompts[-1], 16)

    def run(prompt):
        results.append(prefetch(controller(storage, pool), pool, prompt)[:2])
    threads = [threading.Thread(target=run, args=(prompt,)) for prompt in prompts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(16, 16)] * 4


def test_layouts_of_no_use_stop_the_engine_with_the_flag_to_set(pools, create):
    with pytest.raises(OptionsError, match="page_unified.*--hicache-mem-layout page_first"):
        create(pools.mha("page_unified"), is_mla=False)
    with pytest.raises(OptionsError, match="no option 'adress'"):
        create(pools.mla(), adress="tcp://127.0.0.1:1")


def test_the_class_is_the_engines_and_its_metrics_are_published(pools, create):
    pool = pools.mla()
    storage = create(pool, metrics=True)
    assert type(storage) is IncipitHiCacheStorage and isinstance(storage, hicache_storage.HiCacheStorage)
    back_up(controller(storage, pool), pool, key(range(70_000, 70_000 + 2 * PAGE)), 2)
    stats = storage.get_stats()
    assert stats.backup_pgs == [2]
    stats.prefetch_stats = object()  # the engine adds this
    from prometheus_client import REGISTRY
    labels = {"model_name": "real/model", "tp_rank": "0", "dp_rank": "0", "pp_rank": "0"}
    assert REGISTRY.get_sample_value("sglang:incipit_store_pages_total", labels) >= 2


def test_no_node_is_misses_to_the_controller(pools, create):
    pool = pools.mla()
    own = controller(create(pool, address="tcp://127.0.0.1:1"), pool)
    prompt = key(range(80_000, 80_000 + 2 * PAGE))
    operation = cache_controller.StorageOperation(
        pool.alloc(2 * PAGE), prompt, hash_value=utils.get_storage_hash_str(prompt, None, page_size=PAGE))
    own._page_backup(operation)
    assert operation.completed_tokens == 0
    assert prefetch(own, pool, prompt)[:2] == (0, 0)
