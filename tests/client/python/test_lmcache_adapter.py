"""The plugin under LMCache's own storage manager: real configuration, controllers, adapter and L1, on the CPU."""
import argparse
import contextlib
import json
import time

import pytest

NEEDS = "torch and lmcache are not installed: docs/engines/lmcache.md says how to run these tests"
torch = pytest.importorskip("torch", reason=NEEDS)
pytest.importorskip("lmcache.v1.distributed.storage_manager", reason=NEEDS, exc_type=ImportError)

from lmcache.v1.distributed.api import (GroupedObjectKeys, MemoryLayoutDesc, ObjectKey,  # noqa: E402
                                        PrefetchTaskSpec)
from lmcache.v1.distributed.config import add_storage_manager_args, parse_args_to_config  # noqa: E402
from lmcache.v1.distributed.l2_adapters.native_connector_l2_adapter import NativeConnectorL2Adapter  # noqa: E402
from lmcache.v1.distributed.storage_manager import StorageManager  # noqa: E402

TIMEOUT_S = 60  # for what must come; only a defect makes a test wait for it
SMALL = MemoryLayoutDesc([torch.Size([2, 3, 16, 72])], [torch.bfloat16])  # 13,824 bytes: L1 pads them to its pages
LARGE = MemoryLayoutDesc([torch.Size([1, 61, 16, 576])], [torch.bfloat16])


@contextlib.contextmanager
def storage_manager(address, **adapter_params):
    """LMCache's storage manager with 100 MB of L1 memory and the plugin, from the options of its command line."""
    spec = {"type": "native_plugin", "module_path": "incipit.lmcache", "class_name": "IncipitConnector",
            "adapter_params": {"address": address, **adapter_params}}
    parser = argparse.ArgumentParser()
    add_storage_manager_args(parser)
    options = parser.parse_args(["--l1-size-gb", "0.1", "--no-l1-use-lazy", "--eviction-policy", "LRU",
                                 "--l2-adapter", json.dumps(spec)])
    manager = StorageManager(parse_args_to_config(options))
    try:
        yield manager
    finally:
        manager.close()


def object_keys(first, count, **fields):
    return [ObjectKey(i.to_bytes(32, "big"), **{"model_name": "deepseek", "kv_rank": 1, **fields})
            for i in range(first, first + count)]


def adapter_of(manager):
    (_, adapter), = manager.l2_adapters()
    assert isinstance(adapter, NativeConnectorL2Adapter)
    return adapter


def wait_until(condition):
    give_up_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.005)


def store(manager, keys, layout):
    """Writes random objects to L1, waits until LMCache has stored them in L2. Copies of their bytes by key."""
    used_bytes = adapter_of(manager).get_usage().total_bytes_used
    objects = manager.reserve_write(keys, layout)
    assert set(objects) == set(keys)
    copies = {}
    for key, memory in objects.items():
        memory.tensor.copy_(torch.randn(memory.tensor.shape).to(torch.bfloat16))
        copies[key] = memory.tensor.clone()
        used_bytes += memory.get_size()
    manager.finish_write(keys)
    wait_until(lambda: adapter_of(manager).get_usage().total_bytes_used == used_bytes)
    return copies


def prefetch(manager, rows):
    """[(keys, group, layout)] -> for each row which keys LMCache loaded from L2, as a set of indices."""
    spec = PrefetchTaskSpec([GroupedObjectKeys(keys, group, layout) for keys, group, layout in rows])
    handle = manager.submit_prefetch_task(spec)
    assert manager.wait_prefetch_status(handle, TIMEOUT_S)
    return [set(cells.get_indices_set()) for cells in manager.query_prefetch_status(handle).l2_hit_cells]


def check_bytes(manager, copies):
    with manager.read_prefetched_results(list(copies)) as objects:
        for memory, copy in zip(objects, copies.values(), strict=True):
            assert torch.equal(memory.tensor, copy)
    manager.finish_read_prefetched(list(copies))


def test_restarted_lmcache_loads_what_it_had_stored(node):
    keys = object_keys(0, 6, cache_salt="tenant-a")
    with storage_manager(node.address) as manager:
        copies = store(manager, keys, SMALL)
    with storage_manager(node.address) as manager:
        missing = object_keys(100, 2, cache_salt="tenant-a")
        assert prefetch(manager, [(keys + missing, 0, SMALL)]) == [set(range(6))]
        check_bytes(manager, copies)


def test_object_groups_of_different_sizes_come_back_together(node):
    rows = [(object_keys(200, 4), 0, LARGE), (object_keys(200, 4, object_group_id=1), 1, SMALL)]
    copies = {}
    with storage_manager(node.address) as manager:
        for keys, _, layout in rows:
            copies |= store(manager, keys, layout)
    with storage_manager(node.address) as manager:
        assert prefetch(manager, rows) == [{0, 1, 2, 3}] * 2
        check_bytes(manager, copies)


def test_salts_models_and_ranks_do_not_share_objects(node):
    with storage_manager(node.address) as manager:
        store(manager, object_keys(300, 2, cache_salt="tenant-a"), SMALL)
    with storage_manager(node.address) as manager:
        for other in ({"cache_salt": "tenant-b"}, {}, {"cache_salt": "tenant-a", "model_name": "other"},
                      {"cache_salt": "tenant-a", "kv_rank": 2}):
            assert prefetch(manager, [(object_keys(300, 2, **other), 0, SMALL)]) == [set()]


def test_objects_of_a_changed_chunk_size_are_not_found_as_the_old_ones(node):
    keys = object_keys(400, 2)
    with storage_manager(node.address) as manager:
        store(manager, keys, LARGE)
    with storage_manager(node.address) as manager:
        assert prefetch(manager, [(keys, 0, SMALL)]) == [set()]


def test_deleted_objects_leave_lmcaches_count_and_the_node(node):
    keys = object_keys(500, 3)
    with storage_manager(node.address) as manager:
        adapter = adapter_of(manager)
        copies = store(manager, keys, SMALL)
        adapter.delete(keys[:1])
        left_bytes = sum(copies[key].nbytes for key in keys[1:])
        assert adapter.get_usage().total_bytes_used == left_bytes
    with storage_manager(node.address) as manager:
        assert prefetch(manager, [(keys[1:], 0, SMALL)]) == [{0, 1}]
        assert prefetch(manager, [(keys[:1], 0, SMALL)]) == [set()]


def test_node_that_is_away_leaves_lmcache_at_work(own_node):
    own_node.stop()
    keys = object_keys(600, 3)
    with storage_manager(own_node.address, store_deadline_ms=100) as manager:
        objects = manager.reserve_write(keys, SMALL)
        assert len(objects) == 3
        manager.finish_write(keys)
        assert prefetch(manager, [(object_keys(700, 3), 0, SMALL)]) == [set()]
        assert manager.report_status()["is_healthy"] and adapter_of(manager).report_status()["is_healthy"]


def test_node_that_dies_between_two_requests_costs_hits_only(own_node):
    keys = object_keys(800, 3)
    with storage_manager(own_node.address) as manager:
        store(manager, keys, SMALL)
        manager.clear(force=True)
        assert prefetch(manager, [(keys, 0, SMALL)]) == [{0, 1, 2}]
        manager.finish_read_prefetched(keys)
        manager.clear(force=True)
        own_node.process.kill()
        own_node.process.wait()
        assert prefetch(manager, [(keys, 0, SMALL)]) == [set()]
        assert adapter_of(manager).report_status()["is_healthy"]
