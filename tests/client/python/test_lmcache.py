"""The LMCache plugin against a real node, driven as LMCache's adapter drives it."""
import random
import select
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from incipit.lmcache import IncipitConnector
from lmcache_driver import TIMEOUT_S, Driver, buffers, contents, key_string, new_keys, next_chunk

SMALL, LARGE = 4096, 100_003  # bytes of objects; neither a power of two nor a multiple of anything

@pytest.fixture
def driver(node):
    with Driver(node.address) as started:
        yield started


def test_objects_come_back_byte_for_byte(driver):
    keys, data, into = new_keys(8), contents(8, LARGE), buffers(8, LARGE)
    assert driver.set(keys, data) == (True, "", [True] * 8)
    assert driver.exists(keys) == (True, "", [True] * 8)
    assert driver.get(keys, into) == (True, "", [True] * 8)
    assert into == data


def test_hits_and_misses_of_one_batch_are_told_apart(driver):
    keys, data = new_keys(6), contents(6, SMALL)
    held = [True, False, True, True, False, True]
    assert driver.set([k for k, h in zip(keys, held) if h], [d for d, h in zip(data, held) if h])[0]
    assert driver.exists(keys) == (True, "", held)
    into = buffers(6, SMALL)
    ok, error, flags = driver.get(keys, into)
    assert flags == held and [b for b, h in zip(into, held) if h] == [d for d, h in zip(data, held) if h]
    # Who does not look at flags must not take the buffers for filled.
    assert not ok and error == "get: 4 of 6 objects"


def test_objects_of_several_sizes_share_batches(driver):
    keys = new_keys(4, group=0) + new_keys(4, group=1)
    sizes = [SMALL, LARGE] * 4
    data = [contents(1, size, seed)[0] for seed, size in enumerate(sizes)]
    into = [bytearray(size) for size in sizes]
    assert driver.set(keys, data) == (True, "", [True] * 8)
    assert driver.exists(keys) == (True, "", [True] * 8)
    assert driver.get(keys, into) == (True, "", [True] * 8) and into == data


def test_object_asked_for_with_another_size_is_a_miss(driver):
    (key,), (data,) = new_keys(1), contents(1, LARGE)
    assert driver.set([key], [data])[0]
    for nbytes in (LARGE - 1, LARGE + 1, SMALL, 1):
        ok, _, flags = driver.get([key], buffers(1, nbytes))
        assert (ok, flags) == (False, [False])
    into = bytearray(LARGE)
    assert driver.get([key], [into])[0] and into == data


@pytest.mark.parametrize("field, values", [
    ("salt", ["", "tenant-a", "tenant-b", "tenant-a" * 16, "\ud800"]), ("model", ["a", "b", "a/b", "x" * 300]),
    ("rank", [0, 1, 0x01000100]), ("group", [0, 1, 16])])
def test_no_field_of_a_key_lets_objects_collide(driver, field, values):
    chunk = next_chunk()
    keys = [key_string(chunk, **{"model": "one", field: value}) for value in values]
    data = contents(len(keys), SMALL, field)
    for i, key in enumerate(keys):
        assert driver.exists([key])[2] == [False] and driver.get([key], buffers(1, SMALL))[2] == [False]
        assert driver.set([key], [data[i]])[0]
    into = buffers(len(keys), SMALL)
    assert driver.get(keys, into)[0] and into == data


def test_another_process_finds_what_the_first_wrote(node, driver):
    """Also its size, which the lookup does not tell: no size was stored or asked for by the reader before."""
    keys, data = new_keys(5, model="shared-by-processes"), contents(5, LARGE)
    assert driver.set(keys, data)[0]
    script = """
        import select, sys
        from incipit.lmcache import IncipitConnector
        plugin, keys = IncipitConnector(address=sys.argv[1]), sys.argv[3:]
        def wait(future_id):
            select.select([plugin.event_fd()], [], [])
            done = plugin.drain_completions()
            return done[0] if done else wait(future_id)
        into = [bytearray(int(sys.argv[2])) for _ in keys]
        assert wait(plugin.submit_batch_exists(keys))[3] == [True] * len(keys)
        assert wait(plugin.submit_batch_get(keys, into))[1]
        sys.stdout.buffer.write(b"".join(into))
        plugin.close()
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(script), node.address, str(LARGE), *keys],
                         capture_output=True, timeout=TIMEOUT_S)
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout == b"".join(data)


def found_by_newcomer(node, keys):
    with Driver(node.address) as reader:
        return reader.exists(keys)[2]


def test_reader_that_knows_one_size_learns_of_others(node, monkeypatch):
    monkeypatch.setattr("incipit.lmcache.directory.REFRESH_INTERVAL_S", 0.0)
    with Driver(node.address) as writer, Driver(node.address) as reader:
        first, second = new_keys(1, model="two-sizes"), new_keys(1, model="two-sizes")
        assert writer.set(first, contents(1, SMALL))[0] and reader.exists(first)[2] == [True]
        assert writer.set(second, contents(1, LARGE))[0]
        give_up_s = time.monotonic() + TIMEOUT_S
        while reader.exists(first + second)[2] != [True, True]:
            assert time.monotonic() < give_up_s
        into = [bytearray(SMALL), bytearray(LARGE)]
        assert reader.get(first + second, into)[0] and into == contents(1, SMALL) + contents(1, LARGE)


def test_sizes_stored_one_after_the_other_are_all_found(node, driver):
    sizes = [SMALL + i for i in range(6)]
    keys = new_keys(6, model="six-sizes")
    ids = [driver.plugin.submit_batch_set([key], contents(1, size)) for key, size in zip(keys, sizes)]
    assert all(driver.wait(future_id)[0] for future_id in ids)
    assert found_by_newcomer(node, keys) == [True] * 6


def test_a_batch_of_a_thousand(driver):
    keys, data, into = new_keys(1000), contents(1000, 1500), buffers(1000, 1500)
    assert driver.set(keys, data) == (True, "", [True] * 1000)
    assert driver.exists(keys) == (True, "", [True] * 1000)
    assert driver.get(keys, into) == (True, "", [True] * 1000) and into == data


def test_stored_twice_keeps_the_first_bytes(driver):
    keys, (first, second) = new_keys(1), contents(2, SMALL)
    assert driver.set(keys, [first])[0] and driver.set(keys, [first])[0] and driver.set(keys, [second])[0]
    into = bytearray(SMALL)
    assert driver.get(keys, [into])[0] and into == first


def test_deleted_objects_are_gone(driver):
    keys, never_stored = new_keys(3), new_keys(1)
    assert driver.set(keys[:2], contents(2, SMALL))[0] and driver.set(keys[2:], contents(1, LARGE))[0]
    assert driver.delete(keys[:1] + keys[2:] + never_stored) == (True, "", [True] * 3)
    assert driver.exists(keys) == (True, "", [False, True, False])
    assert driver.delete(["another form of key"]) == (True, "", [True])


def test_four_threads_submit_at_once(driver):
    wrong = []

    def work(part):
        for round_number in range(10):
            keys, data, into = new_keys(4), contents(4, SMALL, f"{part}/{round_number}"), buffers(4, SMALL)
            if not (driver.set(keys, data)[0] and driver.exists(keys)[2] == [True] * 4
                    and driver.get(keys, into)[0] and into == data):
                wrong.append((part, round_number))

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_descriptor_is_readable_until_drained(node):
    plugin = IncipitConnector(address=node.address)
    fd = plugin.event_fd()
    assert not select.select([fd], [], [], 0)[0] and plugin.drain_completions() == []
    future_id = plugin.submit_batch_set(new_keys(1), contents(1, SMALL))
    completed = []
    while not completed:
        assert select.select([fd], [], [], TIMEOUT_S)[0]
        completed = plugin.drain_completions()
    assert completed == [(future_id, True, "", [True])]
    assert not select.select([fd], [], [], 0)[0] and plugin.drain_completions() == []
    nothing = plugin.submit_batch_get([], [])  # has nothing to wait for, and is told all the same
    assert select.select([fd], [], [], 0)[0] and plugin.drain_completions() == [(nothing, True, "", [])]
    plugin.close()


@pytest.mark.parametrize("buffer", [None, 7, "text", b"read-only", memoryview(bytearray(8))[::2], bytearray(0)])
def test_unusable_buffer_fails_alone(driver, buffer):
    keys, (data,), into = new_keys(2), contents(1, SMALL), bytearray(SMALL)
    assert driver.set(keys[:1], [data])[0]
    ok, error, flags = driver.get(keys, [into, buffer])
    assert not ok and error and flags == [True, False] and into == data


def test_keys_and_buffers_of_different_number_fail(driver):
    ok, error, flags = driver.set(new_keys(2), contents(1, SMALL))
    assert (ok, error, flags) == (False, "ValueError('2 keys, but 1 buffers')", [False, False])


def test_object_of_several_parts_comes_back(driver):
    keys, data = new_keys(1), random.Random(1).randbytes(1 << 20) * 96
    into = bytearray(len(data))
    assert driver.set(keys, [data])[0] and driver.exists(keys)[2] == [True]
    assert driver.get(keys, [into])[0] and into == data


def test_objects_that_no_tier_holds_are_misses(driver):
    keys = new_keys(1)
    prime = 67_108_879  # more than one part can hold, and not divisible into parts
    assert driver.set(keys, [bytes(prime)])[0] is False and driver.get(keys, buffers(1, prime))[0] is False
    assert driver.exists(keys)[2] == [False]


def test_found_objects_are_pinned_until_loaded(driver):
    keys = new_keys(3)
    assert driver.set(keys, contents(3, SMALL))[0]
    leases = driver.plugin._batches.leases
    driver.exists(keys), driver.exists(keys[:1])
    assert len(leases) == 2
    driver.get(keys[:2], buffers(2, SMALL))
    assert len(leases) == 2
    driver.get(keys[2:], buffers(1, SMALL)), driver.get(keys[:1], buffers(1, SMALL))
    assert len(leases) == 0
    driver.exists(keys)
    driver.delete(keys)
    assert driver.exists(keys)[2] == [False] * 3


def test_counters_tell_what_was_done(driver):
    keys = new_keys(3)
    driver.set(keys[:2], contents(2, SMALL)), driver.set(keys[:1], contents(1, SMALL))
    driver.exists(keys), driver.get(keys, buffers(3, SMALL)), driver.delete(keys[:1])
    expected = {"store_calls": 2, "store_objects": 3, "stored": 2, "store_present": 1, "store_bytes": 2 * SMALL,
                "lookup_calls": 1, "lookup_objects": 3, "lookup_hits": 2, "load_calls": 1, "load_objects": 3,
                "load_hits": 2, "load_bytes": 2 * SMALL, "delete_calls": 1, "delete_objects": 1, "deleted": 1,
                "failed_calls": 0}
    assert driver.plugin.counters() == expected


def test_namespaces_and_tenants_keep_objects_apart(node):
    keys, data = new_keys(1), contents(3, SMALL)
    apart = [{}, {"namespace": "weights-2"}, {"tenant": "other"}]
    for parameters, own in zip(apart, data):
        with Driver(node.address, **parameters) as driver:
            assert driver.exists(keys)[2] == [False]
            assert driver.set(keys, [own])[0]
    for parameters, own in zip(apart, data):
        with Driver(node.address, **parameters) as driver:
            into = bytearray(SMALL)
            assert driver.get(keys, [into])[0] and into == own


@pytest.mark.parametrize("missing", ["", "secret_file", "sealing_key_file"])
def test_objects_of_a_tenant_are_sealed_and_are_read_with_both_secrets_alone(tenant_node, missing):
    keys, data, into = new_keys(3), contents(3, LARGE), buffers(3, LARGE)
    with Driver(tenant_node.address, **tenant_node.secrets) as writer:
        assert writer.set(keys, data) == (True, "", [True] * 3)
    known = {name: value for name, value in tenant_node.secrets.items() if name != missing}
    with Driver(tenant_node.address, **known) as reader:
        assert reader.get(keys, into)[2] == [not missing] * 3
    assert into == (data if not missing else buffers(3, LARGE))
