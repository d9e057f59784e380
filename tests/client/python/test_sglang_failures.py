"""A node that is not there, dies, hangs or comes back: misses, never an error, and hits again afterwards."""
import logging

import pytest
import sglang_pools as sgl

from incipit.engines import warnings


@pytest.fixture
def returning_node(tmp_path):
    started = sgl.ReturningNode(tmp_path)
    yield started
    started.stop()


def everything_misses(storage, pool, chain):
    indices, count = sgl.slots(pool, range(len(chain))), len(chain)
    transfer = sgl.Transfer(sgl.PoolName.KV, indices, chain)
    assert storage.batch_exists(chain) == 0 and storage.batch_exists_v2(chain, [transfer]).kv_hit_pages == 0
    assert storage.batch_get_v1(chain, indices) == storage.batch_set_v1(chain, indices) == [False] * count
    assert storage.batch_get_v2([transfer]) == {"kv": [False] * count}
    assert storage.batch_get(chain, [pool.get_dummy_flat_data_page() for _ in chain]) == [None] * count
    assert storage.counters()["errors"] == 0


def test_no_node_at_start_is_misses_until_there_is_one(returning_node, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(warnings, "WARN_INTERVAL_S", 1e9)
    returning_node.kill()
    pool, chain = sgl.MlaPool(), sgl.hashes("late node", 4)
    storage = sgl.backend(returning_node.address, pool)
    with caplog.at_level(logging.WARNING, "sglang.incipit"):
        everything_misses(storage, pool, chain)
        everything_misses(storage, pool, chain)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 3  # one of each kind, however often it happens
    for text in ("which pages it has", "4 of 4 pages were not loaded", "did not take 4 of 4 pages"):
        assert sum(text in message for message in messages) == 1, messages
    returning_node.start_again(tmp_path)
    sgl.eventually(lambda: storage.batch_set_v1(chain, sgl.slots(pool, range(4))) == [True] * 4)
    sgl.eventually(lambda: storage.batch_exists(chain) == 4)
    storage.close()


def test_a_node_killed_midway_is_misses_and_hits_when_it_is_back(returning_node, tmp_path):
    pool, chain = sgl.MlaPool(), sgl.hashes("killed", 8)
    storage = sgl.backend(returning_node.address, pool)
    sgl.fill(pool.kv_buffer, 3)
    assert storage.batch_set_v1(chain, sgl.slots(pool, range(8))) == [True] * 8
    assert storage.batch_exists(chain) == 8
    returning_node.kill()
    everything_misses(storage, pool, chain)
    returning_node.start_again(tmp_path)
    sgl.eventually(lambda: storage.batch_set_v1(chain, sgl.slots(pool, range(8))) == [True] * 8)
    sgl.eventually(lambda: storage.batch_get_v1(chain, sgl.slots(pool, range(8, 16))) == [True] * 8)
    assert (pool.kv_buffer[128:256] == pool.kv_buffer[:128]).all()
    storage.close()


def test_a_server_that_never_answers_costs_a_deadline(silent_server):
    pool, chain = sgl.MlaPool(), sgl.hashes("silent", 4)
    short = {"deadline_ms": 50, "match_deadline_ms": 50, "store_deadline_ms": 50}
    storage = sgl.backend(silent_server, pool, options=short)
    everything_misses(storage, pool, chain)
    storage.close()


def test_an_answer_that_did_not_come_is_no_word_on_what_a_pool_holds(silent_server):
    pool, chain = sgl.MlaPool(), sgl.hashes("no verdict", 4)
    storage = sgl.backend(silent_server, pool, options={"match_deadline_ms": 50})
    found = storage.batch_exists_v2(chain, [sgl.Transfer(sgl.PoolName.INDEXER)])
    assert found.kv_hit_pages == 0 and found.extra_pool_hit_pages == {}
    storage.close()


def test_matched_pages_are_pinned_until_they_are_loaded(own_node):
    pool, chain = sgl.MlaPool(pages=160, width=512), sgl.hashes("pinned", 8)
    storage = sgl.backend(own_node.address, pool, options={"lease_ms": 60000})
    sgl.fill(pool.kv_buffer, 1)
    assert storage.batch_set_v1(chain, sgl.slots(pool, range(8))) == [True] * 8
    assert storage.batch_exists(chain) == 8
    for flood in range(12):  # over 90 MB into 64 MiB: what is not pinned leaves
        storage.batch_set_v1(sgl.hashes(f"flood {flood}", 152), sgl.slots(pool, range(8, 160)))
    sgl.fill(pool.kv_buffer[: 8 * 16], 2)
    assert storage.batch_get_v1(chain, sgl.slots(pool, range(100, 108))) == [True] * 8
    storage.close()
