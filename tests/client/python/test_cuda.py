"""Buffers in the memory of a real GPU, and in memory that torch pinned for one. Needs torch with CUDA."""
from __future__ import annotations

import asyncio

import incipit
import pytest
from incipit import BlockStatus

torch = pytest.importorskip("torch", reason="torch is not installed: set INCIPIT_WITH_TORCH=1 to test with it")
if not torch.cuda.is_available():
    pytest.skip("torch finds no CUDA device", allow_module_level=True)

DTYPES = (torch.bfloat16, torch.float16, torch.float32, torch.float8_e4m3fn, torch.uint8)


@pytest.fixture
def random_bytes(layout):
    def make(seed, **options):
        count, generator = layout.groups[0].block_bytes, torch.Generator().manual_seed(seed)
        return torch.randint(0, 256, (count,), dtype=torch.uint8, generator=generator).to(**options)
    return make


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gpu_tensors_travel_in_every_dtype(client, make_keys, random_bytes, dtype):
    (key,), raw = make_keys(1), random_bytes(1, device="cuda")
    tensor = raw.view(dtype).reshape(4, -1)
    assert client.store([(0, 0, key, tensor)]) == bytes([BlockStatus.OK])
    into, on_host = torch.zeros_like(tensor), torch.zeros(raw.numel(), dtype=torch.uint8)
    assert client.load([(0, 0, key, into), (0, 0, key, on_host)]).hits == 2
    assert torch.equal(into.view(-1).view(torch.uint8), raw)
    assert torch.equal(on_host, raw.cpu())


def test_misses_leave_the_gpu_tensor_as_it_was(client, make_keys, random_bytes):
    (here, missing), raw = make_keys(2), random_bytes(2, device="cuda")
    client.store([(0, 0, here, raw)])
    hit, miss = torch.zeros_like(raw), torch.full_like(raw, 7)
    result = client.load([(0, 0, here, hit), (0, 16, missing, miss)])
    assert list(result.status) == [BlockStatus.OK, BlockStatus.MISS]
    assert torch.equal(hit, raw) and bool((miss == 7).all())


def test_the_current_stream_is_kept_to(client, make_keys, random_bytes):
    """What the caller queued on its stream before a store is in the block, and what it queues after a load sees it."""
    (key,), raw = make_keys(1), random_bytes(3, device="cuda")
    source, into = torch.zeros_like(raw), torch.zeros_like(raw)
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda._sleep(50_000_000)
        source.copy_(raw)
        assert client.store([(0, 0, key, source)]) == bytes([BlockStatus.OK])
        assert client.load([(0, 0, key, into)]).hits == 1
        seen = into.clone()
        torch.cuda.current_stream().synchronize()
    assert torch.equal(seen, raw)


def test_pinned_tensors_are_used_in_place(client, make_keys, random_bytes):
    (key,), raw = make_keys(1), random_bytes(4)
    pinned, into = raw.pin_memory(), torch.zeros(raw.numel(), dtype=torch.uint8, pin_memory=True)
    assert client.store([(0, 0, key, pinned)]) == bytes([BlockStatus.OK])
    region = incipit.Region(into)
    assert client.load([(0, 0, key, [(region, 0, into.numel())])]).hits == 1
    assert torch.equal(into, raw)


def test_gpu_tensors_are_awaited(node, layout, make_keys, random_bytes):
    (key,), raw = make_keys(1), random_bytes(5, device="cuda")
    into = torch.zeros_like(raw)

    async def run():
        async with incipit.AsyncClient(node.address, "test-model", layout) as client:
            assert await client.store([(0, 0, key, raw)]) == bytes([BlockStatus.OK])
            assert (await client.load([(0, 0, key, into)])).hits == 1
    asyncio.run(run())
    assert torch.equal(into, raw)


def test_unfit_gpu_tensors_are_refused(client, make_keys):
    (key,) = make_keys(1)
    with pytest.raises(incipit.BufferMismatch, match="C-contiguous"):
        client.load([(0, 0, key, torch.zeros(64, 32, dtype=torch.bfloat16, device="cuda").t())])
    with pytest.raises(incipit.BufferMismatch, match="expected 4096 bytes"):
        client.load([(0, 0, key, torch.zeros(8, device="cuda"))])
    with pytest.raises(incipit.UnsupportedDevice):
        incipit.Region(torch.zeros(8, device="cuda"))
