"""The LMCache plugin when things go wrong: nodes that are away, close, fork, mistakes of configuration."""
import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from incipit.lmcache import IncipitConnector, OptionsError
from lmcache_driver import TIMEOUT_S, Driver, NodeAt, buffers, contents, new_keys

SMALL, LARGE = 4096, 100_003  # bytes of objects


def test_node_that_is_away_at_start_costs_hits_only(own_node):
    own_node.stop()
    keys = new_keys(2)
    with Driver(own_node.address, lookup_deadline_ms=100, load_deadline_ms=100, store_deadline_ms=100) as driver:
        for ok, error, flags in (driver.exists(keys), driver.get(keys, buffers(2, SMALL)),
                                 driver.set(keys, contents(2, SMALL)), driver.delete(keys)):
            assert not ok and own_node.address in error and flags == [False, False]


def test_node_that_never_answers_costs_deadlines(silent_server):
    keys = new_keys(1)
    with Driver(silent_server, lookup_deadline_ms=20, load_deadline_ms=20, store_deadline_ms=20,
                delete_deadline_ms=20) as driver:
        for ok, error, flags in (driver.exists(keys), driver.get(keys, buffers(1, SMALL)),
                                 driver.set(keys, contents(1, SMALL)), driver.delete(keys)):
            assert not ok and error and flags == [False]


def test_node_that_is_killed_and_comes_back_is_used_again(own_node, tmp_path):
    keys, data = new_keys(2), contents(2, SMALL)
    with Driver(own_node.address, load_deadline_ms=500) as driver:
        assert driver.set(keys, data)[0] and driver.exists(keys)[2] == [True, True]
        own_node.process.kill()
        own_node.process.wait()
        assert driver.get(keys, buffers(2, SMALL))[2] == [False, False]
        assert driver.exists(keys)[2] == [False, False] and driver.set(keys, data)[0] is False
        again = NodeAt(own_node.address, tmp_path)
        try:
            give_up_s = time.monotonic() + TIMEOUT_S
            while not driver.set(keys, data)[0]:
                assert time.monotonic() < give_up_s
                time.sleep(0.01)
            into = buffers(2, SMALL)
            assert driver.exists(keys)[2] == [True, True] and driver.get(keys, into)[0] and into == data
        finally:
            again.stop()


def test_closing_ends_what_is_outstanding_and_lets_buffers_go(silent_server):
    plugin = IncipitConnector(address=silent_server, load_deadline_ms=3_600_000, store_deadline_ms=3_600_000,
                              lookup_deadline_ms=3_600_000)
    (key,), into, source = new_keys(1), bytearray(SMALL), bytearray(SMALL)
    ids = [plugin.submit_batch_get([key], [into]), plugin.submit_batch_set([key], [source]),
           plugin.submit_batch_exists([key])]
    for buffer in (into, source):
        with pytest.raises(BufferError):
            buffer.append(0)  # pinned
    plugin.close()
    plugin.close()
    assert plugin.event_fd() == -1
    completed = plugin.drain_completions()
    assert sorted(completion[0] for completion in completed) == ids
    assert all(not ok and error and flags == [False] for _, ok, error, flags in completed)
    into.append(0), source.append(0)
    late = plugin.submit_batch_exists([key])
    assert plugin.drain_completions() == [(late, False, "the connector is closed", [False])]


def test_closing_while_others_submit_ends_every_operation(node):
    plugin, keys = IncipitConnector(address=node.address), new_keys(4)
    submitted, started = [], threading.Barrier(5)

    def work():
        started.wait()
        for _ in range(50):
            submitted.append(plugin.submit_batch_set(keys, contents(4, SMALL)))
            submitted.append(plugin.submit_batch_exists(keys))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait()
    plugin.close()
    for thread in threads:
        thread.join()
    assert sorted(completion[0] for completion in plugin.drain_completions()) == sorted(submitted)


FORKING = """
    import os, select, sys
    from incipit.lmcache import IncipitConnector
    plugin, key = IncipitConnector(address=sys.argv[1]), "model@0@0@forking"
    def wait():
        while True:
            select.select([plugin.event_fd()], [], [])
            done = plugin.drain_completions()
            if done:
                return done[0]
    plugin.submit_batch_set([key], [bytes(100)])
    assert wait()[1]
    fd = plugin.event_fd()
    plugin._lock.acquire()  # as if another thread were in the middle of a call
    child = os.fork()
    if child != 0:
        plugin._lock.release()
    if child == 0:
        for submit in (lambda: plugin.submit_batch_get([key], [bytearray(100)]),
                       lambda: plugin.submit_batch_exists([key])):
            future_id = submit()
            assert wait() == (future_id, False, "the connector was made by the parent of this process", [False])
        plugin.close()
        plugin.close()
        sys.exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not select.select([fd], [], [], 0)[0]  # the child has not woken the parent
    plugin.submit_batch_get([key], [bytearray(100)])
    assert wait()[1]
    print("both processes ended well")
"""


def test_forked_child_gets_failures_and_leaves_the_parent_alone(node):
    ran = subprocess.run([sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(FORKING), node.address],
                         capture_output=True, text=True, timeout=TIMEOUT_S)
    assert ran.returncode == 0 and ran.stdout == "both processes ended well\n", ran.stderr


def test_descriptors_and_buffers_are_given_back(node):
    def use():
        with Driver(node.address) as driver:
            keys = new_keys(2)
            driver.set(keys, [bytes(SMALL), bytes(LARGE)]), driver.exists(keys)
            driver.get(keys, [bytearray(SMALL), bytearray(LARGE)])

    use()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        use()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("parameters, complaint", [
    ({}, 'needs "address"'), ({"address": "localhost:1"}, "must be \"tcp://host:port\", "),
    ({"address": "tcp://"}, "not 'tcp://'"),
    ({"address": 7}, '"address" must be str, not int'), ({"address": "tcp://h:1", "adress": ""}, "no option 'adress'"),
    ({"address": "tcp://h:1", "tenant": ""}, '"tenant" must have 1 to 128 bytes'),
    ({"address": "tcp://h:1", "load_deadline_ms": 0}, '"load_deadline_ms" must be 1 to'),
    ({"address": "tcp://h:1", "load_deadline_ms": True}, "must be int, not bool"),
    ({"address": "tcp://h:1", "lease_ms": -1}, '"lease_ms" must be 0 to')])
def test_mistakes_of_configuration_are_told_at_start(parameters, complaint):
    with pytest.raises(OptionsError) as raised:
        IncipitConnector(**parameters)
    assert complaint in str(raised.value)
