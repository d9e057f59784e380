"""The vLLM connector's scheduler side: which blocks of which steps are stored, and what a failed load changes."""
from __future__ import annotations

import pytest
from vllm_played import (
    BLOCK_TOKENS, Scheduler, chain, fill, make_geometry, make_group, request, unique, worker_output,
)

NOBODY = "tcp://127.0.0.1:1"


@pytest.fixture
def start():
    """start(geometry, **options): a scheduler side without a node, unless an address is given."""
    started = []

    def make(geometry=None, address=NOBODY, **options):
        options.setdefault("load", address != NOBODY)
        started.append(Scheduler(address, geometry or make_geometry(), **options))
        return started[-1]

    yield make
    for each in started:
        each.close()


def stored(metadata, asked=None) -> list[tuple[int, int, int]]:
    """(group, index of the block in the request, block id) of what a step stores."""
    jobs = [job for job in metadata.stores if asked is None or job.request_id == asked.request_id]
    places = [place for job in jobs for place in job.blocks]
    if asked is not None:
        assert all(place.key in asked.block_hashes for place in places)
    return [(place.group, place.depth_tokens // BLOCK_TOKENS, place.block_id) for place in places]


def begin(scheduler, asked, local_tokens=0):
    """What the engine does with a request that has nothing to load."""
    assert scheduler.match(asked, local_tokens) == (0, False)
    scheduler.allocated(asked, ([],), 0)


def test_blocks_are_stored_by_the_step_that_completes_them(start):
    scheduler, asked = start(), request(blocks=4)
    begin(scheduler, asked)
    name, tables = asked.request_id, {asked.request_id: ([7, 3, 9, 5, 1],)}
    assert stored(scheduler.step({name: (0, 40)}, tables, new=[name]), asked) == [(0, 0, 7), (0, 1, 3)]
    assert stored(scheduler.step({name: (40, 7)}, tables), asked) == []
    assert stored(scheduler.step({name: (47, 1)}, tables), asked) == [(0, 2, 9)]
    assert stored(scheduler.step({name: (48, 17)}, tables), asked) == [(0, 3, 5)]
    assert stored(scheduler.idle()) == []


def test_generated_blocks_follow_when_their_hashes_are_known(start):
    scheduler, asked = start(), request(blocks=1)  # 17 tokens
    begin(scheduler, asked)
    name, tables = asked.request_id, {asked.request_id: ([1, 2],)}
    assert stored(scheduler.step({name: (0, 17)}, tables, new=[name]), asked) == [(0, 0, 1)]
    asked.grow(14)  # 31 tokens
    assert stored(scheduler.step({name: (30, 1)}, tables), asked) == []
    # With steps in flight the engine runs ahead of the tokens it knows, and a block without a hash has no name.
    assert stored(scheduler.step({name: (31, 1)}, tables), asked) == []
    asked.grow(1)
    assert stored(scheduler.step({name: (32, 1)}, tables), asked) == [(0, 1, 2)]


def test_generated_blocks_are_left_out_if_told_so(start):
    scheduler, asked = start(store_generated=False), request(blocks=1)
    begin(scheduler, asked)
    name, tables = asked.request_id, {asked.request_id: ([1, 2],)}
    assert stored(scheduler.step({name: (0, 17)}, tables, new=[name]), asked) == [(0, 0, 1)]
    asked.grow(15)
    assert stored(scheduler.step({name: (31, 1)}, tables), asked) == []


def test_drafted_tokens_are_not_stored_before_they_are_accepted(start):
    scheduler, asked = start(), request(blocks=2)
    begin(scheduler, asked)
    name, tables = asked.request_id, {asked.request_id: ([1, 2, 3],)}
    scheduler.step({name: (0, 28)}, tables, new=[name])
    # Tokens 28 to 32 of which the last three are drafts: block 1 ends with token 31, a draft.
    assert stored(scheduler.step({name: (28, 5)}, tables, drafted={name: 3}), asked) == []
    assert stored(scheduler.step({name: (30, 5)}, tables, drafted={name: 3}), asked) == [(0, 1, 2)]


@pytest.mark.parametrize("local_tokens", [0, 48])
def test_blocks_of_the_engines_own_cache_are_offered_too(start, local_tokens):
    scheduler, asked = start(), request(blocks=4)
    begin(scheduler, asked, local_tokens)
    name = asked.request_id
    step = scheduler.step({name: (local_tokens, 65 - local_tokens)}, {name: ([1, 2, 3, 4, 5],)}, new=[name])
    assert stored(step, asked) == [(0, 0, 1), (0, 1, 2), (0, 2, 3), (0, 3, 4)]


def test_nothing_is_stored_if_told_so(start):
    scheduler, asked = start(store=False), request(blocks=4)
    begin(scheduler, asked)
    name = asked.request_id
    assert scheduler.step({name: (0, 65)}, {name: ([1, 2, 3, 4, 5],)}, new=[name]).stores == []


def test_preempted_request_stores_each_block_once_and_where_it_lies_now(start):
    scheduler, asked = start(), request(blocks=3)
    begin(scheduler, asked)
    name = asked.request_id
    assert len(stored(scheduler.step({name: (0, 49)}, {name: ([1, 2, 3, 4],)}, new=[name]), asked)) == 3
    asked.grow(10)
    begin(scheduler, asked)  # the engine took its blocks and asks anew, as for a new request
    tables = {name: ([31, 32, 33, 34],)}
    assert stored(scheduler.step({name: (0, 40)}, tables), asked) == []
    assert stored(scheduler.step({name: (40, 19)}, tables), asked) == []
    asked.grow(5)
    assert stored(scheduler.step({name: (63, 1)}, tables), asked) == [(0, 3, 34)]


def test_blocks_outside_a_window_are_skipped(start):
    scheduler = start(make_geometry(make_group(0), make_group(1, "window", 31)))
    asked = request(blocks=4)
    begin(scheduler, asked)
    name, tables = asked.request_id, {asked.request_id: ([1, 2, 3, 4], [0, 0, 13, 14])}
    assert stored(scheduler.step({name: (0, 64)}, tables, new=[name]), asked) == [
        (0, 0, 1), (0, 1, 2), (0, 2, 3), (0, 3, 4), (1, 2, 13), (1, 3, 14)
    ]
    assert stored(scheduler.step({name: (64, 1)}, tables), asked) == []


def test_groups_with_blocks_of_their_own_length(start):
    scheduler = start(make_geometry(make_group(0, block_tokens=64), make_group(1), hash_tokens=16))
    asked = request(blocks=8)
    begin(scheduler, asked)
    name, tables = asked.request_id, {asked.request_id: ([1, 2], [11, 12, 13, 14, 15, 16, 17, 18])}
    scheduler.step({name: (0, 60)}, tables, new=[name])
    (job,) = scheduler.step({name: (60, 20)}, tables).stores
    assert [(place.group, place.depth_tokens, place.block_id) for place in job.blocks] == [
        (0, 0, 1), (1, 48, 14), (1, 64, 15)
    ]
    assert [asked.block_hashes.index(place.key) for place in job.blocks] == [3, 3, 4]


def test_engine_without_block_tables_stores_later(start):
    scheduler, asked = start(), request(blocks=2)
    begin(scheduler, asked)
    name = asked.request_id
    assert stored(scheduler.step({name: (0, 16)}, {}, new=[name])) == []
    assert stored(scheduler.step({name: (16, 16)}, {name: ([1, 2],)}), asked) == [(0, 0, 1), (0, 1, 2)]


def test_requests_never_seen_are_left_alone(start):
    assert start().step({"stranger": (0, 64)}, {"stranger": ([1, 2, 3, 4],)}, new=["stranger"]).stores == []


def test_requests_of_one_step_are_kept_apart(start):
    scheduler, first, second = start(), request(blocks=1), request(blocks=2)
    for asked in (first, second):
        begin(scheduler, asked)
    names = [first.request_id, second.request_id]
    step = scheduler.step(
        {names[0]: (0, 17), names[1]: (0, 33)}, {names[0]: ([1, 2],), names[1]: ([3, 4, 5],)}, new=names
    )
    assert stored(step, first) == [(0, 0, 1)] and stored(step, second) == [(0, 0, 3), (0, 1, 4)]


@pytest.fixture
def loading(start, node):
    """loading(**options): (scheduler side, request whose first four of six blocks are being loaded)."""

    def make(geometry=None, **options):
        geometry = geometry or make_geometry()
        opening = unique("prompt")
        fill(node, geometry, opening, 4)
        scheduler, asked = start(geometry, node.address, **options), request(blocks=6, opening=opening)
        tokens, _ = scheduler.match(asked, 0)
        assert tokens == 64
        tables = tuple([*range(1 + 10 * index, 8 + 10 * index)] for index in range(len(geometry.groups)))
        scheduler.allocated(asked, tables, 64)
        assert len(scheduler.idle().loads) == 1
        return scheduler, asked, {asked.request_id: tables}

    return make


def test_loaded_blocks_are_not_stored_back(loading):
    scheduler, asked, tables = loading()
    scheduler.output(worker_output(received=[asked.request_id]))
    step = scheduler.step({asked.request_id: (64, 33)}, tables, new=[asked.request_id])
    assert stored(step, asked) == [(0, 4, 5), (0, 5, 6)] and step.failures_seen == 0


@pytest.mark.parametrize("layerwise", [False, True], ids=["between_steps", "within_a_step"])
def test_blocks_that_could_not_be_loaded_are_computed_and_offered(loading, layerwise):
    scheduler, asked, tables = loading(layerwise=layerwise)
    name = asked.request_id
    scheduler.output(worker_output(received=[] if layerwise else [name], invalid_blocks=[3]))
    step = scheduler.step({name: (32, 65)}, tables, new=[name])
    assert stored(step, asked) == [(0, index, index + 1) for index in range(6)]
    assert step.failures_seen == 1
    assert scheduler.match(asked, 0) == (0, False)  # the same blocks would fail again


def test_request_that_could_not_be_loaded_is_computed_and_offered(loading):
    scheduler, asked, tables = loading(make_geometry(make_group(0), make_group(1)))
    name = asked.request_id
    scheduler.output(worker_output(received=[name], failed=[name]))
    assert scheduler.match(asked, 0) == (0, False)
    step = scheduler.step({name: (0, 97)}, tables, new=[name])
    assert stored(step, asked) == [(group, at, 1 + at + 10 * group) for group in (0, 1) for at in range(6)]
    assert step.failures_seen == 1


def test_failed_blocks_of_one_request_do_not_touch_another(loading):
    scheduler, asked, tables = loading()
    scheduler.output(worker_output(received=[asked.request_id], invalid_blocks=[99]))
    step = scheduler.step({asked.request_id: (64, 33)}, tables, new=[asked.request_id])
    assert stored(step, asked) == [(0, 4, 5), (0, 5, 6)]


def test_request_cancelled_during_a_load_that_fails(loading):
    scheduler, asked, _ = loading()
    scheduler.finished(asked)
    scheduler.output(worker_output(received=[asked.request_id], failed=[asked.request_id], invalid_blocks=[1, 2]))
    assert scheduler.idle().stores == []


def test_nothing_is_kept_of_requests_that_ended(loading):
    scheduler, asked, _ = loading()
    scheduler.finished(asked)
    scheduler.finished(asked)
    scheduler.output(worker_output(received=[asked.request_id, "stranger"]))
    kept = {name for name, value in vars(scheduler).items() if isinstance(value, (dict, list)) and value}
    assert kept <= {"_kept"}  # which is the test's


def test_hashes_are_copied_as_bytes(start):
    """Keys go through pickle to the workers, and vLLM's hashes are a type of its own."""

    class BlockHash(bytes):
        pass

    scheduler, asked = start(), request(blocks=1)
    asked.block_hashes = [BlockHash(each) for each in chain("any", 1)]
    begin(scheduler, asked)
    step = scheduler.step({asked.request_id: (0, 17)}, {asked.request_id: ([1, 2],)}, new=[asked.request_id])
    assert type(step.stores[0].blocks[0].key) is bytes
