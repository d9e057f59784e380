"""The directory of sizes, step by step: who stores and who looks up agree on it, whatever the order."""
import logging
import itertools
import select

import incipit
import pytest
from incipit.lmcache.calls import Calls
from incipit.lmcache.directory import MAX_SIZES, Directory
from incipit.lmcache.layouts import directory_layout
from incipit.engines.warnings import Warnings
from lmcache_driver import TIMEOUT_S

_scopes = itertools.count(1)


class Process:
    """One process's directory. Nothing of it moves but in step()."""

    def __init__(self, address: str) -> None:
        self.calls = Calls()
        client = incipit.NativeClient(address, "lmcache-directory", directory_layout(), connect_lazily=True)
        self.calls.add(client)
        self.directory = Directory(self.calls, client, 2000, Warnings(logging.getLogger("test")))
        self.ended: list = []

    def wait(self) -> None:
        """Until an answer has come; it is not looked at."""
        assert select.select([self.calls.fileno()], [], [], TIMEOUT_S)[0]

    def step(self) -> None:
        self.wait()
        self.calls.drain()

    def add(self, scope: str, nbytes: int) -> None:
        self.directory.add(scope, nbytes, lambda: self.ended.append(nbytes))

    def added(self, scope: str, nbytes: int) -> None:
        self.add(scope, nbytes)
        while nbytes not in self.ended:
            self.step()

    def resolved(self, scope: str) -> bool:
        count = len(self.ended)
        self.directory.resolve(scope, self.ended.append)
        while len(self.ended) == count:
            self.step()
        return self.ended[-1]


@pytest.fixture
def scope():
    return f"scope-{next(_scopes)}"


@pytest.fixture
def process(node, monkeypatch):
    """process(): one more process; all of them refresh whenever they may."""
    monkeypatch.setattr("incipit.lmcache.directory.REFRESH_INTERVAL_S", 0.0)
    monkeypatch.setattr("incipit.lmcache.directory.RETRY_INTERVAL_S", 0.0)
    made = []

    def make():
        made.append(Process(node.address))
        return made[-1]

    yield make
    for each in made:
        each.calls.close()


def test_size_is_found_by_others_once_its_store_has_ended(process, scope):
    writer = process()
    writer.add(scope, 4096)
    assert writer.ended == [] and writer.directory.sizes(scope) == {4096}
    writer.added(scope, 4096)
    reader = process()
    assert reader.resolved(scope) is True and reader.directory.sizes(scope) == {4096}


def test_unknown_scope_has_no_sizes(process, scope):
    reader = process()
    assert reader.resolved(scope) is True and reader.directory.sizes(scope) == set()


def test_of_two_that_race_for_a_slot_the_later_takes_the_next(process, scope):
    first, second = process(), process()
    first.add(scope, 1000), second.add(scope, 2000)
    first.wait(), second.wait()  # both have seen that the first slot is free
    while not first.ended:
        first.step()
    while not second.ended:
        second.step()
    reader = process()
    assert reader.resolved(scope) and reader.directory.sizes(scope) == {1000}
    second.ended.clear()
    second.added(scope, 2000)
    reader = process()
    assert reader.resolved(scope) and reader.directory.sizes(scope) == {1000, 2000}
    assert second.directory.sizes(scope) == {1000, 2000}


def test_size_added_while_another_is_written_is_written_next(process, scope):
    writer = process()
    writer.add(scope, 1000)
    writer.step()  # the slots are read, 1000 is being written
    writer.added(scope, 2000)
    assert sorted(writer.ended) == [1000, 2000]
    reader = process()
    assert reader.resolved(scope) and reader.directory.sizes(scope) == {1000, 2000}


def test_evicted_slot_is_written_again_by_who_knows_its_size(process, scope, node):
    from incipit.lmcache.keys import size_key
    writer, reader = process(), process()
    writer.added(scope, 1000)
    assert reader.resolved(scope)
    with incipit.Client(node.address, "lmcache-directory", directory_layout()) as client:
        assert client.remove([(0, 0, size_key(scope, 0))]) == b"\0"
        newcomer = process()
        assert newcomer.resolved(scope) and newcomer.directory.sizes(scope) == set()
        reader.resolved(scope)  # which is answered from memory, and looks after the slots meanwhile
        reader.step(), reader.step()
        assert newcomer.resolved(scope) and newcomer.directory.sizes(scope) == {1000}


def test_more_sizes_than_slots_stay_known_to_who_stored_them(process, scope):
    writer = process()
    for nbytes in range(1, MAX_SIZES + 2):
        writer.added(scope, nbytes)
    assert writer.directory.sizes(scope) == set(range(1, MAX_SIZES + 2))
    reader = process()
    assert reader.resolved(scope) and reader.directory.sizes(scope) == set(range(1, MAX_SIZES + 1))


def test_slot_of_another_version_is_left_alone(process, scope, node):
    from incipit.lmcache.keys import size_key
    with incipit.Client(node.address, "lmcache-directory", directory_layout()) as client:
        assert client.store([(0, 0, size_key(scope, 0), b"incipit9" + b"\7" + bytes(7))]) == b"\0"
    writer, reader = process(), process()
    writer.added(scope, 1000)
    assert reader.resolved(scope) and reader.directory.sizes(scope) == {1000}


def test_node_that_is_away_is_told_apart_from_one_that_knows_nothing(own_node, scope):
    own_node.stop()
    reader = Process(own_node.address)
    assert reader.resolved(scope) is False
    reader.added(scope, 1000)
    reader.calls.close()
