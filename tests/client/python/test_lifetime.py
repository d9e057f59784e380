"""Threads, the GIL, fork, references, and nodes that go away."""
import gc
import os
import subprocess
import sys
import textwrap
import threading

import incipit
import numpy as np
import pytest

MODEL = "test-model"


def test_other_threads_run_while_a_call_waits(layout, silent_server):
    """With this switch interval nobody is made to give the GIL up, so the other thread sees `in_call` set only if the
    call itself released it."""
    in_call, seen, stop = threading.Event(), [], threading.Event()

    def watch():
        while not stop.wait(0.001):
            seen.append(in_call.is_set())

    interval = sys.getswitchinterval()
    with incipit.Client(silent_server, MODEL, layout, connect_lazily=True) as client:
        calls = (lambda: client.match([[bytes(32)]], deadline_ms=200),
                 lambda: client.load([(0, 0, bytes(32), bytearray(4096))], deadline_ms=200))
        for call in calls:
            watcher = threading.Thread(target=watch)
            seen.clear(), stop.clear()
            watcher.start()
            sys.setswitchinterval(1000)
            try:
                in_call.set()
                call()
                in_call.clear()
            finally:
                sys.setswitchinterval(interval)
                stop.set()
                watcher.join()
            assert any(seen)


def test_many_threads_share_one_client(client, layout, make_keys, payload):
    keys, size = make_keys(32), layout.groups[0].block_bytes
    wrong = []

    def work(part):
        data = payload(size, part)
        for key in keys[part * 8:part * 8 + 8]:
            into = np.empty_like(data)
            if client.store([(0, 0, key, data)]) != b"\0" or client.load([(0, 0, key, into)]).hits != 1:
                wrong.append(key)
            elif not np.array_equal(into, data):
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_close_waits_for_calls_of_other_threads(layout, silent_server):
    client = incipit.Client(silent_server, MODEL, layout, connect_lazily=True)
    results = []
    started = threading.Event()

    def call():
        started.set()
        try:
            results.append(client.load([(0, 0, bytes(32), bytearray(4096))], deadline_ms=200).hits)
        except incipit.ClosedError as error:  # close() came first
            results.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    started.wait()
    client.close()
    thread.join()
    assert len(results) == 1 and (results[0] == 0 or isinstance(results[0], incipit.ClosedError))


FORKING = """
    import gc, os, sys, incipit
    layout = incipit.Layout.custom("l", [incipit.Group("g", bytes_per_entry=1)])
    client = incipit.Client(sys.argv[1], "forking", layout)
    assert client.store([(0, 0, b"k", bytes(64))])[0] in (0, 2)
    native = incipit.NativeClient(sys.argv[1], "forking", layout)
    native.submit_match([[b"k"]])
    match = client.match([[b"k"]], lease_ms=60_000)
    assert match.leased
    child = os.fork()
    if child == 0:
        for call in (lambda: client.match([[b"k"]]), client.stats, client.counters, client.new_stamp, native.event_fd,
                     native.drain_completions, lambda: client.store([(0, 0, b"k", bytes(64))])):
            try:
                call()
                sys.exit("a call in the child was let through")
            except incipit.ForkedError as error:
                assert str(os.getppid()) in str(error) and str(os.getpid()) in str(error)
        match.release()
        client.close()
        del client, match, native
        gc.collect()
        with incipit.Client(sys.argv[1], "forking", layout) as anew:
            assert anew.match([[b"k"]]).presence(0) == b"\\1"
        sys.exit(0)  # with all that the interpreter does at its end
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.match([[b"k"]]).presence(0) == b"\\1"  # the parent's connections are untouched
    into = bytearray(64)
    assert client.load([(0, 0, b"k", into)]).hits == 1
    match.release()
    print("both processes ended well")
"""


def test_forked_child_is_told_and_ends_without_hanging(node):
    ran = subprocess.run([sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(FORKING), node.address],
                         capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0 and ran.stdout == "both processes ended well\n", ran.stderr


def test_interpreter_ends_with_an_open_client(node):
    script = """
        import sys, incipit
        layout = incipit.Layout.custom("l", [incipit.Group("g", bytes_per_entry=1)])
        client = incipit.Client(sys.argv[1], "ending", layout)
        client.submit_store([(0, 0, b"key", bytes(64))])
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(script), node.address], capture_output=True, text=True,
                         timeout=120)
    assert ran.returncode == 0 and ran.stderr == ""


def test_stopped_node_costs_hits_only(own_node, layout):
    with incipit.Client(own_node.address, MODEL, layout, default_deadline_ms=500) as client:
        assert client.store([(0, 0, b"key", bytes(4096))]) == b"\0"
        own_node.stop()
        assert client.match([[b"key"]]).presence(0) == b"\0"
        assert client.load([(0, 0, b"key", bytearray(4096))]).status == bytes([incipit.BlockStatus.EXPIRED])
        with pytest.raises(incipit.Unavailable):
            client.store([(0, 0, b"key", bytes(4096))])


def test_calls_leak_no_references(client, layout, make_keys):
    (key,) = make_keys(1)
    data, into, packed = np.zeros(4096, np.uint8), bytearray(4096), incipit.PackedKeys(key, 32)
    region, name = incipit.Region(into), (0, 0, key)
    watched = (key, data, into, packed, region, name)

    def calls():
        client.store([(0, 0, key, data)])
        client.load([(0, 0, key, into)])
        client.load([(0, 0, key, [(region, 0, 2048), (region, 2048, 2048)])])
        client.match([packed], lease_ms=100)
        client.match([[key]])
        client.offer([name])
        client.touch([name])
        for wrong in ((0, 0, key, data[:-1]), (5, 0, key, into), (0, 0, key, [(region, 1, 4096)])):
            with pytest.raises(incipit.InvalidArgument):
                client.load([wrong])
        client.remove([name])

    calls()
    gc.collect()
    before = [sys.getrefcount(each) for each in watched]
    for _ in range(20):
        calls()
    gc.collect()
    assert [sys.getrefcount(each) for each in watched] == before


def test_region_and_packed_keys_hold_their_buffer():
    buffer = bytearray(64)
    region, packed = incipit.Region(buffer), incipit.PackedKeys(buffer, 32)
    part = packed[1:]
    for holder in ("region", "packed", "part"):
        with pytest.raises(BufferError):
            buffer.append(0)
        if holder == "region":
            del region
        elif holder == "packed":
            del packed
    del part
    buffer.append(0)


def test_descriptors_are_given_back(node, layout):
    def descriptors():
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    with incipit.Client(node.address, MODEL, layout):
        pass
    before = descriptors()
    for _ in range(3):
        incipit.Client(node.address, MODEL, layout)  # dropped without close()
        with incipit.Client(node.address, MODEL, layout) as client:
            client.match([[b"key"]])
    del client
    assert descriptors() == before
