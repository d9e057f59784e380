"""AsyncClient and the raw completions under it."""
import asyncio
import gc
import select
import sys

import incipit
import numpy as np
import pytest
from incipit import AsyncClient, Block, BlockStatus

MODEL = "test-model"


def test_calls_are_awaited_together(node, layout, make_keys, payload):
    keys, size = make_keys(8), layout.groups[0].block_bytes
    data = [payload(size, i) for i in range(8)]

    async def run():
        async with AsyncClient(node.address, MODEL, layout) as client:
            stored = await asyncio.gather(*(client.store([Block(0, i * 16, keys[i], data[i])]) for i in range(8)))
            assert stored == [b"\0"] * 8
            async_match = client.match([keys], lease_ms=1000)
            match = await async_match
            assert match.presence(0) == bytes([1] * 8) and match.leased
            into = [bytearray(size) for _ in range(8)]
            loads = await asyncio.gather(*(client.load([(0, i * 16, keys[i], into[i])]) for i in range(8)))
            assert [load.hits for load in loads] == [1] * 8 and into == [bytearray(d.tobytes()) for d in data]
            name = [(0, 0, keys[0])]
            assert await client.offer(name) == bytes([BlockStatus.PRESENT])
            assert await client.touch(name) == await client.remove(name) == b"\0"
            assert (await client.stats())[0] and client.counters()["loads"] == 8 and client.node().connected
            assert client.new_stamp() > 0 and client.in_flight == 0
    asyncio.run(run())


def test_torch_bfloat16_is_loaded_by_asyncio(node, layout, make_keys):
    torch = pytest.importorskip("torch", reason="torch is not installed: set INCIPIT_WITH_TORCH=1 to test with it")
    (key,) = make_keys(1)
    tensor = torch.randn(layout.groups[0].block_bytes // 2).to(torch.bfloat16)
    into = torch.zeros_like(tensor)

    async def run():
        async with AsyncClient(node.address, MODEL, layout, dtype=torch.bfloat16) as client:
            assert await client.store([(0, 0, key, tensor)]) == b"\0"
            assert (await client.load([(0, 0, key, into)])).hits == 1
            with pytest.raises(incipit.BufferMismatch, match="expected elements of bfloat16"):
                await client.load([(0, 0, key, torch.zeros(1024))])
    asyncio.run(run())
    assert torch.equal(into, tensor)


def test_errors_of_arguments_and_of_the_node_are_raised_by_the_await(layout, silent_server):
    async def run():
        async with AsyncClient(silent_server, MODEL, layout, connect_lazily=True, default_deadline_ms=50) as client:
            with pytest.raises(incipit.InvalidArgument, match="group"):
                await client.load([(9, 0, bytes(32), bytearray(1))])
            with pytest.raises(incipit.Unavailable):
                await client.store([(0, 0, bytes(32), bytes(4096))])
            assert (await client.match([[bytes(32)]])).complete is False
    asyncio.run(run())


def test_second_event_loop_is_refused(node, layout):
    client = AsyncClient(node.address, MODEL, layout)

    async def use():
        await client.open()
        await client.match([[bytes(32)]])

    loop = asyncio.new_event_loop()
    loop.run_until_complete(use())
    with pytest.raises(incipit.WrongLoopError, match="belongs to the event loop"):
        asyncio.run(use())
    loop.run_until_complete(client.close())
    loop.close()


def test_unopened_and_closed_clients_say_so(node, layout):
    async def run():
        client = AsyncClient(node.address, MODEL, layout)
        with pytest.raises(incipit.ClosedError, match="not open"):
            await client.match([])
        await client.open()
        await client.open()
        await client.close()
        await client.close()
        with pytest.raises(incipit.ClosedError):
            await client.match([])
        with pytest.raises(incipit.ClosedError):
            await client.open()
    asyncio.run(run())


def test_cancelled_load_holds_its_buffer_until_the_native_call_has_ended(layout, silent_server):
    """The server never answers, so the load is certainly outstanding when it is cancelled."""
    buffer, key = bytearray(4096), bytes(range(32))
    idle_count = sys.getrefcount(key)

    async def run():
        async with AsyncClient(silent_server, MODEL, layout, connect_lazily=True) as client:
            load = asyncio.ensure_future(client.load([(0, 0, key, buffer)], deadline_ms=300))
            while client.in_flight == 0:
                await asyncio.sleep(0)
            load.cancel()
            with pytest.raises(asyncio.CancelledError):
                await load
            del load
            assert client.in_flight == 1 and sys.getrefcount(key) > idle_count
            with pytest.raises(BufferError):
                buffer.append(0)  # pinned: a bytearray that is exported cannot be resized
            await client.wait_idle()
            assert client.in_flight == 0
            buffer.append(0)
    asyncio.run(run())
    gc.collect()
    assert sys.getrefcount(key) == idle_count


def test_cancelled_match_gives_its_lease_back(node, layout, stored):
    keys, _ = stored

    async def run():
        async with AsyncClient(node.address, MODEL, layout) as client:
            match = asyncio.ensure_future(client.match([keys], lease_ms=60_000))
            while client.in_flight == 0:
                await asyncio.sleep(0)
            match.cancel()
            await client.wait_idle()
            assert match.cancelled() and client.in_flight == 0
            assert (await client.match([keys])).presence(0) == bytes([1] * 4)
    asyncio.run(run())


def test_closing_ends_outstanding_calls_as_expired(layout, silent_server):
    async def run():
        client = AsyncClient(silent_server, MODEL, layout, connect_lazily=True)
        await client.open()
        load = asyncio.ensure_future(client.load([(0, 0, bytes(32), bytearray(4096))], deadline_ms=3_600_000))
        while client.in_flight == 0:
            await asyncio.sleep(0)
        await client.close()
        assert (await load).status == bytes([BlockStatus.EXPIRED]) and client.in_flight == 0
    asyncio.run(run())


def test_raw_completions_come_with_their_tokens(node, layout, make_keys, payload):
    keys = make_keys(3)
    data = payload(layout.groups[0].block_bytes, 3)
    native = incipit.NativeClient(node.address, MODEL, layout)

    def wait(count):
        done = []
        while len(done) < count:
            select.select([native.event_fd()], [], [])
            done += native.drain_completions()
        assert native.drain_completions() == [] and not select.select([native.event_fd()], [], [], 0)[0]
        return {token: (result, error) for token, result, error in done}

    tokens = [native.submit_store([(0, i * 16, key, data)]) for i, key in enumerate(keys)]
    assert len(set(tokens)) == 3 and native.in_flight == 3
    assert wait(3) == {token: (b"\0", None) for token in tokens} and native.in_flight == 0
    into = np.zeros_like(data)
    load, match = native.submit_load([(0, 0, keys[0], into)]), native.submit_match([keys])
    done = wait(2)
    assert done[load][0].hits == 1 and np.array_equal(into, data) and done[match][0].presence(0) == bytes([1] * 3)
    others = [native.submit_offer([(0, 0, keys[0])]), native.submit_touch([(0, 0, keys[0])]),
              native.submit_remove([(0, 0, keys[0])])]
    assert set(wait(3)) == set(others)
    native.close()
    with pytest.raises(incipit.ClosedError):
        native.submit_match([keys])
    assert native.drain_completions() == []
