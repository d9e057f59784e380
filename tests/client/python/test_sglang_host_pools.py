"""Several host pools at once (the engine's v2 calls), hit policies, and memory layouts that cannot be used."""
import numpy as np
import pytest
import sglang_pools as sgl

from incipit.sglang import OptionsError, hits, leases

KV, STATE, INDEXER, DRAFT = sgl.PoolName.KV, sgl.PoolName.MAMBA, sgl.PoolName.INDEXER, sgl.PoolName.DRAFT


def hybrid(attach, **config):
    """(backend, KV pool, indexer pool, state pool)."""
    kv, indexer, state = sgl.MlaPool(), sgl.MlaPool(width=6), sgl.StatePool()
    return attach(kv, [(INDEXER, indexer), (STATE, state)], **config), kv, indexer, state


def store_hybrid(storage, kv, indexer, state, chain, states_at):
    """Stores all pages of KV and indexer and the states after the pages `states_at`."""
    for seed, buffer in enumerate([kv.kv_buffer, indexer.kv_buffer, *state.get_hybrid_pool_buffer()]):
        sgl.fill(buffer, seed)
    pages = range(len(chain))
    assert storage.batch_set_v1(chain, sgl.slots(kv, pages)) == [True] * len(chain)
    stored = storage.batch_set_v2([
        sgl.Transfer(INDEXER, sgl.slots(indexer, pages), chain),
        sgl.Transfer(STATE, sgl.slots(state, states_at), [chain[at] for at in states_at], sgl.Policy.TRAILING)])
    assert stored == {INDEXER: [True] * len(chain), STATE: [True] * len(states_at)}


def test_two_more_pools_come_back_in_another_process(attach):
    chain = sgl.hashes("hybrid", 8)
    writer, kv, indexer, state = hybrid(attach)
    store_hybrid(writer, kv, indexer, state, chain, [3, 7])
    reader, other_kv, other_indexer, other_state = hybrid(attach)
    asked = [sgl.Transfer(INDEXER), sgl.Transfer(STATE, keys=["one page"], hit_policy=sgl.Policy.TRAILING)]
    found = reader.batch_exists_v2(chain, asked)
    assert found.kv_hit_pages == 8 and found.restorable_prefix_pages == [4, 8]
    assert found.extra_pool_hit_pages == {KV: 8, INDEXER: 8, STATE: 8}
    at = range(20, 28)
    assert reader.batch_get_v1(chain, sgl.slots(other_kv, at)) == [True] * 8
    loaded = reader.batch_get_v2([sgl.Transfer(INDEXER, sgl.slots(other_indexer, at), chain),
                                  sgl.Transfer(STATE, np.array([31]), chain[7:], sgl.Policy.TRAILING)],
                                 sgl.ExtraInfo(prefix_keys=None))
    assert loaded == {INDEXER: [True] * 8, STATE: [True]}
    for index in range(8):
        assert np.array_equal(other_kv.page(20 + index), kv.page(index))
        assert np.array_equal(other_indexer.page(20 + index), indexer.page(index))
    for mine, theirs in zip(state.get_hybrid_pool_buffer(), other_state.get_hybrid_pool_buffer()):
        assert np.array_equal(theirs[31], mine[7])


def test_the_shortest_pool_decides(attach):
    chain = sgl.hashes("shortest", 8)
    storage, kv, indexer, state = hybrid(attach)
    store_hybrid(storage, kv, indexer, state, chain[:6], [1, 4])
    trailing = sgl.Transfer(STATE, keys=["one page"], hit_policy=sgl.Policy.TRAILING)
    found = storage.batch_exists_v2(chain, [sgl.Transfer(INDEXER), trailing])
    assert (found.kv_hit_pages, found.restorable_prefix_pages) == (5, [2, 5])
    assert found.extra_pool_hit_pages == {KV: 6, INDEXER: 6, STATE: 5}
    only_kv = storage.batch_exists_v2(chain)
    assert (only_kv.kv_hit_pages, only_kv.restorable_prefix_pages) == (6, [1, 2, 3, 4, 5, 6])
    # A group of blocks is another form of pages, a pool without pages a reason to compute.
    assert storage.batch_exists_v2(chain, [sgl.Transfer(STATE, hit_policy=sgl.Policy.GROUPS)]).kv_hit_pages == 6
    assert storage.batch_exists_v2(chain, [sgl.Transfer("unknown")]).kv_hit_pages == 0


def test_a_pool_that_fails_does_not_fail_the_others(attach):
    chain = sgl.hashes("one fails", 2)
    storage, kv, indexer, state = hybrid(attach)
    store_hybrid(storage, kv, indexer, state, chain, [0, 1])
    transfers = [sgl.Transfer(STATE, None, chain), sgl.Transfer("unknown", sgl.slots(kv, [0]), chain[:1]),
                 sgl.Transfer(INDEXER, sgl.slots(indexer, [0, 1]), chain), sgl.Transfer(KV, None, None)]
    expected = {STATE: [False] * 2, "unknown": [False], INDEXER: [True] * 2, KV: []}
    assert storage.batch_get_v2(transfers) == storage.batch_set_v2(transfers) == expected
    assert storage.batch_get_v2([]) == {}


def test_states_belong_to_their_rank_even_where_kv_does_not(attach):
    chain = sgl.hashes("rank states", 2)
    first, second = hybrid(attach, tp_rank=0, tp_size=2), hybrid(attach, tp_rank=1, tp_size=2)
    store_hybrid(*first, chain, [0, 1])
    storage = second[0]
    trailing = sgl.Transfer(STATE, keys=["one page"], hit_policy=sgl.Policy.TRAILING)
    assert storage.batch_exists_v2(chain, [sgl.Transfer(INDEXER)]).kv_hit_pages == 2
    assert storage.batch_exists_v2(chain, [trailing]).kv_hit_pages == 0


@pytest.mark.parametrize("kind, found", [("MLATokenToKVPoolHost", 2), ("MHATokenToKVPoolHost", 0)])
def test_a_draft_model_is_shared_by_ranks_only_if_its_cache_is(attach, kind, found):
    chain, draft = sgl.hashes(f"draft {kind}", 2), type(kind, (sgl.MlaPool,), {})
    pools = [(sgl.MlaPool(), draft(layers=1)) for _ in range(2)]
    storages = [attach(kv, [(DRAFT, of_draft)], tp_rank=rank, tp_size=2) for rank, (kv, of_draft) in enumerate(pools)]
    assert storages[0].batch_set_v1(chain, sgl.slots(pools[0][0], [0, 1])) == [True] * 2
    assert storages[0].batch_set_v2([sgl.Transfer(DRAFT, sgl.slots(pools[0][1], [0, 1]), chain)]) == {DRAFT: [True] * 2}
    assert storages[1].batch_exists_v2(chain, [sgl.Transfer(DRAFT)]).kv_hit_pages == found


def test_a_pool_without_memory_leaves_the_decision_to_the_others(attach):
    chain, anchor, indexer = sgl.hashes("logical", 4), sgl.LogicalPool(), sgl.MlaPool(width=6)
    storage = attach(anchor, [(INDEXER, indexer)])
    indices = sgl.slots(anchor, range(4))
    assert storage.batch_set_v1(chain, indices) == storage.batch_get_v1(chain, indices) == [True] * 4
    assert storage.batch_set(chain, [anchor.get_dummy_flat_data_page()] * 4) is True
    assert storage.batch_exists(chain) == storage.batch_exists_v2(chain).kv_hit_pages == 0
    assert storage.batch_exists_v2(chain, [sgl.Transfer(INDEXER)]).kv_hit_pages == 0
    three = [sgl.Transfer(INDEXER, sgl.slots(indexer, range(3)), chain[:3])]
    assert storage.batch_set_v2(three) == {INDEXER: [True] * 3}
    assert storage.batch_exists_v2(chain, [sgl.Transfer(INDEXER)]).kv_hit_pages == 3


def test_a_layout_without_pages_is_refused_with_the_flag_to_set(attach):
    with pytest.raises(OptionsError, match="pool 'mamba'.*layer_first.*--hicache-mem-layout page_first"):
        attach(sgl.MlaPool(), [(STATE, sgl.StatePool(layout="layer_first"))])

    class Elsewhere(sgl.MlaPool):
        def get_page_buffer_meta(self, indices):
            return [8], [64]
    with pytest.raises(OptionsError, match="not in the pool's host memory"):
        attach(Elsewhere())


def test_a_pool_that_is_registered_anew_replaces_the_old(attach):
    first, second = sgl.MlaPool(), sgl.MlaPool()
    storage, chain = attach(first), sgl.hashes("replaced", 2)
    sgl.fill(first.kv_buffer, 4)
    assert storage.batch_set_v1(chain, sgl.slots(first, [0, 1])) == [True] * 2
    storage.register_mem_pool_host(second)
    assert storage.batch_get_v1(chain, sgl.slots(second, [5, 6])) == [True] * 2
    assert np.array_equal(second.page(5), first.page(0))


@pytest.mark.parametrize("policy, present, trailing, lengths", [
    ("all_pages", b"", 1, []), ("all_pages", b"\1\2\0\1", 1, [1, 2]), ("trailing_pages", b"\0\1\0\2", 1, [2, 4]),
    ("trailing_pages", b"\1\1\0\1\1\1", 2, [1, 2, 5, 6]), ("trailing_pages", b"\0\1\1", 9, []),
    ("block_groups", b"\0\0", 1, None),
])
def test_hit_policies_give_the_lengths_that_can_be_restored(policy, present, trailing, lengths):
    assert hits.restorable(policy, present, trailing) == lengths


def test_leases_end_when_loaded_replaced_expired_or_too_many(monkeypatch):
    class Match:
        released = 0

        def release(self):
            self.released += 1
    now_s = [0.0]
    monkeypatch.setattr(leases.time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(leases, "MAX_LEASES", 3)
    held, matches = leases.Leases(1000), [Match() for _ in range(7)]
    for key, match in zip([b"a", b"b", b"b", b"c", b"d"], matches):
        held.hold(key, match)
    assert [match.released for match in matches] == [1, 1, 0, 0, 0, 0, 0] and len(held) == 3
    held.release([b"b", b"x"])
    now_s[0] = 1.0
    held.hold(b"e", matches[5])
    assert [match.released for match in matches] == [1, 1, 1, 1, 1, 0, 0] and len(held) == 1
    held.close()
    held.close()
    assert matches[5].released == 1 and len(held) == 0
