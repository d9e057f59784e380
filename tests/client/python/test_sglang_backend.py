"""The backend on the KV pool alone: round trips, prefixes, who shares pages with whom, threads, options."""
import threading

import numpy as np
import pytest
import sglang_pools as sgl

from incipit.sglang import IncipitHiCacheStorage, OptionsError

POOLS = [sgl.MlaPool, sgl.MhaPool]
prompts = iter(range(1 << 30))


def store(storage, pool, pages, seed=0):
    """Stores pages 0 to `pages` of a new prompt; returns hashes and bytes."""
    chain = sgl.hashes(f"{__name__}-{next(prompts)}", pages)
    sgl.fill(pool.kv_buffer, seed)
    assert storage.batch_set_v1(chain, sgl.slots(pool, range(pages))) == [True] * pages
    return chain, pool.kv_buffer.copy()


def same_pages(pool, at, written, pages):
    """Whether page at[i] of `pool` is page i of a buffer like the pool's, for i below `pages`."""
    return all(np.array_equal(pool.page(to), pool.page(index, written)) for index, to in zip(range(pages), at))


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("layout", ["page_first", "layer_first"])
def test_another_process_reads_what_one_wrote_into_other_slots(attach, kind, layout):
    pool, other = kind(layout=layout), kind(layout=layout)
    chain, written = store(attach(pool), pool, 128)
    reader = attach(other)
    assert reader.batch_exists(chain) == 128 and reader.exists(chain[5])
    at = list(range(159, 31, -1))
    assert reader.batch_get_v1(chain, sgl.slots(other, at)) == [True] * 128
    assert same_pages(other, at, written, 128)
    counters = reader.counters()
    assert counters["load_pages"] == 128 and counters["load_failed_pages"] == counters["errors"] == 0
    assert counters["clients"]["kv"]["blocks_loaded"] == 128


def test_direct_layout_is_one_piece_a_page(attach):
    pool, other = sgl.MlaPool(layout="page_first_direct"), sgl.MlaPool(layout="page_first_direct")
    chain, written = store(attach(pool), pool, 4)
    assert attach(other).batch_get_v1(chain, sgl.slots(other, [3, 2, 1, 0])) == [True] * 4
    assert np.array_equal(other.kv_buffer[:4], written[3::-1])


def test_prefixes_end_at_the_first_page_that_is_missing(attach):
    pool = sgl.MlaPool()
    storage = attach(pool)
    chain, written = store(storage, pool, 6)
    longer = [*chain, *sgl.hashes("a continuation", 2)]
    assert storage.batch_exists(longer) == 6
    assert storage.batch_exists([*longer[6:], *chain]) == 0 and storage.batch_exists([]) == 0
    holed = [*chain[:3], *sgl.hashes("a hole", 1), *chain[4:]]
    assert storage.batch_exists(holed) == 3
    before = pool.kv_buffer.copy()
    hits = storage.batch_get_v1(holed, sgl.slots(pool, range(20, 26)))
    assert hits == [True, True, True, False, True, True]
    assert same_pages(pool, [20, 21, 22], written, 3)
    assert np.array_equal(pool.kv_buffer[: 20 * sgl.PAGE_TOKENS], before[: 20 * sgl.PAGE_TOKENS])


def test_storing_again_is_no_error_and_keeps_the_first_bytes(attach):
    pool = sgl.MlaPool()
    storage = attach(pool)
    chain, written = store(storage, pool, 3)
    sgl.fill(pool.kv_buffer, 99)
    assert storage.batch_set_v1(chain, sgl.slots(pool, range(3))) == [True] * 3
    assert storage.batch_get_v1(chain, sgl.slots(pool, range(3))) == [True] * 3
    assert same_pages(pool, range(3), written, 3) and storage.counters()["store_present_pages"] == 3


def test_ranks_of_mla_share_what_rank_0_wrote(attach):
    pool, other = sgl.MlaPool(), sgl.MlaPool()
    chain, written = store(attach(pool, tp_rank=0, tp_size=2), pool, 4)
    rank_1 = attach(other, tp_rank=1, tp_size=2)
    assert rank_1.batch_get_v1(chain, sgl.slots(other, range(4))) == [True] * 4
    assert same_pages(other, range(4), written, 4)


def test_ranks_of_mha_keep_their_own(attach):
    pools = [sgl.MhaPool(), sgl.MhaPool()]
    storages = [attach(pool, is_mla_model=False, tp_rank=rank, tp_size=2) for rank, pool in enumerate(pools)]
    chain, written = store(storages[0], pools[0], 4, seed=1)
    assert storages[1].batch_exists(chain) == 0
    sgl.fill(pools[1].kv_buffer, 2)
    own = pools[1].kv_buffer.copy()
    assert storages[1].batch_set_v1(chain, sgl.slots(pools[1], range(4))) == [True] * 4
    for storage, pool, kv in zip(storages, pools, (written, own)):
        assert storage.batch_get_v1(chain, sgl.slots(pool, range(50, 54))) == [True] * 4
        assert same_pages(pool, range(50, 54), kv, 4)
    single = sgl.MhaPool()
    assert attach(single, is_mla_model=False).batch_exists(chain) == 0


DIFFERENCES = {
    "model": dict(model_name="test/other"),
    "dtype": dict(pool=lambda: sgl.MlaPool(dtype=np.float16)),
    "page size": dict(pool=lambda: sgl.MlaPool(page_size=8)),
    "page size, same bytes": dict(pool=lambda: sgl.MlaPool(page_size=8, width=48)),
    "layers, same bytes": dict(pool=lambda: sgl.MlaPool(layers=2, width=36)),
    "memory layout": dict(pool=lambda: sgl.MlaPool(layout="page_first_direct")),
    "namespace": dict(options={"namespace": "weights-2"}),
    "tenant": dict(options={"tenant": "other"}),
    "pipeline stage": dict(pp_rank=1, pp_size=2),
    "context rank": dict(attn_cp_rank=1, attn_cp_size=2),
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_what_differs_is_never_a_hit(attach, difference):
    pool, change = sgl.MlaPool(), dict(DIFFERENCES[difference])
    writer = attach(pool)
    chain, _ = store(writer, pool, 4)
    other = change.pop("pool", sgl.MlaPool)()
    reader = attach(other, **change)
    assert reader.batch_exists(chain) == 0
    assert reader.batch_get_v1(chain, sgl.slots(other, range(4))) == [False] * 4
    assert not other.kv_buffer.any() and reader.counters()["errors"] == 0
    assert writer.batch_exists(chain) == 4


def test_model_name_option_joins_engines_that_call_it_differently(attach):
    pool, other, options = sgl.MlaPool(), sgl.MlaPool(), {"model_name": "one"}
    chain, _ = store(attach(pool, options=options, model_name="/disk/a"), pool, 2)
    assert attach(other, options=options, model_name="/disk/b").batch_exists(chain) == 2


def test_threads_at_once_get_their_own_pages(attach):
    pool, reading = sgl.MlaPool(), sgl.MlaPool()
    chains = [store(attach(pool), pool, 32, seed) for seed in range(4)]
    storage, wrong = attach(reading), []

    def read(index):
        chain, written = chains[index]
        for _ in range(10):
            at = range(index * 32, index * 32 + 32)
            if (storage.batch_exists(chain) != 32 or not all(storage.batch_get_v1(chain, sgl.slots(reading, at)))
                    or not np.array_equal(reading.kv_buffer[at[0] * 16: (at[-1] + 1) * 16], written[: 32 * 16])):
                wrong.append(index)
    threads = [threading.Thread(target=read, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and storage.counters()["load_pages"] == 4 * 10 * 32


def test_prefix_keys_give_depth_and_ancestors(attach):
    pool = sgl.MlaPool()
    storage = attach(pool)
    chain, written = store(storage, pool, 4)
    info = sgl.ExtraInfo(prefix_keys=chain[:2])
    for _ in range(3):
        assert storage.batch_exists(chain[2:], info) == 2
    assert storage.batch_get_v1(chain[2:], sgl.slots(pool, [30, 31]), info) == [True] * 2
    assert np.array_equal(pool.page(30), written[2 * 16: 3 * 16])


def test_pages_the_engine_copies_travel_too(attach):
    pool, other = sgl.MhaPool(layout="layer_first"), sgl.MhaPool(layout="layer_first")
    sgl.fill(pool.kv_buffer, 5)
    chain, copying = sgl.hashes("copied pages", 5), {"interface_v1": 0}
    pages = [np.ascontiguousarray(pool.page(index)).reshape(-1).view(sgl.HostTensor) for index in range(4)]
    writer, reader = attach(pool, options=copying), attach(other, options=copying)
    assert writer.batch_set(chain[:4], pages) and writer.set(chain[0], pages[0])
    assert reader.batch_exists(chain) == 4
    targets = [np.zeros_like(page) for page in [*pages, pages[0]]]
    got = reader.batch_get(chain, targets)
    assert got[4] is None and all(one is target for one, target in zip(got[:4], targets))
    assert all(np.array_equal(one, page) for one, page in zip(got[:4], pages))
    assert np.array_equal(reader.get(chain[1], targets[0]), pages[1]) and reader.get(chain[4], targets[0]) is None
    # The engine reads a page in place in another order than it copies it.
    in_place = attach(sgl.MhaPool(layout="layer_first"))
    assert in_place.batch_exists(chain) == 0


def test_lengths_that_do_not_fit_are_misses(attach):
    pool = sgl.MlaPool()
    storage = attach(pool)
    chain, _ = store(storage, pool, 4)
    for indices in (None, sgl.slots(pool, range(3)), sgl.slots(pool, range(4))[:-1]):
        assert storage.batch_get_v1(chain, indices) == [False] * 4
        assert storage.batch_set_v1(chain, indices) == [False] * 4
    assert storage.batch_get_v1(chain, sgl.slots(pool, [158, 159, 160, 161])) == [False] * 4  # past the end
    short = [np.zeros(10, np.uint16).view(sgl.HostTensor)]
    assert storage.batch_set(["a"], short) is False and storage.batch_get(["a"], short) == [None]
    assert storage.batch_set(["a", "b"], short) is False and storage.batch_set(["a"], None) is False
    assert storage.counters()["errors"] > 0


def test_odd_hashes_are_keys_too(attach):
    pool = sgl.MlaPool()
    storage = attach(pool)
    odd = ["x", "f" * 63, "F" * 64, "é" * 40, "f" * 64]
    assert storage.batch_set_v1(odd, sgl.slots(pool, range(5))) == [True] * 5
    assert storage.batch_exists(odd) == 5 and not storage.exists("f" * 65)


def test_calls_before_attaching_and_after_closing_are_misses(attach):
    pool = sgl.MlaPool()
    storage, chain = attach(None), sgl.hashes("nothing", 2)

    def all_miss():
        indices = sgl.slots(pool, range(2))
        transfer = sgl.Transfer(sgl.PoolName.KV, indices, chain)
        assert storage.batch_exists(chain) == 0 and storage.exists(chain[0]) is False
        assert storage.batch_get_v1(chain, indices) == storage.batch_set_v1(chain, indices) == [False] * 2
        assert storage.batch_get(chain) == [None] * 2 and storage.get(chain[0]) is None
        assert storage.batch_set(chain, [pool.kv_buffer] * 2) is storage.set(chain[0], pool.kv_buffer) is False
        assert storage.batch_exists_v2(chain, [transfer]).kv_hit_pages == 0
        assert storage.batch_get_v2([transfer]) == storage.batch_set_v2([transfer]) == {"kv": [False] * 2}
        assert storage.get_stats().prefetch_pgs == []
    all_miss()
    storage.register_mem_pool_host(pool)
    assert storage.batch_set_v1(chain, sgl.slots(pool, range(2))) == [True] * 2
    storage.close()
    storage.close()
    storage.get_stats()
    all_miss()
    storage.register_mem_pool_host(pool)  # a late call must not connect anew
    all_miss()


def test_stats_are_of_the_time_since_the_last_call(attach):
    pool = sgl.MlaPool()
    storage = attach(pool, enable_storage_metrics=True)
    chain, _ = store(storage, pool, 8)
    storage.batch_get_v1(chain, sgl.slots(pool, range(8)))
    stats = storage.get_stats()
    assert stats.backup_pgs == stats.prefetch_pgs == [8]
    assert len(stats.prefetch_bandwidth) == len(stats.backup_bandwidth) == 1
    assert storage.get_stats().prefetch_pgs == []


def test_what_loads_slower_than_it_computes_is_left_alone(attach):
    pool = sgl.MlaPool()
    chain, _ = store(attach(pool), pool, 4)
    fast = attach(pool, options={"prefill_tokens_per_s": 1e12})
    assert fast.batch_exists(chain) == 0 and fast.counters()["match_not_worth"] == 1
    assert attach(pool, options={"prefill_tokens_per_s": 1e-3}).batch_exists(chain) == 4


def test_clearing_a_shared_tier_is_refused(attach):
    with pytest.raises(NotImplementedError, match="namespace"):
        attach(sgl.MlaPool()).clear()


@pytest.mark.parametrize("options, message", [
    ({"address": ""}, "needs \"address\""), ({"address": "localhost:9400"}, "tcp://host:port"),
    ({"adress": "x"}, "no option 'adress'"), ({"deadline_ms": "9"}, "\"deadline_ms\" must be int"),
    ({"deadline_ms": 0}, "must be 1 to"), ({"lease_ms": -1}, "must be 0 to"), ({"tenant": ""}, "tenant"),
    ({"prefill_tokens_per_s": True}, "must be float"),
])
def test_options_that_cannot_work_say_so_at_start(options, message):
    with pytest.raises(OptionsError, match=message):
        IncipitHiCacheStorage(sgl.Config({"address": "tcp://127.0.0.1:1", **options}), {})


def test_engines_that_cannot_work_say_so_at_start():
    extra = {"address": "tcp://127.0.0.1:1", "prefill_tokens_per_s": 1000}
    with pytest.raises(OptionsError, match="dcp-size"):
        IncipitHiCacheStorage(sgl.Config(extra, dcp_size=2), {})
    with pytest.raises(OptionsError, match="model_name"):
        IncipitHiCacheStorage(sgl.Config(extra, model_name=None), {}).register_mem_pool_host(sgl.MlaPool())


@pytest.mark.parametrize("missing", ["", "secret_file", "sealing_key_file"])
def test_pages_of_a_tenant_are_sealed_and_are_read_with_both_secrets_alone(tenant_node, missing):
    pool, other = sgl.MlaPool(), sgl.MlaPool()
    writer = sgl.backend(tenant_node.address, pool, options=tenant_node.secrets)
    chain, written = store(writer, pool, 3)
    known = {name: value for name, value in tenant_node.secrets.items() if name != missing}
    reader = sgl.backend(tenant_node.address, other, options=known)
    before = other.kv_buffer.copy()
    hits = reader.batch_get_v1(chain, sgl.slots(other, range(3)))
    writer.close()
    reader.close()
    assert hits == [not missing] * 3
    assert same_pages(other, range(3), before if missing else written, 3)
