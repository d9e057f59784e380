"""Buffers on a GPU, without one: a torch of NumPy arrays stands in, so that what is copied where can be seen."""
import types

import incipit
import numpy as np
import pytest
from incipit import staging

SIZE = 4096


class FakeTensor:
    """As much of a torch tensor as staging uses; its bytes are an array that the client does not see."""

    def __init__(self, array, device=None):
        self.array, self.device = array, device
        self.shape = array.shape

    def __dlpack_device__(self):
        return (2, 0) if self.device == "cuda" else (1, 0)

    def __dlpack__(self, **_):
        return self.array.__dlpack__()

    def is_contiguous(self):
        return self.array.flags.c_contiguous

    def stride(self):
        return tuple(step // self.array.itemsize for step in self.array.strides)

    def detach(self):
        return self

    def view(self, shape_or_type):
        array = self.array.reshape(-1) if shape_or_type == -1 else self.array.view(shape_or_type)
        return FakeTensor(array, self.device)

    def numel(self):
        return self.array.size

    def copy_(self, source, non_blocking):
        assert non_blocking
        self.array[:] = source.array


class FakeTorch:
    Tensor = FakeTensor
    uint8 = np.uint8

    def __init__(self):
        self.pinned, self.waits = 0, 0
        self.cuda = types.SimpleNamespace(current_stream=self._stream, is_available=lambda: True)

    def _stream(self, device):
        assert device == "cuda"
        return types.SimpleNamespace(synchronize=self._wait)

    def _wait(self):
        self.waits += 1

    def empty(self, count, dtype, pin_memory):
        assert pin_memory
        self.pinned += 1
        return FakeTensor(np.zeros(count, dtype))


@pytest.fixture
def torch(monkeypatch):
    fake = FakeTorch()
    monkeypatch.setattr(staging, "_torch", lambda: fake)
    return fake


def on_gpu(array):
    return FakeTensor(array, "cuda")


def test_gpu_tensors_go_through_pinned_memory(torch, client, make_keys, payload):
    keys, data = make_keys(3), payload(SIZE, 5)
    assert client.store([(0, 0, keys[0], on_gpu(data.view(np.float16).reshape(4, -1)))]) == b"\0"
    assert (torch.pinned, torch.waits) == (1, 1)
    hit, miss, host = np.zeros(SIZE, np.uint8), np.full(SIZE, 7, np.uint8), np.zeros(SIZE, np.uint8)
    result = client.load([(0, 0, keys[0], on_gpu(hit)), (0, 16, keys[1], on_gpu(miss)), (0, 0, keys[0], host)])
    assert list(result.status) == [0, 1, 0] and torch.pinned == 3
    assert np.array_equal(hit, data) and np.array_equal(host, data) and (miss == 7).all()


def test_gpu_tensors_are_awaited_too(torch, node, layout, make_keys, payload):
    import asyncio
    (key,), data, into = make_keys(1), payload(SIZE, 6), np.zeros(SIZE, np.uint8)

    async def run():
        async with incipit.AsyncClient(node.address, "test-model", layout) as client:
            assert await client.store([(0, 0, key, on_gpu(data))]) == b"\0"
            assert (await client.load([(0, 0, key, on_gpu(into))])).hits == 1
    asyncio.run(run())
    assert np.array_equal(into, data)


def test_unfit_gpu_tensors_are_refused(torch, client):
    with pytest.raises(incipit.BufferMismatch, match="block 0: buffer: expected C-contiguous"):
        client.load([(0, 0, b"key", on_gpu(np.zeros((64, 128), np.uint8)[:, ::2]))])
    with pytest.raises(incipit.BufferMismatch, match="expected 4096 bytes .*found 8"):
        client.load([(0, 0, b"key", on_gpu(np.zeros(8, np.uint8)))])
    with pytest.raises(incipit.UnsupportedDevice, match="expected host memory, found CUDA device 0"):
        incipit.Region(on_gpu(np.zeros(8, np.uint8)))


def test_without_torch_a_gpu_buffer_is_a_typed_error(monkeypatch, client):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)  # importing it fails
    with pytest.raises(incipit.UnsupportedDevice, match="expected torch with CUDA .*found no torch"):
        client.load([(0, 0, b"key", on_gpu(np.zeros(SIZE, np.uint8)))])


def test_other_devices_are_refused(client):
    class OnRocm(FakeTensor):
        def __dlpack_device__(self):
            return (10, 1)
    with pytest.raises(incipit.UnsupportedDevice, match="DLPack type 10 device 1"):
        client.store([(0, 0, b"key", OnRocm(np.zeros(SIZE, np.uint8)))])
