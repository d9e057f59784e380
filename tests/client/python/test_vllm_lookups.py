"""The vLLM connector's matches while the node takes its time, is away, or comes back too late."""
from __future__ import annotations

import concurrent.futures
import threading
import time
import types

import conftest
import pytest
import vllm_played
from vllm_played import Leases, Scheduler, fill, make_geometry, request, unique, worker_output

from incipit.vllm import lookups, scheduler_side
from incipit.vllm.tier import Tier


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """With one shard, so that a match takes one lease."""
    started = conftest.Node(tmp_path_factory.mktemp("node"), shards=1)
    yield started
    started.stop()


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch):
    """The time that leases and pauses are counted in."""
    fake = Clock()
    monkeypatch.setattr(lookups, "time", fake)
    return fake


@pytest.fixture
def gate(monkeypatch):
    """Matches have the node's answer and wait for the gate to open: `asked` is set once one is there."""
    control = types.SimpleNamespace(open=threading.Event(), asked=threading.Semaphore(0))

    class GatedTier(Tier):
        def match(self, keys, claim_ms=0):
            match = super().match(keys, claim_ms)
            control.asked.release()
            assert control.open.wait(vllm_played.WAIT_MS / 1000)
            return match

    monkeypatch.setattr(lookups, "Tier", GatedTier)
    yield control
    control.open.set()


@pytest.fixture
def known(node):
    """(scheduler side's geometry, request whose eight blocks the node holds, watch over leases)."""
    geometry, opening = make_geometry(), unique("prompt")
    fill(node, geometry, opening, 8)
    watch = Leases(node, geometry)
    watch.await_held(0)
    yield geometry, request(opening=opening), watch
    watch.close()


def ask_until_known(scheduler, asked):
    deadline = time.monotonic() + vllm_played.WAIT_MS / 1000
    while (answer := scheduler.match(asked, 0))[0] is None:
        assert time.monotonic() < deadline
        scheduler.idle()
    return answer


def test_slow_match_lets_the_step_go_on(node, known, gate):
    geometry, asked, leases = known
    scheduler = Scheduler(node.address, geometry, match_wait_ms=1)
    assert [scheduler.match(asked, 0) for _ in range(3)] == [(None, False)] * 3
    gate.open.set()
    assert ask_until_known(scheduler, asked) == (128, True)
    assert leases.granted == 1
    scheduler.close()
    leases.await_held(0)


@pytest.mark.parametrize("end", ["finished", "own_cache_covers_it", "nothing_taken"])
def test_match_nobody_waits_for_any_more_gives_its_lease_back(node, known, gate, end):
    geometry, asked, leases = known
    scheduler = Scheduler(node.address, geometry, match_wait_ms=0)
    assert scheduler.match(asked, 0) == (None, False)
    assert gate.asked.acquire(timeout=vllm_played.WAIT_MS / 1000)
    leases.await_held(1)
    if end == "finished":
        scheduler.finished(asked)
    elif end == "own_cache_covers_it":
        assert scheduler.match(asked, 128) == (0, False)
    else:
        scheduler.allocated(asked, ([],), 0)
    gate.open.set()
    leases.await_held(0)
    scheduler.close()


def test_match_not_yet_begun_is_not_made(node, known, gate):
    geometry, asked, leases = known
    scheduler = Scheduler(node.address, geometry, match_wait_ms=0)
    requests = [request(opening=asked.opening) for _ in range(5)]
    for each in requests:
        scheduler.match(each, 0)
    for _ in range(2):  # as many as run at once
        assert gate.asked.acquire(timeout=vllm_played.WAIT_MS / 1000)
    for each in requests:
        scheduler.finished(each)
    gate.open.set()
    last = request(opening=asked.opening)
    assert ask_until_known(scheduler, last) == (128, True)  # its lookup is behind all the others
    leases.await_held(1)
    assert leases.granted == 3
    scheduler.close()
    leases.await_held(0)


def test_step_waits_once_for_all_its_requests(monkeypatch, node):
    waits = []

    class Unanswered(concurrent.futures.Future):
        def result(self, timeout=None):
            waits.append(timeout)
            clock.now_s += timeout
            raise concurrent.futures.TimeoutError

    clock = Clock()
    monkeypatch.setattr(scheduler_side, "time", clock)
    monkeypatch.setattr(lookups.Lookups, "start", lambda *_: Unanswered())
    scheduler = Scheduler(node.address, make_geometry(), match_wait_ms=5)
    for _ in range(2):
        assert [scheduler.match(request(), 0) for _ in range(3)] == [(None, False)] * 3
        scheduler.idle()
    assert waits == pytest.approx([0.005, 0, 0, 0.005, 0, 0])
    scheduler.close()


def test_offer_that_waited_half_its_lease_is_looked_up_again(node, known, clock):
    geometry, asked, leases = known
    scheduler = Scheduler(node.address, geometry, lease_ms=60000)
    assert scheduler.match(asked, 0) == (128, True)
    clock.now_s += 29.9
    assert scheduler.match(asked, 0) == (128, True)
    assert leases.granted == 1
    clock.now_s += 0.2
    assert scheduler.match(asked, 0) == (128, True)
    assert leases.granted == 2
    leases.await_held(1)
    for _ in range(5):  # however often: it is the engine that has no room
        clock.now_s += 30
        assert scheduler.match(asked, 0) == (128, True)
    leases.await_held(1)
    scheduler.close()


def test_answer_that_came_while_nobody_asked_is_looked_up_again(node, known, clock, gate):
    geometry, asked, leases = known
    scheduler = Scheduler(node.address, geometry, lease_ms=60000, match_wait_ms=0)
    assert scheduler.match(asked, 0) == (None, False)
    gate.open.set()
    leases.await_held(1)
    clock.now_s += 30
    assert ask_until_known(scheduler, asked) == (128, True)
    assert leases.granted == 2
    leases.await_held(1)
    scheduler.close()


def test_answers_that_always_come_too_late_are_given_up(node, known, clock, monkeypatch):
    class LateTier(Tier):
        def match(self, keys, claim_ms=0):
            match = super().match(keys, claim_ms)
            clock.now_s += 31
            return match

    monkeypatch.setattr(lookups, "Tier", LateTier)
    geometry, asked, leases = known
    scheduler = Scheduler(node.address, geometry, lease_ms=60000, match_deadline_ms=60000)
    assert scheduler.match(asked, 0) == (0, False)
    assert scheduler.match(asked, 0) == (0, False)
    assert leases.granted == 2
    leases.await_held(0)
    scheduler.close()


def test_lookup_that_breaks_is_a_miss(node, monkeypatch):
    class BrokenTier(Tier):
        def match(self, keys, claim_ms=0):
            raise RuntimeError("of the test")

    monkeypatch.setattr(lookups, "Tier", BrokenTier)
    scheduler, asked = Scheduler(node.address, make_geometry()), request()
    assert scheduler.match(asked, 0) == (0, False)
    scheduler.allocated(asked, ([],), 0)
    scheduler.output(worker_output())
    scheduler.close()


def test_engine_without_a_node_computes(tmp_path):
    scheduler, asked = Scheduler("tcp://127.0.0.1:1", make_geometry()), request()
    assert scheduler.match(asked, 0) == (0, False)
    assert scheduler.counts()["match_failures"] == 1
    step = scheduler.step({asked.request_id: (0, 129)}, {asked.request_id: ([*range(1, 10)],)}, new=[asked.request_id])
    assert len(step.stores[0].blocks) == 8  # the node may be back when they are sent
    scheduler.close()


def test_node_that_never_answers_is_not_asked_for_every_request(silent_server, clock, monkeypatch):
    class SilentTier(Tier):
        def match(self, keys, claim_ms=0):
            match = super().match(keys, claim_ms)
            clock.now_s += 0.03
            return match

    monkeypatch.setattr(lookups, "Tier", SilentTier)
    scheduler = Scheduler(silent_server, make_geometry(), match_deadline_ms=30)
    assert [scheduler.match(request(), 0) for _ in range(8)] == [(0, False)] * 8
    assert scheduler.counts()["match_calls"] == lookups.MAX_SILENT_MATCHES
    clock.now_s += lookups.SILENCE_S
    assert [scheduler.match(request(), 0) for _ in range(8)] == [(0, False)] * 8
    assert scheduler.counts()["match_calls"] == 1
    scheduler.close()
