"""The vLLM connector's scheduler side against a real node: matches, loads and the leases that go with them."""
from __future__ import annotations

import dataclasses
import logging

import conftest
import pytest
from vllm_played import (
    BLOCK_TOKENS, Leases, Scheduler, fill, make_geometry, make_group, request, unique, worker_output,
)

TABLE = ([*range(1, 33)],)  # of one group: block i of a request lies in the engine's block i + 1


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """With one shard, so that a match takes one lease."""
    started = conftest.Node(tmp_path_factory.mktemp("node"), shards=1)
    yield started
    started.stop()


@pytest.fixture
def geometry():
    return make_geometry()


@pytest.fixture
def leases(node, geometry):
    watch = Leases(node, geometry)
    watch.await_held(0)
    yield watch
    watch.close()


@pytest.fixture
def start(node, geometry):
    """start(**options): a scheduler side that is closed at the end."""
    started = []

    def make(**options):
        started.append(Scheduler(options.pop("address", node.address), options.pop("geometry", geometry), **options))
        return started[-1]

    yield make
    for each in started:
        each.close()


@pytest.fixture
def known(node, geometry):
    """The opening of a prompt of eight blocks that the node holds."""
    opening = unique("prompt")
    fill(node, geometry, opening, 8)
    return opening


def test_unknown_prompt_is_computed(start, leases):
    assert start().match(request(), 0) == (0, False)
    leases.await_held(0)


def test_known_prompt_is_loaded_between_steps_under_a_lease(start, leases, known):
    scheduler, asked = start(), request(opening=known)
    assert scheduler.match(asked, 0) == (128, True)
    leases.await_held(1)
    scheduler.allocated(asked, TABLE, 128)
    (job,) = scheduler.idle().loads
    assert job.request_id == asked.request_id and job.recompute_tokens == 128 and job.deadline_ms == 2000
    assert [(place.group, place.depth_tokens, place.key, place.block_id) for place in job.blocks] == [
        (0, index * BLOCK_TOKENS, asked.block_hashes[index], index + 1) for index in range(8)
    ]
    assert scheduler.idle().loads == []  # told once
    leases.await_held(1)
    scheduler.output(worker_output(received=[asked.request_id]))
    leases.await_held(0)
    scheduler.allocated(asked, TABLE, 0)  # the engine calls again for the rest of the prompt
    assert scheduler.idle().loads == []
    scheduler.finished(asked)
    leases.await_held(0)


def test_last_token_is_always_computed(start, known):
    asked = request(opening=known)
    asked.num_tokens -= 1  # ends with its last whole block
    assert start().match(asked, 0) == (112, True)


def test_own_cache_of_the_engine_comes_first(start, known):
    scheduler, asked = start(), request(opening=known)
    assert scheduler.match(asked, 48) == (80, True)
    scheduler.allocated(asked, TABLE, 80)
    (job,) = scheduler.idle().loads
    assert [place.block_id for place in job.blocks] == [4, 5, 6, 7, 8]


def test_fewer_tokens_may_be_taken_than_were_offered(start, known):
    scheduler, asked = start(), request(opening=known)
    scheduler.match(asked, 0)
    scheduler.allocated(asked, TABLE, 64)
    (job,) = scheduler.idle().loads
    assert [place.block_id for place in job.blocks] == [1, 2, 3, 4]


def test_asking_again_changes_nothing(start, leases, known):
    scheduler, asked = start(), request(opening=known)
    assert [scheduler.match(asked, 0) for _ in range(5)] == [(128, True)] * 5
    assert scheduler.match(asked, 32) == (96, True)  # another request has computed what they share
    assert leases.granted == 1
    leases.await_held(1)


def test_unknown_prompt_is_asked_for_once_while_it_waits(start):
    scheduler, asked = start(), request()
    assert [scheduler.match(asked, 0) for _ in range(5)] == [(0, False)] * 5
    assert scheduler.counts()["match_calls"] == 1


@pytest.mark.parametrize("end", ["finished", "nothing_taken", "own_cache_covers_it", "closed"])
def test_lease_of_an_offer_not_taken_is_released(start, leases, known, end):
    scheduler, asked = start(), request(opening=known)
    scheduler.match(asked, 0)
    leases.await_held(1)
    if end == "finished":
        scheduler.finished(asked)
    elif end == "nothing_taken":
        scheduler.allocated(asked, TABLE, 0)
    elif end == "own_cache_covers_it":
        assert scheduler.match(asked, 128) == (0, False)
    else:
        scheduler.close()
    leases.await_held(0)
    assert scheduler.idle().loads == []


def test_match_too_short_to_be_worth_it_is_let_go(start, leases, known):
    scheduler = start(min_tokens=129)
    assert scheduler.match(request(blocks=32, opening=known), 0) == (0, False)
    assert scheduler.match(request(blocks=8, opening=known), 0) == (0, False)  # not even asked for
    leases.await_held(0)
    assert leases.granted == 1


@pytest.mark.parametrize("fields, options", [
    ({"skip_reading_prefix_cache": True}, {}), ({}, {"load": False}),
], ids=["request", "options"])
def test_nothing_is_matched_where_reading_is_off(start, leases, known, fields, options):
    assert start(**options).match(request(opening=known, **fields), 0) == (0, False)
    assert leases.granted == 0


def test_cancelled_during_its_load_keeps_the_lease_until_the_load_ends(start, leases, known):
    scheduler, asked = start(), request(opening=known)
    scheduler.match(asked, 0)
    scheduler.allocated(asked, TABLE, 128)
    scheduler.idle()
    scheduler.finished(asked)
    scheduler.output(worker_output())
    leases.await_held(1)
    scheduler.output(worker_output(received=[asked.request_id], failed=[asked.request_id]))
    leases.await_held(0)


def test_load_within_the_step_holds_its_lease_until_the_steps_output(start, leases, known):
    scheduler, asked = start(layerwise=True), request(opening=known)
    assert scheduler.match(asked, 0) == (128, False)
    scheduler.allocated(asked, TABLE, 128)
    assert len(scheduler.idle().loads) == 1
    leases.await_held(1)
    scheduler.output(worker_output())
    leases.await_held(0)


@pytest.mark.parametrize("failed_blocks, spoilt", [([], set()), ([6], set(range(4, 33)))], ids=["well", "failed"])
def test_cancelled_before_a_load_within_the_step_is_over(start, leases, known, failed_blocks, spoilt):
    """The engine has put the step's blocks into its own cache, where none may stay that was not loaded."""
    scheduler, asked = start(layerwise=True), request(opening=known)
    scheduler.match(asked, 48)
    scheduler.allocated(asked, TABLE, 80)
    scheduler.finished(asked)
    leases.await_held(1)
    assert scheduler.output(worker_output(invalid_blocks=failed_blocks)) == spoilt
    leases.await_held(0)


def test_nobody_reads_what_a_load_within_the_step_still_has_to_fill(start, known):
    """The engine's own cache offers those blocks at once, and if the load fails leaves it to the first to fill them."""
    scheduler, first, second = start(layerwise=True), request(opening=known), request(opening=known)
    other = request(opening=unique("prompt"))
    assert scheduler.match(first, 48) == (80, False)
    scheduler.allocated(first, TABLE, 80)
    assert scheduler.match(second, 112) == (None, False)
    assert scheduler.match(other, 112) == (0, False)
    assert scheduler.match(request(opening=known), 48) == (80, False)  # reads only what was there before
    scheduler.idle()
    scheduler.output(worker_output())
    assert scheduler.match(second, 112) == (16, False)


def test_request_without_memory_steps_aside_for_those_whose_loads_ended(start, known):
    scheduler, loaded, greedy = start(), request(opening=known), request(opening=unique("prompt"))
    scheduler.match(loaded, 0)
    scheduler.allocated(loaded, TABLE, 128)
    scheduler.output(worker_output(received=[loaded.request_id]))
    assert (None, False) in [scheduler.match(greedy, 0) for _ in range(20)]
    scheduler.finished(loaded)
    assert (None, False) not in [scheduler.match(greedy, 0) for _ in range(20)]


def test_failed_load_between_steps_spoils_no_cache(start, known):
    scheduler, asked = start(), request(opening=known)
    scheduler.match(asked, 0)
    scheduler.allocated(asked, TABLE, 128)
    assert scheduler.output(worker_output(received=[asked.request_id], invalid_blocks=[3])) == set()


def test_preempted_right_after_its_load_can_be_loaded_again(start, leases, known):
    scheduler, asked = start(layerwise=True), request(opening=known)
    for _ in range(2):  # the second time, no output has come yet
        assert scheduler.match(asked, 0) == (128, False)
        scheduler.allocated(asked, TABLE, 128)
        assert len(scheduler.idle().loads) == 1
    leases.await_held(1)
    scheduler.finished(asked)
    scheduler.output(worker_output())
    leases.await_held(0)


def test_shards_must_all_hold_a_prefix(start, node):
    geometry = make_geometry(shards=2)
    opening, partly = unique("prompt"), [unique("prompt") for _ in range(2)]
    fill(node, geometry, opening, 8)
    for shard in range(2):
        fill(node, make_geometry_of_shard(geometry, shard), partly[shard], 8)
        fill(node, make_geometry_of_shard(geometry, 1 - shard), partly[shard], 3)
    scheduler = start(geometry=geometry)
    assert scheduler.match(request(opening=opening), 0) == (128, True)
    for each in partly:
        assert scheduler.match(request(opening=each), 0) == (48, True)


def make_geometry_of_shard(geometry, shard):
    one = make_geometry(*geometry.groups)
    object.__setattr__(one, "model", geometry.model_of_shard(shard))
    return one


def test_only_lengths_at_which_the_engine_can_resume_are_offered(start, node, geometry):
    opening = unique("prompt")
    fill(node, geometry, opening, 5)
    coarse = dataclasses.replace(geometry, step_tokens=32)
    assert start(geometry=coarse).match(request(opening=opening), 0) == (64, True)


def test_window_group_loads_only_what_the_engine_made_room_for(start, node):
    geometry = make_geometry(make_group(0), make_group(1, "window", 31))
    opening = unique("prompt")
    fill(node, geometry, opening, 8)
    scheduler = start(geometry=geometry, layerwise=True)
    asked = request(opening=opening)
    assert scheduler.match(asked, 0) == (128, True)  # several groups: between steps whatever the options say
    scheduler.allocated(asked, ([*range(1, 9)], [0, 0, 0, 0, 0, 0, 21, 22]), 128)
    (job,) = scheduler.idle().loads
    assert [(place.group, place.block_id) for place in job.blocks] == [
        *((0, block) for block in range(1, 9)), (1, 21), (1, 22)
    ]


def test_groups_with_longer_blocks_use_the_hash_at_their_end(start, node):
    geometry = make_geometry(make_group(0, block_tokens=64), make_group(1), hash_tokens=16)
    opening = unique("prompt")
    fill(node, geometry, opening, 2)
    scheduler, asked = start(geometry=geometry), request(blocks=9, opening=opening)
    assert scheduler.match(asked, 0) == (128, True)
    scheduler.allocated(asked, ([1, 2], [*range(11, 19)]), 128)
    (job,) = scheduler.idle().loads
    keys = [(place.group, place.depth_tokens, asked.block_hashes.index(place.key)) for place in job.blocks]
    assert keys == [(0, 0, 3), (0, 64, 7), *((1, 16 * index, index) for index in range(8))]


def test_match_slower_than_computing_is_not_offered(start, leases, known):
    scheduler = start(prefill_tokens_per_s=1e12)
    assert scheduler.match(request(opening=known), 0) == (0, False)
    assert scheduler.counts()["match_not_worth"] == 1
    leases.await_held(0)
    assert start(prefill_tokens_per_s=0.001).match(request(opening=known), 0) == (128, True)


@pytest.mark.parametrize("deadline", ["soon", "500", "", None, -1, 0, 1e300, float("nan"), float("inf"), True, [], {}])
def test_unsound_deadline_of_a_request_is_replaced(start, known, caplog, deadline):
    scheduler = start(deadline_ms=1234)
    asked = request(opening=known, kv_transfer_params={"incipit_deadline_ms": deadline})
    scheduler.match(asked, 0)
    with caplog.at_level(logging.WARNING, "vllm.incipit"):
        logging.getLogger("vllm.incipit").addHandler(caplog.handler)  # vLLM's own logger passes nothing on
        scheduler.allocated(asked, TABLE, 128)
        logging.getLogger("vllm.incipit").removeHandler(caplog.handler)
    (job,) = scheduler.idle().loads
    assert job.deadline_ms == 1234
    assert ("incipit_deadline_ms" in caplog.text) == (deadline is not None)


@pytest.mark.parametrize("parameters, expected", [
    ({"incipit_deadline_ms": 500}, 500), ({"incipit_deadline_ms": 99.9}, 99), ({}, 1234), (None, 1234), ("text", 1234),
])
def test_deadline_of_a_request_is_its_own(start, known, parameters, expected):
    scheduler, asked = start(deadline_ms=1234), request(opening=known, kv_transfer_params=parameters)
    scheduler.match(asked, 0)
    scheduler.allocated(asked, TABLE, 128)
    assert scheduler.idle().loads[0].deadline_ms == expected
