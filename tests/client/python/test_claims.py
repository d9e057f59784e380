"""Claims and waits of the Python clients, against a real node."""
from __future__ import annotations

import asyncio
import threading

import incipit
import pytest

from conftest import MODEL


@pytest.fixture
def other(node, layout):
    with incipit.Client(node.address, MODEL, layout) as connected:
        yield connected


def blocks_of(layout, keys, first, end):
    return [(group, i * 16, keys[i], bytes(layout.groups[group].block_bytes))
            for i in range(first, end) for group in (0, 1)]


def test_one_of_two_gets_the_claim(client, other, make_keys):
    keys = make_keys(6)
    mine = client.match([keys, keys], claim_ms=5000)
    assert mine.claimed and not mine.computing and mine.claim_ms == 5000
    theirs = other.match([keys, keys], claim_ms=5000)
    assert theirs.computing and not theirs.claimed
    mine.release_claim()
    mine.release_claim()
    assert other.wait([keys, keys], claim_ms=5000, deadline_ms=5000).claimed


def test_without_claim_ms_nothing_is_claimed(client, make_keys):
    keys = make_keys(2)
    match = client.match([keys, keys])
    assert not match.claimed and not match.computing and match.claim_ms == 0
    match.renew()


def test_the_end_of_the_match_ends_the_claim(client, other, make_keys):
    keys = make_keys(2)
    with client.match([keys, keys], claim_ms=60_000) as match:
        assert match.claimed
    assert other.wait([keys, keys], claim_ms=1000, deadline_ms=5000).claimed


def test_waiting_streams_behind_the_writer(client, other, layout, make_keys):
    keys = make_keys(6)
    mine = client.match([keys, keys], claim_ms=60_000)
    assert mine.claimed
    seen = []

    def follow():
        have = 0
        while have < 96:
            match = other.wait([keys, keys], have_tokens=have, deadline_ms=10_000)
            seen.append(match.longest_tokens)
            have = match.longest_tokens

    follower = threading.Thread(target=follow)
    follower.start()
    for i in range(6):
        assert client.store(blocks_of(layout, keys, i, i + 1)) == bytes(2)
    follower.join(30)
    assert not follower.is_alive()
    assert seen[-1] == 96 and seen == sorted(set(seen))


def test_a_wait_ends_at_its_deadline(client, other, make_keys):
    keys = make_keys(2)
    mine = client.match([keys, keys], claim_ms=60_000)
    waited = other.wait([keys, keys], deadline_ms=100)
    assert mine.claimed and waited.computing and waited.longest_tokens == 0


def test_waits_can_be_awaited(node, layout, client, make_keys):
    keys = make_keys(3)
    mine = client.match([keys, keys], claim_ms=60_000)
    assert mine.claimed

    async def run():
        async with incipit.AsyncClient(node.address, MODEL, layout) as connected:
            waiting = asyncio.ensure_future(connected.wait([keys, keys], step_tokens=48, deadline_ms=10_000))
            await asyncio.sleep(0)
            await asyncio.get_running_loop().run_in_executor(None, client.store, blocks_of(layout, keys, 0, 3))
            return (await waiting).longest_tokens

    assert asyncio.run(run()) == 48
